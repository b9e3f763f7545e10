"""Vectors that are remembered: which ones, products and sums, as tensors and in half the room, and states."""

import numpy as np
import pytest
import tensorflow as tf

from nst import vectors as module
from nst.vectors import Halves, Vectors

MOST = [1, 2, 3, 7, 20]


def given(count, size=33, seed=0):
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def filled(most, vectors, kind=Vectors):
    found = kind(most)
    for vector in vectors:
        found.append(as_held(vector, kind))
    return found


def as_held(vector, kind):
    return tf.constant(vector) if kind is Vectors else vector


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("kind", [Vectors, Halves])
def test_the_newest_are_multiplied_and_summed_oldest_first(most, kind, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 10)  # so that 33 numbers are unfolded in four pieces
    close = {"rtol": 0, "atol": 2e-2 if kind is Halves else 1e-5}
    vectors, other, weights = given(50), given(1, seed=1)[0], given(1, 50, seed=2)[0]
    for count in range(51):
        found, wanted = filled(most, vectors[:count], kind), vectors[:count][-most:].astype(np.float64)
        assert len(found) == len(wanted)
        np.testing.assert_allclose(found.products(as_held(other, kind)), [wanted @ other], **close)
        both = found.products(as_held(other, kind), as_held(vectors[0], kind))
        np.testing.assert_allclose(both, [wanted @ other, wanted @ vectors[0]], **close)
        total = found.added(weights[: len(wanted)].astype(np.float64), as_held(other, kind))
        np.testing.assert_allclose(total, other + weights[: len(wanted)] @ wanted, **close)


@pytest.mark.parametrize("most", MOST)
def test_no_more_rows_are_held_than_asked_for_in_a_few_matrices(most):
    for count in range(1, 70):
        rows = filled(most, given(count)).state()["rows"]
        assert sum(rows) == min(most, count)
        assert len(rows) <= 2 * most**0.5 + 1


def test_matrices_of_long_vectors_are_kept_small(monkeypatch):
    monkeypatch.setattr(module, "TALLEST", 3 * 33 * 4)
    assert filled(20, given(15)).state()["rows"] == [3] * 5
    monkeypatch.setattr(module, "TALLEST", 1)
    assert filled(20, given(15)).state()["rows"] == [1] * 15
    np.testing.assert_allclose(
        filled(20, given(15)).products(tf.constant(given(1)[0])), [given(15) @ given(1)[0]], rtol=1e-5
    )


def test_any_shape_and_float_type():
    vectors = np.random.default_rng(0).standard_normal((5, 1, 3, 4, 3))
    found = filled(4, vectors)
    np.testing.assert_allclose(found.products(tf.constant(vectors[0])), [np.tensordot(vectors[1:], vectors[0], 4)])
    total = found.added(np.array([1.0, 2.0, 3.0, 4.0]), tf.constant(vectors[0]))
    np.testing.assert_allclose(total, vectors[0] + np.tensordot([1, 2, 3, 4], vectors[1:], 1), rtol=1e-12)


def test_nothing_remembered_sums_to_nothing():
    found = filled(3, given(5))
    found.clear()
    assert len(found) == 0
    assert found.products(tf.ones(33)).shape == (1, 0)
    np.testing.assert_array_equal(found.added(np.zeros(0), tf.ones([11, 3])), np.ones([11, 3]))


@pytest.mark.parametrize("size", [1e-30, 1e-8, 1.0, 1e8])
def test_half_precision_does_not_mind_the_size(size):
    vectors = given(6, 1000) * np.float32(size)
    found = filled(6, vectors, Halves).added(np.ones(6), np.zeros(1000, np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vectors.sum(0), atol=2e-3 * size)
    zeros = filled(2, np.zeros((2, 5), np.float32), Halves)
    np.testing.assert_array_equal(zeros.added(np.ones(2), np.zeros(5, np.float32)), np.zeros(5))


@pytest.mark.parametrize("shape", [(4, 3, 2), (2, 3, 4)])
def test_half_precision_takes_arrays_in_any_order_of_memory(shape):
    vector = np.random.default_rng(0).standard_normal(shape).astype(np.float32).T
    found = filled(1, [vector], Halves)
    np.testing.assert_allclose(found.added(np.array([2.0]), vector), 3 * vector, atol=5e-3)
    np.testing.assert_allclose(found.products(vector), [[np.sum(vector**2)]], rtol=1e-3)


@pytest.mark.parametrize("kind", [Vectors, Halves])
@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize("count", [0, 1, 5, 8, 30])
def test_a_state_holds_float32_and_is_taken_up_to_the_bit(kind, size, count):
    vectors, more = given(count, size), given(9, size, seed=3)
    original, restored = filled(7, vectors, kind), kind(7)
    state = original.state()
    assert all(matrix.dtype == np.float32 for matrix in state["matrices"])
    restored.restore({**state, "matrices": [np.array(matrix) for matrix in state["matrices"]]}, vector_of(size, kind))
    for vector in (as_held(vector, kind) for vector in more):
        found = [held.products(vector) for held in (original, restored)]
        np.testing.assert_array_equal(*found)
        sums = [held.added(found[0][0], vector) for held in (original, restored)]
        np.testing.assert_array_equal(*sums)
        for held in (original, restored):
            held.append(vector)


def vector_of(size, kind):
    return as_held(np.zeros(size, np.float32), kind)


DAMAGES = {
    Vectors: [{"rows": [9]}, {"matrices": []}, {"rows": ["x"]}, {"rows": None}],
    Halves: [{"units": [1.0]}, {"matrices": []}, {"units": ["x"]}, {"units": None}],
}


@pytest.mark.parametrize(
    ("kind", "change"), [(kind, change) for kind, changes in DAMAGES.items() for change in changes]
)
def test_a_state_that_does_not_fit_is_refused(kind, change):
    state = filled(7, given(5), kind).state()
    with pytest.raises((TypeError, ValueError)):
        kind(7).restore(state | change, vector_of(33, kind))
    with pytest.raises(ValueError, match=r"instead of|for "):
        kind(7).restore(state, vector_of(35, kind))
    with pytest.raises(ValueError, match="at most 4"):
        kind(4).restore(state, vector_of(33, kind))
    with pytest.raises(KeyError):
        kind(7).restore({}, vector_of(33, kind))
