"""Straight-line computations to test against: the network and the classic formulas, with no help from nst.

All in float64, from the formulas as their authors give them. `found`, `wanted` and `style` are dictionaries of
activations by layer, (1, h, w, c), of the picture, the photograph and the style picture.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

STYLE_LAYERS = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"]
MEAN_BGR = [103.939, 116.779, 123.68]


def activations(filters, rgb, *, pooling="max", padding="zero"):
    """VGG19 by hand; `rgb` is (1, h, w, 3) in 0..255."""
    features = tf.cast(rgb, tf.float64)[..., ::-1] - tf.constant(MEAN_BGR, tf.float64)
    found = {}
    for block, count in enumerate((2, 2, 4, 4, 4), start=1):
        for i in range(1, count + 1):
            kernel, bias = (tf.constant(array, tf.float64) for array in filters[f"block{block}_conv{i}"])
            if padding == "edge":  # repeat the border once
                features = tf.concat([features[:, :1], features, features[:, -1:]], 1)
                features = tf.concat([features[:, :, :1], features, features[:, :, -1:]], 2)
            features = tf.nn.conv2d(features, kernel, 1, "VALID" if padding == "edge" else "SAME") + bias
            features = found[f"block{block}_conv{i}"] = tf.maximum(features, 0)
        pool = tf.nn.max_pool2d if pooling == "max" else tf.nn.avg_pool2d
        features = pool(features, 2, 2, "VALID") * (1 if pooling == "max" else 2)  # 2: nst's stated gain
    return found


def gram(features):
    """F^T F, un-normalised."""
    flat = tf.reshape(features, [-1, features.shape[-1]])
    return tf.transpose(flat) @ flat


def neural_style(rgb, found, wanted, style):
    """Content, style and variation for pixels `rgb` in 0..255, Johnson's program."""
    content = 5 * tf.reduce_mean((found["block4_conv2"] - wanted["block4_conv2"]) ** 2)
    painted = 0.0
    for layer in STYLE_LAYERS:
        made, model = gram(found[layer]) / found[layer].numpy().size, gram(style[layer]) / style[layer].numpy().size
        painted += 100 * tf.reduce_mean((made - model) ** 2)
    return content, painted, 1e-3 * _absolute_variation(rgb)


def keras_example(rgb, found, wanted, style):
    """Content, style and variation for pixels `rgb` in 0..255, the example on keras.io."""
    height, width = rgb.shape[1:3]
    content = 2.5e-8 * tf.reduce_sum((found["block5_conv2"] - wanted["block5_conv2"]) ** 2)
    painted = 0.0
    for layer in STYLE_LAYERS:
        difference = tf.reduce_sum((gram(found[layer]) - gram(style[layer])) ** 2)
        painted += 1e-6 / 5 * difference / (4 * 3**2 * (height * width) ** 2)
    down = (rgb[:, : height - 1, : width - 1] - rgb[:, 1:, : width - 1]) ** 2
    right = (rgb[:, : height - 1, : width - 1] - rgb[:, : height - 1, 1:]) ** 2
    return content, painted, 1e-6 * tf.reduce_sum((down + right) ** 1.25)


def tensorflow_tutorial(rgb, found, wanted, style):
    """Content, style and variation for pixels `rgb` in [0, 1], the tutorial on tensorflow.org."""
    content = 1e4 * tf.reduce_mean((found["block5_conv2"] - wanted["block5_conv2"]) ** 2)
    painted = 0.0
    for layer in STYLE_LAYERS:
        made = gram(found[layer]) / (found[layer].shape[1] * found[layer].shape[2])
        model = gram(style[layer]) / (style[layer].shape[1] * style[layer].shape[2])
        painted += 1e-2 / 5 * tf.reduce_mean((made - model) ** 2)
    return content, painted, 30 * _absolute_variation(rgb)


def _absolute_variation(rgb):
    across = tf.reduce_sum(tf.abs(rgb[:, :, 1:] - rgb[:, :, :-1]))
    return across + tf.reduce_sum(tf.abs(rgb[:, 1:] - rgb[:, :-1]))


FORMULAS = {
    "neural-style": (neural_style, 255.0),
    "keras-example": (keras_example, 255.0),
    "tensorflow-tutorial": (tensorflow_tutorial, 1.0),
}
"""The three terms of each classic program, and what its pixels run to."""


def losses_and_gradient(name, network, rgb, photograph, painting):
    """Total, content, style and variation, and the gradient, at `rgb` (1, h, w, 3) in the formula's own range.

    `network` maps pixels in 0..255 to activations; the pictures are (h, w, 3) in [0, 1], at the result's size.
    """
    formula, pixel_range = FORMULAS[name]
    pixels = tf.constant(rgb, tf.float64)
    wanted, style = (network(tf.constant(array[None] * np.float64(255))) for array in (photograph, painting))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        terms = formula(pixels, network(pixels * (255 / pixel_range)), wanted, style)
        terms = [tf.cast(term, tf.float64) for term in terms]
        total = sum(terms)
    return [float(value) for value in (total, *terms)], tape.gradient(total, pixels).numpy()
