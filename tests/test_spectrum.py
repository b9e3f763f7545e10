"""The change of variables: linear, symmetric, of unit gain, and nothing at all at exponent 0."""

import numpy as np
import pytest
import tensorflow as tf

from nst.spectrum import Spectrum

SIZES = [(16, 16), (17, 16), (16, 17), (33, 21), (20, 48)]
EXPONENTS = [0.4, 1.0, 2.0]


def noise(size, seed):
    return tf.constant(np.random.default_rng(seed).standard_normal((1, *size, 3)), tf.float32)


def dot(a, b):
    return float(np.sum(np.float64(a) * np.float64(b)))


def as_matrix(spectrum, size):
    """A, for one channel, column by column."""
    columns = []
    for index in np.ndindex(*size):
        unit = np.zeros((1, *size, 3), np.float32)
        unit[(0, *index, 0)] = 1
        columns.append(spectrum.pull_back(tf.constant(unit)).numpy()[0, ..., 0].ravel())
    return np.stack(columns, 1)


@pytest.mark.parametrize("size", SIZES)
def test_exponent_0_is_the_identity(size):
    z = noise(size, 1)
    spectrum = Spectrum(noise(size, 0), 0)
    np.testing.assert_array_equal(spectrum.pixels(z), z)
    np.testing.assert_array_equal(spectrum.pull_back(z), z)


@pytest.mark.parametrize("exponent", [0, *EXPONENTS])
def test_the_start_stands_for_the_origin(exponent):
    origin = noise((17, 16), 0)
    spectrum = Spectrum(origin, exponent)
    np.testing.assert_array_equal(spectrum.pixels(spectrum.start()), origin)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_symmetric(size, exponent):
    spectrum = Spectrum(noise(size, 0), exponent)
    x, y = noise(size, 1), noise(size, 2)
    left, right = dot(spectrum.pull_back(x), y), dot(x, spectrum.pull_back(y))
    assert abs(left - right) < 1e-5 * np.sqrt(dot(x, x) * dot(y, y))


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (8, 5), (7, 9)])
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_unit_mean_square_amplitude_and_larger_for_lower_frequencies(size, exponent):
    matrix = as_matrix(Spectrum(tf.zeros([1, *size, 3]), exponent), size)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    values = np.linalg.eigvalsh(np.float64(matrix))  # the amplitudes, since A is a symmetric convolution
    assert np.mean(values**2) == pytest.approx(1, abs=1e-4)
    assert values.min() > 0
    frequencies = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]).ravel()
    frequencies = np.maximum(frequencies, 1 / max(size))
    np.testing.assert_allclose(values[-1] / values[0], (frequencies.max() / frequencies.min()) ** exponent, rtol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_pull_back_is_the_gradient_with_respect_to_z(size):
    spectrum, wanted = Spectrum(noise(size, 0), 0.7), noise(size, 1)
    z = noise(size, 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        pixels = spectrum.pixels(z)
        tape.watch(pixels)
        loss = tf.reduce_sum((pixels - wanted) ** 2)
    found = spectrum.pull_back(tape.gradient(loss, pixels))
    np.testing.assert_allclose(found, tape.gradient(loss, z), rtol=1e-3, atol=1e-3)


def test_channels_do_not_mix():
    picture = np.zeros((1, 16, 17, 3), np.float32)
    picture[..., 1] = noise((16, 17), 0)[..., 1]
    found = Spectrum(tf.constant(picture), 1.0).pull_back(tf.constant(picture)).numpy()
    assert not found[..., [0, 2]].any()
    assert found[..., 1].any()
