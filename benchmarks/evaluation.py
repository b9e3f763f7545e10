"""How long one evaluation (loss and gradient) takes with VGG19 and with the built-in filters, in one interleaved run.

python -m benchmarks.evaluation
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.common import CONTENT, STYLES, VGG19, interleaved, ratio, table, write
from nst import image, weights
from nst.config import preset
from nst.engine import prepare_tensorflow
from nst.features import TargetCache, extractor
from nst.objective import Objective

SIZES, ROUNDS = (256, 512), 15


def main() -> None:
    prepare_tensorflow()
    figures = [_measured(size) for size in SIZES]
    columns = [column for column in figures[0] if column != "rounds"]
    table(columns, [[row[column] for column in columns] for row in figures])
    write("evaluation", figures)


def _measured(size: int) -> dict[str, float | int]:
    networks = {"vgg19": weights.read(VGG19), "builtin": weights.builtin()}
    full = {name: an_evaluation(network, size, "float32") for name, network in networks.items()}
    mixed = {f"{name}_mixed": an_evaluation(network, size, "mixed") for name, network in networks.items()}
    seconds = interleaved(full | mixed, ROUNDS)
    return {
        "size": size,
        "rounds": ROUNDS,
        **{f"{name}_seconds": statistics.median(times) for name, times in seconds.items()},
        "times_faster": ratio(seconds, "vgg19", "builtin"),
        "mixed_times_faster": ratio(seconds, "vgg19", "vgg19_mixed"),
        "builtin_mixed_times_faster": ratio(seconds, "builtin", "builtin_mixed"),
    }


def an_evaluation(network: weights.Network, size: int, precision: str) -> Callable[[], None]:
    """One of Studio's, until its gradient is on the host."""
    settings = preset("studio").replace(size=size, precision=precision)
    content, style = (image.load(path).rgb for path in (CONTENT, STYLES["starry_night"]))
    fitted = image.fitted_size(content.shape[1], content.shape[0], size)
    extract = extractor(network, settings)
    objective = Objective.of(content, [style], settings, size=fitted, extract=extract, cache=TargetCache())
    pixels = tf.constant(image.resize(content, fitted, soft=True)[None] * 255)

    def evaluate() -> None:
        _, gradient = objective(pixels)
        np.asarray(gradient)

    return evaluate


if __name__ == "__main__":
    main()
