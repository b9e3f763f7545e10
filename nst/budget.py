"""What large pictures are spared, so that they fit: rules by size alone, so that every machine paints the same bytes.

TensorFlow is not imported: the estimate of a run's memory follows these rules before there is a run.
"""

from __future__ import annotations

LARGE = 3_000_000
"""Pixels above which memory counts for more than time."""
HISTORY_BYTES = 400_000_000
"""What L-BFGS may remember of a large picture, at most: two steps at 4096 × 3072."""

_PAIR = 2 * 3 * 2
"""Bytes a pixel of a step and a change of gradient, three half-precision numbers each."""


def is_large(height: int, width: int) -> bool:
    """Whether a picture of this size is to be held as sparingly as possible."""
    return height * width > LARGE


def affordable_history(height: int, width: int, history: int) -> int:
    """How many steps L-BFGS can remember of a picture of this size: `history` up to `LARGE`, above it what fits."""
    if not is_large(height, width):
        return history
    return max(1, min(history, HISTORY_BYTES // (_PAIR * height * width)))
