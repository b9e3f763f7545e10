"""The loop: from a photograph, style pictures and settings to a painted picture, scale by scale.

`iterate` is a generator of `Step` and returns the `Result`; `stylize` runs it to its end. The engine knows no files,
no queue and no user interface. It runs on one thread: TensorFlow is not used from anywhere else.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Generator, Sequence
from functools import cache

import keras
import numpy as np
import tensorflow as tf

import nst
from nst import image, optimizers
from nst.config import MAX_STYLES, Settings
from nst.errors import ImageError, SettingsError
from nst.features import TargetCache, extractor
from nst.objective import Objective
from nst.result import LossRow, Result, Status, Step
from nst.spectrum import Spectrum
from nst.weights import Network

PLATEAU_WINDOW = 10
"""Evaluations over which the loss must have fallen for a scale to go on."""
MAX_RETREATS = 10
"""Halvings of the step in a row, after which a run that only yields NaN gives up."""
PACE_WINDOW = 15
"""Evaluations that the remaining time is judged by."""
FIXED_COST = 0.02
"""Seconds that an evaluation takes however small the picture (measured on two cores); the rest goes with its pixels."""
DIVERGED = 2.0
"""A last scale all of whose losses are this many times the first one's has gone the wrong way."""
SMALLEST_SCALE = 64
"""Pixels of the longest side below which no coarser scale is worth it: the deep layers would see next to nothing."""


@cache
def prepare_tensorflow() -> None:
    """Set up the process before its first operation: share a GPU politely, and give the same bytes every time."""
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    tf.config.experimental.enable_op_determinism()


def stylize(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    settings: Settings,
    *,
    network: Network,
    cache: TargetCache | None = None,
    initial: np.ndarray | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Result:
    """Run `iterate` to its end; `on_step` is called after every evaluation."""
    steps = iterate(content, styles, settings, network=network, cache=cache, initial=initial, cancelled=cancelled)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        on_step(step)


def iterate(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    settings: Settings,
    *,
    network: Network,
    cache: TargetCache | None = None,
    initial: np.ndarray | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Generator[Step, None, Result]:
    """Paint `content` in the style of `styles` (Gatys, Ecker and Bethge 2016).

    All pictures are (h, w, 3) float32 sRGB in [0, 1], of any size: they are resized here, their aspect ratio kept.
    `initial` is the picture to start from when `settings.init` is "picture". `cancelled` is asked before every
    evaluation. Yields a `Step` after each, and returns a `Result` holding the best picture seen.

    Raises `SettingsError` when pictures and settings do not fit together, `ImageError` for arrays that are no
    pictures. A NaN or infinity while optimising is no error: the run goes back to the last good state with half the
    step, says so in `Step.note`, and ends as failed with the best picture if that does not help.
    """
    prepare_tensorflow()
    _check(content, styles, settings, initial)
    run = _Run(settings, network, _sizes(content, settings))
    extract = extractor(network, settings)
    picture = _start(content, styles, settings, initial, run.sizes[0])
    for scale, size in enumerate(run.sizes):
        try:
            objective = Objective.of(
                content, styles, settings, size=size, extract=extract, cache=cache or TargetCache()
            )
            run.begin(scale, objective)
            yield from _descend(run, objective, image.resize(picture, size, soft=True), cancelled)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            run.end(
                Status.FAILED, f"There was not enough memory for {size[0]} × {size[1]} pixels. Choose a smaller size."
            )
        picture = run.best() if run.rows else picture
        if run.status in (Status.CANCELLED, Status.FAILED):
            break
    run.judge()
    return run.result(image.resize(picture, run.sizes[-1]))


def _descend(
    run: _Run, objective: Objective, start: np.ndarray, cancelled: Callable[[], bool]
) -> Generator[Step, None, None]:
    """Optimise one scale from `start`, (h, w, 3) in [0, 1], until it is done, flat, cancelled or beyond help."""
    spectrum = Spectrum(tf.constant(start[None] * objective.pixel_range, tf.float32), run.settings.spectrum)
    optimizer = optimizers.make(run.settings, spectrum.start(), objective.pixel_range)
    retreats = 0
    while run.iteration < run.iterations and not run.flat():
        if cancelled():
            run.end(Status.CANCELLED, "Stopped on request; this is the best picture so far.")
            return
        pixels = spectrum.pixels(optimizer.point)
        values, gradient = objective(pixels)
        run.count()
        if np.isfinite(values).all() and bool(tf.reduce_all(tf.math.is_finite(gradient))):
            retreats = 0
            run.record(values, pixels)
            optimizer.tell(float(values[0]), spectrum.pull_back(gradient))
            yield run.step()
            continue
        retreats += 1
        if retreats > MAX_RETREATS or not run.here:
            run.end(Status.FAILED, "The losses were not finite. Lower the learning rate or the weights and try again.")
            return
        optimizer.retreat()
        yield run.step("The loss was not finite: went back to the last good picture and halved the step.")


class _Run:
    """The bookkeeping of a run: counts, times, the best picture, and how it ended."""

    def __init__(self, settings: Settings, network: Network, sizes: list[tuple[int, int]]) -> None:
        self.settings, self.network, self.sizes = settings, network, sizes
        self.status, self.message = Status.FINISHED, "All steps were taken."
        self.rows: list[LossRow] = []
        self.evaluations, self.work, self.cached_targets = 0, 0.0, 0
        self.started = self.counted = time.perf_counter()
        self.paces: dict[int, list[float]] = {}
        """Seconds between two evaluations, by scale."""

    def begin(self, scale: int, objective: Objective) -> None:
        last = scale == len(self.sizes) - 1
        self.scale, self.iteration = scale, 0
        self.iterations = self.settings.iterations if last else self.settings.coarse_iterations
        self.pixel_range, self.cached_targets = objective.pixel_range, objective.cached_targets
        self.here: list[float] = []
        """Losses at this scale, the lowest so far each time."""
        self.totals: list[float] = []
        """Losses at this scale as they came."""

    def share(self, scale: int) -> float:
        """What an evaluation at this scale costs, in evaluations at full size."""
        return np.prod(self.sizes[scale]) / np.prod(self.sizes[-1])

    def count(self) -> None:
        self.evaluations += 1
        self.iteration += 1
        self.work += self.share(self.scale)
        now = time.perf_counter()
        if self.iteration > 1:  # the first also prepares its scale: it says nothing about the others
            self.paces.setdefault(self.scale, []).append(now - self.counted)
        self.counted = now

    def record(self, values: np.ndarray, pixels: tf.Tensor) -> None:
        seconds = time.perf_counter() - self.started
        parts = (float(value) for value in values)
        self.rows.append(LossRow(self.evaluations, self.scale, *self.sizes[self.scale], seconds, *parts))
        self.pixels = pixels
        total = self.rows[-1].total
        self.totals.append(total)
        if not self.here or total < self.here[-1]:
            self.best_pixels = pixels
        self.here.append(min(total, self.here[-1]) if self.here else total)

    def flat(self) -> bool:
        """Whether the loss has stopped falling at this scale; at the last one, that is how the run ends."""
        if not self.settings.plateau or len(self.here) <= PLATEAU_WINDOW:
            return False
        before, now = self.here[-1 - PLATEAU_WINDOW], self.here[-1]
        flat = before - now < self.settings.plateau * before
        if flat and self.scale == len(self.sizes) - 1:
            self.end(Status.CONVERGED, "Finished early: the picture had stopped changing.")
        return flat

    def judge(self) -> None:
        """A run that diverged has painted nothing, whatever it counted; its best picture is the one it began with."""
        enough = self.status == Status.FINISHED and len(self.totals) > 5  # a few steps are no verdict
        if enough and min(self.totals[1:]) > DIVERGED * self.totals[0]:
            self.end(Status.FAILED, "The losses only rose. Lower the learning rate, or choose L-BFGS, and try again.")

    def end(self, status: Status, message: str) -> None:
        self.status, self.message = status, message

    def best(self) -> np.ndarray:
        return _picture(self.best_pixels, self.pixel_range)

    def step(self, note: str = "") -> Step:
        pixels, pixel_range = self.pixels, self.pixel_range
        progress, remaining = self._outlook()
        every = self.settings.save_every
        return Step(
            losses=self.rows[-1],
            scales=len(self.sizes),
            iteration=self.iteration,
            iterations=self.iterations,
            full_size_evaluations=self.work,
            progress=progress,
            remaining=remaining,
            picture=lambda: _picture(pixels, pixel_range),
            cached_targets=self.cached_targets,
            note=note,
            keep_frame=bool(every) and self.evaluations % every == 0,
        )

    def _outlook(self) -> tuple[float, float | None]:
        """Progress from 0 to 1, and the seconds that are left at the pace so far."""
        last = len(self.sizes) - 1
        left = {self.scale: self.iterations - self.iteration}
        for scale in range(self.scale + 1, last + 1):
            left[scale] = self.settings.iterations if scale == last else self.settings.coarse_iterations
        work = sum(count * self.share(scale) for scale, count in left.items())
        seconds = sum(count * self._pace(scale) for scale, count in left.items()) if self.paces else None
        return self.work / (self.work + work), seconds

    def _pace(self, scale: int) -> float:
        """Seconds an evaluation takes at a scale: measured there, or foreseen from the nearest one that was."""
        known = scale if scale in self.paces else max(self.paces)
        pace = float(np.median(self.paces[known][-PACE_WINDOW:]))
        fixed = min(FIXED_COST, pace / 2)
        return fixed + (pace - fixed) * self.share(scale) / self.share(known)

    def result(self, picture: np.ndarray) -> Result:
        return Result(
            picture=picture,
            status=self.status,
            message=self.message,
            history=tuple(self.rows),
            settings=self.settings,
            network=self.network.info,
            versions=versions(),
            seconds=time.perf_counter() - self.started,
            evaluations=self.evaluations,
            full_size_evaluations=self.work,
            cached_targets=self.cached_targets,
        )


def versions() -> dict[str, str]:
    """What took part in a run: versions by name, and the device it ran on."""
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    return {
        "nst": nst.__version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "device": device,
    }


def _picture(pixels: tf.Tensor, pixel_range: float) -> np.ndarray:
    return np.clip(pixels[0].numpy() / pixel_range, 0, 1).astype(np.float32)


def _sizes(content: np.ndarray, settings: Settings) -> list[tuple[int, int]]:
    """The (width, height) of every scale, coarsest first; scales too small to be of use are left out."""
    height, width = content.shape[:2]
    full = image.fitted_size(width, height, settings.size, settings.side)
    halvings = range(settings.scales - 1 if settings.coarse_iterations else 0, -1, -1)
    sizes = [(round(full[0] / 2**n), round(full[1] / 2**n)) for n in halvings]
    return [size for size in sizes[:-1] if max(size) >= SMALLEST_SCALE and min(size) >= 16] + [full]


def _start(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    settings: Settings,
    initial: np.ndarray | None,
    size: tuple[int, int],
) -> np.ndarray:
    """The picture to start from, (h, w, 3) float32 in [0, 1]."""
    if settings.init == "content":
        return content
    if settings.init == "picture":
        assert initial is not None
        return initial
    noise = np.random.default_rng(settings.seed).standard_normal((size[1], size[0], 3))
    if settings.init == "noise":
        return np.clip(0.5 + 0.1 * noise, 0, 1).astype(np.float32)
    colours = np.concatenate([style.reshape(-1, 3) for style in styles]).astype(np.float64)
    values, vectors = np.linalg.eigh(np.cov(colours, rowvar=False, bias=True))
    spread = vectors * np.sqrt(np.maximum(values, 0))  # noise with the styles' mean colour and covariance
    return np.clip(colours.mean(0) + noise @ spread.T, 0, 1).astype(np.float32)


def _check(content: np.ndarray, styles: Sequence[np.ndarray], settings: Settings, initial: np.ndarray | None) -> None:
    if not 1 <= len(styles) <= MAX_STYLES:
        raise SettingsError(f"Give 1 to {MAX_STYLES} style pictures. Received: {len(styles)}.")
    if settings.style_weights and len(settings.style_weights) != len(styles):
        raise SettingsError(
            f"Give one weight a style. Received: {len(settings.style_weights)} weights for {len(styles)} styles."
        )
    if (settings.init == "picture") != (initial is not None):
        raise SettingsError('A picture to start from and init="picture" go together. Give both or neither.')
    named = [("content", content), *(("style", style) for style in styles)]
    for name, array in named if initial is None else [*named, ("initial", initial)]:
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.float32:
            raise ImageError(f"The {name} picture must be (h, w, 3) float32. Received: {array.shape} {array.dtype}.")
        if not array.size:
            raise ImageError(f"The {name} picture has no pixels. Received: {array.shape}.")
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise ImageError(f"The {name} picture must lie in [0, 1]. Received values outside it, or not finite.")
