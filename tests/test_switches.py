"""Max pooling that remembers what it took, against a loop over positions."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nst.switches import NOWHERE, pooled, unpooled

sizes = st.tuples(*[st.integers(2, 7)] * 2, st.integers(1, 3))
maps = sizes.flatmap(lambda size: arrays.arrays(np.float32, size, elements=st.sampled_from([0, 0, 1, 2, 2.5])))


def by_hand(features, slope):
    """Of (h, w, c) after a ReLU, what is pooled and the slope before the ReLU; the first of equals is taken."""
    largest, before = np.zeros_like(slope), np.zeros_like(features)
    for y, x, c in np.ndindex(slope.shape):
        four = features[2 * y : 2 * y + 2, 2 * x : 2 * x + 2, c]
        largest[y, x, c] = four.max()
        if four.max() > 0:
            row, column = divmod(int(four.argmax()), 2)
            before[2 * y + row, 2 * x + column, c] = slope[y, x, c]
    return largest, before


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@given(features=maps)
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_first_of_the_largest_is_taken(dtype, features):
    height, width, channels = features.shape
    slope = np.arange(1, 1 + height // 2 * (width // 2) * channels, dtype=np.float32)
    slope = slope.reshape(height // 2, width // 2, channels)
    largest, place = pooled(tf.constant(features[None], dtype))
    before = unpooled(tf.constant(slope[None], dtype), place, (height, width))
    assert largest.dtype == before.dtype == dtype
    for found, wanted in zip((largest, before), by_hand(features, slope), strict=True):
        np.testing.assert_array_equal(tf.cast(found, tf.float32)[0], wanted)


def test_as_tensorflow_pools():
    random = np.random.default_rng(0)
    linear = tf.constant(random.normal(size=(1, 9, 12, 5)), tf.float32)
    slope = tf.constant(random.normal(size=(1, 4, 6, 5)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(linear)
        wanted = tf.nn.max_pool2d(tf.nn.relu(linear), 2, 2, "VALID")
    largest, place = pooled(tf.nn.relu(linear))
    np.testing.assert_array_equal(largest, wanted)
    np.testing.assert_array_equal(unpooled(slope, place, (9, 12)), tape.gradient(wanted, linear, slope))


def test_a_byte_for_four_positions():
    features = np.array([[3, 1, 0, 0, 0, 2], [1, 2, 0, 0, 5, 1]], np.float32)[None, ..., None]
    _, place = pooled(tf.constant(features))
    assert place.dtype == tf.uint8
    assert place.numpy().ravel().tolist() == [0, NOWHERE, 2]


def test_what_is_pooled_waits_for_its_places():
    """Else the next block begins while the map is still held: 100 MB more at 1024 × 768."""
    with tf.Graph().as_default():
        largest, place = pooled(tf.zeros([1, 4, 4, 2]))
        awaited = [*largest.op.control_inputs, *largest.op.inputs[0].op.control_inputs]
        assert {op.name for op in awaited} & {tensor.op.name for tensor in place.op.inputs}
