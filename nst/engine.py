"""The loop: from a photograph, style pictures and settings to a painted picture, scale by scale.

`iterate` is a generator of `Step` and returns the `Result`; `stylize` runs it to its end. The engine knows no files,
no queue and no user interface. It runs on one thread: TensorFlow is not used from anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from nst import image, weights
from nst.checkpoint import Checkpoint
from nst.config import MAX_STYLES, Settings
from nst.errors import ImageError, SettingsError
from nst.features import TargetCache, extractor
from nst.objective import Objective
from nst.precision import quicker, settled
from nst.result import Result, Status, Step
from nst.run import Descent, Run, versions
from nst.scales import Scale, Size, plan
from nst.weights import Network

__all__ = ["TargetCache", "iterate", "prepare_tensorflow", "quicker_precision", "stylize", "versions"]

MAX_RETREATS = 10
"""Halvings of the step in a row, after which a run that only yields NaN gives up."""
LEAST_GROWTH = 1.4
"""A size on the way to a larger one is skipped unless it is this many times the one before."""
NO_MEMORY = "There was not enough memory for {} × {} pixels. Choose a smaller size."
NOT_FINITE = "The loss was not finite: went back to the last good picture and halved the step."


@cache
def prepare_tensorflow() -> None:
    """Set up the process before its first operation: share a GPU politely, and give the same bytes every time."""
    for device in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError, ValueError):  # it is in use, or divided, as whoever came first wants it
            tf.config.experimental.set_memory_growth(device, True)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)  # 10 bits: float32 is to mean float32


def quicker_precision() -> str:
    """What "auto" stands for here, "mixed" or "float32"."""
    cards = tf.config.list_physical_devices("GPU")
    return quicker(tf.config.experimental.get_device_details(cards[0]).get("compute_capability", ()) if cards else None)


def stylize(
    content: np.ndarray,
    styles: Sequence[np.ndarray],
    settings: Settings,
    *,
    on_step: Callable[[Step], None] = lambda step: None,
    **options: Any,
) -> Result:
    """Run `iterate`, which takes the same options, to its end; `on_step` is called after every evaluation."""
    steps = iterate(content, styles, settings, **options)
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
    checkpoint: Checkpoint | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    changes: Callable[[int, int], Mapping[str, Any]] = lambda evaluations, scale: {},
) -> Generator[Step, None, Result]:
    """Paint `content` in the style of `styles` (Gatys, Ecker and Bethge 2016).

    All pictures are (h, w, 3) float32 sRGB in [0, 1], of any size: they are resized here, their aspect ratio kept.
    `initial` is the picture to start from when `settings.init` is "picture". A precision left open ("auto") is settled
    by what is computed on. `cancelled` is asked before every evaluation. Yields a `Step` after each, and returns a
    `Result` holding the best picture seen.

    `checkpoint`, of a run of the same pictures and `settings`, goes on from there to the very picture that the run
    would have ended with. `changes(evaluations, scale)` is asked before every evaluation, once more at the end, and
    again until it has nothing new, for settings to change from there on (see `nst.result.CHANGEABLE`): weights take
    effect at once, more `iterations` prolong the last scale, and a larger `size` ends the present scale and goes on
    there, from the picture so far.

    Raises `SettingsError` when pictures and settings do not fit together, `ImageError` for arrays that are no
    pictures, `CheckpointError` where the checkpoint is of another run. A NaN or infinity while optimising is no
    error: the run goes back to the last good state with half the step, says so in `Step.note`, and ends as failed
    with the best picture if that does not help.
    """
    prepare_tensorflow()
    _check(content, styles, settings, initial)
    if checkpoint is None:
        run = Run(settled(settings, quicker_precision()), network, _scales(content, settings))
    else:
        run = Run.thaw(checkpoint, settings, network)
    cache, anew = cache or TargetCache(), True

    def picture() -> np.ndarray:
        return run.best() if run.rows else _start(content, styles, settings, initial, run.size)

    while True:
        try:
            objective = _objective(content, styles, run, cache)
            if checkpoint:
                run.descent = run.thaw_descent(checkpoint, objective.pixel_range)
            elif anew:
                run.descent = Descent(run.settings, _pixels(picture(), run.size, run.pixel_range), run.pixel_range)
            run.begin(cached_targets=objective.cached_targets)
            yield from _descend(run, objective, content, cancelled, changes)
            del objective
        except (tf.errors.ResourceExhaustedError, MemoryError):
            run.end(Status.FAILED, NO_MEMORY.format(*run.size))
        if run.last or run.status in (Status.CANCELLED, Status.FAILED):
            break
        checkpoint = None
        anew = run.next_scale()
    run.judge()
    return run.result(image.resize(picture(), run.scales[-1].size))


def _descend(
    run: Run,
    objective: Objective,
    content: np.ndarray,
    cancelled: Callable[[], bool],
    changes: Callable[[int, int], Mapping[str, Any]],
) -> Generator[Step, None, None]:
    """Optimise one scale until it is done, flat, cancelled, beyond help, or to be left for a larger size."""
    while True:
        while wanted := run.news(changes(run.evaluations, run.scale)):
            larger = _larger(content, run, wanted)
            if run.change(wanted, larger):
                objective = objective.reweighted(run.settings)
            if larger:
                return
        if run.iteration >= run.iterations or run.flat():
            return
        if cancelled():
            run.end(Status.CANCELLED, "Stopped on request; this is the best picture so far.")
            return
        pixels = run.descent.pixels()
        values, gradient = objective(pixels)
        run.count()
        if np.isfinite(values).all() and _is_finite(gradient):
            run.record(values, pixels)
            run.descent.tell(float(values[0]), gradient)
            del pixels, gradient  # what the optimiser has let go of is not to be held through the next evaluation
            yield run.step()
            continue
        if run.descent.retreats >= MAX_RETREATS or not run.has_base:
            run.end(Status.FAILED, "The losses were not finite. Lower the learning rate or the weights and try again.")
            return
        run.descent.retreat()
        run.note(NOT_FINITE)
        yield run.step(NOT_FINITE)


def _is_finite(gradient: tf.Tensor | np.ndarray) -> bool:
    if isinstance(gradient, np.ndarray):
        return bool(np.isfinite(gradient).all())
    return bool(tf.reduce_all(tf.math.is_finite(gradient)))


def _pixels(picture: np.ndarray, size: Size, pixel_range: float) -> np.ndarray:
    """A picture (h, w, 3) in [0, 1] as (1, h', w', 3) float32 of `size` (width, height) in [0, pixel_range]."""
    return image.resize(picture, size, soft=True)[None] * np.float32(pixel_range)


def _objective(content: np.ndarray, styles: Sequence[np.ndarray], run: Run, cache: TargetCache) -> Objective:
    """Of the present scale; with the built-in filters each layer counts as much as it will with the network itself."""

    def seen_by(network: Network) -> Objective:
        extract = extractor(network, run.settings)
        last = run.scales[-1].size
        return Objective.of(content, styles, run.settings, size=run.size, last=last, extract=extract, cache=cache)

    objective = seen_by(run.network)
    return seen_by(weights.builtin()).like(objective) if run.early else objective


def _larger(content: np.ndarray, run: Run, wanted: Mapping[str, Any]) -> list[Scale]:
    """The scales to go through to a larger one that is wanted, each at most twice the one before; empty without one.

    Raises `SettingsError` where it is not larger.
    """
    if wanted.get("size", run.settings.size) == run.settings.size:
        return []
    *between, last = _scales(content, run.settings.replace(size=wanted["size"], scales=6, early_iterations=0))
    if last.size[0] <= run.size[0]:
        raise SettingsError(
            f"A run can only go on at a larger size. Received: {last.size[0]} × {last.size[1]} pixels after "
            f"{run.size[0]} × {run.size[1]}. Start a new one."
        )
    return [scale for scale in between if scale.size[0] >= LEAST_GROWTH * run.size[0]] + [last]


def _scales(content: np.ndarray, settings: Settings) -> list[Scale]:
    height, width = content.shape[:2]
    return plan(image.fitted_size(width, height, settings.size, settings.side), settings)


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
