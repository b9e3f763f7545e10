"""Hills at dusk: a landscape of hills, woods and a lake, seen in true perspective under a low sun."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import Frame, Sheet, blur, discs, inks, mix, noise, ramp, ribbon, smoothstep

_SKY = inks("#3c5487", "#6480b0", "#a5a9c4", "#e3b7a0", "#f7c583", "#fbd79a")
_HAZE, _WARM_HAZE = inks("#8f9cbd", "#f0b987")
_WOOD, _MEADOW, _ROCK = inks("#27391f", "#6d7838", "#7a6a5b")
_EYE = 0.11
"""Height of the eye above the lake; the hills are about 1 high and 3 to 16 away."""
_FOCAL = 1.05
_DEPTHS = 420


def hills_at_dusk(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    sx, sy = frame.span.tolist()
    sun = np.array([0.34 * sx, 0.45 * sy])
    horizon = 0.56 * sy
    sky = _sky(frame, sun, horizon, rng)
    land, cover = _land(frame, sun, horizon, rng)
    view = mix(sky, land, cover)
    view = _lake(view, frame, horizon, rng)
    view = _foreground(view, frame, rng)
    return _exposed(view, frame, rng)


def _sky(frame: Frame, sun: np.ndarray, horizon: float, rng: Generator) -> np.ndarray:
    """A clear gradient, the sun's glow, and two decks of clouds lit from below and from the sun's side."""
    x, y = frame.axes()
    distance = np.hypot(x - sun[0], (y - sun[1]) * 1.4)
    sky = ramp(_SKY, np.clip(y / horizon + 0.22 * np.exp(-distance * 3) + 0 * x, 0, 1))
    sky += np.exp(-distance * 6)[..., None] * np.array([0.42, 0.26, 0.08])
    sky += np.exp(-((distance / 0.028) ** 4))[..., None] * np.array([0.6, 0.55, 0.4])
    for across, down, cut, thick in ((3.2, 11.0, 0.10, 0.75), (1.5, 5.0, 0.16, 0.95)):
        field = noise(frame, rng, (across, down), octaves=7, gain=0.58) + 0.5 * noise(frame, rng, (1.2, 2.4))
        density = smoothstep(cut, cut + 0.85, field - 0.35 * np.abs(y / horizon - 0.45))
        shifted = np.roll(blur(field, 3 * frame.unit / 576), -max(1, round(frame.unit * 0.012)), axis=0)
        lit = np.clip(0.55 + 0.9 * (field - shifted) + 0.75 * np.exp(-distance * 2.2) - 0.45 * density, 0, 1)
        cloud = ramp(inks("#58607f", "#8d83a0", "#d79a8e", "#f8c08a", "#fff0cf"), lit)
        sky = mix(sky, cloud, thick * density)
    return np.clip(sky, 0, 1.2).astype(np.float32)


class _Texture:
    """Value noise that can be asked at any point of an endless plane; it repeats after 256 cells."""

    def __init__(self, rng: Generator) -> None:
        self._cells = rng.uniform(-1, 1, (256, 256)).astype(np.float32)

    def at(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        column, row = np.floor(x), np.floor(z)
        fx, fz = (x - column).astype(np.float32), (z - row).astype(np.float32)
        fx, fz = fx * fx * (3 - 2 * fx), fz * fz * (3 - 2 * fz)
        left, upper = column.astype(np.int32) & 255, row.astype(np.int32) & 255
        right, lower = (left + 1) & 255, (upper + 1) & 255
        cells = self._cells
        near = cells[upper, left] * (1 - fx) + cells[upper, right] * fx
        far = cells[lower, left] * (1 - fx) + cells[lower, right] * fx
        return near * (1 - fz) + far * fz


def _terrain(x: np.ndarray, z: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Height above the lake and share of wood in [0, 1], of (d, w) places."""
    texture = _Texture(rng)
    offset = rng.uniform(0, 200, 2)
    height: np.ndarray = np.zeros(x.shape, np.float32)
    for octave in range(8):
        layer = texture.at(x * 0.34 * 2**octave + offset[0] + 17 * octave, z * 0.34 * 2**octave + offset[1])
        ridged = 1 - 2 * np.abs(layer) if octave in (1, 2, 3) else layer  # crests rather than lumps
        height += 0.56 * 0.47**octave * ridged
    shore = smoothstep(2.3, 5.5, z + 0.45 * np.abs(x) ** 1.2)
    height = -0.10 + shore * (0.26 + 0.045 * z + height * (0.35 + 0.095 * z))
    wood = smoothstep(
        -0.25, 0.25, texture.at(x * 2.1, z * 2.1 + 50) + 0.5 * texture.at(x * 7, z * 7) - 0.5 * height + 0.2
    )
    wood = wood * smoothstep(0.0, 0.03, height)
    crowns = np.abs(texture.at(x * 34, z * 34)) + 0.6 * np.abs(texture.at(x * 71 + 9, z * 71))
    return height + wood * 0.034 * (0.4 + crowns), wood


def _land(frame: Frame, sun: np.ndarray, horizon: float, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Colours (h, w, 3) and cover (h, w) of the terrain, by the height of every depth over every column."""
    # oversampled against jagged crests, unless pixels are fine already: memory grows with the square
    fold = 2 if frame.unit < 1000 else 1
    fine = Frame(frame.width * fold, frame.height * fold)
    across, _ = fine.axes()
    z = (2.2 * (18 / 2.2) ** np.linspace(0, 1, _DEPTHS, dtype=np.float32))[:, None]
    x = (across - fine.span[0] / 2) * z / _FOCAL
    height, wood = _terrain(x, z, rng)
    level = horizon - _FOCAL * (height - _EYE) / z  # of the picture, (d, w)
    colours = _lit(x, z, height, wood, across - sun[0])
    top = np.minimum.accumulate(level, axis=0) * fine.unit
    rows = np.arange(fine.height) + 0.5
    first = np.stack([np.searchsorted(-top[:, i], -rows) for i in range(fine.width)], axis=1)
    seen = first < _DEPTHS
    first = np.minimum(first, _DEPTHS - 1)
    columns = np.broadcast_to(np.arange(fine.width), first.shape)
    pixels = colours[first, columns] * seen[..., None]
    means = pixels.reshape(frame.height, fold, frame.width, fold, 3).mean(axis=(1, 3))
    cover = seen.reshape(frame.height, fold, frame.width, fold).mean(axis=(1, 3), dtype=np.float32)
    return means / np.maximum(cover, 1e-3)[..., None], cover


def _lit(x: np.ndarray, z: np.ndarray, height: np.ndarray, wood: np.ndarray, aside: np.ndarray) -> np.ndarray:
    """(d, w, 3) float32 colours of the ground: sunlight from behind on the left, cool skylight, haze by distance."""
    step = x[:, 1:2] - x[:, :1]
    slope_x = np.gradient(height, axis=1) / step
    slope_z = np.gradient(height, axis=0) / np.gradient(z, axis=0)
    length = np.sqrt(1 + slope_x**2 + slope_z**2)
    sunlight = np.clip((0.72 * slope_x - 0.38 * slope_z + 0.42) / length, 0, 1)
    skylight = 0.5 + 0.5 / length
    base = mix(
        mix(np.broadcast_to(_MEADOW, (*height.shape, 3)), _ROCK, smoothstep(0.9, 1.5, np.abs(slope_z))), _WOOD, wood
    )
    light = sunlight[..., None] * np.array([1.55, 1.08, 0.62]) + skylight[..., None] * np.array([0.30, 0.36, 0.50])
    haze = mix(np.broadcast_to(_HAZE, (1, aside.shape[1], 3)), _WARM_HAZE, np.exp(-np.abs(aside) * 2.2))
    share = 1 - np.exp(-(((z - 1.5) / 7.5) ** 1.25))
    return mix(base * light, haze, np.broadcast_to(share, height.shape)).astype(np.float32)


def _lake(view: np.ndarray, frame: Frame, horizon: float, rng: Generator) -> np.ndarray:
    """Water below the shore: the mirrored view, drawn down and scattered by ripples that grow towards the eye."""
    x, y = frame.axes()
    shore = horizon + 0.020 + 0.004 * noise(frame, rng, (3, 0.5), octaves=3)
    near = np.clip((y - shore) / (frame.span[1] - horizon), 0, 1)
    ripple = np.zeros((frame.height, frame.width), np.float32)
    # ripples of one size on the lake look smaller the farther away they are: noise over 1 / distance
    for frequency in (5.0, 11.0, 23.0):
        texture = _Texture(rng)
        depth = 1 / (near + 0.045)
        ripple += texture.at((x - frame.span[0] / 2) * depth * frequency * 0.16, depth * frequency + 0 * x) / 1.5
    mirrored = 2 * shore - y + ripple * (0.006 + 0.075 * near)
    row = np.clip(mirrored * frame.unit, 0, frame.height - 1).astype(int)
    column = np.arange(frame.width)[None] + np.rint(ripple * 3 * frame.unit / 576).astype(int)
    reflection = view[row, np.clip(column, 0, frame.width - 1)]
    depth_colour = np.array([0.09, 0.16, 0.20])
    clear = np.clip(0.10 + 0.42 * near + 0.16 * ripple, 0, 0.7)
    water = mix(reflection * np.array([0.86, 0.88, 0.92]), depth_colour, clear)
    edge = smoothstep(0.0, 2.5 / frame.unit, y - shore)
    bank = np.exp(-np.abs(y - shore) * 260)[..., None] * 0.45
    return mix(view, water, edge) * (1 - bank)


def _foreground(view: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """A tree at the right and reeds along the lower edge, dark against the light."""
    sx, sy = frame.span.tolist()
    sheet = Sheet(frame, np.zeros(4))
    tips = _branches(sheet, np.array([0.885 * sx, 1.02 * sy]), sy, rng)
    leaves = np.repeat(tips, 26, axis=0)
    leaves = leaves + rng.normal(0, 0.017, leaves.shape) * (1.2, 0.8)
    size = rng.uniform(0.0013, 0.0036, len(leaves))
    tint = inks("#10160f", "#1b2413", "#2c3016", "#4a3f18")[rng.integers(0, 4, len(leaves))]
    sheet.polygons(discs(rng, leaves, size, 6, 0.3), np.column_stack([tint, np.ones(len(leaves))]))
    count = 900
    root = np.column_stack([rng.uniform(-0.02, 1.02, count) * sx, np.full(count, 1.01 * sy)])
    rise = sy * (0.035 + 0.10 * rng.random(count) ** 2) * (0.55 + 0.9 * np.abs(root[:, 0] / sx - 0.42))
    s = np.linspace(0, 1, 8)
    bow = rng.normal(0.12, 0.28, count)[:, None] * rise[:, None] * s**2
    blades = np.stack([root[:, :1] + bow, root[:, 1:] - rise[:, None] * s], axis=-1)
    green = inks("#0d120c", "#1a2112", "#33351a", "#5c4a22")[rng.integers(0, 4, count)]
    sheet.polygons(ribbon(blades, 0.0022 * (1.05 - s) * np.ones((count, 1))), np.column_stack([green, np.ones(count)]))
    drawn = sheet.array()
    return view * (1 - drawn[..., 3:]) + drawn[..., :3]


def _branches(sheet: Sheet, root: np.ndarray, scale: float, rng: Generator) -> np.ndarray:
    """Draw a bare tree from the trunk upwards; its outer twigs' ends, (n, 2)."""
    bark = np.array([[0.055, 0.05, 0.045, 1.0]])
    growing = [(root, -math.pi / 2 - 0.06, 0.22 * scale, 0.0125 * scale)]
    tips: list[np.ndarray] = []
    for generation in range(9):
        following = []
        for foot, angle, length, thick in growing:
            bend = angle + rng.normal(0, 0.14) * np.linspace(0, 2, 6)
            path = foot + np.cumsum(np.stack([np.cos(bend), np.sin(bend)], axis=-1) * length / 6, axis=0)
            path = np.concatenate([foot[None], path])
            sheet.polygons(ribbon(path[None], np.linspace(thick, thick * 0.68, 7)[None]), bark)
            for side in (-1, 1):
                turn = angle + side * rng.uniform(0.16, 0.55)
                following.append((path[-1], turn, length * rng.uniform(0.62, 0.86), thick * 0.66))
            if generation >= 5:
                tips.append(path[-1])
        growing = following
    return np.array(tips)


def _exposed(view: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """As a camera records it: a soft shoulder in the lights, darker corners, fine grain."""
    x, y = frame.axes()
    centre = frame.span / 2
    corner = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / float((centre**2).sum())
    grain = 0.013 * noise(frame, rng, 300)
    exposed = view * (1.06 - 0.26 * corner)[..., None] + grain[..., None]
    return np.where(exposed > 0.8, 0.8 + 0.2 * np.tanh((exposed - 0.8) / 0.2), exposed).astype(np.float32)
