"""What L-BFGS itself takes of a run: its own work after an evaluation, beside that evaluation with VGG19.

Its memory is full, which it is only after so many steps: the shares are the largest of a run. It runs on a stiff
quadratic, so that steps of every kind of picture are taken without waiting for a network.

python -m benchmarks.optimizer
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.common import CONTENT, STYLES, VGG19, interleaved, ratio, table, write
from nst import image, weights
from nst.config import preset
from nst.engine import prepare_tensorflow
from nst.features import TargetCache, extractor
from nst.objective import Objective
from nst.optimizers import LBFGS
from nst.run import Descent, Run
from nst.scales import Scale, Size

SIZES, HISTORIES, ROUNDS = (256, 512), (20, 100), 21
STIFFNESS = 1e8
"""So much that it is still going down long after its memory is full."""


def main() -> None:
    prepare_tensorflow()
    figures = [row for size in SIZES for row in _measured(size)]
    columns = ("size", "history", "evaluation_ms", "optimizer_ms", "share")
    table(columns, [[row[column] for column in columns] for row in figures])
    write("optimizer", figures)


def _measured(size: int) -> list[dict[str, float | int]]:
    content = image.load(CONTENT).rgb
    fitted = image.fitted_size(content.shape[1], content.shape[0], size)
    candidates = {"evaluation": _evaluation(content, fitted)}
    for history in HISTORIES:
        steps = Steps(content, fitted, history)
        candidates |= {f"quadratic {history}": steps.evaluate, f"optimizer {history}": steps.take}
    seconds = interleaved(candidates, ROUNDS)
    return [
        {
            "size": size,
            "history": history,
            "rounds": ROUNDS,
            "evaluation_ms": 1000 * statistics.median(seconds["evaluation"]),
            "optimizer_ms": 1000 * statistics.median(seconds[f"optimizer {history}"]),
            "share": ratio(seconds, f"optimizer {history}", "evaluation"),
        }
        for history in HISTORIES
    ]


def _evaluation(content: np.ndarray, size: Size) -> Callable[[], Any]:
    settings, network = preset("studio").replace(precision="float32"), weights.read(VGG19)
    style, extract = image.load(STYLES["starry_night"]).rgb, extractor(network, settings)
    objective = Objective.of(content, [style], settings, size=size, extract=extract, cache=TargetCache())
    pixels = tf.constant(image.resize(content, size, soft=True)[None] * 255)
    return lambda: objective(pixels)


class Steps:
    """A run whose losses come from a quadratic; `take` does all that a run does between two evaluations."""

    def __init__(self, content: np.ndarray, size: Size, history: int) -> None:
        settings = preset("studio").replace(history=history)
        start = tf.constant(image.resize(content, size, soft=True)[None] * 255)
        random = np.random.default_rng(0)
        self.stiffness = tf.constant(STIFFNESS ** random.uniform(-1, 0, start.shape), tf.float32)
        self.run = Run(settings, weights.builtin(), [Scale(size)])
        self.run.descent = Descent(settings, start, 255.0)
        self.run.begin(cached_targets=0)
        optimizer = self.run.descent.optimizer
        assert isinstance(optimizer, LBFGS)
        while len(optimizer.pairs) < 2 * history:
            self.evaluate()
            self.take()

    def evaluate(self) -> None:
        self.pixels = self.run.descent.pixels()
        self.gradient = self.stiffness * self.pixels
        self.values = np.full(4, tf.reduce_sum(self.gradient * self.pixels) / 2, np.float32)

    def take(self) -> None:
        self.run.count()
        assert np.isfinite(self.values).all()
        assert bool(tf.reduce_all(tf.math.is_finite(self.gradient)))
        self.run.record(self.values, self.pixels)
        self.run.descent.tell(float(self.values[0]), self.gradient)
        self.run.step()
        self.run.descent.pixels()


if __name__ == "__main__":
    main()
