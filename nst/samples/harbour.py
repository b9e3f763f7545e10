"""Harbour town: houses stacked up a hill in afternoon light, boats at the quay, and all of it in the water."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.random import Generator

from nst.samples.canvas import Frame, Sheet, blur, discs, inks, mix, noise, ramp, ribbon, smoothstep

_WALLS = inks(
    "#e8c9a0", "#d98f63", "#efe3cc", "#c9695a", "#e3b04f", "#b9c4c2", "#d9a9a0", "#f2d9a8", "#a8b79a", "#cf7d4e"
)
_ROOFS = inks("#a5532f", "#8f4527", "#b9653c", "#7a4a3c", "#96593f")
_SHUTTERS = inks("#2f5d50", "#3d5f86", "#6d3b2e", "#56724d", "#7d8a8f")
_HULLS = inks("#b5332b", "#f0ebe0", "#1f4a7a", "#2e6b57", "#d9a43a")
_HAZE, _STONE, _GLASS = inks("#b9c7d6", "#8f8778", "#27333f")

_WATERLINE = 0.64
# Of each terrace from the hilltop to the quay: where its houses stand, how high they are, and the haze before them.
_TERRACES = ((0.335, 0.075, 0.44), (0.40, 0.092, 0.32), (0.465, 0.112, 0.22), (0.535, 0.135, 0.11), (0.622, 0.175, 0.0))


def harbour_town(width: int, height: int, rng: Generator) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]."""
    frame = Frame(width, height)
    sky = _sky(frame, rng)
    sheet = Sheet(frame, np.zeros(4))  # the fourth channel is cover
    _hill(sheet, rng)
    for row, (foot, tall, haze) in enumerate(_TERRACES):
        _terrace(_Brush(sheet, haze), foot, tall, rng)
        if row == 1:
            _church(_Brush(sheet, haze), rng)
        if row < len(_TERRACES) - 1:
            _trees(_Brush(sheet, haze), foot, tall, rng)
    _quay(_Brush(sheet, 0.0), rng)
    drawn = sheet.array()
    town = _weathered(drawn[..., :3], frame, rng)
    view = _water(sky * (1 - drawn[..., 3:]) + town, frame, rng)
    return _exposed(_moored(view, frame, rng), frame, rng)


class _Brush:
    """Fills shapes given as fractions of the height, seen through haze."""

    def __init__(self, sheet: Sheet, haze: float) -> None:
        self._sheet, self._haze = sheet, haze
        self.wide, self.high = sheet.frame.span.tolist()
        self.aspect = self.wide / self.high

    def fill(self, points: list[tuple[float, float]] | np.ndarray, colour: np.ndarray) -> None:
        outline = np.asarray(points) * self.high
        self._sheet.polygons(outline[None], self.tinted(colour[None]))

    def rectangles(self, boxes: np.ndarray, colours: np.ndarray) -> None:
        """(n, 4) left, top, right, bottom and (n, 3) or (3,) colours."""
        left, top, right, bottom = boxes.T * self.high
        corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(-1, 4, 2)
        self._sheet.polygons(corners, self.tinted(np.broadcast_to(colours, (len(boxes), 3))))

    def polygons(self, shapes: np.ndarray, colours: np.ndarray) -> None:
        self._sheet.polygons(shapes * self.high, self.tinted(np.broadcast_to(colours, (len(shapes), 3))))

    def tinted(self, colours: np.ndarray) -> np.ndarray:
        return np.column_stack([mix(colours, _HAZE, self._haze), np.ones(len(colours))])


def _sky(frame: Frame, rng: Generator) -> np.ndarray:
    """Blue above, milky below, with heaps of cloud that thin out towards the horizon."""
    x, y = frame.axes()
    v = y / frame.span[1]
    sky = ramp(inks("#3f7dbf", "#6aa3d6", "#a9cbe3", "#e3e6df"), np.clip(v / 0.5, 0, 1) + 0 * x)
    field = noise(frame, rng, (2.2, 4.2), octaves=7, gain=0.55)
    density = smoothstep(0.10, 0.65, field - 0.6 * np.abs(v - 0.16))
    step = max(1, round(0.02 * frame.unit))
    above = np.roll(blur(field, 4 * frame.unit / 576), (step, step), axis=(0, 1))
    lit = np.clip(0.70 + 0.55 * (field - above) - 0.12 * density, 0, 1)
    return mix(sky, ramp(inks("#8a98ab", "#c3c9d1", "#f4efe6", "#ffffff"), lit), 0.92 * density).astype(np.float32)


def _hill(sheet: Sheet, rng: Generator) -> None:
    """The slope behind the town, with scrub on it."""
    brush = _Brush(sheet, 0.45)
    s = np.linspace(-0.05, brush.aspect + 0.05, 80)
    u = s / brush.aspect
    ridge = 0.315 - 0.12 * np.exp(-(((u - 0.66) / 0.25) ** 2)) - 0.05 * np.exp(-(((u - 0.2) / 0.16) ** 2))
    ridge = ridge + np.cumsum(rng.normal(0, 0.0012, 80))
    edge = np.column_stack([s, ridge])
    brush.fill(np.concatenate([edge, [[s[-1], 0.7], [s[0], 0.7]]]), inks("#6f7d55")[0])
    count = 1500
    place = rng.integers(0, 80, count)
    centres = edge[place] + np.column_stack([rng.uniform(-0.02, 0.02, count), rng.uniform(0.0, 0.22, count)])
    tint = inks("#4c6140", "#65764a", "#8a8a5c", "#3f5539")[rng.integers(0, 4, count)]
    brush.polygons(discs(rng, centres, rng.uniform(0.002, 0.008, count), 7, 0.25), tint)


def _terrace(brush: _Brush, foot: float, tall: float, rng: Generator) -> None:
    """A row of houses wall to wall, of unequal widths and heights, with gaps here and there on the upper rows."""
    left = -rng.uniform(0.0, 0.08)
    while left < brush.aspect + 0.02:
        wide = tall * rng.uniform(0.50, 0.95)
        base = foot + rng.uniform(-0.006, 0.006) * (tall < 0.17)
        _house(brush, left, base, wide, tall * rng.uniform(0.72, 1.18), rng)
        left += wide * (1.0 if rng.random() < 0.75 or tall > 0.17 else rng.uniform(1.15, 1.7))


def _house(brush: _Brush, left: float, base: float, wide: float, tall: float, rng: Generator) -> None:
    """A front in the sun, a strip of side wall in shade, windows in storeys, a roof and perhaps a chimney."""
    wall = np.clip(_WALLS[int(rng.integers(len(_WALLS)))] * rng.uniform(0.9, 1.06), 0, 1)
    top, right = base - tall, left + wide
    front = right - wide * rng.uniform(0.10, 0.2)
    brush.fill(
        [(front, top), (right, top + 0.006), (right, base + 0.02), (front, base + 0.02)], wall * (0.52, 0.50, 0.56)
    )
    brush.fill([(left, top), (front, top), (front, base + 0.02), (left, base + 0.02)], wall)
    _windows(brush, left, top, front, base, rng)
    roof = _ROOFS[int(rng.integers(len(_ROOFS)))] * rng.uniform(0.85, 1.1)
    rise, eave = tall * rng.uniform(0.13, 0.24), 0.035 * tall
    if rng.random() < 0.3:  # the gable faces us
        ridge, peak, back = (left + front) / 2, top - 1.3 * rise, wide * 0.15
        slope = [(ridge, peak), (front + eave, top + eave), (right + eave, top + eave / 2), (ridge + back, peak)]
        brush.fill([(left, top), (ridge, peak), (front, top)], wall * 0.96)
        brush.fill(slope, roof * 0.6)
        brush.polygons(_line((left - eave, top + eave), (ridge, peak - 0.04 * rise), 0.0022), roof)
        return
    brush.rectangles(np.array([[left, top, front, top + 0.05 * tall]]), wall * (0.60, 0.56, 0.58))  # under the eaves
    _tiles(
        brush, (left - eave, right + eave), (top - rise, top + eave), eave + wide * rng.uniform(0.02, 0.1), roof, rng
    )
    if rng.random() < 0.6:
        at, size = left + wide * rng.uniform(0.2, 0.75), 0.075 * wide
        brush.rectangles(np.array([[at, top - rise * 1.45, at + size, top - rise * 0.4]]), wall * 0.9)
        brush.rectangles(np.array([[at + 0.6 * size, top - rise * 1.45, at + size, top - rise * 0.4]]), wall * 0.5)


def _tiles(
    brush: _Brush,
    sides: tuple[float, float],
    levels: tuple[float, float],
    inset: float,
    roof: np.ndarray,
    rng: Generator,
) -> None:
    """A roof sloping towards us, `inset` narrower at the ridge than at the eaves, in courses of tiles."""
    (left, right), (ridge, eaves) = sides, levels
    brush.fill([(left, eaves), (left + inset, ridge), (right - inset, ridge), (right, eaves)], roof)
    for course in range(1, 8):
        share = course / 8
        level = eaves + (ridge - eaves) * share
        ends = (left + inset * share, level), (right - inset * share, level)
        brush.polygons(_line(*ends, 0.0005), roof * rng.uniform(0.62, 0.85))


def _line(a: tuple[float, float], b: tuple[float, float], half_width: float) -> np.ndarray:
    """A straight stroke, (1, 4, 2)."""
    return ribbon(np.array([[a, b]]), np.full((1, 2), half_width))


def _windows(brush: _Brush, left: float, top: float, right: float, base: float, rng: Generator) -> None:
    """Storeys of windows with frames, sills, shutters and the sky in some panes; a door below."""
    tall, wide = base - top, right - left
    storeys, axes = max(2, round(tall / 0.047)), max(2, round(wide / 0.037))
    high, across = 0.50 * tall / storeys, 0.40 * wide / axes
    column, row = (a.ravel() for a in np.meshgrid(np.arange(axes), np.arange(storeys)))
    x = left + wide * (column + 0.5) / axes - across / 2
    y = top + 0.06 * tall + (tall * 0.92) * (row + 0.2) / storeys
    kept = rng.random(len(x)) > 0.06
    box = np.column_stack([x, y, x + across, y + high])[kept]
    pane = mix(np.tile(_GLASS, (len(box), 1)), inks("#9db8cc")[0], (rng.random(len(box)) ** 3)[:, None])
    thin = 0.0013
    brush.rectangles(box + np.array([-thin, -thin, thin, thin]), inks("#efe9dc")[0])
    brush.rectangles(box, pane)
    middle = (box[:, 0] + box[:, 2]) / 2
    brush.rectangles(np.column_stack([middle - 0.0005, box[:, 1], middle + 0.0005, box[:, 3]]), inks("#e4ded2")[0])
    brush.rectangles(np.column_stack([box[:, 0], box[:, 1], box[:, 2], box[:, 1] + 0.14 * high]), inks("#1c242c")[0])
    brush.rectangles(
        np.column_stack([box[:, 0] - 2 * thin, box[:, 3], box[:, 2] + 2 * thin, box[:, 3] + 0.0022]), inks("#cfc6b4")[0]
    )
    if rng.random() < 0.65:
        colour = _SHUTTERS[int(rng.integers(len(_SHUTTERS)))]
        shut = 0.36 * across
        brush.rectangles(np.column_stack([box[:, 0] - shut - thin, box[:, 1], box[:, 0] - thin, box[:, 3]]), colour)
        brush.rectangles(
            np.column_stack([box[:, 2] + thin, box[:, 1], box[:, 2] + shut + thin, box[:, 3]]), colour * 0.8
        )


def _church(brush: _Brush, rng: Generator) -> None:
    """The bell tower that gives the town its outline."""
    x, base, wide, tall = 0.60 * brush.aspect, 0.42, 0.052, 0.27
    stone = inks("#d9c7a5")[0]
    top = base - tall
    brush.rectangles(
        np.array([[x, top, x + 0.65 * wide, base], [x + 0.65 * wide, top, x + wide, base]]),
        np.array([stone, stone * 0.6]),
    )
    brush.fill([(x - 0.006, top), (x + wide / 2, top - 0.085), (x + 0.65 * wide, top)], inks("#7f8f86")[0])
    brush.fill([(x + 0.65 * wide, top), (x + wide / 2, top - 0.085), (x + wide + 0.006, top)], inks("#4f5d5a")[0])
    for level in (0.02, 0.09, 0.16):
        brush.rectangles(
            np.array([[x - 0.003, top + level - 0.012, x + wide + 0.003, top + level - 0.008]]), stone * 0.75
        )
        brush.rectangles(np.array([[x + 0.2 * wide, top + level, x + 0.42 * wide, top + level + 0.04]]), _GLASS)
    brush.polygons(_line((x + wide / 2, top - 0.08), (x + wide / 2, top - 0.115), 0.001), _GLASS)


def _trees(brush: _Brush, foot: float, tall: float, rng: Generator) -> None:
    """Cypresses and round crowns between the houses, dark below and light to the upper left."""
    for _ in range(9):
        x, y = rng.uniform(0, brush.aspect), foot + 0.012
        slim = rng.random() < 0.35
        reach = np.array([0.13, 0.62] if slim else [0.34, 0.30]) * tall
        count = 130
        offset = rng.normal(0, 0.45, (count, 2))
        offset = offset[np.argsort(-offset[:, 1] - offset[:, 0])]
        centres = np.array([x, y - reach[1]]) + offset * reach
        light = np.clip(0.5 - 0.55 * offset.sum(axis=1), 0, 1) + rng.normal(0, 0.12, count)
        tint = ramp(inks("#1f2e1c", "#3d5a2c", "#74873f", "#a3a552"), np.clip(light, 0, 1))
        brush.polygons(discs(rng, centres, 0.045 * tall * rng.uniform(0.5, 1.4, count), 7, 0.25), tint)


def _quay(brush: _Brush, rng: Generator) -> None:
    """The wall along the water in courses of stone, with awnings and people above it."""
    top, bottom = 0.622, _WATERLINE + 0.004
    brush.rectangles(np.array([[-0.1, top, brush.aspect + 0.1, top + 0.006]]), inks("#cdbfa5")[0])
    courses = np.linspace(top + 0.006, bottom, 4)
    for upper, lower in itertools.pairwise(courses.tolist()):
        ends = np.cumsum(rng.uniform(0.012, 0.03, 140)) - 0.1
        boxes = np.column_stack([ends[:-1], np.full(139, upper), ends[1:] - 0.0012, np.full(139, lower - 0.001)])
        brush.rectangles(boxes, _STONE * rng.uniform(0.55, 0.95, (139, 1)))
    for x in rng.uniform(0, brush.aspect, 7).tolist():
        colour, wide = _HULLS[int(rng.integers(len(_HULLS)))], rng.uniform(0.05, 0.09)
        brush.rectangles(np.array([[x, 0.596, x + wide, 0.622]]), inks("#2b2622")[0])
        brush.fill([(x, 0.585), (x + wide, 0.585), (x + wide + 0.012, 0.601), (x - 0.006, 0.601)], colour)
    for x in rng.uniform(0, brush.aspect, 26).tolist():
        coat = np.array([_HULLS, _SHUTTERS])[int(rng.integers(2)), int(rng.integers(5))] * 0.75
        brush.fill([(x, 0.604), (x + 0.006, 0.604), (x + 0.005, 0.625), (x + 0.001, 0.625)], coat)
        brush.polygons(discs(rng, np.array([[x + 0.003, 0.6015]]), np.array([0.0026]), 8), inks("#7a5540")[0])


def _weathered(town: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Plaster, rain streaks and the soft dark that gathers in corners, on what was drawn flat."""
    plaster = 1 + 0.05 * noise(frame, rng, 60, octaves=3, gain=0.7) + 0.05 * noise(frame, rng, (70, 9), octaves=2)
    grey = town.mean(axis=-1)
    surroundings = blur(grey, 9 * frame.unit / 576)
    return town * (plaster * np.clip(1 + 0.35 * (grey - surroundings), 0.8, 1.15))[..., None]


def _water(view: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """The mirrored town, broken by waves that lengthen towards the eye; steep faces show the water's own green."""
    _, y = frame.axes()
    sy = float(frame.span[1])
    shore = _WATERLINE * sy
    near = np.clip((y - shore) / (sy - shore), 0, 1)
    wave = np.zeros((frame.height, frame.width), np.float32)
    for frequency, fade in (((7, 40), 1.0), ((14, 90), 0.8), ((4, 17), 0.9)):
        wave += fade * noise(frame, rng, frequency, octaves=2)
    mirrored = 2 * shore - y + wave * (0.004 + 0.030 * near)
    row = np.clip(mirrored * frame.unit, 0, frame.height - 1).astype(int)
    column = np.arange(frame.width)[None] + np.rint(wave * 2.5 * frame.unit / 576).astype(int)
    reflection = view[row, np.clip(column, 0, frame.width - 1)]
    own = ramp(inks("#12363c", "#2a5f63"), np.clip(0.5 + 0.4 * wave, 0, 1))
    water = mix(reflection * (0.80, 0.86, 0.86), own, np.clip(0.24 + 0.22 * near + 0.20 * wave, 0, 0.85))
    water += (0.20 * smoothstep(1.0, 1.7, wave) * (0.3 + near))[..., None]
    return mix(view, water, smoothstep(0, 2 / frame.unit, y - shore))


def _moored(view: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Boats and their dark reflections over the water."""
    sheet = Sheet(frame, np.zeros(4))
    brush = _Brush(sheet, 0.0)
    places = (
        (0.07, 0.685, 0.15),
        (0.30, 0.672, 0.11),
        (0.50, 0.69, 0.16),
        (0.73, 0.675, 0.12),
        (0.90, 0.70, 0.17),
        (0.20, 0.80, 0.27),
        (0.68, 0.84, 0.30),
    )
    for u, y, long in places:
        _boat(brush, u * brush.aspect, y, long, rng)
    drawn = sheet.array()
    cover = drawn[..., 3]
    drop = round(0.035 * frame.unit)
    sunk = np.pad(cover, ((drop, 0), (0, 0)))[: frame.height]
    _, down = frame.axes()
    shade = 0.55 * blur(sunk, 5 * frame.unit / 576) * (down > _WATERLINE * frame.span[1])
    return view * (1 - shade[..., None]) * (1 - cover[..., None]) + drawn[..., :3]


def _boat(brush: _Brush, x: float, y: float, long: float, rng: Generator) -> None:
    """A fishing boat seen from the side: hull with a light rail, thwarts or a cabin, mast and stays."""
    colour = _HULLS[int(rng.integers(len(_HULLS)))]
    deep = 0.15 * long
    s = np.linspace(0, 1, 14)
    rail = np.column_stack([x + (s - 0.5) * long, y - deep * (0.75 + 0.75 * (2 * s - 0.9) ** 2)])
    keel = np.column_stack([x + (s - 0.5) * long * 0.80 - 0.02 * long, y + 0.25 * deep * np.sin(np.pi * s)])
    brush.fill(
        np.concatenate([rail - np.array([0, 0.15 * deep]), keel[::-1]]), inks("#3a2c22")[0]
    )  # the inside, above the rail
    brush.fill(np.concatenate([rail, keel[::-1]]), colour)
    brush.fill(np.concatenate([(rail + keel) / 2, keel[::-1]]), colour * 0.68)
    brush.polygons(ribbon(rail[None], np.full((1, 14), 0.016 * long)), inks("#f3ecdd")[0])
    if rng.random() < 0.6:
        cabin = np.array([[x - 0.26 * long, y - 2.3 * deep, x + 0.02 * long, y - 0.85 * deep]])
        brush.rectangles(cabin, inks("#efe8d8")[0])
        brush.rectangles(cabin + np.array([0.2 * long, 0, 0, 0]), inks("#b3aa98")[0])
        brush.rectangles(cabin * (1, 1, 1, 1) + np.array([0.03 * long, 0.3 * deep, -0.12 * long, -0.75 * deep]), _GLASS)
        brush.rectangles(cabin + np.array([-0.02 * long, -0.12 * deep, 0.02 * long, -1.45 * deep]), colour * 0.8)
    mast = (x + 0.10 * long, y - deep), (x + 0.11 * long, y - long * 0.95)
    brush.polygons(_line(*mast, 0.010 * long), inks("#6b4a2f")[0])
    for end in (rail[-1], rail[0]):
        brush.polygons(_line(mast[1], (float(end[0]), float(end[1])), 0.0006), inks("#3b3530")[0])


def _exposed(view: np.ndarray, frame: Frame, rng: Generator) -> np.ndarray:
    """Sun from the left, a little vignetting, grain, and a contrast curve as a camera applies it."""
    x, y = frame.axes()
    u, v = x / frame.span[0] - 0.5, y / frame.span[1] - 0.5
    light = 1.06 - 0.10 * u - 0.30 * (u**2 + v**2)
    grain = 0.012 * noise(frame, rng, 300)
    exposed = np.clip(view * light[..., None] * (1.05, 1.0, 0.94) + grain[..., None], 0, 1)
    return mix(exposed, exposed * exposed * (3 - 2 * exposed), 0.35).astype(np.float32)
