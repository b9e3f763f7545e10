"""What jobs leave on disk, so that a killed server loses none: a record each, and who is alive to look after it."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nst import image
from nst.config import Settings
from nst.errors import GalleryError, NSTError
from nst.files import write_atomically
from nst.gallery import Gallery, Input, check_id, new_id
from nst.gallery.entry import change_dict
from nst.gallery.files import entry_folder
from nst.jobs.job import Order, Proof, Snapshot, State
from nst.result import CHANGEABLE, Change

log = logging.getLogger(__name__)

CHECKPOINT, PREVIEW, FRAMES = "checkpoint.npz", "preview.jpg", "frames"
PROOFS_READY = "Choose the one to paint in full."
PATIENCE = 15.0
"""Seconds to wait for another server that is looking for interrupted jobs."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, NSTError)
"""What reading a record may raise that somebody has damaged."""


class Records:
    """The jobs' folders under the gallery's `work/`, and a lock that says that their owner lives."""

    def __init__(self, gallery: Gallery) -> None:
        self.gallery, self.work = gallery, gallery.work
        self.owner = new_id()
        self._claim = _claim(self._lock_path(self.owner))

    def folder(self, job_id: str) -> Path:
        """Where a job's record, preview, frames and checkpoint lie."""
        return self.work / f"job-{job_id}"

    def note(self, job: Snapshot, *, queued: int | None = None) -> None:
        """Write down what a killed server needs to know of this job; raises `GalleryError` where it can't."""
        record = {
            "id": job.id,
            "owner": self.owner,
            "queued": time.time_ns() if queued is None else queued,  # ids order jobs by the second only
            "name": job.name,
            "paused": job.state == State.PAUSED,
            **_order_to_dict(job.order),
        }
        try:
            write_atomically(self.folder(job.id) / "job.json", json.dumps(record).encode())
        except OSError as error:
            raise GalleryError(f"The job could not be queued: {error}. Free some space and try again.") from error

    def take_up(self) -> list[Snapshot]:
        """The jobs of owners that live no more, in the order they were queued; from now on they are ours."""
        with self._alone():
            return self._taken_up()

    def _taken_up(self) -> list[Snapshot]:
        found = []
        for path in self.work.glob("job-*/job.json"):
            try:
                record = json.loads(path.read_bytes())
                job, owner, queued = _read(path, record), check_id(record["owner"]), int(record["queued"])
            except _UNREADABLE:
                log.warning("Passed over an unreadable job record: %s", path)
                continue
            if self._lives(owner):
                continue
            if is_kept(self.gallery, job.id):  # it was killed between keeping its picture and forgetting its job
                shutil.rmtree(path.parent, ignore_errors=True)
                continue
            for rest in path.parent.glob(".*.tmp"):
                rest.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # listed all the same on a disk that takes no more
                write_atomically(path, json.dumps(record | {"owner": self.owner}).encode())
            found.append((queued, job))
        return [job for _, job in sorted(found, key=lambda pair: pair[0])]

    def close(self) -> None:
        """Tell other processes that the owner is gone."""
        if self._claim:
            self._claim.close()
            with contextlib.suppress(OSError):
                self._lock_path(self.owner).unlink()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two servers that start together must not both take up the same jobs."""
        with contextlib.ExitStack() as stack:
            try:
                lock = sqlite3.connect(self.work / "take-up.lock", timeout=PATIENCE, isolation_level=None)
                stack.enter_context(contextlib.closing(lock)).execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as error:  # a disk that takes no more, or a damaged file: better twice than never
                log.warning("Looking for interrupted jobs without a lock: %s", error)
            yield

    def _lock_path(self, owner: str) -> Path:
        return self.work / f"server-{owner}.lock"

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


def _order_to_dict(order: Order) -> dict[str, Any]:
    return {
        "content": order.content.to_dict(),
        "styles": [style.to_dict() for style in order.styles],
        "settings": order.settings.to_dict(),
        "network": order.network,
        "initial": order.initial and order.initial.to_dict(),
        "parent": order.parent,
        "state_of": order.state_of,
        "changes": [change_dict(change) for change in order.changes],
        "variants": [variant.to_dict() for variant in order.variants],
        "reproduces": order.reproduces,
    }


def _order_from_dict(record: Any) -> Order:
    """The reverse; records of earlier versions lack the later fields."""
    if not isinstance(record, dict):
        raise TypeError("record")
    initial, network = record.get("initial"), record["network"]
    if network is not None and not isinstance(network, str):
        raise TypeError("network")
    return Order(
        content=Input.from_dict(record["content"]),
        styles=tuple(Input.from_dict(style) for style in record["styles"]),
        settings=Settings.from_dict(record["settings"]),
        name=str(record["name"]),
        network=network,
        initial=None if initial is None else Input.from_dict(initial),
        parent=_id(record, "parent"),
        state_of=_id(record, "state_of"),
        changes=_changes(record),
        variants=tuple(Settings.from_dict(variant) for variant in record.get("variants", [])),
        reproduces=_id(record, "reproduces"),
    )


def _changes(record: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes of an order, which fit its settings one after the other."""
    changes, settings = [], Settings.from_dict(record["settings"])
    for data in record.get("changes", []):
        change = Change(int(data["evaluation"]), int(data["scale"]), dict(data["before"]), dict(data["after"]))
        if not set(change.before) == set(change.after) <= set(CHANGEABLE):
            raise ValueError("changes")
        settings = settings.replace(**change.after)
        changes.append(change)
    return tuple(changes)


def is_kept(gallery: Gallery, entry_id: str) -> bool:
    """Whether there is an entry of this id, damaged or not."""
    try:
        return entry_folder(gallery.root, entry_id).is_dir()
    except GalleryError:
        return False


def proof_name(number: int) -> str:
    """The file of a contact sheet's picture, counted from 0."""
    return f"proof-{number:02d}.png"


def _proofs(folder: Path, variants: Sequence[Settings]) -> tuple[Proof, ...]:
    """The pictures of a contact sheet that are ready, up to the first that is missing or damaged."""
    found = []
    for number, settings in enumerate(variants):
        data = _picture(folder / proof_name(number))
        if data is None:
            break
        found.append(Proof(settings, data))
    return tuple(found)


def _picture(path: Path) -> bytes | None:
    """A picture's file, or None where it is missing or damaged."""
    try:
        data = path.read_bytes()
        image.load(data)
    except (OSError, NSTError):
        return None
    return data


def _id(record: Mapping[str, Any], name: str) -> str | None:
    return None if record.get(name) is None else check_id(record[name])


def _read(path: Path, record: Any) -> Snapshot:
    order, folder = _order_from_dict(record), path.parent
    resumable = (folder / CHECKPOINT).is_file()
    state, message = State.INTERRUPTED, _interrupted(resumable)
    proofs = _proofs(folder, order.variants)
    if record.get("paused") is True:
        state, message = State.PAUSED, "Paused."
    elif proofs and len(proofs) == len(order.variants):
        state, message = State.FINISHED, PROOFS_READY
    return Snapshot(
        check_id(folder.name.removeprefix("job-")),
        order,
        order.name,
        state,
        message,
        preview=_picture(folder / PREVIEW),
        proofs=proofs,
        resumable=resumable or bool(proofs),
    )


def _interrupted(resumable: bool) -> str:
    told = "The program ended while this job was queued or running."
    if resumable:
        return f"{told} It can go on where it was."
    return f"{told} Nothing else was lost: run it again."


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
