"""Carries out one job on the one thread that runs TensorFlow: paints it, tells how it stands, keeps what came of it.

This module does not import TensorFlow; the first job does.
"""

from __future__ import annotations

import gc
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from nst import advice, estimate, image, weights
from nst.checkpoint import Checkpoint
from nst.config import Settings
from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery import Gallery, Input, new_id
from nst.jobs.job import Order, Proof, Snapshot, State, thinned
from nst.jobs.records import CHECKPOINT, FRAMES, PREVIEW, PROOFS_READY, is_kept, proof_name
from nst.result import LayerRow, LossRow, Result, Status, Step
from nst.scales import planned_evaluations

if TYPE_CHECKING:
    from nst.features import TargetCache

log = logging.getLogger(__name__)

PREVIEW_EVERY = 1.0
"""Seconds between two previews, at least."""
PREVIEW_SIDE = 720
"""Pixels of a preview's longest side; Streamlit re-encodes anything wider than 1460."""
FRAMES_A_RUN = 48
"""Frames kept of a run for its timeline, about, where the settings ask for no more."""
CHECKPOINT_EVERY = 10.0
"""Seconds between two checkpoints, at least."""
CHECKPOINT_SHARE = 1 / 20
"""Of the time, at most, that may go into writing them."""


class PausedError(Exception):
    """The job was set aside; its checkpoint, where it had painted anything, is in its folder."""


class CancelledError(Exception):
    """The job was cancelled before there was anything to keep."""


class Reins:
    """What people want of a running job, as they want it; safe from any thread."""

    def __init__(self) -> None:
        self.stop = self.pause = False
        self._lock = threading.Lock()
        self._wanted: dict[str, Any] = {}

    def halt(self) -> bool:
        """Whether the job is to stop after the evaluation it is in."""
        return self.stop or self.pause

    def steer(self, changes: Mapping[str, Any]) -> None:
        """Change settings from the next evaluation on."""
        with self._lock:
            self._wanted |= changes

    def take(self) -> dict[str, Any]:
        """The settings to change now."""
        with self._lock:
            wanted, self._wanted = self._wanted, {}
        return wanted


class Painter:
    """Paints one job. `tell(**changes)` changes its snapshot."""

    def __init__(
        self,
        gallery: Gallery,
        job: Snapshot,
        *,
        folder: Path,
        reins: Reins,
        targets: TargetCache,
        tell: Callable[..., None],
    ) -> None:
        self.gallery, self.job, self.order = gallery, job, job.order
        self.folder, self.reins, self.targets, self.tell = folder, reins, targets, tell
        self.until: int | None = None
        """After how many evaluations a run that was once stopped there is to stop again."""
        self.evaluations = self.inherited = 0
        """Made so far, and those of them that are the parent's."""
        self.planned = list(self.order.changes)
        """Changes that are still to be made again."""

    def run(self) -> None:
        """Carry the order out; raises `PausedError`, `CancelledError`, and `NSTError` where it can't be done."""
        estimate.forget_peak()  # so that what is learnt of the memory is this run's own
        self.tell(message="Loading the network.")
        self.network = weights.find(self.order.network, progress=self._downloading)
        self.tell(message="Looking at the style.", network=self.network.info)
        inputs = {self.order.content, *self.order.styles, *filter(None, [self.order.initial])}
        self.files = {picture: self._read(picture) for picture in inputs}
        self.content = image.load(self.files[self.order.content])
        self.styles = [image.load(self.files[style]).rgb for style in self.order.styles]
        if self.order.variants:
            self._proofs()
        elif self.order.reproduces:
            self._reproduce(self.order.reproduces)
        else:
            self._paint()

    # The three things that an order may want ---------------------------------------------------------------------

    def _paint(self) -> None:
        self._bring_frames()
        checkpoint = self._checkpoint()
        result = self._stylize(self.order.settings, self._watcher(checkpoint), checkpoint)
        self._pause_if_wanted(result)
        if result.status == Status.CANCELLED and result.evaluations == self.inherited:
            raise CancelledError  # there is nothing in it that its parent has not
        for picture, data in self.files.items():  # somebody may have emptied the folder while we painted
            self.gallery.add_input(data, picture.label)
        self._keep(result)

    def _proofs(self) -> None:
        proofs: list[Proof] = list(self.job.proofs)
        for variant in self.order.variants[len(proofs) :]:
            count = len(self.order.variants)

            def show(step: Step, done: int = len(proofs), count: int = count) -> None:
                progress = (done + step.progress) / count
                told = replace(step, picture=_gone, checkpoint=None, progress=progress, remaining=None)
                self.tell(state=State.RUNNING, message=f"Proof {done + 1} of {count}.", step=told)

            result = self._stylize(variant, show, None)
            if self.reins.halt():
                break
            proofs.append(Proof(variant, image.encode_png(result.picture)))
            write_if_possible(self.folder / proof_name(len(proofs) - 1), proofs[-1].picture)
            self.tell(proofs=tuple(proofs))
        if self.reins.pause:
            raise PausedError
        if not proofs:
            raise CancelledError
        whole = len(proofs) == len(self.order.variants)
        told = PROOFS_READY if whole else "Stopped: these were ready. Choose one, or paint again."
        self.tell(state=State.FINISHED if whole else State.CANCELLED, message=told)

    def _reproduce(self, entry_id: str) -> None:
        entry = self.gallery.get(entry_id)
        if entry.network.sha256 != self.network.info.sha256:
            raise GalleryError(
                f"This result was painted with other filters. Received: {self.network.info.source}; "
                f"it was made with {entry.network.name}. Choose those on the settings page."
            )
        if entry.status == Status.CANCELLED:
            self.until = entry.evaluations
        checkpoint = self._checkpoint()
        result = self._stylize(self.order.settings, self._watcher(checkpoint), checkpoint)
        self._pause_if_wanted(result)
        if result.status == Status.CANCELLED and result.evaluations != entry.evaluations:
            raise CancelledError
        before = image.to_uint8(image.load(entry.picture_path).rgb).astype(int)
        now = image.to_uint8(result.picture)
        if before.shape != now.shape:
            raise GalleryError(f"The sizes differ. Received: {now.shape[1]} × {now.shape[0]} pixels this time.")
        difference = int(np.abs(before - now)[_visible(image.load(entry.picture_path))].max(initial=0))
        told = (
            "The same picture: no pixel differs."
            if difference == 0
            else f"The largest difference of a pixel is {difference} of 255. Another processor, or another version of "
            "TensorFlow, rounds differently."
        )
        self.tell(state=State.FINISHED, message=told, difference=difference, entry_id=entry_id)

    # Steps on the way ---------------------------------------------------------------------------------------------

    def _stylize(self, settings: Settings, watch: Callable[[Step], None], checkpoint: Checkpoint | None) -> Result:
        return _engine().stylize(
            self.content.rgb,
            self.styles,
            settings,
            network=self.network,
            cache=self.targets,
            initial=image.load(self.files[self.order.initial]).rgb if self.order.initial else None,
            checkpoint=checkpoint,
            cancelled=self._halted,
            changes=self._changes,
            on_step=watch,
        )

    def _watcher(self, checkpoint: Checkpoint | None) -> Watcher:
        self.watcher = Watcher(self.gallery, self.order, folder=self.folder, tell=self.tell, checkpoint=checkpoint)
        return self.watcher

    def _halted(self) -> bool:
        return self.reins.halt() or (self.until is not None and self.evaluations >= self.until)

    def _changes(self, evaluations: int, scale: int) -> dict[str, Any]:
        """What the order, and then people, want to change here."""
        self.evaluations = evaluations
        if self.planned and (self.planned[0].evaluation, self.planned[0].scale) == (evaluations, scale):
            return dict(self.planned.pop(0).after)
        return self.reins.take()

    def _checkpoint(self) -> Checkpoint | None:
        """Where to go on: where this job was interrupted, else where the entry that it continues ended."""
        if (path := self.folder / CHECKPOINT).is_file():
            found = Checkpoint.load(path)
        elif not self.order.state_of:
            return None
        elif (state := self.gallery.state(self.order.state_of)) is not None:
            found, self.inherited = state, state.evaluations
        else:
            raise GalleryError("The saved state of this result is no longer there. Paint it again from its settings.")
        self.planned = self.planned[len(found.facts.get("changes", ())) :]
        return found

    def _pause_if_wanted(self, result: Result) -> None:
        """Raises `PausedError` once the run lies on the disk, from where it goes on."""
        if not self.reins.pause or result.status != Status.CANCELLED:
            return
        if result.checkpoint:
            try:
                result.checkpoint().save(self.folder / CHECKPOINT)
            except OSError as error:
                log.warning("The checkpoint of job %s could not be written: %s", self.job.id, error)
                return  # the picture so far goes to the gallery, as if it had been stopped
            preview = image.thumbnail(result.picture, alpha=None, longest=PREVIEW_SIDE)
            self.tell(resumable=True, preview=preview)
        raise PausedError

    def _keep(self, result: Result) -> None:
        if not result.history:
            if result.status == Status.CANCELLED:
                raise CancelledError
            raise GalleryError(result.message)
        size = result.picture.shape[1::-1]
        told = advice.before(settings=result.settings, size=size, styles=[s.shape[1::-1] for s in self.styles])
        told += advice.after(result=result, content=self.content.rgb, styles=self.styles)
        frames = self.folder / FRAMES
        entry = self.gallery.save(
            result,
            name=self.job.name,
            content=self.order.content,
            styles=self.order.styles,
            alpha=self.content.alpha,
            frames=frames if frames.is_dir() else None,
            initial=self.order.initial,
            parent=self.order.parent,
            advice=told,
            entry_id=self._entry_id(),
        )
        self._learn(result)
        state = {Status.CANCELLED: State.CANCELLED, Status.FAILED: State.FAILED}.get(result.status, State.FINISHED)
        preview = image.thumbnail(result.picture, alpha=None, longest=PREVIEW_SIDE)
        self.tell(state=state, message=result.message, entry_id=entry.id, preview=preview, resumable=False)

    def _entry_id(self) -> str:
        """The job's own, by which a job that was killed right after saving is known to be done."""
        return new_id() if is_kept(self.gallery, self.job.id) else self.job.id

    def _learn(self, result: Result) -> None:
        """Remember how long it took and what it needed, for the next estimate."""
        try:
            estimate.Machine.load(self.gallery.machine_path).learn(
                network=result.network.name,
                device=result.versions.get("device", ""),
                history=result.history,
                settings=result.settings,
                full_size_evaluations=result.full_size_evaluations,
                peak_bytes=estimate.process_peak(),
                styles=len(self.order.styles),
            )
        except OSError as error:  # the estimate stays what it was
            log.warning("What this run took could not be remembered: %s", error)

    def _bring_frames(self) -> None:
        """The timeline of a continued picture begins with the one it continues."""
        if not self.order.parent or (self.folder / FRAMES).exists():
            return
        (self.folder / FRAMES).mkdir(parents=True, exist_ok=True)
        try:
            for path in self.gallery.get(self.order.parent).frame_paths:
                shutil.copyfile(path, self.folder / FRAMES / path.name)
        except (OSError, GalleryError) as error:
            log.warning("Frames of %s could not be copied: %s", self.order.parent, error)

    def _read(self, picture: Input) -> bytes:
        try:
            return self.gallery.input_path(picture).read_bytes()
        except OSError:
            raise GalleryError(f"The picture {picture.label!r} is no longer in the gallery. Upload it again.") from None

    def _downloading(self, got: int, of: int | None) -> None:
        if self.reins.pause:
            raise PausedError
        if self.reins.stop:
            raise CancelledError
        amount = f"{got / 1e6:.0f} of {of / 1e6:.0f} MB" if of else f"{got / 1e6:.0f} MB"
        self.tell(message=f"Downloading VGG19, once: {amount}.")


class Watcher:
    """Turns steps into what a page shows and a crash leaves: numbers, previews, frames and checkpoints."""

    def __init__(
        self,
        gallery: Gallery,
        order: Order,
        *,
        folder: Path,
        tell: Callable[..., None],
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.gallery, self.order, self.folder, self.tell = gallery, order, folder, tell
        earlier = checkpoint.facts if checkpoint else {"rows": (), "layers": ()}
        self.rows = [LossRow(*row) for row in earlier["rows"]]
        self.layers = [LayerRow(evaluation, tuple(losses)) for evaluation, losses in earlier["layers"]]
        self.shown = float("-inf")
        self.saved, self.patience = time.monotonic(), CHECKPOINT_EVERY
        self.scale = -1

    def __call__(self, step: Step) -> None:
        if not step.note:  # a step back repeats the losses of the last good picture
            self.rows.append(step.losses)
            if step.layers:
                self.layers.append(step.layers)
        changes: dict[str, Any] = {
            "state": State.RUNNING,
            "message": step.note or "Painting.",
            # A fresh step's picture and checkpoint hold tensors, which other threads must not touch.
            "step": replace(step, picture=_gone, checkpoint=None),
            "history": thinned(self.rows),
            "layers": thinned(self.layers),
            "changes": step.changes,
            "cached_targets": step.cached_targets,
        }
        if step.losses.scale != self.scale:
            self._note_targets(step)
        self._frame(step)
        if time.monotonic() - self.shown >= PREVIEW_EVERY:
            self.shown = time.monotonic()
            changes["preview"] = image.thumbnail(step.picture(), None, PREVIEW_SIDE)
            write_if_possible(self.folder / PREVIEW, changes["preview"])
        self.tell(**changes)
        self._save(step)

    def _frame(self, step: Step) -> None:
        """Keep the picture where the settings ask for it, else now and then, small, for the timeline."""
        settings = self.order.settings
        evaluation = step.losses.evaluation
        name = f"{FRAMES}/{evaluation:06d}.jpg"
        if settings.save_every:
            if step.keep_frame:
                write_if_possible(self.folder / name, image.encode_jpeg(step.picture(), quality=92))
        elif evaluation % max(1, math.ceil(planned_evaluations(settings) / FRAMES_A_RUN)) == 0:
            write_if_possible(self.folder / name, image.thumbnail(step.picture(), None, PREVIEW_SIDE))

    def _note_targets(self, step: Step) -> None:
        self.scale = step.losses.scale
        longest = round(max(step.losses.width, step.losses.height) * self.order.settings.style_scale)
        for style in self.order.styles:
            self.gallery.note_targets(style.sha256, longest)

    def _save(self, step: Step) -> None:
        """Write a checkpoint, seldom enough that painting hardly waits for the disk."""
        began = time.monotonic()
        if step.checkpoint is None or began - self.saved < self.patience:
            return
        try:
            step.checkpoint().save(self.folder / CHECKPOINT)
        except OSError as error:
            log.warning("A checkpoint could not be written: %s", error)
        self.saved = time.monotonic()
        self.patience = max(CHECKPOINT_EVERY, (self.saved - began) / CHECKPOINT_SHARE)


def write_if_possible(path: Path, data: bytes) -> None:
    """Neither a frame nor a preview nor a proof is worth losing a picture for: what can't be written is logged."""
    try:
        write_atomically(path, data)
    except OSError as error:
        log.warning("%s could not be written: %s", path.name, error)


def explained(error: Exception) -> str:
    """What went wrong where nobody foresaw it, in words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "There was not enough memory. Choose a smaller size and try again."
    return f"Something unexpected went wrong ({type(error).__name__}). The details are in the terminal."


def _visible(picture: image.Picture) -> np.ndarray:
    """Where a picture can be seen at all: (h, w) bool."""
    if picture.alpha is None:
        return np.ones(picture.rgb.shape[:2], bool)
    return picture.alpha > 0


def _gone() -> np.ndarray:
    raise RuntimeError("The picture of a step is only there while the step is fresh. Use Snapshot.preview.")


@cache
def _engine() -> ModuleType:
    """`nst.engine`, which loads TensorFlow, in the painting thread.

    None of TensorFlow's many objects is garbage. Streamlit looks for some after every run of a page, once a second
    while a picture is painted; with these set aside it holds up the painting for nothing instead of 0.2 s each time.
    """
    from nst import engine

    gc.freeze()
    return engine
