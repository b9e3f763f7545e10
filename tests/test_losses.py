"""The losses against values worked out by hand, and their gradients against central differences in float64."""

import numpy as np
import pytest
import tensorflow as tf

from nst import losses


def maps(*positions):
    """A feature map (1, 1, n, c) from the channel values at n positions."""
    return tf.constant([[positions]], tf.float64)


# Gram matrices


def test_gram_matrix_by_hand():
    # Positions (1, 2) and (3, 4). Sums over positions: 1*1+3*3 = 10, 1*2+3*4 = 14, 2*2+4*4 = 20. Halved: 5, 7, 10.
    np.testing.assert_array_equal(losses.gram_matrix(maps((1, 2), (3, 4))), [[5, 7], [7, 10]])


def test_gram_matrix_does_not_care_where_things_are():
    features = np.random.default_rng(0).standard_normal((1, 3, 4, 5))
    shuffled = features.reshape(12, 5)[::-1].reshape(1, 4, 3, 5)
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(features)), losses.gram_matrix(tf.constant(shuffled)))


def test_gram_matrix_of_a_tiled_map_is_the_same():
    features = np.random.default_rng(0).standard_normal((1, 3, 4, 5))
    tiled = np.tile(features, (1, 2, 3, 1))
    np.testing.assert_allclose(losses.gram_matrix(tf.constant(tiled)), losses.gram_matrix(tf.constant(features)))


# Content and style


def test_content_loss_by_hand():
    # Differences 1, 2, 0, -3: squares 1 + 4 + 0 + 9 = 14, over 4 values: 3.5.
    assert float(losses.content_loss(maps((1, 2), (3, 4)), maps((0, 0), (3, 7)))) == 3.5


def test_content_loss_of_the_target_itself_is_nothing():
    assert float(losses.content_loss(maps((1, 2)), maps((1, 2)))) == 0


def test_style_loss_by_hand():
    # [[5, 7], [7, 10]] less [[1, 7], [7, 8]] is [[4, 0], [0, 2]]: (16 + 4) / 4 = 5.
    gram, target = tf.constant([[5.0, 7], [7, 10]], tf.float64), tf.constant([[1.0, 7], [7, 8]], tf.float64)
    assert float(losses.style_loss(gram, target)) == 5


# Total variation


def test_total_variation_by_hand():
    # One channel is [[0, 1], [3, 7]]: right 1 + 4, down 3 + 6: 14. The others, 2x and constant: 28 and 0.
    plane = np.array([[0.0, 1], [3, 7]])
    picture = tf.constant(np.stack([plane, 2 * plane, 0 * plane + 9], -1)[None])
    assert float(losses.total_variation(picture)) == 14 + 28


def test_total_variation_counts_the_last_row_and_column():
    picture = np.zeros((1, 3, 3, 1))
    picture[0, 2, 2] = 5  # the last corner: one difference to the left, one upwards
    assert float(losses.total_variation(tf.constant(picture))) == 10


def test_total_variation_power_by_hand():
    # Over pixel (0, 0) alone: down 0 - 3, right 0 - 4: (9 + 16) ^ 1.25 = 25 * 25^0.25 = 25 * sqrt(5) = 55.9017.
    picture = tf.constant(np.array([[0.0, 4], [3, 100]])[None, ..., None])
    assert float(losses.total_variation_power(picture)) == pytest.approx(25 * np.sqrt(5), rel=1e-14)


def test_total_variation_power_leaves_the_last_row_and_column_out():
    # Of a 3 x 3 plane with 16 in the middle: (0,0) sees none of it, (0,1) and (1,0) see 256 once, (1,1) twice.
    # 2 * 256^1.25 + 512^1.25 = 2 * 1024 + 2^11.25. A value in the last corner is seen by nobody.
    plane = np.zeros((3, 3))
    plane[1, 1] = 16
    wanted = 2 * 1024 + 2**11.25
    assert float(losses.total_variation_power(tf.constant(plane[None, ..., None]))) == pytest.approx(wanted)
    plane[2, 2] = 50
    assert float(losses.total_variation_power(tf.constant(plane[None, ..., None]))) == pytest.approx(wanted)


@pytest.mark.parametrize("variation", [losses.total_variation, losses.total_variation_power])
def test_a_constant_picture_does_not_vary(variation):
    picture = tf.fill([1, 5, 4, 3], tf.constant(7.0, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(picture)
        value = variation(picture)
    assert float(value) == 0
    assert np.isfinite(tape.gradient(value, picture)).all()


# Pixels out of range


@pytest.mark.parametrize("pixel_range", [1.0, 255.0])
def test_out_of_range_by_hand(pixel_range):
    # In units of the range: -0.5, 0, 1 and 2 stand 0.5, 0, 0 and 1 outside. (0.25 + 1) / 4 = 0.3125.
    picture = pixel_range * tf.constant([-0.5, 0, 1, 2], tf.float64)
    assert float(losses.out_of_range(tf.reshape(picture, [1, 2, 2, 1]), pixel_range)) == pytest.approx(0.3125)


def test_neural_style_pays_five_for_each_squared_level_out_of_range():
    picture = tf.constant([-2.0, 0, 255, 258], tf.float64)
    weight = losses.FORMULAS["neural-style"].out_of_range(4)
    found = weight * float(losses.out_of_range(tf.reshape(picture, [1, 2, 2, 1]), 255.0))
    assert found == pytest.approx(5 * (2**2 + 3**2))


# Gradients


def worst_error(function, at, step=1e-5):
    """The largest difference between the gradient and central differences, as a fraction of the largest gradient."""
    point = tf.constant(at, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(point)
        value = function(point)
    gradient = tape.gradient(value, point).numpy()
    assert value.dtype == tf.float64
    numeric = np.zeros_like(at)
    for index in np.ndindex(*at.shape):
        move = np.zeros_like(at)
        move[index] = step
        numeric[index] = (function(tf.constant(at + move)) - function(tf.constant(at - move))) / (2 * step)
    assert np.abs(numeric).max() > 0
    return np.abs(gradient - numeric).max() / np.abs(numeric).max()


random = np.random.default_rng(3)
FEATURES, TARGET = random.standard_normal((2, 1, 3, 4, 2))
GRAM = losses.gram_matrix(tf.constant(TARGET))
LOPSIDED = tf.constant(random.standard_normal((2, 2)))
PICTURE = random.uniform(-0.5, 1.5, (1, 4, 3, 3))


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (lambda x: losses.content_loss(x, tf.constant(TARGET)), FEATURES),
        (lambda x: losses.style_loss(losses.gram_matrix(x), GRAM), FEATURES),
        (lambda x: losses.style_loss(losses.gram_matrix(x), LOPSIDED), FEATURES),
        (lambda x: losses.style_loss(x, GRAM), random.standard_normal((2, 2))),
        (losses.total_variation, PICTURE),
        (losses.total_variation, PICTURE[:, :1]),
        (losses.total_variation_power, PICTURE),
        (lambda x: losses.out_of_range(x, 1.0), PICTURE),
    ],
    ids=[
        "content",
        "style of features",
        "a lopsided target",
        "style of Gram",
        "variation",
        "variation of a row",
        "variation power",
        "out of range",
    ],
)
def test_gradients_are_those_of_central_differences(function, at):
    assert worst_error(function, at) < 1e-7


def test_the_variation_of_no_rows_has_no_gradient():
    nothing = tf.constant(PICTURE[:, :0])
    with tf.GradientTape() as tape:
        tape.watch(nothing)
        value = losses.total_variation(nothing)
    assert float(value) == 0
    assert tape.gradient(value, nothing).shape == nothing.shape


# Formulas


def test_formula_factors_by_hand():
    # A layer of 3 channels and 4 x 5 positions, for a picture of 16 x 20 pixels.
    channels, positions, pixels = 3, 20, 320
    factor = {name: formula.style(channels, positions, pixels) for name, formula in losses.FORMULAS.items()}
    assert factor["neural-style"] == pytest.approx(1 / 9)  # Gram / (20 * 3) instead of / 20, squared
    # 9 entries summed, each Gram 20 times as large, over 36 * 320^2 = 3686400: 9 * 400 / 3686400.
    assert factor["keras-example"] == pytest.approx(3600 / 3686400)
    assert factor["tensorflow-tutorial"] == 1
    assert {name: formula.content(60) for name, formula in losses.FORMULAS.items()} == {
        "balanced": 1,
        "neural-style": 1,
        "keras-example": 60,
        "tensorflow-tutorial": 1,
    }


@pytest.mark.parametrize(
    ("magnitude", "energy", "wanted"), [(5, 10, 5), (0.01, 10, 0.1), (0, 10, 0.1), (0, 0, 1e-12), (3, 0, 3)]
)
def test_balance_has_a_floor(magnitude, energy, wanted):
    assert losses.balance(magnitude, energy) == pytest.approx(wanted)
