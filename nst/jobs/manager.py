"""One queue and one worker thread: the only place where a server runs TensorFlow.

A job belongs to the process, not to a browser tab. Whoever wants to know asks for `Snapshot`s, which never change.
Every job leaves a record on disk when it is queued, and checkpoints while it runs, so that a killed server finds it
again as interrupted, ready to go on. This module does not import TensorFlow; the worker does when it has work.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nst.config import BUILTIN, Settings
from nst.errors import GalleryError, NSTError, SettingsError
from nst.gallery import Entry, Gallery, default_name, new_id
from nst.jobs.job import Order, Snapshot, State
from nst.jobs.painter import CancelledError, Painter, PausedError, Reins, explained
from nst.jobs.records import CHECKPOINT, Records
from nst.precision import reopened
from nst.result import WEIGHTS, Change, settings_at_start

if TYPE_CHECKING:
    from nst.checkpoint import Checkpoint
    from nst.features import TargetCache

log = logging.getLogger(__name__)

MAX_REMEMBERED = 50
"""Ended jobs kept in the list."""
MORE = 100
"""Evaluations that a result is taken further by."""


class JobManager:
    """Runs orders one after the other, and tells how they stand. Safe to use from any thread.

    With `threaded=False` nothing runs until `run_pending` is called: for tests of the pages. `preferred` tells which
    network the user has chosen, for what is painted with VGG19 once more.
    """

    def __init__(
        self, gallery: Gallery, *, threaded: bool = True, preferred: Callable[[], str | None] = lambda: None
    ) -> None:
        self.gallery, self.preferred = gallery, preferred
        self._changed = threading.Condition(threading.RLock())
        self._jobs: dict[str, Snapshot] = {}
        """In the order they run in."""
        self._reins: dict[str, Reins] = {}
        self._targets: TargetCache | None = None
        self._closing = False
        self._records = Records(gallery)
        for job in self._records.take_up():
            self._jobs[job.id] = job
        self._worker = threading.Thread(target=self._work, name="tensorflow", daemon=True) if threaded else None
        if self._worker:
            self._worker.start()

    # Orders --------------------------------------------------------------------------------------------------------

    def submit(self, order: Order) -> str:
        """Queue an order and return the job's id; raises `GalleryError` when it can't be written down."""
        name = order.name or default_name(order.content.label, [style.label for style in order.styles])
        job = Snapshot(new_id(), order, name)
        self._records.note(job)
        self._queue(job)
        return job.id

    def again(self, job_id: str) -> str:
        """Queue an ended job's order once more and return the new job's id; raises KeyError for an unknown id."""
        job = self._jobs[job_id]
        new = self.submit(replace(job.order, name=job.name))
        if not job.resumable:  # what it has painted already may still be wanted
            self.dismiss(job_id)
        return new

    def more(self, entry_id: str, iterations: int = MORE) -> str:
        """Take a result further by so many evaluations, from its picture and its optimiser's state.

        Where that state is no longer kept, from the picture alone. Raises `GalleryError` where there is no such entry.
        """
        entry, state = self.gallery.get(entry_id), self.gallery.state(entry_id)
        if state is None:
            return self._from_picture(entry, iterations=iterations, scales=1)
        steps = int(state.facts["iteration"]) + iterations  # of the last scale
        return self._continue(entry, state, iterations=steps, plateau=0.0)

    def larger(self, entry_id: str, size: int) -> str:
        """Take a result to a larger size, from its picture; raises `GalleryError` and `SettingsError`."""
        entry, state = self.gallery.get(entry_id), self.gallery.state(entry_id)
        start = settings_at_start(entry.settings, entry.changes)
        if size <= entry.settings.size:
            raise SettingsError(f"The size must be above {entry.settings.size}. Received: {size}. Choose a larger one.")
        if state is None:
            return self._from_picture(entry, size=size, iterations=start.iterations, scales=1)
        return self._continue(entry, state, size=size, iterations=start.iterations, plateau=start.plateau)

    def finish(self, entry_id: str) -> str:
        """Take a result that was stopped to the end of what was planned, as if it had never stopped."""
        entry, state = self.gallery.get(entry_id), self.gallery.state(entry_id)
        if state is None:
            raise GalleryError("The saved state of this result is no longer there. Take 100 more steps instead.")
        return self._continue(entry, state)

    def reproduce(self, entry_id: str) -> str:
        """Paint a result once more, with the changes that were made on the way, and compare."""
        entry = self.gallery.get(entry_id)
        return self.submit(replace(self._order_of(entry), reproduces=entry_id))

    def _order_of(self, entry: Entry) -> Order:
        return Order(
            entry.content,
            entry.styles,
            settings_at_start(entry.settings, entry.changes),
            name=entry.name,
            network=BUILTIN if entry.network.name == BUILTIN else self.preferred(),
            initial=entry.initial,
            changes=entry.changes,
        )

    def _continue(self, entry: Entry, state: Checkpoint, **after: Any) -> str:
        """Go on from an entry's saved state, with settings changed from there on."""
        order = self._order_of(entry)
        before = {name: getattr(entry.settings, name) for name in after}
        entry.settings.replace(**after)  # raises what is wrong with them, here and not in the queue
        change = Change(state.evaluations, int(state.facts["scale"]), before, after)
        changes = (*entry.changes, change) if after else entry.changes
        return self.submit(replace(order, parent=entry.id, state_of=entry.id, changes=changes))

    def _from_picture(self, entry: Entry, **settings: Any) -> str:
        picture = self.gallery.add_input(entry.picture_path.read_bytes(), entry.name)
        settings = {"init": "picture", "plateau": 0.0, "early_iterations": 0} | settings
        order = replace(self._order_of(entry), settings=reopened(entry.settings).replace(**settings), changes=())
        return self.submit(replace(order, initial=picture, parent=entry.id))

    # What people want of a job -------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Stop a job after the evaluation it is in, keeping its best picture; ended and unknown ones are left alone."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job and job.state in (State.QUEUED, State.PAUSED):
                if not job.resumable:
                    self._end(job_id, State.CANCELLED, "Cancelled before it began.")
                    return
                # It has painted already: the worker takes its picture to the gallery.
                self._queue(job, stop=True, message="Stopping: its picture goes to the gallery.")
                self.move(job_id, -len(self._jobs))
            elif job_id in self._reins:
                self._reins[job_id].stop, self._reins[job_id].pause = True, False

    def pause(self, job_id: str) -> None:
        """Set a job aside after the evaluation it is in; the next one in the queue begins."""
        with self._changed:
            job = self._jobs.get(job_id)
            if not job or not job.state.active or self._reins[job_id].stop:  # who has stopped it means it
                return
            if job.state == State.QUEUED:
                self._set_aside(job_id)
            else:
                self._reins[job_id].pause = True

    def resume(self, job_id: str) -> None:
        """Queue a job that is paused, was interrupted or failed, at the end of the queue; it goes on where it was."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job and (
                job.state in (State.PAUSED, State.INTERRUPTED) or (job.state == State.FAILED and job.resumable)
            ):
                self._queue(job)
                self._note(job_id)

    def move(self, job_id: str, by: int) -> None:
        """Move a waiting job in the queue: -1 is one place earlier, 1 one later."""
        with self._changed:
            waiting = [job.id for job in self._jobs.values() if job.state == State.QUEUED]
            if job_id not in waiting:
                return
            place = waiting.index(job_id)
            waiting.insert(min(max(place + by, 0), len(waiting) - 1), waiting.pop(place))
            rest = {key: job for key, job in self._jobs.items() if key not in waiting}
            self._jobs = rest | {key: self._jobs[key] for key in waiting}
            for key in waiting:  # in their new order, should the server be killed
                self._note(key)

    def steer(self, job_id: str, **changes: Any) -> None:
        """Change settings of a running job from its next evaluation on; raises `SettingsError` where they don't fit."""
        with self._changed:
            job = self._jobs.get(job_id)
            if not job or not job.state.active:
                return
            if strange := sorted(set(changes) - WEIGHTS):
                raise SettingsError(
                    f"These can't change while painting. Received: {', '.join(strange)}. "
                    f"Only {', '.join(sorted(WEIGHTS))} can."
                )
            settings_now(job).replace(**changes)
            self._reins[job_id].steer(changes)

    def dismiss(self, job_id: str) -> None:
        """Take a job that is not active off the list; its gallery entry stays."""
        with self._changed:
            if job_id in self._jobs and not self._jobs[job_id].state.active:
                del self._jobs[job_id]
                self._reins.pop(job_id, None)
                shutil.rmtree(self._records.folder(job_id), ignore_errors=True)

    # How they stand ------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Snapshot | None:
        with self._changed:
            return self._jobs.get(job_id)

    def snapshots(self) -> list[Snapshot]:
        """All jobs that are not dismissed, the last to run first."""
        with self._changed:
            return list(reversed(self._jobs.values()))

    def position(self, job_id: str) -> int:
        """How many jobs come before this one."""
        with self._changed:
            waiting = [job.id for job in self._jobs.values() if job.state.active]
        return waiting.index(job_id) if job_id in waiting else 0

    def close(self, *, patience: float | None = None) -> None:
        """End the job that runs, keeping its best picture, and wait for the worker, `patience` seconds at most.

        What has no picture yet stays on disk, and is listed as interrupted by the next manager.
        """
        with self._changed:
            self._closing = True
            for reins in self._reins.values():
                reins.stop = True
            self._changed.notify_all()
        if self._worker:
            self._worker.join(patience)
        self._records.close()

    def run_pending(self) -> None:
        """Run what is queued in the calling thread, for a manager that is not threaded."""
        while job_id := self._next():
            self._run(job_id)

    # The worker ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._closing and not self._next():
                    self._changed.wait()
                job_id = None if self._closing else self._next()
            if job_id is None:
                return
            self._run(job_id)

    def _next(self) -> str | None:
        with self._changed:
            return next((job.id for job in self._jobs.values() if job.state == State.QUEUED), None)

    def _run(self, job_id: str) -> None:
        try:
            self._paint(job_id)
        except CancelledError:
            if not self._closing:
                self._end(job_id, State.CANCELLED, "Cancelled before the first picture.")
        except PausedError:
            self._set_aside(job_id)
        except NSTError as error:
            self._end(job_id, State.FAILED, str(error))
        except Exception as error:
            log.exception("Job %s failed", job_id)
            self._end(job_id, State.FAILED, explained(error))

    def _paint(self, job_id: str) -> None:
        with self._changed:
            job = self._jobs.get(job_id)
            if job is None or job.state != State.QUEUED:
                return  # cancelled, paused or dismissed at this very moment
            reins = self._reins[job_id]
            self._update(job_id, state=State.PREPARING, message="Starting TensorFlow.")
        from nst import features  # the first job loads TensorFlow, in this thread

        if self._targets is None:
            self._targets = features.TargetCache(self.gallery.targets)

        def tell(**changes: Any) -> None:
            if (state := changes.get("state")) and not state.active:
                self._end(job_id, changes.pop("state"), changes.pop("message"), **changes)
            else:
                self._update(job_id, **changes)

        Painter(
            self.gallery,
            job,
            folder=self._records.folder(job_id),
            reins=reins,
            targets=self._targets,
            tell=tell,
        ).run()

    # Changing the list ---------------------------------------------------------------------------------------------

    def _queue(self, job: Snapshot, *, stop: bool = False, message: str = "Waiting for its turn.") -> None:
        """Put a job at the end of the queue."""
        with self._changed:
            self._jobs.pop(job.id, None)
            self._jobs[job.id] = replace(job, state=State.QUEUED, message=message)
            reins = self._reins.setdefault(job.id, Reins())
            reins.stop, reins.pause = stop, False
            self._changed.notify_all()

    def _set_aside(self, job_id: str) -> None:
        with self._changed:
            self._update(job_id, state=State.PAUSED, message="Paused.")
            self._note(job_id)

    def _note(self, job_id: str) -> None:
        """Write down how a job stands; should that fail, it is still listed after a crash, as it stood before."""
        try:
            self._records.note(self._jobs[job_id])
        except GalleryError as error:
            log.warning("%s", error)

    def _update(self, job_id: str, **changes: Any) -> None:
        with self._changed:
            self._jobs[job_id] = replace(self._jobs[job_id], **changes)

    def _end(self, job_id: str, state: State, message: str, **changes: Any) -> None:
        folder = self._records.folder(job_id)
        with self._changed:
            proofs = changes.get("proofs", self._jobs[job_id].proofs)
        resumable = state == State.FAILED and (folder / CHECKPOINT).is_file()
        if not proofs and not resumable:  # else the folder is all there is, until somebody dismisses the job
            shutil.rmtree(folder, ignore_errors=True)
        self._update(job_id, state=state, message=message, **changes | {"resumable": resumable})
        ended = [job.id for job in self.snapshots() if job.state in (State.FINISHED, State.CANCELLED, State.FAILED)]
        for old in ended[MAX_REMEMBERED:]:
            self.dismiss(old)


def settings_now(job: Snapshot) -> Settings:
    """The settings that are in force at this moment of a job."""
    settings = job.order.settings
    for change in job.changes:
        settings = settings.replace(**change.after)
    return settings
