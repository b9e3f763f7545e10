"""One queue and one worker thread: the only place where a server runs TensorFlow.

A job belongs to the process, not to a browser tab. Whoever wants to know asks for `Snapshot`s, which never change.
Every job leaves a record on disk when it is queued, so that a killed server finds it again as interrupted, with its
inputs and settings, ready to be run again. This module does not import TensorFlow; the worker does when it has work.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nst import image, weights
from nst.config import Settings
from nst.errors import GalleryError, NSTError
from nst.files import write_atomically
from nst.gallery import Gallery, Input, check_id, default_name, new_id
from nst.result import LossRow, NetworkInfo, Result, Status, Step

if TYPE_CHECKING:
    from nst.features import TargetCache

log = logging.getLogger(__name__)

PREVIEW_EVERY = 1.0
"""Seconds between two previews, at least."""
PREVIEW_SIDE = 720
"""Pixels of a preview's longest side; Streamlit re-encodes anything wider than 1460."""
MAX_POINTS = 500
"""Points of a loss curve handed out, at most."""
MAX_REMEMBERED = 50
"""Ended jobs kept in the list."""


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        return self in (State.QUEUED, State.PREPARING, State.RUNNING)


@dataclass(frozen=True)
class Order:
    """What is to be painted: inputs already in the gallery, and the settings."""

    content: Input
    styles: tuple[Input, ...]
    settings: Settings
    name: str = ""
    network: str | None = None
    """A weights file, "builtin", or None for the usual search (`nst.weights.find`)."""


@dataclass(frozen=True)
class Snapshot:
    """A job at one moment."""

    id: str
    order: Order
    name: str
    state: State = State.QUEUED
    message: str = "Waiting for its turn."
    network: NetworkInfo | None = None
    cached_targets: int = 0
    """How many styles' targets came from the cache."""
    step: Step | None = None
    history: tuple[LossRow, ...] = ()
    """At most `MAX_POINTS` rows, the last one included."""
    preview: bytes | None = None
    """A JPEG of the picture so far."""
    entry_id: str | None = None
    """The gallery entry it became."""


class JobManager:
    """Runs orders one after the other, and tells how they stand. Safe to use from any thread.

    With `threaded=False` nothing runs until `run_pending` is called: for tests of the pages.
    """

    def __init__(self, gallery: Gallery, *, threaded: bool = True) -> None:
        self.gallery = gallery
        self._lock = threading.Lock()
        self._jobs: dict[str, Snapshot] = {}
        self._cancels: dict[str, threading.Event] = {}
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._targets: TargetCache | None = None
        self._closing = False
        self._owner = new_id()
        self._claim = _claim(self._lock_path(self._owner))
        self._take_up_interrupted()
        self._worker = threading.Thread(target=self._work, name="tensorflow", daemon=True) if threaded else None
        if self._worker:
            self._worker.start()

    def submit(self, order: Order) -> str:
        """Queue an order and return the job's id; raises `GalleryError` when it can't be written down."""
        job = Snapshot(
            new_id(), order, order.name or default_name(order.content.label, [s.label for s in order.styles])
        )
        self._note(job)
        with self._lock:
            self._jobs[job.id] = job
            self._cancels[job.id] = threading.Event()
        self._queue.put(job.id)
        return job.id

    def again(self, job_id: str) -> str:
        """Queue an ended job's order once more and return the new job's id; raises KeyError for an unknown id."""
        job = self._jobs[job_id]
        new = self.submit(replace(job.order, name=job.name))
        self.dismiss(job_id)
        return new

    def cancel(self, job_id: str) -> None:
        """Stop a job after the evaluation it is in, keeping its best picture; ended and unknown ones are left alone."""
        with self._lock:
            if job_id in self._cancels:
                self._cancels[job_id].set()
        job = self.get(job_id)
        if job and job.state == State.QUEUED:
            self._end(job_id, State.CANCELLED, "Cancelled before it began.")

    def dismiss(self, job_id: str) -> None:
        """Take an ended job off the list; its gallery entry stays."""
        with self._lock:
            if job_id in self._jobs and not self._jobs[job_id].state.active:
                del self._jobs[job_id]
                shutil.rmtree(self._folder(job_id), ignore_errors=True)

    def get(self, job_id: str) -> Snapshot | None:
        with self._lock:
            return self._jobs.get(job_id)

    def snapshots(self) -> list[Snapshot]:
        """All jobs that are not dismissed, newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def position(self, job_id: str) -> int:
        """How many jobs come before this one."""
        with self._lock:
            waiting = [job.id for job in self._jobs.values() if job.state.active]
        return waiting.index(job_id) if job_id in waiting else 0

    def close(self, *, patience: float | None = None) -> None:
        """End the job that runs, keeping its best picture, and wait for the worker, `patience` seconds at most.

        What has no picture yet stays on disk, and is listed as interrupted by the next manager.
        """
        self._closing = True
        for cancel in list(self._cancels.values()):
            cancel.set()
        self._queue.put(None)
        if self._worker:
            self._worker.join(patience)
        if self._claim:
            self._claim.close()
            with contextlib.suppress(OSError):
                self._lock_path(self._owner).unlink()

    def run_pending(self) -> None:
        """Run what is queued in the calling thread, for a manager that is not threaded."""
        while not self._queue.empty():
            if job_id := self._queue.get():
                self._run(job_id)

    # The worker ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while job_id := self._queue.get():
            self._run(job_id)

    def _run(self, job_id: str) -> None:
        job = self.get(job_id)
        if self._closing or job is None or job.state != State.QUEUED:
            return  # cancelled, and perhaps dismissed, while it waited
        try:
            self._paint(job_id)
        except _CancelledError:
            if not self._closing:
                self._end(job_id, State.CANCELLED, "Cancelled before the first picture.")
        except NSTError as error:
            self._end(job_id, State.FAILED, str(error))
        except Exception as error:
            log.exception("Job %s failed", job_id)
            self._end(job_id, State.FAILED, _explained(error))

    def _paint(self, job_id: str) -> None:
        order = self._jobs[job_id].order
        self._update(job_id, state=State.PREPARING, message="Starting TensorFlow.")
        from nst import engine, features  # the first job loads TensorFlow, in this thread

        if self._targets is None:
            self._targets = features.TargetCache(self.gallery.targets)
        self._update(job_id, message="Loading the network.")
        network = weights.find(order.network, progress=lambda got, of: self._downloading(job_id, got, of))
        self._update(job_id, message="Looking at the style.", network=network.info)
        files = {picture: self._read(picture) for picture in (order.content, *order.styles)}
        content = image.load(files[order.content])
        result = engine.stylize(
            content.rgb,
            [image.load(files[style]).rgb for style in order.styles],
            order.settings,
            network=network,
            cache=self._targets,
            cancelled=self._cancels[job_id].is_set,
            on_step=_Watcher(self, job_id),
        )
        for picture, data in files.items():  # somebody may have emptied the folder while we painted
            self.gallery.add_input(data, picture.label)
        self._keep(job_id, result, content.alpha)

    def _read(self, picture: Input) -> bytes:
        try:
            return self.gallery.input_path(picture).read_bytes()
        except OSError:
            raise GalleryError(f"The picture {picture.label!r} is no longer in the gallery. Upload it again.") from None

    def _keep(self, job_id: str, result: Result, alpha: np.ndarray | None) -> None:
        if not result.history and self._closing:
            return
        job = self._jobs[job_id]
        if not result.history:
            ended = State.CANCELLED if result.status == Status.CANCELLED else State.FAILED
            self._end(job_id, ended, result.message)
            return
        preview = image.thumbnail(result.picture, alpha=None, longest=PREVIEW_SIDE)
        frames = self._folder(job_id) / "frames"
        entry = self.gallery.save(
            result,
            name=job.name,
            content=job.order.content,
            styles=job.order.styles,
            alpha=alpha,
            frames=frames if frames.is_dir() else None,
        )
        state = {Status.CANCELLED: State.CANCELLED, Status.FAILED: State.FAILED}.get(result.status, State.FINISHED)
        self._end(job_id, state, result.message, entry_id=entry.id, preview=preview)

    def _downloading(self, job_id: str, got: int, of: int | None) -> None:
        if self._cancels[job_id].is_set():
            raise _CancelledError
        amount = f"{got / 1e6:.0f} of {of / 1e6:.0f} MB" if of else f"{got / 1e6:.0f} MB"
        self._update(job_id, message=f"Downloading VGG19, once: {amount}.")

    # Records ---------------------------------------------------------------------------------------------------

    def _update(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], **changes)

    def _end(self, job_id: str, state: State, message: str, **changes: Any) -> None:
        self._update(job_id, state=state, message=message, **changes)
        shutil.rmtree(self._folder(job_id), ignore_errors=True)  # from here on the gallery entry is the record
        for old in [job.id for job in self.snapshots() if not job.state.active][MAX_REMEMBERED:]:
            self.dismiss(old)

    def _folder(self, job_id: str) -> Path:
        return self.gallery.work / f"job-{job_id}"

    def _note(self, job: Snapshot) -> None:
        """Write down what a killed server needs to know of this job."""
        order = job.order
        record = {
            "id": job.id,
            "owner": self._owner,
            "queued": time.time_ns(),  # ids order jobs by the second only
            "name": job.name,
            "content": order.content.to_dict(),
            "styles": [style.to_dict() for style in order.styles],
            "settings": order.settings.to_dict(),
            "network": order.network,
        }
        try:
            write_atomically(self._folder(job.id) / "job.json", json.dumps(record).encode())
        except OSError as error:
            raise GalleryError(f"The job could not be queued: {error}. Free some space and try again.") from error

    def _lock_path(self, owner: str) -> Path:
        return self.gallery.work / f"server-{owner}.lock"

    def _take_up_interrupted(self) -> None:
        """List the jobs of managers that live no more, in the order they were queued, and make them ours."""
        found = []
        for path in self.gallery.work.glob("job-*/job.json"):
            try:
                record = json.loads(path.read_bytes())
                job, owner, queued = _read_record(path, record), check_id(record["owner"]), int(record["queued"])
            except _UNREADABLE:
                log.warning("Passed over an unreadable job record: %s", path)
                continue
            if self._lives(owner):
                continue
            with contextlib.suppress(OSError):  # listed all the same on a disk that takes no more
                write_atomically(path, json.dumps(record | {"owner": self._owner}).encode())
            found.append((queued, job))
        for _, job in sorted(found, key=lambda pair: pair[0]):
            self._jobs[job.id] = job

    def _lives(self, owner: str) -> bool:
        """Whether the manager of that name still runs, in this or another process."""
        path = self._lock_path(owner)
        if not path.exists():
            return False
        claim = _claim(path)
        if claim is None:
            return True
        claim.close()
        path.unlink(missing_ok=True)
        return False


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, NSTError)
"""What reading a record may raise that somebody has damaged."""


def _read_record(path: Path, record: Any) -> Snapshot:
    order = Order(
        content=Input.from_dict(record["content"]),
        styles=tuple(Input.from_dict(style) for style in record["styles"]),
        settings=Settings.from_dict(record["settings"]),
        name=str(record["name"]),
        network=record["network"],
    )
    preview = path.parent / "preview.jpg"
    return Snapshot(
        check_id(path.parent.name.removeprefix("job-")),
        order,
        order.name,
        State.INTERRUPTED,
        "The program ended while this job was queued or running. Nothing else was lost: run it again.",
        preview=preview.read_bytes() if preview.is_file() else None,
    )


class _Watcher:
    """Turns steps into what a page shows: numbers at every step, a preview now and then, frames where asked for."""

    def __init__(self, manager: JobManager, job_id: str) -> None:
        self.manager, self.job_id = manager, job_id
        self.folder = manager._folder(job_id)
        self.rows: list[LossRow] = []
        self.shown = float("-inf")

    def __call__(self, step: Step) -> None:
        if not step.note:  # a step back repeats the losses of the last good picture
            self.rows.append(step.losses)
        changes: dict[str, Any] = {
            "state": State.RUNNING,
            "message": step.note or "Painting.",
            "step": replace(step, picture=_gone),  # which would hold a tensor, and use it on another thread
            "history": thinned(self.rows),
            "cached_targets": step.cached_targets,
        }
        if step.keep_frame:
            frame = image.encode_jpeg(step.picture(), quality=92)
            self._keep(f"frames/{step.losses.evaluation:06d}.jpg", frame)
        if time.monotonic() - self.shown >= PREVIEW_EVERY:
            self.shown = time.monotonic()
            changes["preview"] = image.thumbnail(step.picture(), None, PREVIEW_SIDE)
            self._keep("preview.jpg", changes["preview"])
        self.manager._update(self.job_id, **changes)

    def _keep(self, name: str, data: bytes) -> None:
        try:
            write_atomically(self.folder / name, data)
        except OSError as error:  # neither a frame nor a preview is worth losing the picture for
            log.warning("%s of job %s could not be written: %s", name, self.job_id, error)


def _gone() -> np.ndarray:
    raise RuntimeError("The picture of a step is only there while the step is fresh. Use Snapshot.preview.")


def thinned(rows: Sequence[LossRow], most: int = MAX_POINTS) -> tuple[LossRow, ...]:
    """At most `most` rows, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most))


class _CancelledError(Exception):
    """Raised out of a download when its job is cancelled."""


def _claim(path: Path) -> sqlite3.Connection | None:
    """A lock that dies with the process, on every platform; None while somebody else holds it."""
    for _ in range(2):
        try:
            connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError:  # a disk that takes no more
            return None
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            return None
        except sqlite3.DatabaseError:  # the file is damaged: nobody can hold that
            connection.close()
            path.unlink(missing_ok=True)
            continue
        return connection
    return None


def _explained(error: Exception) -> str:
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "There was not enough memory. Choose a smaller size and try again."
    return f"Something unexpected went wrong ({type(error).__name__}). The details are in the terminal."
