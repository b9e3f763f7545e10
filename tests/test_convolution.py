"""Convolutions computed as gradients are those computed forward, and are taken only where they are the quicker ones."""

import platform

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nst import convolution as module
from nst.convolution import FEWEST_FILTERS, Turned, convolution


def both(received, filters, seed):
    """A layer of either kind with the same weights."""
    random = np.random.default_rng(seed)
    weights = [random.standard_normal((3, 3, received, filters)), random.standard_normal(filters)]
    for kind in (keras.layers.Conv2D, Turned):
        layer = kind(filters, 3, padding="same", activation="relu")
        layer(keras.Input((None, None, received), batch_size=1))
        layer.set_weights([array.astype(np.float32) for array in weights])
        yield layer


def seen(layer, features, slope):
    with tf.GradientTape() as tape:
        tape.watch(features)
        found = layer(features)
    return found.numpy(), tape.gradient(found, features, slope).numpy()


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(1, 9)] * 4), st.integers(0, 99))
def test_values_and_gradients_are_those_of_the_way_forward(sizes, seed):
    height, width, received, filters = sizes
    random = np.random.default_rng(seed)
    features = tf.constant(random.standard_normal((1, height, width, received)), tf.float32)
    slope = tf.constant(random.standard_normal((1, height, width, filters)), tf.float32)
    forward, turned = (seen(layer, features, slope) for layer in both(received, filters, seed))
    for wanted, found in zip(forward, turned, strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-6 * max(np.abs(wanted).max(), 1), rtol=1e-5)


def made(filters=FEWEST_FILTERS, padding="same", dtype="float32"):
    return convolution(filters, padding=padding, activation="relu", name="convolution", dtype=dtype)


@pytest.fixture
def processor(monkeypatch):
    """One whose convolutions are oneDNN's."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])


@pytest.mark.usefixtures("processor")
def test_many_filters_in_float32_are_turned():
    assert isinstance(made(), Turned)
    plain = [made(filters=FEWEST_FILTERS - 1), made(padding="valid"), made(dtype="mixed_bfloat16")]
    assert not any(isinstance(layer, Turned) for layer in plain)


@pytest.mark.usefixtures("processor")
@pytest.mark.parametrize("where", ["graphics card", "ARM", "without oneDNN"])
def test_elsewhere_nothing_is_turned(where, monkeypatch):
    if where == "graphics card":
        monkeypatch.setattr(module.tf.config, "list_physical_devices", lambda kind: ["card"])
    if where == "ARM":
        monkeypatch.setattr(platform, "machine", lambda: "arm64")
    if where == "without oneDNN":
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not isinstance(made(), Turned)


@pytest.mark.weights
def test_vgg19_is_the_same_turned_or_not(vgg19_path, monkeypatch):
    from nst.features import vgg19
    from nst.weights import read

    random, network = np.random.default_rng(0), read(vgg19_path)
    picture = tf.constant(random.uniform(-100, 100, (1, 37, 52, 3)), tf.float32)
    found = []
    for turned in (True, False):
        monkeypatch.setattr(module, "_reorders_gradients", lambda turned=turned: turned)
        model = vgg19(network, ["block5_conv1"])
        assert any(isinstance(layer, Turned) for layer in model.layers) == turned
        with tf.GradientTape() as tape:
            tape.watch(picture)
            features = model(picture)
        found.append((features, tape.gradient(features, picture)))
    for turned, forward in zip(*found, strict=True):
        assert float(tf.norm(turned - forward)) < 1e-5 * float(tf.norm(forward))
