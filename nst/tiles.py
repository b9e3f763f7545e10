"""Where the tiles of a large picture lie, and at which sizes it is worked through in tiles at all.

A tile owns its core and sees as much around it, its halo, as the deepest of its layers depends on. What the border of
a tile spoils is cut away between blocks, so that the halo shrinks with depth; at a true border of the picture nothing
is cut away, and padding and pooling do there what they do in the whole picture. What is computed on a tile, and how it
adds up, is `nst.segments`' business. TensorFlow is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

GRID = 16
"""Pixels to a position of block 5. Cores begin at multiples of it, so that no pooling window is cut in two."""


class Stage(NamedTuple):
    """A segment of the network, a few blocks, that is worked through on its own."""

    last: int
    """The block it ends with, 1 to 5; it begins with the one after the stage before."""
    core: int | None
    """The most pixels of the picture along a side that a tile owns; None: the whole picture is one tile."""
    strips: int = 0
    """How many of its first blocks, 2 at most, are let go of, and their gradient taken strip by strip (`nst.striped`),
    but for those with content targets; for a stage that begins with block 1 and whose tile is the whole picture."""


Way = tuple[Stage, ...]
"""How a picture is evaluated: stages, the last of which ends with block 5."""

WHOLE: Way = (Stage(5, None),)
WAYS: tuple[tuple[float, Way], ...] = (
    (600_000, WHOLE),
    (850_000, (Stage(5, None, strips=2),)),
    (1_800_000, (Stage(2, 512), Stage(5, None))),
    (6_000_000, (Stage(3, 384), Stage(5, 1024))),
    (math.inf, (Stage(3, 256), Stage(5, 768))),
)
"""Up to how many pixels which way is taken: the quickest that leaves a whole picture of Studio's below 2.5 GB at 1024
pixels, and below 3.5 GB at 2048 and 4096, with the presets' layers.

The first two blocks hold three fifths of the feature maps for a quarter of the arithmetic, and need a halo of 6 pixels
only: that is what is cheapest to compute again. See `benchmarks/README.md` for bytes and times.
"""

EFFORTS = (1.0, 1.14, 1.27, 1.8, 1.95)
"""What an evaluation by each of `WAYS` takes, a pixel, of what the whole way takes where it is taken."""


SPARING = 1_800_000
"""Pixels of a run's last picture above which its smaller ones, and the styles, go the way of that one.

TensorFlow keeps what memory it once had. A picture of 1024 pixels, seen nearly whole, takes more than the tiles of a
large one do: that would be missing to the large one, and smaller sizes take little of such a run's time.
"""

ON_A_CARD = 1_100_000
"""Pixels up to which a graphics card, which has memory of its own, goes the whole way.

That takes about 3 GB of it with twenty remembered steps, and a quarter (mixed: a seventh) of the time: what tiles copy
to and fro takes longer there than to compute it.
"""


def way(pixels: float, last: float = 0, *, card: bool = False) -> Way:
    """For a picture of so many pixels, in a run that ends with one of `last` pixels, on a graphics card or without.

    By these alone, so that a picture's bytes depend on no machine's memory.
    """
    return WHOLE if card and pixels <= ON_A_CARD else WAYS[_chosen(pixels, last)][1]


def effort(pixels: float, last: float = 0) -> float:
    """Of `EFFORTS`, the one that goes with `way` on a processor."""
    return EFFORTS[_chosen(pixels, last)]


def _chosen(pixels: float, last: float) -> int:
    pixels = max(pixels, last) if last > SPARING else pixels
    return next(i for i, (most, _) in enumerate(WAYS) if pixels <= most)


Area = tuple[slice, slice, slice]
"""Where in a map (1, h, w, c)."""


class Tile(NamedTuple):
    """Where a tile lies, for a segment of n blocks."""

    region: Area
    """What it sees of the segment's input."""
    cores: list[Area]
    """What it owns of the maps of each block, and at last of the segment's pooled output; n + 1 in all."""
    cuts: np.ndarray
    """(n, 2, 2, 2) int32: within what each block sees, its core; within the pooled map of that, what goes on to the
    next block or to the output. Rows and columns; from and to."""
    shares: np.ndarray
    """(n,) float32: how much of each block's positions it owns."""


def tiles(size: tuple[int, int], first: int, convolutions: Sequence[int], core: int | None) -> list[Tile]:
    """Of a picture of `size` (width, height), each side at least 16, row by row; their cores cover it once.

    The segment begins with block `first`; `convolutions` are the numbers of 3 × 3 convolutions in its blocks.
    """
    columns, rows = (_spans(length, first, convolutions, core) for length in size)
    return [_tile(row, column) for row, column in product(rows, columns)]


class _Span(NamedTuple):
    """A tile along one axis: from and to, in positions of each block of the segment, and at last of its output."""

    regions: list[tuple[int, int]]
    cores: list[tuple[int, int]]
    lengths: list[int]
    """Of the whole map."""


def _spans(length: int, first: int, convolutions: Sequence[int], core: int | None) -> list[_Span]:
    levels = range(first - 1, first + len(convolutions))  # halvings of the picture
    lengths = [length >> level for level in levels]
    cells = length // GRID
    count = math.ceil(cells * GRID / core) if core else 1
    edges = [GRID * (cells * i // count) for i in range(count)] + [length]
    cores = [[(begin >> level, end >> level) for level in levels] for begin, end in pairwise(edges)]
    return [_Span(_regions(owned, convolutions, lengths), owned, lengths) for owned in cores]


def _regions(cores: list[tuple[int, int]], convolutions: Sequence[int], lengths: list[int]) -> list[tuple[int, int]]:
    """A convolution sees one position further on each side, a pooled position two of the block before."""
    *_, (low, high), output = cores
    found = [output]
    for radius, length in zip(reversed(convolutions), reversed(lengths[:-1]), strict=True):
        low, high = max(low - radius, 0), min(high + radius, length)
        found.insert(0, (low, high))
        low, high = 2 * low, 2 * high
    return found


def _tile(*axes: _Span) -> Tile:
    blocks = range(len(axes[0].lengths) - 1)
    return Tile(
        region=_area([span.regions[0] for span in axes]),
        cores=[_area(pair) for pair in zip(*(span.cores for span in axes), strict=True)],
        cuts=np.array([[_cuts(span, i) for span in axes] for i in blocks], np.int32).swapaxes(1, 2),
        shares=np.array([math.prod(_share(span, i) for span in axes) for i in blocks], np.float32),
    )


def _cuts(span: _Span, i: int) -> list[tuple[int, int]]:
    (origin, _), core, (begin, end) = span.regions[i], span.cores[i], span.regions[i + 1]
    return [(core[0] - origin, core[1] - origin), (begin - origin // 2, end - origin // 2)]


def _share(span: _Span, i: int) -> float:
    begin, end = span.cores[i]
    return (end - begin) / span.lengths[i]


def _area(pair: Sequence[tuple[int, int]]) -> Area:
    return slice(None), slice(*pair[0]), slice(*pair[1])
