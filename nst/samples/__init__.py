"""A shelf of sample pictures that are there on a fresh install, without a network.

Four photographs that the package ships (whose they are: NOTICE), and six styles painted by our own code, with texture
at several scales. Same style, size and seed: the same picture; another size: the same composition. Only Pillow and
NumPy are needed here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.random import Generator
from PIL import Image

from nst import image
from nst.errors import ImageError, SettingsError
from nst.samples.brush import flowing_brush
from nst.samples.dots import pointillism
from nst.samples.glass import stained_glass
from nst.samples.hatching import ink_hatching
from nst.samples.paper import cut_paper
from nst.samples.woodcut import woodcut_waves

__all__ = ["MAX_SIZE", "MIN_SIZE", "SAMPLES", "Sample", "file", "photographs", "picture", "styles"]

Kind = Literal["photograph", "style"]
Paint = Callable[[int, int, Generator], np.ndarray]

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"

MIN_SIZE, MAX_SIZE = 64, 2048
"""Pixels of either side of a painted sample."""
SIZE = (1024, 768)
"""Width and height of a style as a file; for results above 1024 pixels it is enlarged."""

_REINSTALL = "Install the program again."

_SMALLEST_UNIT = 380
"""Painted smaller than this, strokes would be thinner than pixels: such pictures are painted larger and reduced."""
_WIDEST = 2.0
"""Of a longer format the middle of a picture of 2:1 (or 1:2) is taken; the painters compose for nothing longer."""


@dataclass(frozen=True)
class Sample:
    """A picture on the shelf."""

    key: str
    title: str
    kind: Kind
    paint: Paint | None = None
    """Of width, height and a seeded generator; returns (h, w, 3) floats, roughly in [0, 1]. Callers use `picture`.
    Photographs have none: they are files."""
    credit: str = ""
    """Whose photograph it is."""


SAMPLES = MappingProxyType(
    {
        sample.key: sample
        for sample in (
            Sample("pagoda", "Pagoda", "photograph", credit="danielbuechele, CC BY 2.0"),
            Sample("cat", "Cat", "photograph", credit="Stefan van der Walt, CC0"),
            Sample("coffee", "Coffee", "photograph", credit="Rachel Michetti, CC0"),
            Sample("rocket", "Rocket", "photograph", credit="SpaceX, public domain"),
            Sample("flowing-brush", "Flowing brush", "style", flowing_brush),
            Sample("stained-glass", "Stained glass", "style", stained_glass),
            Sample("woodcut-waves", "Woodcut waves", "style", woodcut_waves),
            Sample("pointillism", "Pointillism", "style", pointillism),
            Sample("cut-paper", "Cut paper", "style", cut_paper),
            Sample("ink-hatching", "Ink hatching", "style", ink_hatching),
        )
    }
)
"""Every sample by its key, in the order of the shelf."""


def styles() -> tuple[Sample, ...]:
    """The samples meant as style pictures, in the order of the shelf."""
    return tuple(sample for sample in SAMPLES.values() if sample.kind == "style")


def photographs() -> tuple[Sample, ...]:
    """The samples meant as content pictures, in the order of the shelf."""
    return tuple(sample for sample in SAMPLES.values() if sample.kind == "photograph")


def file(key: str) -> bytes:
    """The sample as a picture file: a photograph's JPEG as it ships, a style painted at `SIZE` as PNG.

    Raises `SettingsError` when there is no such sample, `ImageError` when a photograph is missing from the package.
    """
    if _sample(key).paint is None:
        try:
            return (PHOTOGRAPHS / f"{key}.jpg").read_bytes()
        except OSError as error:
            raise ImageError(
                f"The sample photograph {key}.jpg can't be read: {error.strerror}. {_REINSTALL}"
            ) from error
    return image.encode_png(picture(key, *SIZE))


def picture(key: str, width: int = 768, height: int = 576, seed: int = 0) -> np.ndarray:
    """Paint a style: (height, width, 3) float32 sRGB in [0, 1].

    Raises `SettingsError` when there is no such style, a side is not a whole number of `MIN_SIZE` to `MAX_SIZE`
    pixels, or the seed is not a whole number from 0 up.
    """
    paint = _sample(key).paint
    if paint is None:
        raise SettingsError(f"Only styles are painted. Received: {key!r}. Take the photograph as it is, with `file`.")
    width = _whole(width, "The width of a sample", MIN_SIZE, MAX_SIZE)
    height = _whole(height, "The height of a sample", MIN_SIZE, MAX_SIZE)
    seed = _whole(seed, "The seed of a sample", 0, None)
    wide, high = _composed(width, height)
    scale = max(1, math.ceil(_SMALLEST_UNIT / math.sqrt(wide * high * 0.75)))
    painted = paint(wide * scale, high * scale, np.random.default_rng(seed))
    painted = np.clip(painted, 0, 1).astype(np.float32)
    left, top = (wide - width) // 2 * scale, (high - height) // 2 * scale
    cut = painted[top : top + height * scale, left : left + width * scale]
    return _reduced(cut, scale)


def _sample(key: str) -> Sample:
    if key not in SAMPLES:
        raise SettingsError(f"There is no such sample picture. Received: {key!r}. Choose one of {', '.join(SAMPLES)}.")
    return SAMPLES[key]


def _whole(value: int, name: str, low: int, high: int | None) -> int:
    bounds = f"from {low} up" if high is None else f"from {low} to {high}"
    try:
        number = operator.index(value)
    except TypeError:
        raise SettingsError(f"{name} must be a whole number. Received: {value!r}. Choose one {bounds}.") from None
    if number < low or (high is not None and number > high):
        raise SettingsError(f"{name} is out of range. Received: {number}. Choose a whole number {bounds}.")
    return number


def _composed(width: int, height: int) -> tuple[int, int]:
    """The size to paint so that `width` x `height` can be cut out of its middle."""
    return max(width, math.ceil(height / _WIDEST)), max(height, math.ceil(width / _WIDEST))


def _reduced(array: np.ndarray, scale: int) -> np.ndarray:
    """Means of `scale` x `scale` pixels."""
    if scale == 1:
        return np.ascontiguousarray(array)
    channels = [Image.fromarray(np.ascontiguousarray(array[..., i])).reduce(scale) for i in range(3)]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
