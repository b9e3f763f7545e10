"""Woodcut waves: rows of breaking waves cut into wood and printed in three inks on warm paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import Frame, Sheet, discs, inks, mix, noise, ribbon, smoothstep, taper

_PAPER, _INDIGO, _BLUE, _PALE, _SUN = inks("#efe0bf", "#16264a", "#2f5d8c", "#9fb9b4", "#c8452b")
_SKY_LINES = 20


@dataclass(frozen=True)
class _Wave:
    """A row of breaking waves; `at` gives the layers of water under its crest line."""

    base: float
    height: float
    wavenumber: float
    phase: float
    lean: float
    hero: float
    wobble: np.ndarray

    def at(self, t: np.ndarray, depth: np.ndarray | float) -> np.ndarray:
        """Points at places `t` along the row and `depth` under the surface, (..., 2), after Gerstner's waves.

        The motion dies away with depth, so the carved lines are crowded under the crests as on real blocks.
        """
        fading = np.exp(-np.asarray(depth) / (0.55 * self.height + 0.03))
        angle = self.wavenumber * t + self.phase + 0.9 * np.sin(self.wobble[0] * t + self.wobble[1])
        swell = self.height * (1 + 0.35 * np.sin(self.wobble[2] * t + self.wobble[3]))
        swell = swell * (1 + 1.7 * np.exp(-(((t - self.hero) / 0.22) ** 2)))
        crest = 0.5 + 0.5 * np.cos(angle)
        up = swell * fading * (crest**1.6)
        x = t - 0.8 / self.wavenumber * fading * np.sin(angle) + self.lean * swell * fading * crest**5
        return np.stack([x, self.base + depth - up], axis=-1)


def woodcut_waves(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    sheet = Sheet(frame, _PAPER)
    _sky(sheet, rng)
    rows = 7
    for row in range(rows):
        nearness = row / (rows - 1)
        wave = _Wave(
            base=float(frame.span[1] * (0.35 + 0.66 * nearness**1.1)),
            height=0.045 + 0.12 * nearness,
            wavenumber=float(22 - 13.5 * nearness + rng.uniform(-0.8, 0.8)),
            phase=float(rng.uniform(0, 6.28)),
            lean=float(rng.uniform(0.5, 0.95)),
            hero=float(frame.span[0] * (0.3 if row == rows // 2 else -2)),
            wobble=rng.uniform((1.5, 0, 1.5, 0), (3, 6, 4, 6)),
        )
        ink = _INDIGO if row % 2 else _BLUE
        _water(sheet, wave, nearness, ink, rng)
        _foam(sheet, wave, nearness, rng)
    return _printed(sheet.array(), frame, rng)


def _sky(sheet: Sheet, rng: Generator) -> None:
    """A red sun, and lines cut around it that grow thinner upwards."""
    x, y = sheet.frame.span.tolist()
    sun, radius = np.array([0.72 * x, 0.22 * y]), 0.105
    s = np.linspace(-0.05, x + 0.05, 90)
    lines = []
    for i, level in enumerate(np.linspace(-0.02, 0.45 * y, _SKY_LINES)):
        bend = (
            (0.05 * np.exp(-(((s - sun[0]) / 0.22) ** 2))) * np.sign(level - sun[1]) * np.exp(-abs(level - sun[1]) * 6)
        )
        ripple = 0.006 * np.sin(s * rng.uniform(5, 11) + i) + 0.010 * np.sin(s * 3.1 + 0.2 * i)
        lines.append(np.column_stack([s, level + bend + ripple]))
    path = np.array(lines)
    width = 0.0016 + 0.0082 * np.linspace(1, 0, _SKY_LINES)[:, None] * (
        0.55 + 0.45 * np.sin(s * 7 + np.arange(_SKY_LINES)[:, None] * 0.5)
    )
    inked = np.where(np.arange(_SKY_LINES)[:, None] % 4 == 1, _BLUE, _PALE)
    sheet.polygons(ribbon(path, width), inked)
    sheet.polygons(discs(rng, sun[None], np.array([radius + 0.012]), 90, 0.006), _PAPER[None])
    sheet.polygons(discs(rng, sun[None], np.array([radius]), 90, 0.006), _SUN[None])
    rays = np.linspace(-0.9, 0.9, 13)[:, None] * radius
    chord = np.sqrt(radius**2 - rays**2) * np.linspace(-0.85, 0.85, 12)
    cuts = np.stack([sun[0] + chord, sun[1] + rays + 0.004 * np.sin(chord * 60)], axis=-1)
    sheet.polygons(
        ribbon(cuts, np.linspace(0.0004, 0.0032, 13)[:, None] * taper(12, 0.6, 0.6)), np.tile(_PAPER, (13, 1))
    )


def _water(sheet: Sheet, wave: _Wave, nearness: float, ink: np.ndarray, rng: Generator) -> None:
    """The inked body of a row and the lines carved out of it, from fine ones at the crest to broad ones below."""
    right = sheet.frame.span[0] + 0.5
    t = np.linspace(-0.5, right, 420)
    crest = wave.at(t, 0.0)
    floor = np.array([[right, 2.0], [-0.5, 2.0]])
    sheet.polygons(np.concatenate([crest, floor])[None], ink[None])
    spacing = 0.0125 + 0.013 * nearness
    depth = (0.4 + np.arange(9)) * spacing * np.linspace(0.9, 1.35, 9)
    for i, level in enumerate(depth):
        count = int(15 - 5 * nearness)
        length = rng.uniform(0.12, 0.45, count) * (0.6 + 0.5 * nearness)
        start = np.linspace(-0.5, right, count) + rng.uniform(-0.06, 0.06, count)
        s = start[:, None] + length[:, None] * np.linspace(0, 1, 26)
        path = wave.at(s, level + 0.10 * spacing * np.sin(s * 30 + i))
        width = spacing * rng.uniform(0.13, 0.36, (count, 1)) * taper(26, 0.7, 0.7)
        colour = _PALE if i % 3 == 2 else _PAPER
        sheet.polygons(ribbon(path, width), np.tile(colour, (count, 1)))


def _foam(sheet: Sheet, wave: _Wave, nearness: float, rng: Generator) -> None:
    """White crests with a dark contour, claws of foam hanging from them, and spray."""
    right = sheet.frame.span[0] + 0.5
    t = np.linspace(-0.5, right, 700)
    angle = wave.wavenumber * t + wave.phase + 0.9 * np.sin(wave.wobble[0] * t + wave.wobble[1])
    high = np.clip(np.cos(angle), 0, 1) ** 1.5
    size = 0.35 * wave.height
    claws = 0.55 + 0.45 * np.abs(np.sin(t * (150 - 80 * nearness) + 2 * np.sin(t * 23)))
    outer, inner = wave.at(t, 0.0), wave.at(t, size * high * claws + 1e-4)
    shadow = wave.at(t, size * high * claws * 1.16 + 0.003)
    sheet.polygons(np.concatenate([outer, shadow[::-1]])[None], _INDIGO[None])
    sheet.polygons(np.concatenate([outer, inner[::-1]])[None], _PAPER[None])
    strands = wave.at(t[:, None], (size * high * claws)[:, None] * np.linspace(0.25, 0.95, 7))[::4]
    thin = 0.0005 + 0.0007 * high[::4, None] * np.ones(7)
    curls = ribbon(strands, thin)[high[::4] > 0.18]
    sheet.polygons(curls, np.tile(_BLUE, (len(curls), 1)))
    width = (0.0014 + 0.0026 * nearness) * (0.5 + 0.8 * high)
    sheet.polygons(ribbon(outer[None], width[None]), _INDIGO[None])
    chosen = rng.choice(len(t), 150, p=(high + 1e-9) / (high + 1e-9).sum())
    drops = outer[chosen] + rng.normal(0, 1, (150, 2)) * (0.35, 0.25) * wave.height - (0, 0.25 * wave.height)
    radius = rng.uniform(0.0010, 0.0030, 150) * (0.6 + 0.8 * nearness)
    above = drops[:, 1] < outer[chosen, 1]
    ring, drops, radius = int(above.sum()), drops[above], radius[above]
    sheet.polygons(discs(rng, drops, radius * 1.5, 9), np.tile(_INDIGO, (ring, 1)))
    sheet.polygons(discs(rng, drops, radius, 9), np.tile(_PAPER, (ring, 1)))


def _printed(flat: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Ink on paper: the grain of the block shows in the inked parts, and the pressure was uneven."""
    inked = np.clip(np.abs(flat - _PAPER.astype(np.float32)).sum(axis=-1) * 1.1, 0, 1)
    grain = noise(frame, rng, (2.5, 110), octaves=2) + 0.35 * noise(frame, rng, (1.5, 9))
    bare = 0.42 * smoothstep(0.45, 1.15, grain) + 0.5 * smoothstep(0.75, 1.1, noise(frame, rng, 210))
    pressure = 0.10 * smoothstep(-0.4, 0.8, noise(frame, rng, 4, octaves=3))
    printed = mix(flat, _PAPER.astype(np.float32), np.clip(bare * 0.6 + pressure, 0, 0.75) * inked)
    fibres = 1 + 0.018 * noise(frame, rng, (120, 50)) + 0.02 * noise(frame, rng, 7, octaves=3)
    return printed * fibres[..., None]
