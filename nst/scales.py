"""The scales that a run goes through, coarse to fine, and how many evaluations it may make at each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from nst.config import BUILTIN, Settings
from nst.flops import evaluation_flops
from nst.image import MIN_SIDE

SMALLEST_SCALE = 64
"""Pixels of the longest side below which no coarser scale is worth it: the deep layers would see next to nothing."""

Size = tuple[int, int]
"""Width and height in pixels."""


class Scale(NamedTuple):
    """One size at which a run optimises, and by which filters."""

    size: Size
    early: bool = False
    """Whether it is painted with the built-in filters, in preparation for the network's own."""

    def flops(self, settings: Settings, network: str) -> float:
        """Of one evaluation, in a run with the network of this name."""
        return evaluation_flops(settings, math.prod(self.size), network=BUILTIN if self.early else network)


def plan(full: Size, settings: Settings) -> list[Scale]:
    """Every scale, coarsest first and `full` last, each half the next; those too small to be of use left out.

    With early evaluations, `full` comes twice: first by the built-in filters. The coarser ones are the network's own:
    they cost little, and large forms are made there, which the built-in filters see less well.
    """
    early = settings.early_iterations > 0
    halvings = range(settings.scales - 1 if settings.coarse_iterations else 0, 0, -1)
    sizes = [(round(full[0] / 2**n), round(full[1] / 2**n)) for n in halvings]
    useful = [size for size in sizes if max(size) >= SMALLEST_SCALE and min(size) >= MIN_SIDE]
    return [Scale(size) for size in useful] + [Scale(full, early=True)] * early + [Scale(full)]


def most_evaluations(settings: Settings, scales: Sequence[Scale]) -> list[int]:
    """The most that each of `scales` may take."""
    *before, _ = scales
    coarse, early = settings.coarse_iterations, settings.early_iterations
    return [early if scale.early else coarse for scale in before] + [settings.iterations]


def planned_evaluations(settings: Settings) -> int:
    """The most evaluations that these settings can take, over all scales."""
    return settings.iterations + settings.early_iterations + (settings.scales - 1) * settings.coarse_iterations
