"""What every sample is made with: coordinates that don't depend on the size, seeded noise, strokes, a sheet to draw on.

Positions are in units: a picture of 4:3 is 4/3 wide and 1 high, and any other has the same area. So the same seed
gives the same composition at any size, and the number of strokes never depends on the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageColor, ImageDraw, ImageFilter

OVERSAMPLING = 2
_WIDEST = 1.65
"""Units of the longer side at 2:1. Noise is always drawn for this square, or its numbers would depend on the size."""


@dataclass(frozen=True)
class Frame:
    """A picture's size in pixels."""

    width: int
    height: int

    @property
    def unit(self) -> float:
        """Pixels to the unit."""
        return math.sqrt(self.width * self.height * 0.75)

    @property
    def span(self) -> np.ndarray:
        """(2,) float64: width and height in units."""
        return np.array([self.width, self.height]) / self.unit

    def plan(self, resolution: int = 200) -> Frame:
        """The same span at a fixed resolution: fields that strokes follow are computed on it, alike for every size."""
        width, height = (max(2, round(length * resolution)) for length in self.span.tolist())
        return Frame(width, height)

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """(1, w) and (h, 1) float32: x and y of the pixel centres in units."""
        x = (np.arange(self.width, dtype=np.float32) + 0.5) / np.float32(self.unit)
        y = (np.arange(self.height, dtype=np.float32) + 0.5) / np.float32(self.unit)
        return x[None], y[:, None]


# Noise and fields ------------------------------------------------------------------------------------------------


def noise(
    frame: Frame, rng: Generator, frequency: float | tuple[float, float], *, octaves: int = 1, gain: float = 0.5
) -> np.ndarray:
    """Smooth value noise, (h, w) float32 of mean 0 and standard deviation about 0.5.

    `frequency` is in cells per unit, across and down; each further octave has twice the frequency and `gain` times
    the height.
    """
    across, down = frequency if isinstance(frequency, tuple) else (frequency, frequency)
    total = np.zeros((frame.height, frame.width), np.float32)
    for octave in range(octaves):
        total += gain**octave * _cells(frame, rng, across * 2**octave, down * 2**octave)
    return total / math.sqrt(sum(gain ** (2 * octave) for octave in range(octaves)))


def _cells(frame: Frame, rng: Generator, across: float, down: float) -> np.ndarray:
    """One octave: random cells, blown up (or averaged, where cells are smaller than pixels) by Pillow."""
    shape = math.ceil(_WIDEST * down) + 5, math.ceil(_WIDEST * across) + 5
    cells = rng.uniform(-1.2, 1.2, shape).astype(np.float32)
    x, y = frame.span.tolist()
    box = (2, 2, 2 + x * across, 2 + y * down)
    size = (frame.width, frame.height)
    return np.asarray(Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC, box=box))


def sample(field: np.ndarray, points: np.ndarray, frame: Frame) -> np.ndarray:
    """`field`, (h, w) or (h, w, c) on the grid of `frame`, at `points`, (..., 2) in units; bilinear, clamped."""
    x = np.clip(points[..., 0] * frame.unit - 0.5, 0, frame.width - 1.001)
    y = np.clip(points[..., 1] * frame.unit - 0.5, 0, frame.height - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    fx, fy = x - column, y - row
    if field.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    upper = field[row, column] * (1 - fx) + field[row, column + 1] * fx
    lower = field[row + 1, column] * (1 - fx) + field[row + 1, column + 1] * fx
    return upper * (1 - fy) + lower * fy


def blur(array: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of (h, w) floats by a standard deviation of `radius` pixels, float32."""
    reduced = max(1, int(radius / 2))  # a wide blur of a smaller picture looks the same and is much quicker
    image = Image.fromarray(np.ascontiguousarray(array, np.float32))
    size = image.size
    small = image.reduce(reduced) if reduced > 1 else image
    # Pillow blurs bytes only
    low, high = float(np.min(array)), float(np.max(array))
    scale = max(high - low, 1e-6)
    levels = Image.fromarray(np.rint((np.asarray(small) - low) / scale * 255).astype(np.uint8))
    soft = levels.filter(ImageFilter.GaussianBlur(radius / reduced))
    grown = Image.fromarray(np.asarray(soft, np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(grown) / 255 * scale + low


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: np.ndarray, second: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """`first` where `share` is 0, `second` where it is 1; an (h, w) share serves all channels of (h, w, c)."""
    if isinstance(share, np.ndarray) and share.ndim == max(first.ndim, second.ndim) - 1:
        share = share[..., None]
    return first + (second - first) * share


# Points and strokes ----------------------------------------------------------------------------------------------


def spread(rng: Generator, count: int, span: np.ndarray, jitter: float = 0.4) -> np.ndarray:
    """`count` points that cover the span evenly without a pattern, (count, 2) in units, a little beyond its edges.

    The additive recurrence of the plastic number: each further point falls into the widest gap.
    """
    plastic = 1.32471795724474602596
    steps = np.arange(1, count + 1)[:, None] * np.array([1 / plastic, 1 / plastic**2])
    points = (rng.random(2) + steps) % 1 + rng.normal(0, jitter / math.sqrt(count), (count, 2))
    return (points * 1.06 - 0.03) * span


def trace(points: np.ndarray, direction: Callable[[np.ndarray], np.ndarray], length: np.ndarray, k: int) -> np.ndarray:
    """Paths along a field through the middle at `points`, (n, k, 2); `direction` gives unit vectors, (n, 2)."""
    step = (length / (k - 1))[:, None]
    half = k // 2
    path = np.empty((len(points), k, 2))
    path[:, half] = points
    for i in range(half + 1, k):
        path[:, i] = path[:, i - 1] + step * direction(path[:, i - 1])
    for i in range(half - 1, -1, -1):
        path[:, i] = path[:, i + 1] - step * direction(path[:, i + 1])
    return path


def normals(path: np.ndarray) -> np.ndarray:
    """Unit vectors across (n, k, 2) paths."""
    along = np.gradient(path, axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    return np.stack([-along[..., 1], along[..., 0]], axis=-1)


def ribbon(path: np.ndarray, half_width: np.ndarray) -> np.ndarray:
    """Outlines of strokes of varying width: (n, k, 2) paths and (n, k) half widths to (n, 2k, 2) polygons."""
    across = normals(path) * half_width[..., None]
    return np.concatenate([path + across, (path - across)[:, ::-1]], axis=1)


def taper(k: int, start: float = 0.5, end: float = 1.0) -> np.ndarray:
    """(k,) widths in [0, 1] of a stroke that swells quickly and thins out; smaller powers make blunter ends."""
    s = np.linspace(0.02, 0.98, k)
    profile = s**start * (1 - s) ** end
    return profile / profile.max()


def discs(rng: Generator, centres: np.ndarray, radius: np.ndarray, k: int = 10, wobble: float = 0.12) -> np.ndarray:
    """Hand-made dots, (n, k, 2) polygons around (n, 2) centres with (n,) radii."""
    angle = np.linspace(0, 2 * np.pi, k, endpoint=False) + rng.uniform(0, 1, (len(centres), 1))
    reach = radius[:, None] * (1 + rng.normal(0, wobble, angle.shape))
    return centres[:, None] + np.stack([np.cos(angle), np.sin(angle)], axis=-1) * reach[..., None]


# Colour and paper ------------------------------------------------------------------------------------------------


def inks(*names: str) -> np.ndarray:
    """(n, 3) float64 in [0, 1] of colours such as "#1b2a4e"."""
    return np.array([ImageColor.getrgb(name)[:3] for name in names]) / 255


def ramp(colours: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Colours, (..., 3), from evenly spaced (n, 3) stops; 0 is the first, 1 the last."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(at, stops, channel) for channel in colours.T], axis=-1)


class Sheet:
    """A drawing surface with `OVERSAMPLING` times the pixels of its frame each way, so that edges come out smooth."""

    def __init__(self, frame: Frame, ground: np.ndarray) -> None:
        """`ground` is (1,), (3,) or (4,) in [0, 1]: the channels are written as they are, nothing is blended."""
        self.frame = frame
        # of the modes with four channels, CMYK is the one whose fourth Pillow doesn't take for opacity when reducing
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[len(ground)]
        size = frame.width * OVERSAMPLING, frame.height * OVERSAMPLING
        colour = _bytes(ground[None])[0]
        self.image = Image.new(mode, size, colour if len(ground) > 1 else colour[0])
        self._draw = ImageDraw.Draw(self.image)

    def polygons(self, points: np.ndarray, colours: np.ndarray) -> None:
        """Fill (n, k, 2) polygons in units, each in its row of (n, c) colours, the last on top."""
        flat = (points * (self.frame.unit * OVERSAMPLING)).reshape(len(points), -1).tolist()
        for outline, colour in zip(flat, _bytes(colours), strict=True):
            self._draw.polygon(outline, colour if len(colour) > 1 else colour[0])

    def array(self) -> np.ndarray:
        """(h, w, c) float32 in [0, 1], or (h, w) of one channel."""
        return np.asarray(self.image.reduce(OVERSAMPLING), np.float32) / 255


def _bytes(colours: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row) for row in np.rint(np.clip(colours, 0, 1) * 255).astype(int).tolist()]


def relief(height: np.ndarray, strength: float, scale: float) -> np.ndarray:
    """Light from the upper left on an (h, w) height map: (h, w) factors around 1. `scale` is pixels to the unit."""
    down, across = np.gradient(height)
    # slopes are per pixel, and a larger picture of the same relief has gentler ones
    slope = (across * 0.7 + down) * (scale / 576)
    return 1 + np.clip(strength * slope, -0.45, 0.45)
