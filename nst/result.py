"""What a stylisation tells about itself: a `Step` after every evaluation and a `Result` at the end.

Plain numbers and NumPy arrays only, so that the gallery and the dashboard read them without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from nst.checkpoint import Checkpoint
from nst.config import Settings


class Status(StrEnum):
    """How a stylisation ended."""

    FINISHED = "finished"
    CONVERGED = "converged"
    CANCELLED = "cancelled"
    FAILED = "failed"


class LossRow(NamedTuple):
    """The losses of one evaluation; `total` is what the optimiser minimises, the others are its weighted parts."""

    evaluation: int
    """Counted from 1 over all scales."""
    scale: int
    """0 is the coarsest."""
    width: int
    height: int
    seconds: float
    """Since the run began."""
    total: float
    content: float
    style: float
    tv: float


class LayerRow(NamedTuple):
    """The weighted losses of one evaluation layer by layer, in the order of `layer_names`."""

    evaluation: int
    losses: tuple[float, ...]


def layer_names(settings: Settings) -> tuple[str, ...]:
    """What the losses of a `LayerRow` belong to: "content block4_conv2", "style block1_conv1" and so on."""
    return (
        *(f"content {layer}" for layer, _ in settings.content_layers),
        *(f"style {layer}" for layer, _ in settings.style_layers),
    )


CHANGEABLE = ("strength", "style_weight", "tv_weight", "iterations", "plateau", "size")
"""The settings that may change while a run goes on; a larger size goes on at that size."""
WEIGHTS = frozenset({"strength", "style_weight", "tv_weight"})
"""Those of them that change what the losses mean."""


class Change(NamedTuple):
    """Settings that changed while a run went on. Making the same changes again gives the same picture."""

    evaluation: int
    """After which evaluation, counted over all scales."""
    scale: int
    """At which scale it took effect."""
    before: Mapping[str, float | None]
    """What the settings were, by name (of `CHANGEABLE`)."""
    after: Mapping[str, float | None]
    """What they became; the same names."""


def settings_at_start(settings: Settings, changes: Sequence[Change]) -> Settings:
    """The settings a run began with, from those it ended with."""
    for change in reversed(changes):
        settings = settings.replace(**change.before)
    return settings


class NetworkInfo(NamedTuple):
    """Which network looked at the pictures."""

    name: str
    """`vgg19` or `builtin`, or what a later network calls itself."""
    sha256: str
    """Of the weights themselves."""
    source: str
    """Where they came from, in words a person understands."""


@dataclass(frozen=True)
class Step:
    """The state of a run after one evaluation of loss and gradient."""

    losses: LossRow
    scales: int
    """How many sizes this run goes through."""
    iteration: int
    """Counted from 1 within this scale."""
    iterations: int
    """The most that this scale will take."""
    full_size_evaluations: float
    """Work done so far: an evaluation at a coarser scale counts by its share of the full size's pixels."""
    progress: float
    """Work done as a fraction of the work planned, 0 to 1."""
    remaining: float | None
    """Seconds left if nothing stops early; None until there is something to measure."""
    picture: Callable[[], np.ndarray]
    """The current picture, (h, w, 3) float32 sRGB in [0, 1]; ask while the step is fresh."""
    cached_targets: int = 0
    """How many of the style pictures had their targets ready in the cache, at this scale."""
    note: str = ""
    """Something worth telling, such as a recovery from a NaN; usually empty."""
    keep_frame: bool = False
    """True where the settings ask for this picture to be kept (`save_every`)."""
    layers: LayerRow | None = None
    """The losses of this evaluation, layer by layer."""
    changes: tuple[Change, ...] = ()
    """Of the settings, so far."""
    checkpoint: Callable[[], Checkpoint] | None = None
    """Everything needed to go on from here; ask while the step is fresh."""


@dataclass(frozen=True)
class Result:
    """A finished, converged, cancelled or failed run; the picture is the best one seen."""

    picture: np.ndarray
    """(h, w, 3) float32 sRGB in [0, 1]."""
    status: Status
    message: str
    """One sentence on how it ended and, where something can be done about it, what."""
    history: tuple[LossRow, ...]
    settings: Settings
    network: NetworkInfo
    versions: Mapping[str, str]
    """Of this package, Python, TensorFlow, Keras and NumPy, and the device."""
    seconds: float
    evaluations: int
    full_size_evaluations: float
    cached_targets: int = 0
    """How many of the style pictures had their targets ready in the cache."""
    layers: tuple[LayerRow, ...] = ()
    """The losses of every evaluation, layer by layer."""
    changes: tuple[Change, ...] = ()
    """Of the settings while the run went on; `settings` are those at its end."""
    notes: tuple[str, ...] = ()
    """What happened on the way that is worth telling, such as a recovery from a NaN, each once."""
    checkpoint: Callable[[], Checkpoint] | None = None
    """Everything needed to go on from where the run ended; None where it never began."""

    @property
    def losses(self) -> LossRow:
        """The losses of the picture that was kept: the lowest total at the last scale reached, by its last weights."""
        last = self.history[-1].scale
        since = max((change.evaluation for change in self.changes if not WEIGHTS.isdisjoint(change.after)), default=0)
        here = [row for row in self.history if row.scale == last]
        return min([row for row in here if row.evaluation > since] or here, key=lambda row: row.total)
