"""A convolution that a processor computes sooner as the gradient of another one.

For the gradient with respect to a convolution's input, TensorFlow (2.21, by oneDNN) first brings the kernel into the
order that suits the processor. On the way forward it takes the kernel as it lies in memory, where the numbers that
are needed together are as far apart as there are filters: with 512 of them that takes up to twice as long. But every
convolution is such a gradient, that of the convolution by the kernel turned round; so both ways go the quicker way.
The numbers are the same. Measured in `benchmarks/README.md`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from nst.precision import onednn_is_left_on

FEWEST_FILTERS = 256
"""With fewer the way forward is as quick."""


def convolution(filters: int, *, padding: str, activation: str, name: str, dtype: str) -> keras.layers.Conv2D:
    """A layer of 3 × 3 convolutions that computes in `dtype`, a policy of Keras, by the quicker of two ways."""
    turned = filters >= FEWEST_FILTERS and padding == "same" and dtype == "float32" and _reorders_gradients()
    kind = Turned if turned else keras.layers.Conv2D
    return kind(filters, 3, padding=padding, activation=activation, name=name, dtype=dtype)


def _reorders_gradients() -> bool:
    """Whether convolutions are oneDNN's, on a processor."""
    intel = platform.machine().lower() in ("x86_64", "amd64")
    return intel and onednn_is_left_on() and not tf.config.list_physical_devices("GPU")


class Turned(keras.layers.Conv2D):
    """A convolution of odd size and stride 1 that keeps the size of its map, with a bias, computed as a gradient.

    For fixed filters, which are given by `set_weights`: it holds them twice, and there is no gradient for them.
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        rows, columns, received, given = self.kernel.shape
        shape = (rows, columns, given, received)
        self.turned = self.add_weight(name="turned", shape=shape, initializer="zeros", trainable=False)

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """`weights` are those of a `Conv2D`: kernel (rows, columns, received, given) and bias (given,)."""
        kernel, bias = weights
        super().set_weights([kernel, bias, kernel[::-1, ::-1].swapaxes(2, 3)])

    def call(self, features: tf.Tensor) -> tf.Tensor:
        kernel, turned = tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.turned)

        @tf.custom_gradient
        def convolved(features: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            return _gradient(turned, features), lambda slope: _gradient(kernel, slope)

        return self.activation(tf.nn.bias_add(convolved(features), self.bias))


def _gradient(kernel: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """With respect to the input of a convolution by `kernel`, whose output has this slope."""
    size = tf.concat([tf.shape(slope)[:3], [kernel.shape[2]]], 0)
    return tf.nn.conv2d_transpose(slope, kernel, size, 1, "SAME")
