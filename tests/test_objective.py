"""The compiled objective: the classic formulas term by term, its gradient, what weights mean, and no retracing."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst import image, losses, tiles, weights
from nst.config import PRESETS, Settings, preset
from nst.engine import prepare_tensorflow, stylize
from nst.features import Extractor, TargetCache, extractor
from nst.objective import Objective
from nst.tiles import Stage
from tests import reference

prepare_tensorflow()  # so that float32 is float32 on a graphics card as well
CLASSICS = list(reference.FORMULAS)


def objective(settings, photograph, styles, network, size=None):
    return Objective.of(
        photograph,
        styles,
        settings,
        size=size or photograph.shape[1::-1],
        extract=extractor(network, settings),
        cache=TargetCache(),
    )


def evaluate(found, array):
    values, gradient = found(tf.constant(array[None] * found.pixel_range, tf.float32))
    return values[:4], gradient.numpy()


# The classic programs, against straight-line float64


def check_classic(name, network, activations, width, height, seed, picture):
    # The result, photograph and style all of one size, so that nothing is resized on the way.
    photograph, painting, result = (picture(width, height, 3 * seed + i) for i in range(3))
    found = objective(preset(name), photograph, [painting], network)
    values, gradient = evaluate(found, result)
    rgb = np.float64(result[None] * np.float32(found.pixel_range))
    wanted, slope = reference.losses_and_gradient(name, activations, rgb, photograph, painting)
    assert min(wanted) > 0
    np.testing.assert_allclose(values, wanted, rtol=2e-4)
    assert np.linalg.norm(gradient - slope) < 2e-3 * np.linalg.norm(slope)


@pytest.mark.parametrize(("width", "height", "seed"), [(37, 45, 0), (50, 33, 1), (65, 47, 2)])
@pytest.mark.parametrize("name", CLASSICS)
def test_classic_terms_and_gradient(name, width, height, seed, narrow, picture):
    activations = functools.partial(reference.activations, narrow.filters)
    check_classic(name, narrow, activations, width, height, seed, picture)


@pytest.fixture(scope="module")
def keras_vgg19(vgg19_path):
    """Pixels in 0..255 to activations by layer, by keras.applications alone."""
    theirs = keras.applications.VGG19(include_top=False, weights=str(vgg19_path))
    names = [*reference.STYLE_LAYERS, "block4_conv2", "block5_conv2"]
    model = keras.Model(theirs.input, [theirs.get_layer(name).output for name in names])

    def activations(rgb):
        found = model(tf.cast(keras.applications.vgg19.preprocess_input(rgb), tf.float32))
        return {name: tf.cast(array, tf.float64) for name, array in zip(names, found, strict=True)}

    return activations


@pytest.mark.weights
@pytest.mark.parametrize("name", CLASSICS)
def test_classic_terms_and_gradient_on_vgg19(name, keras_vgg19, vgg19_path, picture):
    check_classic(name, weights.read(vgg19_path), keras_vgg19, 61, 45, 0, picture)


@pytest.mark.parametrize("name", CLASSICS)
def test_classic_weights_are_factors(name, narrow, picture):
    arrays = [picture(40, 33, seed) for seed in range(3)]
    plain = preset(name)
    changed = plain.replace(
        content_weight=3 * plain.content_weight, style_weight=5 * plain.style_weight, tv_weight=7 * plain.tv_weight
    )
    before, _ = evaluate(objective(plain, arrays[0], [arrays[1]], narrow), arrays[2])
    after, _ = evaluate(objective(changed, arrays[0], [arrays[1]], narrow), arrays[2])
    np.testing.assert_allclose(after[1:], before[1:] * [3, 5, 7], rtol=1e-5)
    assert after[0] == pytest.approx(after[1:].sum(), rel=1e-5)


def test_neural_style_normalises_by_each_pictures_own_size(narrow, picture):
    """A style picture of another size than the result: its Gram matrices are divided by its own N."""
    photograph, painting, result = picture(64, 33, 0), picture(33, 64, 1), picture(64, 33, 2)
    values, _ = evaluate(objective(preset("neural-style"), photograph, [painting], narrow), result)
    activations = functools.partial(reference.activations, narrow.filters)
    rgb = np.float64(result[None] * np.float32(255))
    wanted, _ = reference.losses_and_gradient("neural-style", activations, rgb, photograph, painting)
    np.testing.assert_allclose(values, wanted, rtol=2e-4)


# Gradient and weights of any formula


@pytest.mark.parametrize(
    "changes",
    [
        {"tv_weight": 0.1},
        {"bounds": "penalty", "strength": 10},
        {"pooling": "average", "padding": "edge"},
        {"content_layers": [("block2_conv1", 0.5), ("block4_conv1", 2)], "style_layers": [("block3_conv2", 3)]},
    ],
    ids=str,
)
def test_gradient_is_the_slope_of_the_total(changes, narrow, picture):
    found = objective(Settings(**changes), picture(41, 34, 0), [picture(30, 50, 1)], narrow)
    at = picture(41, 34, 2) * 1.2 - 0.1  # some of it out of range
    _, gradient = evaluate(found, at)
    random = np.random.default_rng(0)
    for _ in range(3):  # down the slope, and a little aside, so that the slope stands out of float32's noise
        move = gradient / np.linalg.norm(gradient) + 0.7 * random.standard_normal(gradient.shape) / 60
        step = 0.02 * move / np.abs(move).max()  # of 255: so few of the kinks of ReLU and pooling lie between
        pixels = tf.constant(at[None] * 255, tf.float32)
        ahead, behind = (found(pixels + sign * tf.constant(step, tf.float32))[0][0] for sign in (1, -1))
        assert (ahead - behind) / 2 == pytest.approx(float(np.sum(gradient * step)), rel=0.01)


def test_total_is_the_sum_of_its_parts_and_the_penalty(narrow, picture):
    settings = Settings(tv_weight=2.0, bounds="penalty")
    found = objective(settings, picture(41, 34, 0), [picture(30, 50, 1)], narrow)
    inside, _ = evaluate(found, picture(41, 34, 2))
    assert inside[0] == pytest.approx(inside[1:].sum(), rel=1e-5)
    at = picture(41, 34, 2) + 0.4
    outside, _ = evaluate(found, at)
    penalty = losses.FORMULAS["balanced"].out_of_range(at.size) * np.mean(np.maximum(at - 1, 0) ** 2)
    assert penalty > 0
    assert outside[0] == pytest.approx(outside[1:].sum() + penalty, rel=1e-4)


def test_layer_weights_and_shares_mean_what_they_say(narrow, picture):
    """neural-style, two content layers and two style layers of unequal weights, by hand."""
    settings = preset("neural-style").replace(
        content_layers=[("block2_conv1", 2.0), ("block3_conv1", 0.5)],
        style_layers=[("block1_conv1", 3.0), ("block3_conv1", 0.0)],
        style_weights=[1, 3],
    )
    photograph, first, second, result = (picture(37, 33, seed) for seed in range(4))
    values, _ = evaluate(objective(settings, photograph, [first, second], narrow), result)
    maps = [reference.activations(narrow.filters, a[None] * 255.0) for a in (photograph, first, second, result)]
    content = sum(
        5 * weight * np.mean((maps[3][layer] - maps[0][layer]) ** 2)
        for layer, weight in (("block2_conv1", 2), ("block3_conv1", 0.5))
    )
    grams = [reference.gram(m["block1_conv1"]).numpy() / m["block1_conv1"].numpy().size for m in maps]
    style = 100 * 3 * np.mean((grams[3] - (grams[1] + 3 * grams[2]) / 4) ** 2)
    np.testing.assert_allclose(values[1:3], [content, style], rtol=2e-4)


# The balanced formula


PAIRS = [(0, 1), (2, 3), (4, 5)]


@pytest.mark.parametrize("changes", [{}, PRESETS["studio"].settings.to_dict()], ids=["plain", "studio"])
@pytest.mark.parametrize(("content", "style"), PAIRS)
@pytest.mark.parametrize("size", [(32, 24), (49, 64), (96, 72)])
def test_balanced_terms_are_near_1_at_the_reference_pictures(size, content, style, changes, narrow, picture):
    """Style is 1 at the photograph, content 1 where every feature is its mean; times the weights."""
    settings = Settings.from_dict(changes | {"style_weight": 3.0, "content_weight": 2.0, "precision": "float32"})
    photograph, painting = picture(80, 60, content), picture(60, 60, style)
    found = objective(settings, photograph, [painting], narrow, size)
    values, _ = evaluate(found, image.resize(photograph, size, soft=True))
    assert values[1] == pytest.approx(0, abs=1e-6)
    assert values[2] == pytest.approx(3.0, rel=1e-3)
    targets, factors = found.arguments[:2]
    flat = [float(tf.reduce_mean(tf.math.reduce_variance(target, axis=[1, 2]))) for target in targets]
    assert float(np.dot(factors, flat)) == pytest.approx(2.0, rel=1e-3)
    grey, _ = evaluate(found, np.full((size[1], size[0], 3), 0.5, np.float32))
    assert 0.3 * 2 < grey[1] < 4 * 2


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.25])
def test_balanced_terms_do_not_depend_on_the_contrast_of_the_pair(gain, narrow, picture):
    photograph, painting = (0.5 + gain * (picture(48, 40, seed) - 0.5) for seed in (0, 1))
    found = objective(Settings(style_weight=1.0), photograph, [painting], narrow)
    values, _ = evaluate(found, photograph)
    assert values[2] == pytest.approx(1, rel=0.05)


def test_balanced_variation_is_a_mean_that_does_not_grow_with_size(narrow, picture):
    values = []
    for repeat in (1, 2):  # the same texture on four times the area
        array = np.tile(picture(32, 32, 0), (repeat, repeat, 1))
        values.append(evaluate(objective(Settings(tv_weight=10.0), array, [array], narrow), array)[0][3])
    assert values[1] == pytest.approx(values[0], rel=0.15)
    assert values[0] > 0


MEAN_RGB = np.float32(reference.MEAN_BGR[::-1]) / 255


@pytest.mark.parametrize("colour", [0.0, 0.5, 1.0, MEAN_RGB], ids=["black", "grey", "white", "ImageNet's mean"])
def test_flat_pictures_do_not_divide_by_zero(colour, narrow, picture):
    flat = np.zeros((33, 40, 3), np.float32) + np.float32(colour)
    for photograph, painting in ((flat, flat), (flat, picture(40, 33)), (picture(40, 33), flat)):
        found = objective(Settings(bounds="penalty", tv_weight=1.0), photograph, [painting], narrow)
        for at in (flat, picture(40, 33, 1)):
            values, gradient = evaluate(found, at)
            assert np.isfinite(values).all()
            assert np.isfinite(gradient).all()


# One trace


def test_the_step_is_traced_once_whatever_changes(narrow, picture):
    base = Settings(size=32, iterations=2)
    extract = extractor(narrow, base)
    extract.steps.clear()
    for settings in (
        base,
        base.replace(size=47, strength=80),
        base.replace(size=128, scales=2, coarse_iterations=2, iterations=1),
        base.replace(tv_weight=3.0, bounds="penalty", content_weight=2.0, style_scale=0.7),
        base.replace(optimizer="adam", spectrum=0.5, init="noise"),
    ):
        assert extractor(narrow, settings) is extract
        stylize(picture(60, 44, settings.size), [picture(30, 40, settings.size + 1)], settings, network=narrow)
    stylize(picture(33, 60), [picture(40, 40), picture(50, 20)], base, network=narrow)
    assert list(extract.steps) == ["balanced"]
    assert extract.steps["balanced"].experimental_get_tracing_count() == 1


def test_pairs_strengths_and_scales_share_the_compiled_step(narrow, picture):
    settings = preset("neural-style")
    first = objective(settings, picture(33, 40), [picture(30, 30)], narrow)
    second = objective(settings.replace(style_weight=1.0), picture(64, 48, 1), [picture(40, 30, 1)], narrow)
    assert first.step is second.step
    assert first.step is not objective(preset("keras-example"), picture(33, 40), [picture(30, 30)], narrow).step


@pytest.mark.parametrize(("cards", "way"), [([], "tiles"), (["one"], "whole")])
def test_a_card_is_told_from_a_processor(cards, way, narrow, picture, monkeypatch):
    """By the names of what is compiled: only the way in tiles takes the penalties on their own."""
    monkeypatch.setattr(tiles, "WAYS", ((math.inf, (Stage(2, 32), Stage(5, None))),))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: cards)
    size = (48, 40)
    extract = Extractor(narrow, ["block2_conv1"], ["block1_conv1"], pooling="max", padding="zero")
    settings = Settings(content_layers=[("block2_conv1", 1)], style_layers=[("block1_conv1", 1)])
    Objective.of(picture(*size), [picture(40, 40)], settings, size=size, extract=extract, cache=TargetCache())
    assert list(extract.steps) == ["balanced" if way == "whole" else "balanced penalties"]
