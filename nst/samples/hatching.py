"""Ink hatching: a bank of boulders in pen strokes that follow their forms, crossed in the shade, with washes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import (
    Frame,
    Sheet,
    blur,
    inks,
    mix,
    noise,
    ribbon,
    sample,
    smoothstep,
    spread,
    taper,
    trace,
)

_PAPER, _INK, _SEPIA, _BLUE = inks("#f1e8d2", "#1b1a24", "#a8794a", "#5d7690")

# Of each layer: strokes, length, half width, the darkness it begins at, and its angle to the form.
_HATCHES = (
    (6500, 0.078, 0.00130, 0.20, 0.0),
    (6500, 0.058, 0.00135, 0.44, 0.75),
    (7000, 0.046, 0.00145, 0.60, -0.70),
    (6500, 0.030, 0.00180, 0.76, 1.57),
)


def ink_hatching(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    plan = frame.plan(320)
    darkness, angle, contours, stones = _boulders(plan, rng)
    paper = _washed(frame, plan, darkness, stones, rng)
    pen = Sheet(frame, np.zeros(1))
    for layer in _HATCHES:
        _hatch(pen, plan, (darkness, angle, stones), layer, rng)
    for pieces in contours:
        if len(pieces):
            _outline(pen, pieces, rng)
    ink = pen.array() * (0.90 + 0.10 * noise(frame, rng, 40, octaves=2))
    return mix(paper, _INK, np.clip(ink, 0, 1)).astype(np.float32)


def _boulders(plan: Frame, rng: Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """Darkness, stroke angle, contours and the stone at each place (-1: none); the nearer stones are lower."""
    darkness = np.clip(0.52 + 0.16 * noise(plan, rng, 6, octaves=2), 0, 1)
    angle = 0.35 + 0.5 * noise(plan, rng, 2.5)
    stones = np.full(darkness.shape, -1)
    bumps = noise(plan, rng, 7, octaves=4)
    contours = []
    centres = spread(rng, 95, plan.span, jitter=0.8)
    for index, centre in enumerate(centres[np.argsort(centres[:, 1])]):
        stone = _Stone.found(centre, rng)
        _lay(stone, index, plan, (darkness, angle, stones), bumps)
        contours.append(stone.contour())
    visible = [_visible(pieces, stones, plan, index) for index, pieces in enumerate(contours)]
    return darkness, angle, visible, stones


def _lay(
    stone: _Stone, index: int, plan: Frame, fields: tuple[np.ndarray, np.ndarray, np.ndarray], bumps: np.ndarray
) -> None:
    """Put a stone and its cast shadow into the fields, in place."""
    x, y = plan.axes()
    first = np.clip(((stone.centre - 1.9 * stone.radius) * plan.unit).astype(int), 0, None)
    last = np.clip(((stone.centre + 1.9 * stone.radius) * plan.unit).astype(int), 0, None)
    window = slice(first[1], last[1]), slice(first[0], last[0])
    darkness, angle, stones = (field[window] for field in fields)  # views
    u, v = stone.inward(x[:, window[1]], y[window[0]])
    bearing = np.arctan2(v, u)
    reach = np.hypot(u, v) / stone.edge(bearing)
    inside = reach < 1
    cast = 0.97 * np.exp(-(np.clip(np.hypot(u - 0.35, v - 0.45) - 0.8, 0, None) ** 2) * 14)
    lit = 0.55 * np.sqrt(np.clip(1 - reach**2, 0, 1)) - 0.55 * u - 0.62 * v + 0.22 * bumps[window]
    rim = 0.16 * smoothstep(0.82, 1.0, reach) * (lit < 0)  # light thrown back by the neighbours
    around = bearing + np.pi / 2 + stone.turn + 0.5 * bumps[window] + 0.6 * (1 - reach)
    darkness[:] = np.where(inside, np.clip(0.66 - 0.55 * lit, 0.04, 0.98) - rim, np.maximum(darkness, cast))
    angle[:] = np.where(inside, around, angle)
    stones[inside] = index


@dataclass(frozen=True)
class _Stone:
    """A boulder: a wobbly ellipse."""

    centre: np.ndarray
    radius: float
    squeeze: float
    turn: float
    lobes: np.ndarray
    """(3, 2): height and phase of the 2, 3 and 5 bumps around it."""

    @classmethod
    def found(cls, centre: np.ndarray, rng: Generator) -> _Stone:
        radius = float(rng.choice([0.055, 0.085, 0.13, 0.18], p=[0.3, 0.3, 0.25, 0.15]) * rng.uniform(0.85, 1.15))
        lobes = np.column_stack([rng.uniform(0.01, 0.055, 3), rng.uniform(0, 6.28, 3)])
        return cls(centre, radius, float(rng.uniform(0.62, 0.9)), float(rng.uniform(-0.5, 0.5)), lobes)

    def inward(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions in units to the stone's own axes, where its edge is near 1."""
        dx, dy = x - self.centre[0], y - self.centre[1]
        c, s = np.cos(self.turn), np.sin(self.turn)
        return (dx * c + dy * s) / self.radius, (dy * c - dx * s) / (self.radius * self.squeeze)

    def edge(self, bearing: np.ndarray) -> np.ndarray:
        """How far the edge is in that direction."""
        bumps = sum(h * np.sin(n * bearing + p) for n, (h, p) in zip((2, 3, 5), self.lobes.tolist(), strict=True))
        return 1 + np.asarray(bumps)

    def contour(self) -> np.ndarray:
        """(24, 9, 2) pieces of the outline, in units."""
        bearing = (np.arange(24)[:, None] + np.linspace(-0.1, 1.1, 9)) * 2 * np.pi / 24
        u = np.cos(bearing) * self.edge(bearing) * self.radius
        v = np.sin(bearing) * self.edge(bearing) * self.radius * self.squeeze
        c, s = np.cos(self.turn), np.sin(self.turn)
        return self.centre + np.stack([u * c - v * s, u * s + v * c], axis=-1)


def _at(stones: np.ndarray, points: np.ndarray, plan: Frame) -> np.ndarray:
    """The stone at each of (..., 2) points."""
    column = np.clip((points[..., 0] * plan.unit).astype(int), 0, plan.width - 1)
    row = np.clip((points[..., 1] * plan.unit).astype(int), 0, plan.height - 1)
    return stones[row, column]


def _visible(pieces: np.ndarray, stones: np.ndarray, plan: Frame, index: int) -> np.ndarray:
    """The pieces of a contour that no nearer stone hides."""
    within = pieces[:, 4] * 0.96 + pieces.mean(axis=(0, 1)) * 0.04
    return pieces[_at(stones, within, plan) == index]


def _outline(pen: Sheet, pieces: np.ndarray, rng: Generator) -> None:
    """Contours drawn twice: once firmly, heavier on the side away from the light, once lightly beside it."""
    away = (pieces[:, 4] - pieces.mean(axis=(0, 1))) @ np.array([0.66, 0.75])
    weight = 0.0013 + 0.0022 * smoothstep(-0.05, 0.10, away)[:, None] * np.ones(9)
    pen.polygons(ribbon(pieces, weight * rng.uniform(0.7, 1.2, (len(pieces), 1))), np.ones((len(pieces), 1)))
    again = pieces + rng.normal(0, 0.0022, (len(pieces), 1, 2))
    pen.polygons(ribbon(again, 0.0008 * np.ones((len(pieces), 9))), np.full((len(pieces), 1), 0.8))


def _hatch(
    pen: Sheet,
    plan: Frame,
    fields: tuple[np.ndarray, np.ndarray, np.ndarray],
    layer: tuple[int, float, float, float, float],
    rng: Generator,
) -> None:
    """Strokes along the form where it is dark enough; each ends at the edge of its stone and swells with the shade."""
    darkness, angle, stones = fields
    count, length, half_width, begin, turn = layer
    middles = spread(rng, count, plan.span, jitter=0.5)
    shade = sample(darkness, middles, plan)
    kept = shade + rng.normal(0, 0.05, count) > begin
    middles, shade = middles[kept], shade[kept]
    along = np.stack([np.cos(angle + turn), np.sin(angle + turn)], axis=-1)

    def direction(points: np.ndarray) -> np.ndarray:
        return sample(along, points, plan)

    path = trace(middles, direction, length * rng.uniform(0.6, 1.3, len(middles)), 9)
    here = _at(stones, middles, plan)
    for order in (range(5, 9), range(3, -1, -1)):
        for i in order:
            before = path[:, i - 1] if i > 4 else path[:, i + 1]
            path[:, i] = np.where((_at(stones, path[:, i], plan) == here)[:, None], path[:, i], before)
    width = half_width * (0.6 + 0.7 * smoothstep(begin, begin + 0.4, shade))[:, None] * taper(9, 0.35, 0.7)
    pen.polygons(ribbon(path, width), rng.uniform(0.75, 1.0, (len(path), 1)))


def _washed(frame: Frame, plan: Frame, darkness: np.ndarray, stones: np.ndarray, rng: Generator) -> np.ndarray:
    """Paper with sepia and blue washes in the half shade, not quite where the forms are, darker where they dried."""
    x, y = frame.axes()
    points = np.stack(np.broadcast_arrays(x, y), axis=-1)
    slip = np.stack([noise(frame, rng, 5, octaves=2), noise(frame, rng, 5, octaves=2)], axis=-1) * 0.012
    shade = sample(darkness, points + slip, plan)
    colour_of = np.append(rng.random(int(stones.max()) + 1), 0.4)
    bluish = smoothstep(0.4, 0.6, blur(colour_of[_at(stones, points + slip, plan)], 1.5 * frame.unit / 576))
    grain = 1 + 0.022 * noise(frame, rng, 140) + 0.02 * noise(frame, rng, 30, octaves=2)
    paper = _PAPER * (grain * (1 + 0.02 * noise(frame, rng, 2, octaves=3)))[..., None]
    tint = mix(np.broadcast_to(_SEPIA, paper.shape), _BLUE, bluish)
    for level, strength in ((0.30, 0.30), (0.52, 0.38), (0.74, 0.42)):
        edge = shade + 0.05 * noise(frame, rng, 12, octaves=3)
        pool = smoothstep(level, level + 0.03, edge)
        dried = np.exp(-(((edge - level - 0.02) / 0.018) ** 2))
        share = strength * pool * (1 + 0.18 * noise(frame, rng, 9, octaves=4)) + 0.12 * dried
        paper = paper * (1 - np.clip(share, 0, 1)[..., None] * (1 - tint))
    return paper
