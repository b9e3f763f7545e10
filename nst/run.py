"""The bookkeeping of one run: counts, times, losses, the best picture, how it ended; frozen and thawed exactly."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import nst
from nst import optimizers
from nst.checkpoint import Checkpoint
from nst.config import AUTO, PLATEAU_WINDOW, Settings
from nst.errors import CheckpointError, SettingsError
from nst.losses import FORMULAS
from nst.precision import settled
from nst.result import CHANGEABLE, WEIGHTS, Change, LayerRow, LossRow, Result, Status, Step, settings_at_start
from nst.scales import Scale, Size, most_evaluations
from nst.spectrum import Coefficients
from nst.tiles import effort
from nst.weights import Network

PACE_WINDOW = 15
"""Evaluations that the remaining time is judged by."""
FIXED_COST = 0.02
"""Seconds that an evaluation takes however small the picture (measured on two cores); the rest goes with its pixels."""
DIVERGED = 2.0
"""A last scale all of whose losses are this many times the first one's has gone the wrong way."""


class Descent:
    """One scale being optimised: the change of variables, where there is one, and the optimiser that moves them."""

    def __init__(self, settings: Settings, start: np.ndarray, pixel_range: float) -> None:
        """`start` is (1, h, w, 3) float32 in pixel units, 0 to `pixel_range` or beyond."""
        self.variables = Coefficients(start, _exponent(settings))
        self.optimizer = optimizers.make(settings, self.variables.start(start), pixel_range)
        self.retreats = 0
        """Steps back in a row."""

    def pixels(self) -> tf.Tensor | np.ndarray:
        """Where the losses are wanted next: (1, h, w, 3) float32."""
        return self.variables.pixels(self.optimizer.point)

    def tell(self, loss: float, gradient: tf.Tensor | np.ndarray) -> None:
        """Move on from the loss and the gradient with respect to the pixels."""
        self.retreats = 0
        self.optimizer.tell(loss, self.variables.pull_back(gradient))

    def retreat(self) -> None:
        """Half the step from the last good point."""
        self.retreats += 1
        self.optimizer.retreat()


def _exponent(settings: Settings) -> float:
    """Of the change of variables: L-BFGS heeds the spectrum by itself."""
    return 0.0 if settings.optimizer == "lbfgs" else settings.spectrum


class Run:
    """What a run knows about itself between two evaluations."""

    def __init__(self, settings: Settings, network: Network, scales: list[Scale]) -> None:
        self.settings, self.network, self.scales = settings, network, scales
        self.status, self.message = Status.FINISHED, "All steps were taken."
        self.rows: list[LossRow] = []
        self.layers: list[LayerRow] = []
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self.scale = self.iteration = self.evaluations = self.cached_targets = 0
        self.flops = 0.0
        """Of all evaluations so far."""
        self.pixel_range = FORMULAS[settings.formula].pixel_range
        self.totals: list[float] = []
        """Losses at this scale by the weights in force, as they came."""
        self.paces: dict[int, list[float]] = {}
        """Seconds between two evaluations, by scale."""
        self.earlier = 0.0
        """Seconds before the run was last resumed."""
        self.started = self.counted = time.perf_counter()
        self.descent: Descent

    # Scales --------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> Size:
        return self.scales[self.scale].size

    @property
    def early(self) -> bool:
        """Whether the present scale is painted with the built-in filters, in preparation."""
        return self.scales[self.scale].early

    @property
    def last(self) -> bool:
        """Whether this is the last scale."""
        return self.scale == len(self.scales) - 1

    @property
    def iterations(self) -> int:
        """The most evaluations at this scale."""
        return most_evaluations(self.settings, self.scales)[self.scale]

    def begin(self, *, cached_targets: int) -> None:
        """The optimisation of the present scale begins."""
        self.cached_targets = cached_targets
        self.counted = time.perf_counter()

    def next_scale(self) -> bool:
        """Go on at the next scale, and whether that needs a new descent.

        Where only the network changes, the optimiser goes on too: two networks that see alike bend the loss alike. At
        a larger size it makes room before that one's objective needs it.
        """
        before = self.size
        self.scale, self.iteration, self.totals = self.scale + 1, 0, []
        if self.size == before:
            self.descent.optimizer.restart()
            return False
        del self.descent
        return True

    def news(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the wanted settings that are not in force already.

        Raises `SettingsError` where a setting can't be changed in the middle of a run.
        """
        if strange := sorted(set(wanted) - set(CHANGEABLE)):
            raise SettingsError(
                f"These settings can't change while a run goes on. Received: {', '.join(strange)}. "
                f"Only {', '.join(CHANGEABLE)} can."
            )
        return {name: value for name, value in wanted.items() if value != getattr(self.settings, name)}

    def change(self, after: dict[str, Any], scales: list[Scale]) -> bool:
        """Take up changed settings, and whether they change what the losses mean; `scales` are new ones to come.

        Raises `SettingsError` where a value is out of range.
        """
        before = {name: getattr(self.settings, name) for name in after}
        self.settings = self.settings.replace(**after)
        if scales:
            efforts = {scale: self._effort(scale) for scale in self.paces}
            self.scales = [*self.scales[: self.scale + 1], *scales]
            for scale, effort_before in efforts.items():  # as they would be on the way to that size
                gain = self._effort(scale) / effort_before
                self.paces[scale] = [pace * gain for pace in self.paces[scale]]
        self.changes.append(Change(self.evaluations, self.scale, before, after))
        if WEIGHTS.isdisjoint(after):
            return False
        self.totals = []
        self.descent.optimizer.restart()
        return True

    # Evaluations ---------------------------------------------------------------------------------------------------

    def count(self) -> None:
        """An evaluation has been made."""
        self.evaluations += 1
        self.iteration += 1
        self.flops += self._cost(self.scale)
        now = time.perf_counter()
        if self.iteration > 1:  # the first also prepares its scale: it says nothing about the others
            self.paces.setdefault(self.scale, []).append(now - self.counted)
        self.counted = now

    def record(self, values: np.ndarray, pixels: tf.Tensor | np.ndarray) -> None:
        """Write down the finite losses of `pixels`, as an `Objective` gives them."""
        total, content, style, variation, *layers = (float(value) for value in values)
        row = LossRow(self.evaluations, self.scale, *self.size, self.seconds(), total, content, style, variation)
        self.rows.append(row)
        self.layers.append(LayerRow(self.evaluations, tuple(layers)))
        self.pixels = pixels
        if not self.totals or total < min(self.totals):
            self.best_pixels = pixels
        self.totals.append(total)

    @property
    def has_base(self) -> bool:
        """Whether there is a good picture at this scale to go back to."""
        return bool(self.rows) and self.rows[-1].scale == self.scale

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def flat(self) -> bool:
        """Whether the loss has stopped falling at this scale; at the last one, that is how the run ends."""
        if not self.settings.plateau or len(self.totals) <= PLATEAU_WINDOW:
            return False
        before, now = min(self.totals[:-PLATEAU_WINDOW]), min(self.totals)
        flat = before - now < self.settings.plateau * before
        if flat and self.last:
            self.end(Status.CONVERGED, "Finished early: the picture had stopped changing.")
        return flat

    def judge(self) -> None:
        """A run that diverged has painted nothing, whatever it counted; its best picture is the one it began with."""
        enough = self.status == Status.FINISHED and len(self.totals) > 5  # a few steps are no verdict
        if enough and min(self.totals[1:]) > DIVERGED * self.totals[0]:
            self.end(Status.FAILED, "The losses only rose. Lower the learning rate, or choose L-BFGS, and try again.")

    def end(self, status: Status, message: str) -> None:
        self.status, self.message = status, message

    # What it tells -------------------------------------------------------------------------------------------------

    def best(self) -> np.ndarray:
        """The picture of the lowest loss, (h, w, 3) float32 in [0, 1]."""
        return _picture(self.best_pixels, self.pixel_range)

    def seconds(self) -> float:
        """Painting, without the pauses."""
        return self.earlier + time.perf_counter() - self.started

    def work(self) -> float:
        """Evaluations so far, each counted by its arithmetic as a share of one at full size with the network itself."""
        return self.flops / self._cost(-1)

    def step(self, note: str = "") -> Step:
        pixels, pixel_range = self.pixels, self.pixel_range
        progress, remaining = self._outlook()
        every = self.settings.save_every
        return Step(
            losses=self.rows[-1],
            scales=len(self.scales),
            iteration=self.iteration,
            iterations=self.iterations,
            full_size_evaluations=self.work(),
            progress=progress,
            remaining=remaining,
            picture=lambda: _picture(pixels, pixel_range),
            cached_targets=self.cached_targets,
            note=note,
            keep_frame=bool(every) and self.evaluations % every == 0,
            layers=self.layers[-1],
            changes=tuple(self.changes),
            checkpoint=self.freeze,
        )

    def _outlook(self) -> tuple[float, float | None]:
        """Progress from 0 to 1, and the seconds that are left at the pace so far."""
        most = most_evaluations(self.settings, self.scales)
        left = {scale: most[scale] for scale in range(self.scale + 1, len(most))}
        left[self.scale] = max(self.iterations - self.iteration, 0)
        work = sum(count * self._cost(scale) / self._cost(-1) for scale, count in left.items())
        seconds = sum(count * self._pace(scale) for scale, count in left.items()) if self.paces else None
        return self.work() / (self.work() + work), seconds

    def _cost(self, scale: int) -> float:
        """FLOP of an evaluation at this scale."""
        return self.scales[scale].flops(self.settings, self.network.info.name)

    def _pace(self, scale: int) -> float:
        """Seconds an evaluation takes at a scale: measured there, or foreseen from the nearest one that was."""
        known = scale if scale in self.paces else max(self.paces)
        pace = float(np.median(self.paces[known][-PACE_WINDOW:]))
        fixed = min(FIXED_COST, pace / 2)
        return fixed + (pace - fixed) * self._effort(scale) / self._effort(known)

    def _effort(self, scale: int) -> float:
        """The same as `_cost`, and what a large picture computes twice."""
        return self._cost(scale) * effort(*(math.prod(self.scales[i].size) for i in (scale, -1)))

    def result(self, picture: np.ndarray) -> Result:
        return Result(
            picture=picture,
            status=self.status,
            message=self.message,
            history=tuple(self.rows),
            settings=self.settings,
            network=self.network.info,
            versions=versions(),
            seconds=self.seconds(),
            evaluations=self.evaluations,
            full_size_evaluations=self.work(),
            cached_targets=self.cached_targets,
            layers=tuple(self.layers),
            changes=tuple(self.changes),
            notes=tuple(self.notes),
            # Nothing sound can go on from where a run failed.
            checkpoint=self.freeze if self.rows and self.status != Status.FAILED else None,
        )

    # Frozen --------------------------------------------------------------------------------------------------------

    def freeze(self) -> Checkpoint:
        """Everything needed to go on from here to the same picture, bit for bit; no picture is copied for it."""
        facts = {name: getattr(self, name) for name in _PLAIN} | {
            "settings": self.settings.to_dict(),
            "scales": self.scales,
            "changes": [change._asdict() for change in self.changes],
            "network": self.network.info.sha256,
            "rows": self.rows,
            "layers": self.layers,
            "seconds": self.seconds(),
            "retreats": self.descent.retreats,
        }
        arrays = {"best": self.best_pixels}
        if self.descent.variables.origin is not None:
            arrays["origin"] = self.descent.variables.origin
        facts["optimizer"] = _named(self.descent.optimizer.state(), "optimizer", arrays)
        return Checkpoint(facts, arrays)

    @classmethod
    def thaw(cls, checkpoint: Checkpoint, settings: Settings, network: Network) -> Run:
        """The run as it was; `descent` follows with `thaw_descent`.

        `settings` are those it began with. Raises `CheckpointError` where it is the checkpoint of another run.
        """
        facts = checkpoint.facts
        try:
            found = Settings.from_dict(facts["settings"])
            scales = [Scale((int(width), int(height)), bool(early)) for (width, height), early in facts["scales"]]
            run = cls(found, network, scales)
            for name in _PLAIN:
                setattr(run, name, facts[name])
            run.changes = [Change(**change) for change in facts["changes"]]
            run.rows = [LossRow(*row) for row in facts["rows"]]
            run.layers = [LayerRow(evaluation, tuple(losses)) for evaluation, losses in facts["layers"]]
            run.earlier = facts["seconds"]
            run.best_pixels = run.pixels = checkpoint.arrays["best"]
            began_with = settings_at_start(found, run.changes)
            same = began_with == settled(settings, found.precision) and found.precision != AUTO
            fits = same and facts["network"] == network.info.sha256
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(_INCOMPLETE) from error
        if not fits:
            raise CheckpointError(
                "The saved state belongs to a run with other settings or another network. "
                f"Received: network {network.info.name}. Paint it again from the start."
            )
        return run

    def thaw_descent(self, checkpoint: Checkpoint, pixel_range: float) -> Descent:
        """The optimiser and its variables as they were; raises `CheckpointError` where they don't fit the run."""
        arrays = {**checkpoint.arrays, "best": self.best_pixels}
        try:
            state = _found(checkpoint.facts["optimizer"], arrays)
            start = arrays["origin"] if _exponent(self.settings) else state["point"]
            if start.shape != (1, self.size[1], self.size[0], 3):
                raise ValueError(f"{start.shape} at {self.size}")
            descent = Descent(self.settings, start, pixel_range)
            descent.optimizer.restore(state)
            descent.retreats = int(checkpoint.facts["retreats"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError("The saved state is of another optimiser. Paint it again from the start.") from error
        return descent


_PLAIN = ("scale", "iteration", "evaluations", "flops", "totals", "notes")
"""What of a run is frozen as it is."""
_ARRAY = "array"
_INCOMPLETE = "The saved state of this run is incomplete. Paint it again from the start."


def _named(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """A state as JSON types: its tensors and arrays go to `arrays`, each only once, and leave their names behind."""
    if isinstance(value, tf.Tensor | np.ndarray):
        known = next((known for known, array in arrays.items() if array is value), name)
        arrays[known] = value
        return {_ARRAY: known}
    if isinstance(value, dict):
        return {key: _named(item, f"{name}.{key}", arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    return value


def _found(value: Any, arrays: Mapping[str, Any]) -> Any:
    """The reverse of `_named`."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _found(item, arrays) for key, item in value.items()}
    return [_found(item, arrays) for item in value] if isinstance(value, list) else value


def versions() -> dict[str, str]:
    """What took part in a run: versions by name, and the device it ran on."""
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return {
        "nst": nst.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "device": device,
    }


def _picture(pixels: tf.Tensor | np.ndarray, pixel_range: float) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1] of (1, h, w, 3) pixels; at full size each copy counts, so there is but one."""
    picture = np.array(pixels)[0]
    picture /= np.float32(pixel_range)
    return np.clip(picture, 0, 1, out=picture)
