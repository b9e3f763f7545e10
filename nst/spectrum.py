"""Optimising Fourier coefficients instead of pixels: a change of variables that makes L-BFGS see the whole picture.

A picture is `origin + A z`, where A is the symmetric convolution that scales the Fourier amplitude at frequency f by
1 / f ** exponent (normalised to unit mean square), and z, of the picture's shape, is what the optimiser moves. Natural
pictures have amplitudes near 1 / f, so large soft shapes need fewer steps this way than pixel by pixel; Olah et al.
("Feature visualization", 2017) call it a decorrelated parametrisation. The minimum sought is the same.

Optimisers that treat every number by itself, such as Adam, need z (`Coefficients`). L-BFGS only ever takes dot
products, which the change of variables leaves alone but for one: with steps s = A s_z and changes of gradient
y_z = A y, s_z · y_z is s · y. So it stays among pixels, begins from A A where it began from the identity, and neither
z nor `origin` has to be held (`nst.optimizers.LBFGS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from nst import budget

Picture: TypeAlias = tf.Tensor | np.ndarray


class Spectrum:
    """A, for pictures (1, h, w, 3) float32 of one size, tensors or arrays; with exponent 0 the identity."""

    def __init__(self, height: int, width: int, exponent: float) -> None:
        self._sparing = budget.is_large(height, width)
        self._amplitude = None if exponent == 0 else tf.constant(_amplitude(height, width, exponent))

    def scaled(self, picture: Picture, *, twice: bool = False) -> Picture:
        """A picture, or `twice` A A picture."""
        if self._amplitude is None:
            return picture
        amplitude = self._amplitude * self._amplitude if twice else self._amplitude
        if isinstance(picture, np.ndarray):
            found = np.empty_like(picture)
            for part, channel in zip(self._parts(found), self._parts(picture), strict=True):
                part[...] = _scaled(channel, amplitude)
            return found
        parts = [_scaled(part, amplitude) for part in self._parts(picture)]
        return parts[0] if len(parts) == 1 else tf.concat(parts, -1)

    def _parts(self, picture: Picture) -> Iterator[Picture]:
        """The channels of a large picture one by one: a transform needs room for several times what it is given."""
        count = picture.shape[-1] if self._sparing else 1
        return (picture[..., part::count] for part in range(count))


class Coefficients:
    """Maps between the variable z and pixels, both (1, h, w, 3) float32; without a spectrum z is the picture itself."""

    def __init__(self, origin: Picture, exponent: float) -> None:
        self.origin = tf.convert_to_tensor(origin) if exponent else None
        """The picture that z = 0 stands for; None where z is the picture, so that it can be clipped."""
        height, width = origin.shape[1:3]
        self._spectrum = Spectrum(height, width, exponent)

    def start(self, origin: Picture) -> Picture:
        """The z that stands for the origin, which has to be told as it is only held where z needs it."""
        return origin if self.origin is None else tf.zeros_like(origin)

    def pixels(self, z: Picture) -> Picture:
        """The picture that z stands for."""
        return z if self.origin is None else self.origin + self._spectrum.scaled(z)

    def pull_back(self, gradient: Picture) -> Picture:
        """From a gradient with respect to pixels to the one with respect to z: A again, since it is symmetric."""
        return self._spectrum.scaled(gradient)


def _amplitude(height: int, width: int, exponent: float) -> np.ndarray:
    """(h, w // 2 + 1) float32 with unit mean square over all frequencies; the constant counts as the lowest one."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    amplitude = frequency**-exponent
    amplitude /= np.sqrt(np.mean(amplitude**2))
    return amplitude[:, : width // 2 + 1].astype(np.float32)


_PICTURE, _AMPLITUDE = tf.TensorSpec([1, None, None, None], tf.float32), tf.TensorSpec([None, None], tf.float32)


@tf.function(autograph=False, input_signature=[_PICTURE, _AMPLITUDE])
def _scaled(picture: tf.Tensor, amplitude: tf.Tensor) -> tf.Tensor:
    planes = tf.transpose(picture, [0, 3, 1, 2])  # as the transform is over the last two axes
    size = tf.shape(planes)[2:]
    spectrum = tf.raw_ops.RFFT2D(input=planes, fft_length=size) * tf.cast(amplitude, tf.complex64)
    return tf.transpose(tf.raw_ops.IRFFT2D(input=spectrum, fft_length=size), [0, 2, 3, 1])
