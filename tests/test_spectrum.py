"""The change of variables: linear, symmetric, of unit gain, the same plane by plane, nothing at all at exponent 0."""

import numpy as np
import pytest
import tensorflow as tf

from nst import budget
from nst.spectrum import Coefficients, Spectrum

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
        columns.append(spectrum.scaled(tf.constant(unit)).numpy()[0, ..., 0].ravel())
    return np.stack(columns, 1)


@pytest.mark.parametrize("size", SIZES)
def test_exponent_0_is_the_identity(size):
    z = noise(size, 1)
    variables = Coefficients(noise(size, 0), 0)
    np.testing.assert_array_equal(variables.pixels(z), z)
    np.testing.assert_array_equal(variables.pull_back(z), z)


@pytest.mark.parametrize("exponent", [0, *EXPONENTS])
def test_the_start_stands_for_the_origin(exponent):
    origin = noise((17, 16), 0)
    variables = Coefficients(origin, exponent)
    np.testing.assert_array_equal(variables.pixels(variables.start(origin)), origin)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_symmetric(size, exponent):
    spectrum = Spectrum(*size, exponent)
    x, y = noise(size, 1), noise(size, 2)
    left, right = dot(spectrum.scaled(x), y), dot(x, spectrum.scaled(y))
    assert abs(left - right) < 1e-5 * np.sqrt(dot(x, x) * dot(y, y))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_twice_is_what_it_says(size, exponent):
    spectrum, picture = Spectrum(*size, exponent), noise(size, 1)
    once = spectrum.scaled(picture)
    scale = np.abs(once).max()
    np.testing.assert_allclose(spectrum.scaled(picture, twice=True), spectrum.scaled(once), atol=1e-4 * scale)


@pytest.mark.parametrize("size", SIZES)
def test_plane_by_plane_is_the_same(size, monkeypatch):
    picture = noise(size, 1)
    whole = Spectrum(*size, 0.7)
    monkeypatch.setattr(budget, "LARGE", 100)
    sparing = Spectrum(*size, 0.7)
    assert whole._sparing != sparing._sparing
    np.testing.assert_allclose(sparing.scaled(picture), whole.scaled(picture), atol=1e-5)


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (8, 5), (7, 9)])
@pytest.mark.parametrize("exponent", EXPONENTS)
def test_unit_mean_square_amplitude_and_larger_for_lower_frequencies(size, exponent):
    matrix = as_matrix(Spectrum(*size, exponent), size)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    values = np.linalg.eigvalsh(np.float64(matrix))  # the amplitudes, since A is a symmetric convolution
    assert np.mean(values**2) == pytest.approx(1, abs=1e-4)
    assert values.min() > 0
    frequencies = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]).ravel()
    frequencies = np.maximum(frequencies, 1 / max(size))
    np.testing.assert_allclose(values[-1] / values[0], (frequencies.max() / frequencies.min()) ** exponent, rtol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_pull_back_is_the_gradient_with_respect_to_z(size):
    variables, wanted = Coefficients(noise(size, 0), 0.7), noise(size, 1)
    z = noise(size, 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        pixels = variables.pixels(z)
        tape.watch(pixels)
        loss = tf.reduce_sum((pixels - wanted) ** 2)
    found = variables.pull_back(tape.gradient(loss, pixels))
    np.testing.assert_allclose(found, tape.gradient(loss, z), rtol=1e-3, atol=1e-3)


def test_channels_do_not_mix():
    picture = np.zeros((1, 16, 17, 3), np.float32)
    picture[..., 1] = noise((16, 17), 0)[..., 1]
    found = Spectrum(16, 17, 1.0).scaled(tf.constant(picture)).numpy()
    assert not found[..., [0, 2]].any()
    assert found[..., 1].any()
