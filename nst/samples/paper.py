"""Cut paper: sheets painted with gouache, cut freehand into algae, leaves and stars, and pasted in layers."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import Frame, Sheet, blur, discs, inks, mix, noise, relief, ribbon, spread

_GROUNDS = inks(
    "#1f4fa3", "#f3b61f", "#e8dfc8", "#0f7a5f", "#d8336f", "#f0702e", "#16264f", "#8cc7d9", "#7a2e83", "#f5efe0"
)
_CUTS = inks(
    "#fbf6e8", "#101820", "#e4312b", "#1a4fb0", "#f7c62a", "#17864f", "#ef6fa0", "#0e2f6b", "#f28a1e", "#2aa6b8"
)


def cut_paper(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    ground = Sheet(frame, _GROUNDS[2])
    panels = _panels(frame.span, rng)
    colours = _neighbours_differ(len(panels), rng)
    for (centre, size), colour in zip(panels, colours, strict=True):
        ground.polygons(_snipped(centre, size, rng)[None], _GROUNDS[colour][None])
    picture = _gouache(ground.array(), frame, rng)
    for layer in (_large, _middle, _small):
        sheet = Sheet(frame, np.zeros(4))
        layer(sheet, panels, colours, rng)
        picture = _pasted(picture, sheet.array(), frame, rng)
    fibres = noise(frame, rng, (130, 60)) + 0.7 * noise(frame, rng, (50, 140)) + noise(frame, rng, 200)
    return (picture * relief(fibres, 0.012, frame.unit)[..., None]).astype(np.float32)


def _panels(span: np.ndarray, rng: Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Centres and sizes of sheets of unequal size that cover the span, as rows of unequal heights."""
    panels = []
    heights = rng.permutation([0.30, 0.42, 0.28])
    top = 0.0
    for row, share in enumerate(heights.tolist()):
        widths = rng.uniform(0.7, 1.5, 4 + row % 2)
        widths = widths / widths.sum()
        left = 0.0
        for part in widths.tolist():
            corner, size = np.array([left, top]) * span, np.array([part, share]) * span
            panels.append((corner + size / 2, size))
            left += part
        top += share
    return panels


def _neighbours_differ(count: int, rng: Generator) -> list[int]:
    """A ground for each panel, none like the two before it or those above."""
    chosen: list[int] = []
    for _ in range(count):
        free = [i for i in range(len(_GROUNDS)) if i not in chosen[-6:]]
        chosen.append(int(rng.choice(free)))
    return chosen


def _snipped(centre: np.ndarray, size: np.ndarray, rng: Generator) -> np.ndarray:
    """A rectangle cut without a ruler, (k, 2)."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    t = np.linspace(0, 1, 6)[:-1, None]
    edges = [a + (b - a) * t for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    outline = np.concatenate(edges) * (size + 0.012)
    return centre + outline + rng.normal(0, 0.0035, outline.shape)


def _frond(centre: np.ndarray, length: float, angle: float, lobes: int, rng: Generator) -> np.ndarray:
    """An alga with rounded lobes to both sides of a bent spine, as (k, 2) outline."""
    k = 34 * lobes
    s = np.linspace(0, 1, k)
    turn = angle + rng.uniform(-0.9, 0.9) * (s - 0.4)
    step = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * (length / k)
    spine = centre + np.cumsum(step, axis=0) - step.sum(axis=0) / 2
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=-1)
    along = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    envelope = np.sin(np.pi * np.clip(s * 0.93 + 0.07, 0, 1)) ** 0.65
    sides = []
    for side in (1, -1):
        finger = np.abs(np.sin(np.pi * (lobes * s + rng.uniform(-0.12, 0.12)))) ** 0.75
        reach = length * envelope * (0.045 + rng.uniform(0.22, 0.30) * finger)
        sides.append(spine + across * (side * reach)[:, None] + along * (0.75 * reach)[:, None])
    outline = np.concatenate([sides[0], sides[1][::-1]])
    return outline + rng.normal(0, 0.0003, outline.shape)


def _star(centre: np.ndarray, radius: float, points: int, depth: float, rng: Generator) -> np.ndarray:
    """A flower or star with soft points, (k, 2)."""
    angle = np.linspace(0, 2 * np.pi, 14 * points, endpoint=False)
    reach = radius * (1 - depth + depth * np.abs(np.cos(points * angle / 2)) ** 0.8)
    reach = reach * (1 + 0.12 * np.sin(angle + rng.uniform(0, 6)) + 0.08 * np.sin(2 * angle + rng.uniform(0, 6)))
    turn = angle + rng.uniform(0, 6)
    return centre + np.stack([np.cos(turn), np.sin(turn)], axis=-1) * reach[:, None]


def _cut_colour(ground: int, rng: Generator) -> np.ndarray:
    """A paper that stands out from the ground it is pasted on."""
    contrast = np.abs(_CUTS - _GROUNDS[ground]).sum(axis=1)
    return _CUTS[int(rng.choice(np.flatnonzero(contrast > 0.75)))]


def _large(sheet: Sheet, panels: list[tuple[np.ndarray, np.ndarray]], colours: list[int], rng: Generator) -> None:
    """An alga or a flower on every panel, the same hand cutting each anew."""
    for (centre, size), ground in zip(panels, colours, strict=True):
        colour = _cut_colour(ground, rng)[None]
        angle = -np.pi / 2 + rng.uniform(-0.5, 0.5)
        room = float(min(size[0] * 1.15, size[1]))
        if rng.random() < 0.72:
            shape = _frond(centre, room * rng.uniform(0.85, 1.0), angle, int(rng.integers(4, 8)), rng)
        else:
            shape = _star(centre, room * 0.44, int(rng.integers(5, 10)), rng.uniform(0.35, 0.6), rng)
        sheet.polygons(shape[None], np.column_stack([colour, [[1.0]]]))


def _middle(sheet: Sheet, panels: list[tuple[np.ndarray, np.ndarray]], colours: list[int], rng: Generator) -> None:
    """Smaller algae inside and across the large ones, and borders of scallops."""
    for (centre, size), ground in zip(panels, colours, strict=True):
        room = float(min(size))
        for _ in range(3):
            place = centre + rng.uniform(-0.44, 0.44, 2) * size
            colour = np.column_stack([_cut_colour(ground, rng)[None], [[1.0]]])
            if rng.random() < 0.6:
                angle = rng.uniform(0, 2 * np.pi)
                sheet.polygons(
                    _frond(place, room * rng.uniform(0.3, 0.5), angle, int(rng.integers(3, 6)), rng)[None], colour
                )
            else:
                sheet.polygons(_star(place, room * rng.uniform(0.07, 0.14), 5, 0.5, rng)[None], colour)
        s = np.linspace(-0.5, 0.5, 60)
        wave = centre + np.stack([s, np.full(60, 0.44) + 0.03 * np.sin(s * 40)], axis=-1) * size
        if rng.random() < 0.55:
            colour = np.column_stack([_cut_colour(ground, rng)[None], [[1.0]]])
            sheet.polygons(ribbon(wave[None], np.full((1, 60), room * 0.02)), colour)


def _small(sheet: Sheet, panels: list[tuple[np.ndarray, np.ndarray]], colours: list[int], rng: Generator) -> None:
    """Seeds, dots and slivers that fall from the scissors."""
    centres = spread(rng, 180, sheet.frame.span, jitter=1.5)
    paint = np.column_stack([_CUTS[rng.integers(0, len(_CUTS), 180)], np.ones(180)])
    sheet.polygons(discs(rng, centres[:90], rng.uniform(0.003, 0.010, 90), 9, 0.16), paint[:90])
    angle = rng.uniform(0, 2 * np.pi, (90, 1))
    s = np.linspace(-1, 1, 7) * rng.uniform(0.008, 0.024, (90, 1))
    path = centres[90:, None] + np.stack([np.cos(angle) * s, np.sin(angle) * s + 6 * s**2], axis=-1)
    sheet.polygons(ribbon(path, 0.0045 * np.sin(np.linspace(0.2, 2.94, 7)) * np.ones((90, 1))), paint[90:])


def _gouache(flat: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Painted paper: streaks of a broad brush, here thicker, there letting the sheet shine through."""
    shape = (5, 45) if rng.random() < 0.5 else (45, 5)
    streaks = 0.6 * noise(frame, rng, shape, octaves=3, gain=0.8) + 0.9 * noise(frame, rng, 6, octaves=4)
    return flat * (1 + 0.07 * streaks)[..., None] + 0.025 * np.clip(streaks, 0, None)[..., None]


def _pasted(below: np.ndarray, layer: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """`layer`, (h, w, 4) premultiplied, over a picture: its shadow falls to the lower right, its edge catches light."""
    pixel = frame.unit / 576
    cover = layer[..., 3]
    shift = max(1, round(2.5 * pixel))
    fallen = np.pad(cover, ((shift, 0), (shift, 0)), mode="edge")[: frame.height, : frame.width]
    shadow = 0.50 * blur(fallen, 2.6 * pixel) + 0.14 * blur(fallen, 9 * pixel)
    shaded = below * (1 - shadow)[..., None] + 0.10 * (shadow * below[..., 2])[..., None] * np.array([0.2, 0.3, 0.9])
    edge = relief(blur(cover, 0.8 * pixel), 0.35, frame.unit)[..., None]
    painted = _gouache(layer[..., :3] / np.maximum(cover, 1e-3)[..., None], frame, rng)
    return mix(shaded, painted * edge, cover)
