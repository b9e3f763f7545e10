"""What a stylisation tells about itself: a `Step` after every evaluation and a `Result` at the end.

Plain numbers and NumPy arrays only, so that the gallery and the dashboard read them without TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

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

    @property
    def losses(self) -> LossRow:
        """The losses of the picture that was kept: the lowest total at the last scale reached."""
        last = self.history[-1].scale
        return min((row for row in self.history if row.scale == last), key=lambda row: row.total)
