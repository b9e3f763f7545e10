"""Pointillism: dots of several sizes, complementary colours side by side, over a river bank in soft large shapes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import Frame, Sheet, discs, inks, noise, relief, sample, spread

# Of every region: its colour in light, in half light and in shadow, and the complement that makes it vibrate.
_REGIONS = {
    "sky": inks("#fbeeb8", "#a9d0ea", "#6f9fd8", "#f7b07a"),
    "far": inks("#b9b5dd", "#7f86c4", "#4c559f", "#e9b45f"),
    "meadow": inks("#f0e15c", "#9cc24a", "#3f8a4b", "#d9587a"),
    "trees": inks("#a8c23c", "#2f7d4d", "#1d2a6b", "#c63f3a"),
    "water": inks("#d8f0ee", "#4fa3c7", "#23509b", "#f29a4a"),
    "sun": inks("#fffbe0", "#ffe27a", "#fbb03f", "#9fb4e8"),
    "shade": inks("#7d6bb8", "#4a3f95", "#231d5a", "#e8a33d"),
}
_NAMES = tuple(_REGIONS)
_LAYERS = ((4200, 0.0150), (7000, 0.0098), (10500, 0.0066), (9000, 0.0042))  # dots, radius


def pointillism(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    plan = frame.plan()
    region, light, lean = _scene(plan, rng)
    table = np.stack([_REGIONS[name] for name in _NAMES])
    sheet = Sheet(frame, np.array([*inks("#e9dcc0")[0], 0.0]))
    for count, radius in _LAYERS:
        centres = spread(rng, count, frame.span, jitter=0.5)
        # a shaky hand blurs the borders between the regions
        looked = centres + rng.normal(0, radius * 0.6, centres.shape)
        kind = np.rint(sample(region, np.round(looked * plan.unit) / plan.unit + 0.5 / plan.unit, plan)).astype(int)
        tone = sample(light, looked, plan) + rng.normal(0, 0.16, count)
        step = np.clip(np.rint((0.92 - tone) * 2.4), 0, 2).astype(int)
        step = np.where(rng.random(count) < 0.17, 3, step)
        colour = table[kind, step] * (1 + rng.normal(0, 0.05, (count, 1))) + rng.normal(0, 0.03, (count, 3))
        shapes = discs(rng, np.zeros((count, 2)), radius * rng.uniform(0.65, 1.2, count), 11, 0.07)
        placed = centres[:, None] + _stretched(shapes, sample(lean, centres, plan))
        sheet.polygons(placed, np.column_stack([colour, rng.uniform(0.3, 1.0, count)]))
    painted = sheet.array()
    thickness = relief(painted[..., 3], 0.16, frame.unit)
    weave = 1 + 0.03 * noise(frame, rng, 170)
    return painted[..., :3] * (thickness * weave)[..., None]


def _scene(plan: Frame, rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which region is where, how much light falls there and which way the dabs lean, (h, w) each."""
    x, y = plan.axes()
    sx, sy = plan.span.tolist()
    u, v = x / sx, y / sy
    bend = 0.035 * noise(plan, rng, 3, octaves=3)
    kind = np.zeros((plan.height, plan.width))
    light = 0.30 + 0.30 * noise(plan, rng, (2.5, 5), octaves=3) + 0.9 * v
    lean = 0.5 * noise(plan, rng, 3)

    def put(name: str, where: np.ndarray, shade: np.ndarray) -> None:
        kind[where] = _NAMES.index(name)
        light[where] = np.broadcast_to(shade, light.shape)[where]

    sun = np.hypot(x - 0.66 * sx, y - 0.2 * sy)
    light += 0.75 * np.exp(-sun * 5) + 0.10 * np.sin(sun * 60)
    put("sun", sun + 0.3 * bend < 0.075, 1.0 - 5 * sun)
    put("far", v > 0.40 + bend - 0.05 * np.sin(u * 6 + 1), 0.45 + 0.5 * noise(plan, rng, 6, octaves=2))
    put("meadow", v > 0.49 + 0.6 * bend - 0.06 * u, 0.70 + 0.35 * noise(plan, rng, (3, 9), octaves=2))
    bank = 0.64 + 0.6 * bend - 0.14 * (u - 0.2)
    glitter = np.exp(-(((u - 0.66) / 0.10) ** 2))
    ripples = 0.26 + 0.20 * np.sin(v * 120 + 9 * bend * 20) + 0.45 * noise(plan, rng, (4, 22)) + 0.5 * glitter
    put("water", (v > bank), ripples)
    put("shade", (v > bank) & (v < bank + 0.035), 0.3 + 0 * light)
    for cx, cy, size in ((0.13, 0.33, 0.19), (0.27, 0.43, 0.12), (0.92, 0.40, 0.13), (0.83, 0.46, 0.07)):
        crown = np.hypot((x - cx * sx) / 0.9, y - cy * sy) / size + 4 * bend
        round_light = 0.55 + 0.6 * (x - cx * sx) / size - 0.5 * (y - cy * sy) / size
        put("trees", crown < 1, round_light + 0.35 * noise(plan, rng, 9, octaves=2))
        trunk = (np.abs(x - cx * sx + 0.2 * bend) < 0.09 * size) & (y > cy * sy + 0.5 * size) & (v < bank)
        put("shade", trunk, 0.3 + 0 * light)
        depth = np.clip((v - bank) / (2.2 * size), 0, 1)
        broad = size * np.sqrt(1 - depth**2) * (0.85 + 0.35 * noise(plan, rng, (3, 30)))
        mirrored = (v > bank + 0.02) & (depth < 1) & (np.abs(x - cx * sx + bend) < broad)
        put("trees", mirrored & (ripples < 0.62), 0.25 + 0.2 * ripples)
    put("shade", v > 0.93 + 2 * bend - 0.16 * (1 - u) ** 3, 0.45 + 0.6 * noise(plan, rng, 8, octaves=2))
    return kind, light, lean


def _stretched(shapes: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """Dots drawn out a little along the angle `lean`, as a loaded brush leaves them."""
    along = np.stack([np.cos(lean), np.sin(lean)], axis=-1)[:, None]
    return shapes + 0.28 * along * (shapes * along).sum(axis=-1, keepdims=True)
