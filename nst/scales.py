"""The sizes that a run goes through, coarse to fine, and how many evaluations it may make at them."""

from __future__ import annotations

from nst.config import Settings
from nst.image import MIN_SIDE

SMALLEST_SCALE = 64
"""Pixels of the longest side below which no coarser scale is worth it: the deep layers would see next to nothing."""

Size = tuple[int, int]
"""Width and height in pixels."""


def scale_sizes(full: Size, settings: Settings) -> list[Size]:
    """Every scale's size, coarsest first and `full` last, each half the next; those too small to be of use left out."""
    halvings = range(settings.scales - 1 if settings.coarse_iterations else 0, 0, -1)
    sizes = [(round(full[0] / 2**n), round(full[1] / 2**n)) for n in halvings]
    return [size for size in sizes if max(size) >= SMALLEST_SCALE and min(size) >= MIN_SIDE] + [full]


def planned_evaluations(settings: Settings) -> int:
    """The most evaluations that these settings can take, over all scales."""
    return settings.iterations + (settings.scales - 1) * settings.coarse_iterations
