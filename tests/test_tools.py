"""Learning the built-in filters: what is distilled sees what its teacher sees, and every step is repeatable."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from nst import samples, weights
from nst.config import CONVOLUTIONS
from tests.conftest import draw
from tests.networks import seeded
from tools import distil, kmeans
from tools.pictures import Crops, preprocessed, training_pictures

PICTURES = [draw(180, 140, seed) for seed in range(3)]


def features(filters: dict, layer: str, seed: int = 9) -> np.ndarray:
    """Activations of a layer for a batch of crops that nothing was fitted on, (b, h, w, c)."""
    found = tf.constant(preprocessed(Crops(PICTURES, 64, seed).batch(4)))
    for name in CONVOLUTIONS:
        if name.endswith("conv1") and name != CONVOLUTIONS[0]:
            found = tf.nn.max_pool2d(found, 2, 2, "VALID")
        found = tf.nn.relu(tf.nn.conv2d(found, filters[name][0], 1, "SAME") + filters[name][1])
        if name == layer:
            return found.numpy()
    raise KeyError(layer)


def first(filters: dict, layers: int) -> dict:
    return {name: filters[name] for name in CONVOLUTIONS[:layers]}


@pytest.fixture(scope="module")
def teacher():
    return first(seeded().filters, 5)


def widths(teacher: dict, share: float) -> dict[str, int]:
    return {layer: max(1, round(kernel.shape[-1] * share)) for layer, (kernel, _) in teacher.items()}


# Distilling


def test_a_student_as_wide_as_its_teacher_becomes_the_teacher(teacher):
    student = distil.distil(teacher, widths(teacher, 1), PICTURES, crops=24)
    for layer in teacher:
        wanted = features(teacher, layer)
        assert np.mean((features(student, layer) - wanted) ** 2) < 1e-4 * np.mean(wanted**2), layer


def test_a_narrow_student_reproduces_channels_of_its_teacher(teacher):
    """Every feature map is a map of the teacher's, and far nearer to it than to the next best one."""
    student = distil.distil(teacher, widths(teacher, 0.5), PICTURES, crops=60)
    for layer in teacher:
        found, wanted = (features(filters, layer) for filters in (student, teacher))
        distance = ((found[..., :, None] - wanted[..., None, :]) ** 2).mean((0, 1, 2)) / (wanted**2).mean()
        assert found.shape[-1] == round(wanted.shape[-1] / 2)
        nearest = np.sort(distance, axis=1)
        assert len(set(distance.argmin(axis=1))) == found.shape[-1]
        assert nearest[:, 0].mean() < 0.3 * nearest[:, 1].mean(), layer


def test_the_student_mends_what_rounding_costs_the_layers_below(teacher):
    """Kernels rounded as coarsely as possible: fitted on the rounded layers below, the upper ones lose less."""

    def coarse(kernel: np.ndarray) -> np.ndarray:
        scale = np.abs(kernel).max((0, 1, 2)) / 3
        return (np.round(kernel / scale) * scale).astype(np.float32)

    mended = distil.distil(teacher, widths(teacher, 1), PICTURES, crops=24, rounded=coarse)
    exact = distil.distil(teacher, widths(teacher, 1), PICTURES, crops=24)
    only_rounded = {layer: (coarse(kernel), bias) for layer, (kernel, bias) in exact.items()}
    last = list(teacher)[-1]
    wanted = features(teacher, last)
    errors = [np.mean((features(filters, last) - wanted) ** 2) for filters in (mended, only_rounded)]
    assert errors[0] < 0.8 * errors[1]


def test_distilling_twice_gives_the_same_bytes(teacher):
    once, twice = (distil.distil(teacher, widths(teacher, 0.5), PICTURES, crops=12, seed=3) for _ in range(2))
    assert weights.pack(once) == weights.pack(twice)
    other = distil.distil(teacher, widths(teacher, 0.5), PICTURES, crops=12, seed=4)
    assert weights.pack(once) != weights.pack(other)


# Choosing channels


def test_a_channel_that_others_make_up_is_not_chosen():
    rng = np.random.default_rng(0)
    columns = rng.random((500, 4))
    columns = np.column_stack([columns, columns[:, 0] + columns[:, 1], 2 * columns[:, 2], np.zeros(500)])
    chosen = distil.select_channels(columns.T @ columns, 4)
    left = columns - columns[:, chosen] @ np.linalg.lstsq(columns[:, chosen], columns)[0]
    assert np.abs(left).max() < 1e-6


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**31))
def test_choices_are_distinct_ordered_and_explain_ever_more(count, seed):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((40, 12)) @ rng.standard_normal((12, 12))
    moments = columns.T @ columns
    chosen = distil.select_channels(moments, count)
    assert len(set(chosen)) == count
    assert (np.diff(chosen) > 0).all()
    assert (
        unexplained(columns, chosen) <= unexplained(columns, distil.select_channels(moments, max(1, count - 1))) + 1e-6
    )


def unexplained(columns: np.ndarray, chosen: np.ndarray) -> float:
    left = columns - columns[:, chosen] @ np.linalg.lstsq(columns[:, chosen], columns)[0]
    return float((left**2).sum() / (columns**2).sum())


def test_the_first_choice_is_the_best_single_one():
    columns = np.random.default_rng(1).standard_normal((60, 5)) @ np.random.default_rng(2).standard_normal((5, 9))
    (best,) = distil.select_channels(columns.T @ columns, 1)
    assert unexplained(columns, np.array([best])) == min(unexplained(columns, np.array([j])) for j in range(9))


# Without a pretrained network


@pytest.fixture(scope="module")
def clustered():
    return kmeans.learn(PICTURES, width=1 / 16, crops=24)


def test_every_filter_is_silent_for_its_share_of_a_picture_and_has_the_same_energy(clustered):
    """Measured on crops that nothing was learned from, so only roughly."""
    for layer in CONVOLUTIONS[:4]:
        found = features(clustered, layer)
        assert abs(np.mean(found == 0) - kmeans.SILENT) < 0.15, layer
        assert np.sqrt(np.mean(found**2)) == pytest.approx(kmeans.ENERGY, rel=0.35), layer


def test_learning_without_a_pretrained_network_has_vgg19s_shape_and_gives_the_same_bytes_twice(clustered):
    assert list(clustered) == list(CONVOLUTIONS)
    assert [len(bias) for _, bias in clustered.values()] == [count // 16 for count in weights.CHANNELS.values()]
    assert weights.pack(clustered) == weights.pack(kmeans.learn(PICTURES, width=1 / 16, crops=24))
    assert weights.pack(clustered) != weights.pack(kmeans.learn(PICTURES, width=1 / 16, crops=24, seed=1))


def test_whitening_makes_the_leading_components_alike():
    rng = np.random.default_rng(0)
    patches = (rng.standard_normal((4000, 6)) * [9, 7, 5, 3, 2, 1]).astype(np.float32)
    white = patches @ kmeans.whitening(patches, components=4)
    covariance = white.T @ white / len(white)
    assert white.shape == (4000, 4)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02
    assert np.diag(covariance).min() > 0.5  # the regulariser keeps them below 1
    assert np.diag(covariance).max() < 1


def test_spherical_kmeans_finds_bundles_of_directions():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    lengths = rng.uniform(0.1, 10, 1000)[:, None]
    points = lengths * (directions[rng.integers(5, size=1000)] + 0.03 * rng.standard_normal((1000, 5)))
    found = kmeans.spherical_kmeans(points.astype(np.float32), 12, rng)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found @ directions.T).max(0).min() > 0.99


# Pictures to learn from


def test_training_pictures_are_the_free_ones_and_the_painted_ones():
    pictures = training_pictures()
    assert len(pictures) == 8 + 2 * len(samples.styles())
    assert all(picture.dtype == np.float32 and 0 <= picture.min() <= picture.max() <= 1 for picture in pictures)


def test_crops_are_seeded_square_and_in_range():
    once, twice = (Crops(PICTURES, 48, seed=5).batch(20) for _ in range(2))
    assert once.shape == (20, 48, 48, 3)
    assert once.dtype == np.float32
    assert 0 <= once.min() <= once.max() <= 1
    assert (once == twice).all()
    assert len({crop.tobytes() for crop in once}) == 20
