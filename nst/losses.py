"""The losses of neural style transfer as pure functions, and what each formula makes of them.

Every classic program measures the same three things and differs only in how it normalises them. So the terms exist
once, as means, and a `Formula` says by which number each mean is multiplied. That keeps one compiled step for all of
them, and lets the style targets of one formula serve every other.

Feature maps are (1, h, w, c) float32, for a Gram matrix bfloat16, too; Gram matrices (c, c) float32, pictures
(1, h, w, 3) float32 in 0..255 (or 0..1 where the formula says so). TensorFlow is imported by this module: the gallery
never imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf


def gram_matrix(features: tf.Tensor) -> tf.Tensor:
    """Channel correlations (c, c) of a feature map (1, h, w, c), averaged over the h * w positions.

    Gatys, Ecker and Bethge (2016), eq. 3, sum over positions instead; the average keeps its meaning when the style
    picture and the result differ in size. The formulas below restore the original factors.
    """
    return _products(tf.reshape(features, [-1, features.shape[-1]]))  # (h * w, c)


@tf.custom_gradient
def _products(flat: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The Gram matrix; its gradient is one product, where TensorFlow, which sees two factors, takes two.

    Of a bfloat16 map the Gram matrix is float32, whose small differences from a target matter; the gradient with
    respect to the map is bfloat16 as the map is, and so are the factors of its product.
    """
    exact = tf.cast(flat, tf.float32) if flat.dtype == tf.bfloat16 else flat
    count = tf.cast(tf.shape(flat)[0], exact.dtype)

    def back(slope: tf.Tensor) -> tf.Tensor:
        return tf.matmul(flat, tf.cast((slope + tf.transpose(slope)) / count, flat.dtype))

    return tf.matmul(exact, exact, transpose_a=True) / count, back


def content_loss(features: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of two feature maps of one shape (Gatys et al. 2016, eq. 1, which halves the sum)."""
    return tf.reduce_mean(tf.math.squared_difference(features, target))


def style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of two Gram matrices (c, c) (Gatys et al. 2016, eq. 4, up to a constant factor)."""
    return tf.reduce_mean(tf.math.squared_difference(gram, target))


def total_variation(image: tf.Tensor) -> tf.Tensor:
    """Anisotropic total variation: the sum of |dx| + |dy| over a picture (1, h, w, 3)."""
    return sum(tf.reduce_sum(tf.abs(_differences(image, axis))) for axis in (1, 2))


def _differences(image: tf.Tensor, axis: int) -> tf.Tensor:
    """From each pixel to the next along an axis. TensorFlow's own gradient of slices takes several times as long."""

    def part(begin: int | None, end: int | None) -> tf.Tensor:
        return image[(slice(None),) * axis + (slice(begin, end),)]

    @tf.custom_gradient
    def differences(_: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        border = tf.zeros_like(part(None, 1))  # as empty as the picture, where that is empty

        def back(slope: tf.Tensor) -> tf.Tensor:
            return tf.concat([border, slope], axis) - tf.concat([slope, border], axis)

        return part(1, None) - part(None, -1), back

    return differences(image)


def total_variation_power(image: tf.Tensor) -> tf.Tensor:
    """The Keras example's variation: the sum of (dx² + dy²)^1.25 over pixels [:-1, :-1] of a picture (1, h, w, 3)."""
    down = tf.square(image[:, :-1, :-1] - image[:, 1:, :-1])
    right = tf.square(image[:, :-1, :-1] - image[:, :-1, 1:])
    return tf.reduce_sum((down + right) ** 1.25)


def out_of_range(image: tf.Tensor, pixel_range: float) -> tf.Tensor:
    """Mean squared distance of pixel values from [0, pixel_range], as a fraction of that range.

    What counts is the saved 8-bit picture: values outside the range would be clamped there, and clamping undoes what
    the optimiser paid for. A soft wall keeps L-BFGS smooth where clipping would not.
    """
    outside = image - tf.clip_by_value(image, 0.0, pixel_range)
    return tf.reduce_mean(tf.square(outside / pixel_range))


@dataclass(frozen=True)
class Formula:
    """How a program normalises its losses: factors on the means above.

    `content(values)`: factor on `content_loss` for a feature map of so many values.
    `style(channels, positions, pixels)`: factor on `style_loss` of one layer, for a picture of `pixels` whose feature
    map there has `positions` and `channels`.
    """

    pixel_range: float
    """Pixels run from 0 to this while optimising; learning rates and total variation are in these units."""
    content: Callable[[int], float]
    style: Callable[[int, int, int], float]
    variation: Callable[[tf.Tensor], tf.Tensor] = total_variation
    mean_variation: bool = False
    """Take the variation's mean as a fraction of the range instead of its sum."""
    average_layers: bool = False
    """Divide by the number of layers, as programs do that speak of one weight for all of them."""
    out_of_range: Callable[[int], float] = lambda values: 2000.0
    """Factor on `out_of_range`, where the settings ask for it, for a picture of so many values. No program has this
    term; it must be felt beside the others, which begin near 1 in the balanced formula."""


FORMULAS: dict[str, Formula] = {
    # Means throughout; `balance` then divides each by its own magnitude for this pair of pictures.
    "balanced": Formula(
        255.0, lambda values: 1.0, lambda channels, positions, pixels: 1 / channels**2, mean_variation=True
    ),
    # Johnson's neural-style: Gram matrices divided by the number of values, h * w * c.
    # The penalty is 5 a squared level: four times as much, or none, scores worse (benchmarks/README.md).
    "neural-style": Formula(
        255.0,
        lambda values: 1.0,
        lambda channels, positions, pixels: 1 / channels**2,
        out_of_range=lambda values: 5.0 * 255**2 * values,
    ),
    # keras.io: sums instead of means, Gram matrices not normalised, 1 / (4 * 3² * (H * W)²) with the picture's H * W.
    "keras-example": Formula(
        255.0,
        lambda values: float(values),
        lambda channels, positions, pixels: channels**2 * positions**2 / (4 * 3**2 * pixels**2),
        total_variation_power,
        average_layers=True,
    ),
    # tensorflow.org: Gram matrices divided by h * w, pixels in [0, 1].
    "tensorflow-tutorial": Formula(
        1.0, lambda values: 1.0, lambda channels, positions, pixels: 1.0, average_layers=True
    ),
}


def balance(magnitude: float, energy: float) -> float:
    """What the balanced formula divides a term by, so that its weight means the same for any pair and size.

    `magnitude` is the term's natural size for this pair: for style, the loss of the photograph itself; for content,
    the loss of a picture whose features are flat (the variance of the target's features over positions). `energy` is
    the mean square of the target; a hundredth of it is the floor, for pictures that are flat or already in style.
    """
    return max(magnitude, 0.01 * energy, 1e-12)
