"""Stained glass: a rose of irregular panes in jewel colours, held by lead of varying thickness."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from nst.samples.canvas import Frame, Sheet, blur, discs, inks, noise, ribbon, sample, smoothstep

_JEWELS = (
    inks("#f6c21c", "#ef8a17", "#fbe38a"),
    inks("#b3122a", "#d7263d", "#7d0f2b"),
    inks("#123c9c", "#1d5fd0", "#0d2466"),
    inks("#0f7f5c", "#35a86b", "#0a5340"),
    inks("#5b1f8a", "#8b3fb5", "#35146b"),
    inks("#169fb8", "#7fd3d6", "#0f6f94"),
)
_RING_FAMILIES = ((0, 0), (1, 0), (2, 5), (1, 4), (3, 2), (0, 1), (2, 4))
_EDGE_STEPS = 7


def stained_glass(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    plan = frame.plan(120)
    seeds, rings = _seeds(frame, rng)
    warp = np.stack([noise(plan, rng, 3.5) * 0.022, noise(plan, rng, 3.5) * 0.022], axis=-1)
    lead = Sheet(frame, np.zeros(1))
    panes = Image.new("I", (width, height), 0)
    draw = ImageDraw.Draw(panes)
    for index in range(len(seeds)):
        corners, neighbours = _cell(seeds, index)
        if len(corners) < 3:
            continue
        outline = _curved(corners, warp, plan)
        draw.polygon((outline.reshape(-1, 2) * frame.unit).ravel().tolist(), index)
        _set_lead(lead, outline, rings[index] != rings[neighbours], rng)
        _paint_on(lead, outline.reshape(-1, 2), rng)
    light = _glass(frame, np.asarray(panes), _pane_colours(rings, rng), seeds, rng)
    return _leaded(light, lead.array(), frame, rng)


def _seeds(frame: Frame, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Centres of the panes in rings around a point off the middle, (n, 2), and the ring of each, (n,)."""
    centre = frame.span * (0.42, 0.46)
    places, rings = [centre[None]], [0]
    radius, turn = 0.0, 0.0
    for ring, (step, count) in enumerate(
        ((0.075, 7), (0.085, 12), (0.06, 24), (0.10, 18), (0.055, 40), (0.12, 26), (0.08, 48), (0.13, 34), (0.14, 40)),
        start=1,
    ):
        radius += step
        turn += rng.uniform(0, 1)
        angle = turn + (np.arange(count) + rng.uniform(-0.26, 0.26, count)) * 2 * np.pi / count
        reach = radius * (1 + rng.uniform(-0.035, 0.035, count))
        places.append(centre + np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None])
        rings += [ring] * count
    points = np.concatenate(places)
    margin = 0.12
    inside = np.all((points > -margin) & (points < frame.span + margin), axis=1)
    return points[inside], np.array(rings)[inside]


def _cell(seeds: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners (m, 2) of the Voronoi cell of a seed, and for each edge from its corner the seed beyond it, (m,)."""
    here = seeds[index]
    distance = np.hypot(*(seeds - here).T)
    x, y = here.tolist()
    corners = [(x - 0.4, y - 0.4), (x + 0.4, y - 0.4), (x + 0.4, y + 0.4), (x - 0.4, y + 0.4)]
    beyond = [index] * 4
    for other in np.argsort(distance)[1:28].tolist():
        nx, ny = (seeds[other] - here).tolist()
        limit = nx * (x + nx / 2) + ny * (y + ny / 2)
        signed = [nx * px + ny * py - limit for px, py in corners]
        if max(signed) <= 0:
            continue
        corners, beyond = _clipped(corners, beyond, signed, other)
    return np.array(corners), np.array(beyond)


def _clipped(
    corners: list[tuple[float, float]], beyond: list[int], signed: list[float], other: int
) -> tuple[list[tuple[float, float]], list[int]]:
    """A convex polygon without what lies beyond a line (where `signed` is positive)."""
    kept: list[tuple[float, float]] = []
    edges: list[int] = []
    for i, (a, b) in enumerate(zip(signed, signed[1:] + signed[:1], strict=True)):
        (px, py), (qx, qy) = corners[i], corners[(i + 1) % len(corners)]
        crossing = (px + (qx - px) * a / (a - b), py + (qy - py) * a / (a - b)) if a * b < 0 else (px, py)
        if a <= 0:
            kept.append((px, py))
            edges.append(beyond[i])
        if a * b < 0:
            kept.append(crossing)
            edges.append(other if a <= 0 else beyond[i])
    return kept, edges


def _curved(corners: np.ndarray, warp: np.ndarray, plan: Frame) -> np.ndarray:
    """The edges of a pane, (m, steps, 2): bent by the same warp for both neighbours, so that no gap opens."""
    t = np.linspace(0, 1, _EDGE_STEPS)[:, None]
    following = np.roll(corners, -1, axis=0)
    edges = corners[:, None] * (1 - t) + following[:, None] * t
    return edges + sample(warp, edges, plan)


def _set_lead(lead: Sheet, edges: np.ndarray, thick: np.ndarray, rng: Generator) -> None:
    half_width = np.where(thick, 0.0078, 0.0030) * rng.uniform(0.8, 1.25, len(edges))
    lead.polygons(ribbon(edges, half_width[:, None] * np.ones(_EDGE_STEPS)), np.ones((len(edges), 1)))
    # solder gathers at the joints
    lead.polygons(discs(rng, edges[:, 0], half_width * 1.25, 12, 0.05), np.ones((len(edges), 1)))


def _paint_on(lead: Sheet, outline: np.ndarray, rng: Generator) -> None:
    """The glass painter's thin dark lines inside a pane: an inner contour, or veins."""
    middle = outline.mean(axis=0)
    kind = rng.random()
    shade = np.array([[rng.uniform(0.35, 0.6)]])
    if kind < 0.30:
        for size in (0.74, 0.62)[: 1 + (kind < 0.14)]:
            inner = middle + (np.concatenate([outline, outline[:1]]) - middle) * size
            lead.polygons(ribbon(inner[None], np.full((1, len(inner)), 0.0011)), shade)
    elif kind < 0.55:
        targets = outline[:: max(1, len(outline) // 9)]
        t = np.linspace(0.12, 0.72, 5)[:, None]
        veins = middle + (targets - middle)[:, None] * t
        lead.polygons(
            ribbon(veins, np.tile(np.linspace(0.0022, 0.0005, 5), (len(veins), 1))), shade.repeat(len(veins), 0)
        )


def _pane_colours(rings: np.ndarray, rng: Generator) -> np.ndarray:
    """(n, 3): every ring alternates between two families of colour, with strays from the others."""
    colours = np.empty((len(rings), 3))
    for i, ring in enumerate(rings.tolist()):
        family = _RING_FAMILIES[ring % len(_RING_FAMILIES)][i % 2]
        if rng.random() < 0.09:
            family = int(rng.integers(len(_JEWELS)))
        colours[i] = _JEWELS[family][int(rng.integers(3))] * rng.uniform(0.8, 1.15)
    return colours


def _glass(frame: Frame, panes: np.ndarray, colours: np.ndarray, seeds: np.ndarray, rng: Generator) -> np.ndarray:
    """Light through the panes: streaks drawn out while the glass was hot, waves, seeds, and each pane's own falloff."""
    streaks = np.stack([noise(frame, rng, (4, 55), octaves=2), noise(frame, rng, (55, 4), octaves=2)])
    lines = np.where(rng.integers(0, 2, len(colours))[panes] == 0, streaks[0], streaks[1])
    x, y = frame.axes()
    tilt = rng.uniform(-1, 1, (2, len(colours)))
    away = np.stack([x - seeds[panes, 0], y - seeds[panes, 1]])
    falloff = 1 - 14 * (away**2).sum(axis=0) + 2.2 * (tilt[0][panes] * away[0] + tilt[1][panes] * away[1])
    bubbles = smoothstep(1.0, 1.15, noise(frame, rng, 90))
    brightness = falloff * (1 + 0.28 * lines) * (1 + 0.10 * noise(frame, rng, 14, octaves=3)) + 0.22 * bubbles
    sun = np.exp(-((x - frame.span[0] * 0.42) ** 2 + (y - frame.span[1] * 0.46) ** 2) * 1.5)
    brightness = np.clip(brightness, 0.15, 1.6) * (0.68 + 0.55 * sun)
    colour = colours[panes].astype(np.float32) * brightness[..., None].astype(np.float32)
    whiter = 0.30 * np.clip(brightness - 0.95, 0, 1)
    return colour + (1 - colour) * whiter[..., None]


def _leaded(glass: np.ndarray, lead: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Lead over glass: the light bleeds over it a little, and its rounded back shines dully."""
    pixel = frame.unit / 576
    shade = 1 - 0.35 * blur(lead, 5 * pixel)
    lit = (glass * shade[..., None]).astype(np.float32)
    bloom = np.stack([blur(np.clip(lit[..., i], 0, 1), 7 * pixel) for i in range(3)], axis=-1)
    height = blur(lead, 1.6 * pixel)
    down, across = np.gradient(height)
    shine = np.clip(-(across + down) * pixel, 0, 1) * 0.55
    metal = np.array([0.055, 0.05, 0.06]) + (shine + 0.02 * noise(frame, rng, 120))[..., None]
    return lit * (1 - lead[..., None]) + metal * lead[..., None] + 0.16 * bloom
