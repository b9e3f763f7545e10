"""A block of two convolutions whose gradient is taken strip by strip, so that nothing is held but what it pools.

The first blocks' maps are the largest by far, and the cheapest to compute. So they are let go of, and on the way back
all that is as large as they are exists for one strip of rows at a time (gradient checkpointing, as in `nst.segments`).
The last map of each is not even computed anew, unless its Gram matrix is wanted or the pooling takes averages: of the
largest of four positions a byte says which it was (`nst.switches`).
The way forward goes through a block whole: that is quicker, and takes about as much at a time as deeper blocks hold.
A picture that is a hundred times as wide as high is spared little: strips see up to four rows beside their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import keras
import tensorflow as tf

from nst import losses
from nst.switches import pooled, unpooled

STRIPS = 4
"""As many as the second block of the lowest picture, of 16 pixels, has pooled rows."""

Layers = Sequence[keras.layers.Layer]
Rows = tuple[tf.Tensor, tf.Tensor]
"""From and to, int32."""


def by_strips(block: Layers, pooling: Layers, styles: Sequence[str], source: tf.Tensor) -> tuple[tf.Tensor, list]:
    """The pooled map of a block, and the Gram matrices of those of its layers that `styles` names.

    `source` is a whole map or preprocessed picture, (1, h, w, c), h at least 8.
    """
    by_maximum = isinstance(pooling[0], keras.layers.MaxPooling2D)
    convolutions = [_Convolution(layer) for layer in block if isinstance(layer, keras.layers.Conv2D)]

    @tf.custom_gradient
    def forward(source: tf.Tensor) -> tuple:
        maps, last = {}, source
        for layer in block:
            maps[layer.name] = last = layer(last)
        output, place = pooled(last) if by_maximum else (_averaged(last, pooling), None)

        def back(slope: tf.Tensor, *slopes: tf.Tensor, variables: Sequence[tf.Variable] = ()) -> tuple:
            wanted = dict(zip(styles, slopes, strict=True))
            height = tf.shape(source)[1]
            edges = [2 * (height // 2 * i // STRIPS) for i in range(STRIPS)] + [height]
            parts = [slope]
            for rows in pairwise(edges):
                with tf.control_dependencies(parts[-1:]):  # one strip after the other
                    parts.append(_gradient(rows, source, slope, place, wanted, convolutions, pooling))
            return tf.concat(parts[1:], 1), [None for _ in variables]  # the filters stay as they are

        return (output, *(losses.gram_matrix(maps[name]) for name in styles)), back

    output, *grams = tf.nest.flatten(forward(source))  # one alone comes unpacked
    return output, grams


def _gradient(
    rows: Rows,
    source: tf.Tensor,
    slope: tf.Tensor,
    place: tf.Tensor | None,
    gram_slopes: Mapping[str, tf.Tensor],
    convolutions: Sequence[_Convolution],
    pooling: Layers,
) -> tf.Tensor:
    """With respect to these rows of the source, by the slopes of the block's pooled map and of its Gram matrices."""
    height = tf.shape(source)[1]
    seen, *given = (_wider(rows, by, height) for by in (4, 3, 2))
    with tf.GradientTape() as tape:
        strip = features = tf.identity(source[:, slice(*seen)])
        tape.watch(strip)
        found, slopes, known = list[tf.Tensor](), list[tf.Tensor](), seen
        for convolution, asked in zip(convolutions, given, strict=True):
            linear, known = convolution(features, known, asked), asked
            features = tf.nn.relu(linear)
            if convolution.name in gram_slopes:
                found.append(losses.gram_matrix(features))
                slopes.append(tf.cast((known[1] - known[0]) / height, tf.float32) * gram_slopes[convolution.name])
        cells = slice(known[0] // 2, known[1] // 2)
        if place is None:
            found.append(_averaged(features, pooling))
            slopes.append(slope[:, cells])
        else:
            found.append(linear)  # whose value is not computed, where no Gram matrix asks for it
            size = known[1] - known[0], tf.shape(source)[2]
            slopes.append(unpooled(slope[:, cells], place[:, cells], size))
    return tape.gradient(found, strip, slopes)[:, rows[0] - seen[0] : rows[1] - seen[0]]


class _Convolution:
    """What a layer of a block does to a strip."""

    def __init__(self, layer: keras.layers.Conv2D) -> None:
        self.name = layer.name
        self.kernel = tf.cast(layer.kernel, layer.compute_dtype)
        self.bias = tf.cast(layer.bias, layer.compute_dtype)
        self.border = "CONSTANT" if layer.padding == "same" else "SYMMETRIC"

    def __call__(self, strip: tf.Tensor, seen: Rows, wanted: Rows) -> tf.Tensor:
        """Its wanted rows, before the ReLU, of a strip of the rows seen: one more on each side where there is one."""
        rows = [1 - (wanted[0] - seen[0]), 1 - (seen[1] - wanted[1])]
        padded = tf.pad(strip, [[0, 0], rows, [1, 1], [0, 0]], self.border)
        features = tf.nn.conv2d(tf.cast(padded, self.kernel.dtype), self.kernel, 1, "VALID")
        return tf.nn.bias_add(features, self.bias)


def _wider(rows: Rows, by: int, height: tf.Tensor) -> Rows:
    return tf.maximum(rows[0] - by, 0), tf.minimum(rows[1] + by, height)


def _averaged(features: tf.Tensor, pooling: Layers) -> tf.Tensor:
    for layer in pooling:
        features = layer(features)
    return features
