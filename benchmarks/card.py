"""What a graphics card makes of it: evaluations and the optimiser's work, whole pictures, what mixed precision costs.

python -m benchmarks.card

Only where TensorFlow finds a card. Everything is done once before it is measured: a card newer than TensorFlow's build
translates its programs at first use.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.common import CONTENT, STYLES, VGG19, interleaved, ratio, table, write
from benchmarks.evaluation import an_evaluation
from benchmarks.optimizer import HISTORIES, Steps
from nst import image, weights
from nst.config import Settings, preset
from nst.engine import prepare_tensorflow, stylize
from nst.estimate import process_peak
from nst.result import Result
from nst.run import versions

EVALUATIONS, ROUNDS = (256, 512, 1024, 1536), 9
PICTURES, ONCE_BEFORE = (512, 1024, 2048, 4096), 1024
"""Sizes; up to the second everything is painted once before, so that nothing is measured but painting."""
SETTINGS = preset("studio")
COMPARED, PAIRS = (512,), 21
"""Sizes at which the two precisions are compared, evaluation by evaluation, and in how many pairs of each style."""
PRECISIONS = ("float32", "mixed")


def main() -> None:
    prepare_tensorflow()
    if not tf.config.list_physical_devices("GPU"):
        print("TensorFlow finds no graphics card here: nothing is measured.")
        return
    figures: dict[str, Any] = {"card": versions()["device"]}
    parts = {"evaluations": (_evaluations, EVALUATIONS), "mixed": (_mixed, COMPARED), "pictures": (_pictures, PICTURES)}
    for part, (measured, sizes) in parts.items():
        figures[part] = []
        for size in sizes:
            figures[part] += measured(size)
            write("card", figures)
        table(list(figures[part][0]), [list(row.values()) for row in figures[part]])


def _evaluations(size: int) -> list[dict[str, Any]]:
    content = image.load(CONTENT).rgb
    steps = Steps(content, image.fitted_size(content.shape[1], content.shape[0], size), HISTORIES[0])
    candidates: dict[str, Callable[[], Any]] = {"steps": steps.evaluate, "optimizer": steps.take}
    peaks = {}
    for name in PRECISIONS:
        candidates[name] = an_evaluation(weights.read(VGG19), size, name)
        peaks[name] = _peak(candidates[name])
    seconds = interleaved(candidates, ROUNDS)
    return [
        {
            "size": size,
            "precision": name,
            "evaluation_ms": 1000 * statistics.median(seconds[name]),
            "optimizer_ms": 1000 * statistics.median(seconds["optimizer"]),
            "share": ratio(seconds, "optimizer", name),
            "card_bytes": peaks[name],
        }
        for name in PRECISIONS
    ]


def _pictures(size: int) -> list[dict[str, Any]]:
    """Studio's picture, from photographs in memory to the result, for the second time in the process."""
    return [
        {"size": size, "precision": name, **_painted(SETTINGS.replace(size=size, precision=name))}
        for name in PRECISIONS
    ]


def _painted(settings: Settings) -> dict[str, Any]:
    paint = partial(_stylized, settings)
    if settings.size <= ONCE_BEFORE:
        paint()
    found = dict[str, Any]()

    def timed() -> None:
        begun = time.perf_counter()
        result = paint()
        found.update(seconds=time.perf_counter() - begun, full_size_evaluations=result.full_size_evaluations)

    card = _peak(timed)
    return found | {"card_bytes": card, "host_bytes": process_peak()}


def _stylized(settings: Settings, noise: int | None = None, style: str = "starry_night") -> Result:
    """From the photograph, with `noise` of a thousandth of its range drawn with that seed."""
    content, shown = (image.load(path).rgb for path in (CONTENT, STYLES[style]))
    if noise is not None:
        content = content + 1e-3 * np.random.default_rng(noise).standard_normal(content.shape, np.float32)
    return stylize(content.clip(0, 1), [shown], settings, network=weights.read(VGG19))


def _mixed(size: int) -> list[dict[str, float]]:
    """By what mixed precision changes the loss at equal evaluations, after every tenth: a mean, and its standard error.

    Over many pairs of runs, each from a photograph with other noise, too faint to be seen: L-BFGS is so sensitive to
    where it starts that two such runs in one precision differ by two per cent after twenty evaluations.
    """
    settings = SETTINGS.replace(size=size, scales=1, early_iterations=0, iterations=60, plateau=0.0)
    pairs = [
        [
            [row.total for row in _stylized(settings.replace(precision=name), noise, style).history]
            for name in PRECISIONS
        ]
        for noise, style in product(range(PAIRS), STYLES)
    ]
    float32, mixed = np.log(pairs).swapaxes(0, 1)[:, :, 9::10]
    apart = mixed - float32
    error = apart.std(0, ddof=1) / len(apart) ** 0.5
    return [
        {
            "size": size,
            "evaluation": 10 * i + 10,
            "pairs": len(apart),
            "times": float(np.exp(mean)),
            "error": float(own),
        }
        for i, (mean, own) in enumerate(zip(apart.mean(0), error, strict=True))
    ]


def _peak(run: Callable[[], Any]) -> int:
    """Bytes of the card that TensorFlow uses at its highest while something runs."""
    tf.config.experimental.reset_memory_stats("GPU:0")
    run()
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


if __name__ == "__main__":
    main()
