"""One evaluation of the losses and their gradient: in one compiled step, or for large pictures segment by segment.

Both take the same arguments and return the same: for the pixels of a picture and an objective's `arguments`, losses
and gradient as `nst.objective.Objective` tells them, the losses still on the device. Targets and weights are
arguments, so that another pair, strength or size takes no new trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from nst import losses
from nst.features import Extractor
from nst.tiles import WHOLE, Way

STRIP = 2_000_000
"""Values of a picture whose penalties are taken in one go, at most: they take several copies."""


def evaluation(extract: Extractor, formula_name: str, by: Way) -> Callable:
    """The evaluation of a formula by way of an extractor; what is compiled is kept with the extractor."""
    formula = losses.FORMULAS[formula_name]
    if by == WHOLE:
        return _kept(extract, formula_name, lambda: _whole(extract, formula))
    penalise = _kept(extract, f"{formula_name} penalties", lambda: _penalties(formula))
    return _by_segments(extract, formula, by, penalise)


def _kept(extract: Extractor, name: str, compiled: Callable[[], Callable]) -> Callable:
    if name not in extract.steps:
        extract.steps[name] = compiled()
    return extract.steps[name]


def _spec(*shape: int | None) -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32)


def _whole(extract: Extractor, formula: losses.Formula) -> Callable:
    signature = [
        _spec(1, None, None, 3),
        [_spec(1, None, None, extract.channels[layer]) for layer in extract.content_layers],
        _spec(len(extract.content_layers)),
        [_spec(extract.channels[layer], extract.channels[layer]) for layer in extract.style_layers],
        _spec(len(extract.style_layers)),
        _spec(),
        _spec(),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def step(pixels, content_targets, content_weights, style_targets, style_weights, tv_weight, bounds_weight):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            contents, grams = extract(pixels * (255.0 / formula.pixel_range))
            content_layers = _by_layer(losses.content_loss, contents, content_targets)
            style_layers = _by_layer(losses.style_loss, grams, style_targets)
            content = tf.tensordot(content_weights, content_layers, 1)
            style = tf.tensordot(style_weights, style_layers, 1)
            variation = tv_weight * formula.variation(pixels)
            outside = bounds_weight * losses.out_of_range(pixels, formula.pixel_range)
            total = content + style + variation + outside
        by_layer = [content_weights * content_layers, style_weights * style_layers]
        values = tf.concat([tf.stack([total, content, style, variation]), *by_layer], 0)
        return values, tape.gradient(total, pixels)

    return step


def _by_layer(loss: Callable, found: list[tf.Tensor], wanted: list[tf.Tensor]) -> tf.Tensor:
    return tf.stack([loss(a, b) for a, b in zip(found, wanted, strict=True)])


def _by_segments(extract: Extractor, formula: losses.Formula, by: Way, penalise: Callable) -> Callable:
    def step(pixels, content_targets, content_weights, style_targets, style_weights, tv_weight, bounds_weight):  # type: ignore[no-untyped-def]
        gradient = np.zeros(pixels.shape, np.float32)  # takes no memory before it is added to
        contents = _weighted(extract.content_layers, content_targets, content_weights)
        styles = _weighted(extract.style_layers, style_targets, style_weights)
        scale = 255.0 / formula.pixel_range
        found = extract.segments.pull_back(pixels, scale, by, contents, styles, gradient)
        penalties = tf.zeros([2])
        for top, bottom in strips(pixels, STRIP):
            share = (bottom - top) / pixels.shape[1]
            values, slope = penalise(pixels[:, top : bottom + 1], bottom - top, tv_weight, bounds_weight * share)
            penalties += values
            gradient[:, top : bottom + 1] += slope.numpy()
        contents, styles = (
            tf.stack([weight * values[name] for name, (_, weight) in wanted.items()])
            for values, wanted in zip(found, (contents, styles), strict=True)
        )
        terms = [tf.reduce_sum(contents), tf.reduce_sum(styles), *tf.unstack(penalties)]
        values = tf.concat([tf.stack([tf.add_n(terms), *terms[:3]]), contents, styles], 0)
        return values, gradient

    return step


def _weighted(layers: tuple[str, ...], targets: list[tf.Tensor], weights: tf.Tensor) -> dict[str, tuple]:
    return dict(zip(layers, zip(targets, tf.unstack(weights), strict=True), strict=True))


def _penalties(formula: losses.Formula) -> Callable:
    """Variation and penalty for values out of range, (2,), and their gradient, for a strip and the row below it.

    The terms between that row and the strip are the strip's, those within that row are not.
    """

    @tf.function(
        input_signature=[_spec(1, None, None, 3), tf.TensorSpec((), tf.int32), *[_spec()] * 2], autograph=False
    )
    def penalise(strip, rows, tv_weight, bounds_weight):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch(strip)
            variation = formula.variation(strip) - formula.variation(strip[:, rows:])
            outside = losses.out_of_range(strip[:, :rows], formula.pixel_range)
            values = tf.stack([tv_weight * variation, bounds_weight * outside])
        return values, tape.gradient(values, strip)

    return penalise


def strips(array: np.ndarray | tf.Tensor, values: int) -> Iterator[tuple[int, int]]:
    """Where strips of (1, h, w, c) begin and end that hold so many values at most, or one row."""
    rows = max(1, values // (array.shape[2] * array.shape[3]))
    for top in range(0, array.shape[1], rows):
        yield top, min(top + rows, array.shape[1])
