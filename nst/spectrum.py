"""Optimising Fourier coefficients instead of pixels: a change of variables that makes L-BFGS see the whole picture.

A picture is `origin + A z`, where A is the symmetric convolution that scales the Fourier amplitude at frequency f by
1 / f ** exponent (normalised to unit mean square), and z, of the picture's shape, is what the optimiser moves. Natural
pictures have amplitudes near 1 / f, so large soft shapes need fewer steps this way than pixel by pixel; Olah et al.
("Feature visualization", 2017) call it a decorrelated parametrisation. The minimum sought is the same. With exponent
0 there is no change of variables: z is the picture itself, so that it can be clipped.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class Spectrum:
    """Maps between the variable z and pixels, both (1, h, w, 3) float32."""

    def __init__(self, origin: tf.Tensor, exponent: float) -> None:
        self._origin = origin
        height, width = origin.shape[1:3]
        self._length = tf.constant([height, width], tf.int32)
        self._amplitude = None if exponent == 0 else tf.constant(_amplitude(height, width, exponent), tf.complex64)

    def start(self) -> tf.Tensor:
        """The z that stands for `origin`."""
        return self._origin if self._amplitude is None else tf.zeros_like(self._origin)

    def pixels(self, z: tf.Tensor) -> tf.Tensor:
        """The picture that z stands for."""
        return z if self._amplitude is None else self._origin + self._scaled(z)

    def pull_back(self, gradient: tf.Tensor) -> tf.Tensor:
        """From a gradient with respect to pixels to the one with respect to z: A again, since it is symmetric."""
        return gradient if self._amplitude is None else self._scaled(gradient)

    def _scaled(self, picture: tf.Tensor) -> tf.Tensor:
        planes = tf.transpose(picture[0], [2, 0, 1])  # (3, h, w): the transform is over the last two axes
        planes = tf.signal.irfft2d(tf.signal.rfft2d(planes) * self._amplitude, self._length)
        return tf.transpose(planes, [1, 2, 0])[None]


def _amplitude(height: int, width: int, exponent: float) -> np.ndarray:
    """(h, w // 2 + 1) float32 with unit mean square over all frequencies; the constant counts as the lowest one."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    amplitude = frequency**-exponent
    amplitude /= np.sqrt(np.mean(amplitude**2))
    return amplitude[:, : width // 2 + 1].astype(np.float32)
