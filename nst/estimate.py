"""What a run will take on this computer, told before it starts: seconds and peak memory, refined by past runs.

Time is arithmetic: FLOP of all evaluations by the rate at which this computer multiplies matrices, until runs have been
measured here. Memory is a sum of what has to be held, its factors fitted to `benchmarks/results/memory.json`. Neither
TensorFlow nor Streamlit is imported.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from nst.budget import affordable_history, is_large
from nst.config import BUILTIN, MAX_SIZE, MAX_STYLES, PLATEAU_WINDOW, Settings
from nst.errors import ImageError, SettingsError
from nst.files import write_atomically
from nst.flops import WIDTH, Layer, evaluation_flops, layers
from nst.image import fitted_size
from nst.precision import quicker, settled
from nst.result import LossRow
from nst.scales import Scale, Size, most_evaluations, plan
from nst.tiles import SPARING, WHOLE, effort, way

FLOAT = 4
"""Bytes."""
PIXEL = 3 * FLOAT
"""Bytes of a pixel of a picture, and of a vector that the optimiser holds."""

# Seconds, measured on two cores (benchmarks/results/memory.json) ----------------------------------------------------

FIXED_COST = 0.02
"""Seconds that an evaluation takes however small the picture."""
SLOWNESS = {BUILTIN: 1.15}
"""FLOP of multiplied matrices that take as long as one of an evaluation: narrow layers keep a processor less busy."""
USUAL_SLOWNESS = 1.06
MIXED = {BUILTIN: 0.62}
"""What an evaluation in mixed precision takes, of one in float32, where it is the quicker one."""
USUAL_MIXED = 0.56
PAIR_FLOP = 2000
"""What a remembered step of L-BFGS costs for each pixel: it is memory that is slow there, told in FLOP all the same."""
TARGETS = 0.5
"""Evaluations that looking at a picture costs, without its gradient."""
STYLE_SHAPE = 0.75
"""The short side of a style picture as a fraction of its long one, as its shape is not told."""
IMPORT_SECONDS = 3.5
"""To load TensorFlow and the filters in a process that has not yet."""
PREPARE_SECONDS = 1.0
"""From the start of a run to its first evaluation: building, tracing, resizing."""
STOP = 13.5
"""With a plateau p, a scale stops after about STOP / sqrt(p) evaluations (four runs of 250 to 350: 9.7 to 15.9)."""

# Bytes, fitted to benchmarks/results/memory.json --------------------------------------------------------------------

BASE = 690e6
"""Python with TensorFlow."""
ALL_FILTERS = 80.1e6
"""All of VGG19's."""
WORKSPACE = 2e6
FILTER_COPIES = 1.95
"""Of the filters in use, as TensorFlow reorders them for the processor."""
HELD = 1.88
"""Bytes at the peak for each byte of feature maps: the maps, and the gradients of some."""
LOOKED_AT = 1.1
"""The same where no gradient is asked for: the style pictures."""
HELD_IN_SEGMENTS = 1.48
"""The same for large pictures, whose network is gone through segment by segment (`nst.segments`)."""
MIXED_HELD = 0.75
"""What of either is left in mixed precision: bfloat16, but for the losses' copies."""
MIXED_IN_STRIPS = 0.88
"""The same where the first blocks are taken in strips: on its way forward the first map is there as float32, too."""
HALO = 128
"""Pixels that a tile sees beside its core, both sides together."""
VECTORS = 10
"""Pictures that are held besides the feature maps, of 3 floats a pixel."""
PAIR_VECTORS = 2.3
"""The same for each step that L-BFGS remembers: a step, a change of gradient, and room lost between them."""
BROKEN_UP = 1.6
"""And as many more where the built-in filters came first: what VGG19 needs does not fit between what is remembered."""
LOADED = 2
"""Copies of a picture as it was opened, while it is resized."""
STYLE_PIXELS = 2e6
"""Of a style picture as it was opened, as its size is not told."""
MARGIN = 1.1
"""A run fits where this many times its peak is free."""

LEAST_SIZE, SIZE_STEP = 256, 32
KEPT, KEPT_IN_ALL = 20, 100
"""Runs of a network that are remembered, and of all together."""
LEAST_EVALUATIONS = 5
"""Of a run that is learnt from."""
MAX_START = 600.0
"""Seconds that a start is believed to take, at most."""
VERSION = 3
"""Of a machine file: older ones measure against forecasts that are no longer made."""
MAX_FILE = 1_000_000
"""Bytes of a machine file; a whole one has about 20 thousand."""
BY_ARITHMETIC = "from this computer's arithmetic speed; gets better with every picture"
BY_ANOTHER = "from this computer's runs with another network; gets better with every picture"


@dataclass(frozen=True)
class Estimate:
    """What a run will take, and whether this computer has it to give."""

    seconds: float
    """With TensorFlow's start, where this process has yet to load it."""
    peak_bytes: int
    """Main memory of the whole process at its highest; a GPU's own memory is not foreseen."""
    available_bytes: int
    """Main memory that this process may come to hold: what is free, and what it has already."""
    fits: bool
    """With a margin of a tenth."""
    largest_size: int | None
    """The largest `size`, a multiple of 32 from 256, with which the same settings fit; None where even 256 does not."""
    basis: str
    """What the seconds rest on, in plain words: "measured on this computer in 12 runs"."""


def estimate(
    settings: Settings, size: Size, *, network: str, styles: int, machine: Machine, available: int | None = None
) -> Estimate:
    """Of painting a photograph of `size` (width, height) with so many style pictures, by "vgg19" or "builtin".

    `available` is a number of bytes to plan for instead of what `available_bytes` tells.
    Raises `ImageError` where the photograph would be too thin or too large at these settings, and `SettingsError`
    where there are not 1 to 8 styles.
    """
    if not 1 <= styles <= MAX_STYLES:
        raise SettingsError(f"Give 1 to {MAX_STYLES} style pictures. Received: {styles}.")
    full = fitted_size(*size, settings.size, settings.side)
    past = machine.past(network)
    available = available_bytes() if available is None else available
    room = available / MARGIN

    def peak(full: Size) -> float:
        foreseen = _peak(settings, full, size, network, styles)
        return max(foreseen + past.more_bytes, 0.5 * foreseen)

    return Estimate(
        seconds=_start(past) + _painting(settings, full, network, styles, past),
        peak_bytes=round(peak(full)),
        available_bytes=available,
        fits=peak(full) <= room,
        largest_size=_largest(settings, size, room, peak),
        basis=past.basis,
    )


def _largest(settings: Settings, size: Size, room: float, peak: Callable[[Size], float]) -> int | None:
    """The largest `size` setting that takes at most `room` bytes, of those that the photograph's shape allows."""
    largest = None
    for side in range(LEAST_SIZE, MAX_SIZE + 1, SIZE_STEP):
        with suppress(ImageError):  # too thin, or too many pixels
            if peak(fitted_size(*size, side, settings.side)) <= room:  # a larger one may take less, in smaller tiles
                largest = side
    return largest


# What there is to do ------------------------------------------------------------------------------------------------


def _work(settings: Settings, pixels: float, count: float, network: str, last: float = 0) -> float:
    """FLOP, or what takes as long, of each of `count` evaluations in a run that ends with `last` pixels."""
    return _seen(settings, pixels, network, last) + PAIR_FLOP * _pairs(settings, count) * pixels


def _seen(settings: Settings, pixels: float, network: str, last: float) -> float:
    """FLOP, or what takes as long, of the network's part in an evaluation."""
    flops = evaluation_flops(settings, pixels, network=network) * effort(pixels, last)
    gains = settings.precision != "float32" and quicker() == "mixed"
    return flops * MIXED.get(network, USUAL_MIXED) if gains else flops


def _pairs(settings: Settings, count: float) -> int:
    """Steps that L-BFGS remembers after `count` evaluations."""
    return round(min(settings.history, max(count - 1, 0))) if settings.optimizer == "lbfgs" else 0


def _counts(settings: Settings, scales: Sequence[Scale], share: float = 1.0) -> list[float]:
    """Evaluations at every scale to be expected: all, unless they stop early; `share` corrects when they do."""
    planned = most_evaluations(settings, scales)
    if not settings.plateau:
        return [float(count) for count in planned]
    usual = max(STOP / math.sqrt(settings.plateau), PLATEAU_WINDOW + 1)
    return [min(count, max(1.0, share * min(count, usual))) for count in planned]


def _painting(settings: Settings, full: Size, network: str, styles: int, past: _Past) -> float:
    """Seconds of all scales, with what each begins with: looking at the photograph and the styles."""
    scales, seconds, last = plan(full, settings), 0.0, math.prod(full)
    for scale, count in zip(scales, _counts(settings, scales, past.share), strict=True):
        filters = BUILTIN if scale.early else network
        pace = past.pace(_work(settings, math.prod(scale.size), count, filters, last))
        style_pace = past.pace(_seen(settings, _style_pixels(settings, scale.size), filters, last))
        seconds += pace * (count + TARGETS) + style_pace * TARGETS * styles
    return seconds


def _style_pixels(settings: Settings, size: Size) -> float:
    return STYLE_SHAPE * (max(size) * settings.style_scale) ** 2


def _start(past: _Past) -> float:
    return past.start + (0.0 if "tensorflow" in sys.modules else IMPORT_SECONDS)


def _peak(settings: Settings, full: Size, opened: Size, network: str, styles: int) -> float:
    """Bytes that the process holds at its highest, for a photograph `opened` at its own size."""
    held = list(layers(settings, network))
    filters = sum(layer.weights for layer in held) * FLOAT
    pixels, style_side = math.prod(full), round(max(full) * settings.style_scale)
    pictures = PIXEL * LOADED * (opened[0] * opened[1] + styles * STYLE_PIXELS)
    steps = settings.early_iterations + settings.iterations  # L-BFGS's memory is kept where only the network changes
    remembered = affordable_history(full[1], full[0], _pairs(settings, steps))
    pair = PAIR_VECTORS + (BROKEN_UP if settings.early_iterations and network != BUILTIN else 0)
    if is_large(full[1], full[0]):  # in half precision, and where nothing is broken up
        pair = PAIR_VECTORS / 2
    at_the_peak = HELD if way(pixels) == WHOLE else HELD_IN_SEGMENTS
    if settled(settings, quicker()).precision == "mixed":
        at_the_peak *= MIXED_IN_STRIPS if any(stage.strips for stage in way(pixels)) else MIXED_HELD
    contents = {int(layer[len("block")]) for layer, _ in settings.content_layers}
    painting = at_the_peak * _maps(held, full, pixels, contents) + pixels * PIXEL * (VECTORS + pair * remembered)
    looking = LOOKED_AT * _maps(held, (style_side, style_side), pixels, contents)
    network_bytes = ALL_FILTERS * WIDTH.get(network, 1.0) ** 2 + FILTER_COPIES * filters
    return BASE + WORKSPACE + network_bytes + pictures + max(painting, looking)


def _maps(held: Sequence[Layer], size: Size, last: int, contents: Set[int]) -> float:
    """Bytes of the feature maps that are held at once: of the greediest stage, and what goes from one to the next.

    They are those of a picture of `size`, in a run that ends with `last` pixels; `contents` are the content layers'
    blocks. Of a block taken in strips what it pools is held, and a byte for each number of that; the whole of it for a
    moment on the way forward.
    """
    pixels, passed, most = math.prod(size), 0.0, 0.0
    first = 1
    for stage in way(pixels, last):
        tile = pixels if stage.core is None else min((stage.core + HALO) ** 2, pixels)
        blocks = [layer for layer in held if first <= layer.block <= stage.last]
        striped = {*range(1, stage.strips + 1)} - {held[-1].block, *contents}
        known = {
            block: [layer.channels * layer.share for layer in group]
            for block, group in groupby(blocks, attrgetter("block"))
        }
        whole = [sum(maps) for maps in known.values()]
        kept = [maps[-1] / 4 * (1 + 1 / FLOAT) if block in striped else sum(maps) for block, maps in known.items()]
        most = max(most, tile * FLOAT * max(sum(kept), *whole))
        deeper = [layer for layer in held if layer.block > stage.last]
        if deeper and blocks:  # the map, and later its gradient
            passed += 2 * pixels * FLOAT * blocks[-1].channels * blocks[-1].share / 4
        first = stage.last + 1
    return most + passed


# What this computer has ---------------------------------------------------------------------------------------------


def available_bytes() -> int:
    """Main memory that this process may come to hold: free here and in its control group, and what it has already."""
    free = min(psutil.virtual_memory().available, group_free())
    return int(max(free, 0)) + psutil.Process().memory_info().rss


def group_free(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float:
    """Bytes left in this process's control groups, of either version of Linux's; infinite where none has a limit.

    A container limits its memory so, and what the whole computer has free is no help then.
    """
    left = math.inf
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "memory" if controllers else root
        group = top / path.lstrip("/")
        for folder in [folder for folder in (group, *group.parents) if folder.is_relative_to(top)]:
            left = min(left, _left_in(folder))
    return left


def _left_in(folder: Path) -> float:
    """Of one control group; what it holds of files counts as free, since it is given back when needed."""
    for limit, used, cached in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(ValueError):  # no such file, or "max"
            free = int(_text(folder / limit)) - int(_text(folder / used))
            found = re.search(rf"^{cached} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
            return free + int(found[1] if found else 0)
    return math.inf


def _text(path: Path) -> str:
    """Of a file of Linux's own; empty where there is none."""
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""


def process_peak() -> int | None:
    """The most bytes that this process has held since it began, or since `forget_peak`; None where that isn't known."""
    if found := re.search(r"^VmHWM:\s+(\d+) kB", _text(Path("/proc/self/status")), re.MULTILINE):
        return int(found[1]) * 1024
    return getattr(psutil.Process().memory_info(), "peak_wset", None)  # Windows'


def forget_peak() -> None:
    """Begin `process_peak` anew from what is held now, so that it tells of one run; only Linux can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


_measuring = threading.Lock()


def arithmetic_rate() -> float:
    """FLOP a second of multiplying float32 matrices, the best of 0.2 seconds; measured once a process."""
    with _measuring:
        return _measured_rate()


@cache
def _measured_rate() -> float:
    side, best = 768, math.inf
    a = np.random.default_rng(0).standard_normal((side, side), np.float32)
    result = a @ a  # the first one also starts the threads
    end = time.perf_counter() + 0.2
    while (begun := time.perf_counter()) < end:
        np.matmul(a, a, out=result)
        best = min(best, time.perf_counter() - begun)
    return 2 * side**3 / best


# What past runs took ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Measured:
    """What one run tells."""

    network: str
    device: str
    paces: tuple[tuple[float, float], ...]
    """The FLOP of an evaluation and its median seconds, for every scale."""
    start: float
    """Seconds before the first evaluation, without looking at the pictures."""
    share: float | None = None
    """Work done as a fraction of what `_counts` expects; None where the run does not tell."""
    more_bytes: float | None = None
    """Of the peak, than `_peak` expects: what else the process holds, such as a dashboard."""

    def __post_init__(self) -> None:
        """Raises ValueError where a value is of another kind, or beyond belief."""
        for name in (self.network, self.device):
            if not isinstance(name, str) or not 0 < len(name) <= 200:
                raise ValueError("a name")
        if not 1 <= len(self.paces) <= 20:
            raise ValueError("paces")
        _check([flop for flop, _ in self.paces], 1e3, 1e18)
        _check([seconds for _, seconds in self.paces], 1e-5, 1e5)
        _check([self.start], 0, MAX_START)
        _check([] if self.share is None else [self.share], 0.05, 20)
        _check([] if self.more_bytes is None else [self.more_bytes], -1e13, 1e13)


def _check(values: Sequence[Any], low: float, high: float) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise ValueError("a number out of range")


@dataclass(frozen=True)
class _Past:
    """What the runs with one network on the present device come to, or what stands for them."""

    points: tuple[tuple[float, float], ...]
    """FLOP and seconds of an evaluation, both rising; none where nothing was measured."""
    flop_seconds: float
    """What a FLOP takes where there are none."""
    start: float
    share: float
    more_bytes: float
    basis: str

    def pace(self, flop: float) -> float:
        """Seconds of an evaluation, which never fall with its FLOP."""
        if not self.points:
            return FIXED_COST + self.flop_seconds * flop
        known, seconds = (np.array(values) for values in zip(*self.points, strict=True))
        fixed = min(FIXED_COST, seconds[0] / 2)
        far = 1e6
        known = np.array([0.0, *known, known[-1] * far])
        return float(np.interp(flop, known, [fixed, *seconds, fixed + (seconds[-1] - fixed) * far]))


class Machine:
    """What past runs measured on this computer, kept in a small JSON file. Safe to use from any thread."""

    def __init__(self, path: Path, runs: Sequence[_Measured] = (), rate: float | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._runs = tuple(runs)
        self._rate = rate

    @classmethod
    def load(cls, path: Path | str) -> Machine:
        """From `path`; without measurements where there is no such file, or it is damaged or another computer's."""
        path = Path(path)
        try:
            if not path.is_file() or path.stat().st_size > MAX_FILE:
                return cls(path)
            data = json.loads(path.read_bytes())
            if data["computer"] != _computer() or data.get("version") != VERSION:
                return cls(path)
            rate = data["rate"]
            _check([] if rate is None else [rate], 1e7, 1e16)
            runs = [_Measured(**run | {"paces": tuple((a, b) for a, b in run["paces"])}) for run in data["runs"]]
            return cls(path, _latest(runs), rate)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return cls(path)

    def learn(
        self,
        *,
        network: str,
        device: str,
        history: Sequence[LossRow],
        settings: Settings,
        full_size_evaluations: float,
        peak_bytes: int | None = None,
        styles: int = 1,
    ) -> None:
        """Take up what a run measured: the fields of its `Result`, and `process_peak` where that is the run's own.

        Runs of fewer than five evaluations tell nothing, and neither do values beyond belief, nor runs in mixed
        precision on a computer that is slow at it. A file that can't be written is no fault of the run's: then the
        measurement is kept for as long as the process lives.
        """
        if settings.precision == "mixed" != quicker():
            return
        try:
            run = _measured(network, device, history, settings, full_size_evaluations, peak_bytes, styles)
        except (ValueError, ArithmeticError):
            return
        with self._lock:
            self._runs = _latest((*self._runs, run))
            self._save()

    def past(self, network: str) -> _Past:
        """What is known for a run with `network`, on the device of the latest run."""
        runs = self._runs  # as it is now: another thread may learn meanwhile
        runs = tuple(run for run in runs if run.device == runs[-1].device)
        own = [run for run in runs if run.network == network]
        here = f"measured on this computer in {len(own)} run{'s' if len(own) > 1 else ''}"
        return _Past(
            points=_curve([pace for run in own for pace in run.paces]),
            flop_seconds=0.0 if own else self._flop_seconds(network, runs),
            start=_median([run.start for run in own or runs], PREPARE_SECONDS),
            share=_median([run.share for run in own if run.share], 1.0),
            more_bytes=_median([run.more_bytes for run in own or runs if run.more_bytes is not None], 0.0),
            basis=here if own else BY_ANOTHER if runs else BY_ARITHMETIC,
        )

    def _flop_seconds(self, network: str, others: Sequence[_Measured]) -> float:
        """For a network without runs: from those of others, else from this computer's arithmetic."""
        if not others:
            return _slowness(network) / self._arithmetic_rate()
        paces = [seconds / flop / _slowness(run.network) for run in others for flop, seconds in run.paces]
        return _slowness(network) * statistics.median(paces)

    def _arithmetic_rate(self) -> float:
        """The best ever measured here: a busy computer seems slower than it is."""
        rate = arithmetic_rate()
        with self._lock:
            if self._rate is None or rate > 1.05 * self._rate:
                self._rate = rate
                self._save()
            return self._rate

    def _save(self) -> None:
        runs = [asdict(run) for run in self._runs]
        data = {"version": VERSION, "computer": _computer(), "rate": self._rate, "runs": runs}
        with suppress(OSError):
            write_atomically(self._path, json.dumps(data, indent=1).encode())


def _slowness(network: str) -> float:
    return SLOWNESS.get(network, USUAL_SLOWNESS)


def _computer() -> str:
    """What tells this computer from one that a gallery was carried from, without naming it."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _latest(runs: Sequence[_Measured]) -> tuple[_Measured, ...]:
    """The last runs of every network, in their order."""
    kept: list[_Measured] = []
    for run in reversed(runs[-KEPT_IN_ALL:]):
        if sum(other.network == run.network for other in kept) < KEPT:
            kept.append(run)
    return tuple(reversed(kept))


def _median(values: Sequence[float], otherwise: float) -> float:
    return statistics.median(values) if values else otherwise


def _curve(paces: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Medians of measurements of about the same FLOP, made to rise."""
    groups: dict[int, list[tuple[float, float]]] = {}
    for flop, seconds in paces:
        groups.setdefault(round(2 * math.log2(flop)), []).append((flop, seconds))
    medians = [tuple(statistics.median(values) for values in zip(*groups[key], strict=True)) for key in sorted(groups)]
    highest = np.maximum.accumulate([seconds for _, seconds in medians]).tolist()
    return tuple((flop, seconds) for (flop, _), seconds in zip(medians, highest, strict=True))


# Learning from a run ------------------------------------------------------------------------------------------------


def _measured(
    network: str,
    device: str,
    history: Sequence[LossRow],
    settings: Settings,
    full_size_evaluations: float,
    peak_bytes: int | None,
    styles: int,
) -> _Measured:
    """What a run tells; raises ValueError where that is nothing, or beyond belief."""
    if len(history) < LEAST_EVALUATIONS:
        raise ValueError("too short")
    scales: dict[int, list[LossRow]] = {}
    for row in history:
        scales.setdefault(row.scale, []).append(row)
    paces = {scale: pace for scale, rows in scales.items() if (pace := _median_pace(rows)) is not None}
    painted = dict(zip(scales, _painted(list(scales.values()), settings), strict=True))
    own = [scale for scale in paces if network == BUILTIN or not painted[scale].early]
    first, last = history[0], history[-1]
    looked_at = 1 + styles * _style_pixels(settings, (first.width, first.height)) / (first.width * first.height)
    begun = paces.get(first.scale, 0.0) * (1 + TARGETS * looked_at)
    full, last_rows = (last.width, last.height), len(scales[last.scale])
    wanted = math.prod(full) * (settings.size / _side(full, settings)) ** 2  # it may have been stopped before
    if wanted > SPARING:  # and enlarged: who knows which way it went before
        own = [scale for scale in own if scale == last.scale]
    foreseen = _peak(settings.replace(early_iterations=0, iterations=last_rows), full, full, network, styles)
    more = None if peak_bytes is None else min(max(peak_bytes - foreseen, -0.5 * foreseen), foreseen)
    return _Measured(
        network=network,
        device=device,
        paces=tuple((_work_of(scales[scale], settings, network, wanted), paces[scale]) for scale in own),
        start=min(max(first.seconds - begun, 0.0), MAX_START),
        share=_share(scales[last.scale], list(painted.values()), settings, network, full_size_evaluations),
        more_bytes=more,
    )


def _painted(rows: Sequence[Sequence[LossRow]], settings: Settings) -> list[Scale]:
    """The scales of a run, from its losses: the size of the early one is painted again, or was to be."""
    sizes = [(scale[0].width, scale[0].height) for scale in rows]
    stopped = [len(sizes) - 1] if _side(sizes[-1], settings) == settings.size else []
    early = [i for i, (a, b) in enumerate(pairwise(sizes)) if a == b] or stopped
    return [Scale(size, bool(settings.early_iterations) and i in early) for i, size in enumerate(sizes)]


def _side(size: Size, settings: Settings) -> int:
    return size[1] if settings.side == "height" else max(size)


def _work_of(rows: Sequence[LossRow], settings: Settings, network: str, last: float) -> float:
    return _work(settings, rows[0].width * rows[0].height, len(rows), network, last)


def _median_pace(rows: Sequence[LossRow]) -> float | None:
    """Seconds of an evaluation, without the first, which also prepares its scale; None where too few tell."""
    onward = [(a, b) for a, b in pairwise(rows) if b.evaluation > a.evaluation]
    paces = [(b.seconds - a.seconds) / (b.evaluation - a.evaluation) for a, b in onward]
    return statistics.median(paces) if len(paces) >= 3 else None


def _share(
    rows: Sequence[LossRow], scales: Sequence[Scale], settings: Settings, network: str, done: float
) -> float | None:
    """How the evaluations of a run that may stop early, and was left to, compare with those to be expected.

    `rows` are those of the last of its `scales`.
    """
    whole = _side((rows[-1].width, rows[-1].height), settings) == settings.size and (
        len(rows) >= settings.iterations or _flat(rows, settings.plateau)
    )
    if not settings.plateau or not whole:
        return None
    costs = [scale.flops(settings, network) for scale in scales]
    counts = _counts(settings, scales)
    expected = sum(count * cost / costs[-1] for count, cost in zip(counts, costs, strict=True))
    return min(max(done / expected, 0.05), 20.0)


def _flat(rows: Sequence[LossRow], plateau: float) -> bool:
    """Whether the loss had stopped falling by the rule of `nst.run`."""
    if len(rows) <= PLATEAU_WINDOW:
        return False
    before = min(row.total for row in rows[:-PLATEAU_WINDOW])
    return before - min(row.total for row in rows) < plateau * before
