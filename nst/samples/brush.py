"""Flowing brush: impasto strokes of several sizes that follow a curling field with vortices."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import (
    Frame,
    Sheet,
    blur,
    discs,
    inks,
    noise,
    normals,
    ramp,
    relief,
    ribbon,
    sample,
    spread,
    taper,
    trace,
)

_NIGHT = inks("#0b1238", "#14246b", "#1f3f94", "#2f67b5", "#5c97c9", "#a9cfdf", "#f1f3e6")
_GLOW = inks("#8a4b12", "#c9851c", "#e8b62f", "#f6dc78", "#fdf7dc")

# strokes, length, half width, bristles: from the underpainting to the accents
_LAYERS = ((700, 0.26, 0.024, 9), (1700, 0.16, 0.0115, 6), (3000, 0.10, 0.0058, 3), (1300, 0.06, 0.0030, 1))

_Vortex = tuple[np.ndarray, float, float]


def flowing_brush(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    plan = frame.plan()
    stars = _vortices(plan, rng)
    flow, tone, glow = _fields(plan, stars, rng)

    def direction(points: np.ndarray) -> np.ndarray:
        vector = sample(flow, points, plan)
        return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-6)

    sheet = Sheet(frame, np.array([*_GLOW[1], 0.3]))  # the fourth channel is the height of the paint
    for count, length, half_width, bristles in _LAYERS:
        middles = spread(rng, count, frame.span)
        path = trace(middles, direction, length * rng.uniform(0.5, 1.2, count), 11)
        colour = _colours(sample(tone, middles, plan), sample(glow, middles, plan), rng)
        _paint(sheet, path, half_width * rng.uniform(0.6, 1.25, count), colour, bristles, rng)
    hearts = np.array([centre for centre, _, _ in stars])
    sizes = np.array([size for _, size, _ in stars])
    sheet.polygons(discs(rng, hearts, 0.11 * sizes, 14), np.tile([*_GLOW[-1], 0.8], (len(stars), 1)))
    painted = sheet.array()
    light = relief(blur(painted[..., 3], 0.8 * frame.unit / 576), 1.5, frame.unit)
    canvas = 1 + 0.035 * noise(frame, rng, 150)
    return painted[..., :3] * (light * canvas)[..., None]


def _fields(plan: Frame, stars: list[_Vortex], rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flow (h, w, 2), lightness and warmth (h, w) on the plan: the curl of a potential never runs into a point."""
    x, y = plan.axes()
    potential = 0.16 * noise(plan, rng, 2.2, octaves=2) + 0.9 * y
    tone = 0.36 + 0.16 * noise(plan, rng, 3, octaves=3) + 0.10 * np.sin(potential * 46)
    glow = np.zeros_like(tone)
    for (cx, cy), size, turn in stars:
        radius = np.hypot(x - cx, y - cy) / size
        potential += turn * size * 3.3 * np.exp(-(radius**2) * 0.8)
        core = np.exp(-(radius**2) * 2.2)
        glow += np.exp(-(radius**2) * 1.4)
        tone += 0.62 * core + 0.17 * np.cos(radius * 11) * np.exp(-radius * 1.1)
    bank = y / plan.span[1] - 0.82 - 0.09 * noise(plan, rng, 2, octaves=2)
    land = 1 / (1 + np.exp(-bank * 40))
    glow += land * (0.55 + 0.5 * noise(plan, rng, 5, octaves=2))
    tone = tone * (1 - land) + land * (0.33 + 0.22 * noise(plan, rng, 6, octaves=2))
    down, across = np.gradient(potential)
    return np.stack([down, -across], axis=-1), tone, glow


def _vortices(plan: Frame, rng: Generator) -> list[_Vortex]:
    """Centre, size and sense of rotation: two large, the others smaller, none close to another."""
    sizes = [0.20, 0.16, 0.09, 0.08, 0.07, 0.06, 0.05, 0.05]
    chosen: list[_Vortex] = []
    for size in sizes:
        candidates = rng.uniform((0.06, 0.08), (0.94, 0.74), (24, 2)) * plan.span
        room = [min([9.0] + [np.hypot(*(c - p)) / (size + s) for p, s, _ in chosen]) for c in candidates]
        free = [c for c, r in zip(candidates, room, strict=True) if r > 1.25]
        centre = free[0] if free else candidates[int(np.argmax(room))]
        chosen.append((centre, size, float(rng.choice([-1, 1]))))
    return chosen


def _colours(tone: np.ndarray, glow: np.ndarray, rng: Generator) -> np.ndarray:
    """(n, 3): cold or warm by chance weighted with `glow`, so that strokes of both lie side by side."""
    count = len(tone)
    tone = tone + rng.normal(0, 0.10, count)
    warm = rng.random(count) < np.clip(glow * 1.25 - 0.12, 0.03, 0.93)
    colour = np.where(warm[:, None], ramp(_GLOW, tone * 1.05), ramp(_NIGHT, tone))
    return colour + rng.normal(0, 0.022, (count, 3))


def _paint(
    sheet: Sheet, path: np.ndarray, half_width: np.ndarray, colour: np.ndarray, bristles: int, rng: Generator
) -> None:
    """Each stroke with its bristles at once, or later strokes would not lie on earlier ones."""
    count, k, _ = path.shape
    profile = taper(k, 0.25, 0.6)
    width = half_width[:, None] * profile
    body = ribbon(path, width)
    across = normals(path)
    outlines = [body]
    paints = [np.column_stack([colour, rng.uniform(0.35, 0.6, count)])]
    for i in range(bristles):
        place = (2 * (i + 0.5) / bristles - 1) * 0.88 if bristles > 1 else 0.0
        shifted = path + across * (width * (place + rng.normal(0, 0.08, (count, 1))))[..., None]
        outlines.append(ribbon(shifted, width * rng.uniform(0.35, 1.0, (count, 1)) / max(bristles, 2)))
        lighter = colour * (1 + rng.normal(0.03, 0.15, (count, 1))) + rng.normal(0, 0.015, (count, 3))
        paints.append(np.column_stack([lighter, rng.uniform(0.15, 1.0, count)]))
    layers = len(outlines)
    sheet.polygons(
        np.stack(outlines, axis=1).reshape(count * layers, 2 * k, 2), np.stack(paints, axis=1).reshape(-1, 4)
    )
