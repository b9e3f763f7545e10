"""The truncated network against straight-line convolutions and Keras' VGG19, and the cache of style targets."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst import weights
from nst.config import CONVOLUTIONS, Settings
from nst.engine import prepare_tensorflow
from nst.features import AVERAGE_POOLING_GAIN, Extractor, TargetCache, extractor, vgg19
from nst.tiles import WHOLE, Stage
from tests import reference
from tests.networks import seeded

prepare_tensorflow()  # so that float32 is float32 on a graphics card as well
STYLE, CONTENT = ("block1_conv1", "block2_conv1"), ("block2_conv2",)


def pixels(array):
    return tf.constant(array[None] * 255.0, tf.float32)


def small(network, *, style=STYLE, content=CONTENT, pooling="max", padding="zero"):
    return Extractor(network, content, style, pooling=pooling, padding=padding)


@pytest.fixture(scope="module")
def extract(narrow):
    return small(narrow)


# The network


@pytest.mark.parametrize("deepest", [CONVOLUTIONS[0], "block3_conv3", "block4_conv2", CONVOLUTIONS[-1]])
def test_no_layer_deeper_than_the_deepest_asked_for_exists(narrow, deepest):
    model = vgg19(narrow, [CONVOLUTIONS[0], deepest] if deepest != CONVOLUTIONS[0] else [deepest])
    found = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert found == list(CONVOLUTIONS[: CONVOLUTIONS.index(deepest) + 1])
    assert model.layers[-1].name == deepest
    assert not model.trainable_weights


def test_outputs_come_in_the_order_asked_for(narrow, picture):
    layers = ["block3_conv1", "block1_conv2", "block2_conv1"]
    found = vgg19(narrow, layers)(pixels(picture(33, 21)))
    assert [array.shape for array in found] == [(1, 5, 8, 32), (1, 21, 33, 8), (1, 10, 16, 16)]


@pytest.mark.parametrize("padding", ["zero", "edge"])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_activations_are_those_of_straight_line_convolutions(narrow, picture, pooling, padding):
    found = Extractor(narrow, CONVOLUTIONS, CONVOLUTIONS[:1], pooling=pooling, padding=padding)
    rgb = pixels(picture(45, 37, seed=2))
    contents, grams = found(rgb)
    assert AVERAGE_POOLING_GAIN == 2
    wanted = reference.activations(narrow.filters, rgb, pooling=pooling, padding=padding)
    for layer, content in zip(CONVOLUTIONS, contents, strict=True):
        scale = np.abs(wanted[layer]).max()
        np.testing.assert_allclose(content, wanted[layer], atol=2e-6 * scale, err_msg=layer)
    first = wanted[CONVOLUTIONS[0]]
    np.testing.assert_allclose(grams[0], reference.gram(first) / (45 * 37), rtol=1e-4)


def test_edge_padding_keeps_a_constant_picture_constant_and_zero_padding_frames_it(narrow):
    grey = tf.fill([1, 40, 36, 3], 200.0)
    for padding, flat in (("edge", True), ("zero", False)):
        (features,), _ = small(narrow, content=("block3_conv2",), padding=padding)(grey)
        spread = float(tf.reduce_max(tf.math.reduce_std(features, axis=[0, 1, 2])))
        assert (spread < 1e-4 * float(tf.reduce_max(features))) == flat, padding


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (45, 37)])
def test_sizes_are_halved_rounding_down(narrow, size):
    found = extractor(narrow, Settings(content_layers=[("block2_conv2", 1), ("block5_conv4", 1)]))
    contents, grams = found(tf.zeros([1, size[1], size[0], 3]))
    assert contents[0].shape == (1, size[1] // 2, size[0] // 2, 16)
    assert contents[1].shape == (1, size[1] // 16, size[0] // 16, 64)
    assert [gram.shape[0] for gram in grams] == [8, 16, 32, 64, 64]


def test_extractor_is_built_once(narrow, other_narrow):
    first = extractor(narrow, Settings())
    assert extractor(narrow, Settings(size=64, strength=10, iterations=3, formula="balanced")) is first
    assert extractor(seeded(), Settings()) is first  # the filters count, not the object
    layers = [(layer, 5.0) for layer, _ in Settings().style_layers]
    assert extractor(narrow, Settings(style_layers=layers)) is first  # weights are arguments
    for other in (
        extractor(other_narrow, Settings()),
        extractor(narrow, Settings(pooling="average")),
        extractor(narrow, Settings(padding="edge")),
    ):
        assert other is not first


@pytest.mark.weights
def test_vgg19_is_the_one_of_keras(vgg19_path, picture):
    theirs = keras.applications.VGG19(include_top=False, weights=str(vgg19_path))
    rgb = pixels(picture(45, 37))
    wanted = keras.Model(theirs.input, [theirs.get_layer(name).output for name in CONVOLUTIONS])(
        keras.applications.vgg19.preprocess_input(rgb.numpy())
    )
    network = weights.read(vgg19_path)
    found, _ = Extractor(network, CONVOLUTIONS, CONVOLUTIONS[:1], pooling="max", padding="zero")(rgb)
    for layer, ours, other in zip(CONVOLUTIONS, found, wanted, strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-5 * np.abs(other).max(), err_msg=layer)


# The cache of style targets


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.grams, b.grams, strict=True))


def test_targets_are_computed_once(extract, picture):
    cache, style = TargetCache(), picture(32, 24)
    first, second = cache.targets(extract, style), cache.targets(extract, style.copy())
    assert (first.cached, second.cached) == (False, True)
    assert equal(first, second)
    np.testing.assert_allclose(first.grams[0], extract(pixels(style))[1][0], rtol=1e-6)


def test_targets_survive_a_restart_on_disk(extract, picture, tmp_path):
    style = picture(32, 24)
    first = TargetCache(tmp_path / "new").targets(extract, style)
    again = TargetCache(tmp_path / "new").targets(extract, style)
    assert (first.cached, again.cached) == (False, True)
    assert equal(first, again)


def test_without_a_folder_nothing_is_written(extract, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TargetCache().targets(extract, picture(32, 24))
    assert not list(tmp_path.iterdir())


def test_keys_differ_for_whatever_changes_the_targets(narrow, other_narrow, picture, tmp_path):
    style = picture(32, 24)
    one = TargetCache(tmp_path)
    turned = np.ascontiguousarray(style.reshape(32, 24, 3))  # the same bytes, another size
    cases = [
        (small(narrow), style),
        (small(narrow), turned),
        (small(narrow), picture(32, 24, seed=1)),
        (small(narrow), picture(34, 24)),
        (small(other_narrow), style),
        (small(narrow, pooling="average"), style),
        (small(narrow, padding="edge"), style),
        (small(narrow, style=STYLE[::-1]), style),
        (small(narrow, style=STYLE[:1]), style),
        (small(narrow, style=("block1_conv2", "block2_conv1")), style),
    ]
    for extract, array in cases:
        assert not one.targets(extract, array).cached
    for extract, array in cases:
        found = one.targets(extract, array)
        assert found.cached
        for gram, wanted in zip(found.grams, extract(pixels(array))[1], strict=True):
            np.testing.assert_allclose(gram, wanted, rtol=1e-5)


def test_targets_of_another_way_are_others(narrow, picture):
    cache, extract, tiled = TargetCache(), small(narrow), (Stage(5, 16),)
    assert not cache.targets(extract, picture(48, 40)).cached
    assert not cache.targets(extract, picture(48, 40), tiled).cached
    assert cache.targets(extract, picture(48, 40), tiled).cached
    assert cache.targets(extract, picture(48, 40), WHOLE).cached


def test_content_layers_do_not_matter_to_style_targets(narrow, picture):
    cache = TargetCache()
    cache.targets(small(narrow), picture(32, 24))
    assert cache.targets(small(narrow, content=("block1_conv2",)), picture(32, 24)).cached


def saved(**arrays):
    def spoil(path):
        np.savez(path, **arrays)

    return spoil


GOOD = {"block1_conv1": np.ones((8, 8), np.float32), "block2_conv1": np.ones((16, 16), np.float32)}
DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-200]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit flipped": lambda path: path.write_bytes(bytes(b ^ (i == 300) for i, b in enumerate(path.read_bytes()))),
    "another thing": lambda path: path.write_bytes(b"<html>" * 100),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a layer missing": saved(block1_conv1=GOOD["block1_conv1"]),
    "NaN": saved(**GOOD | {"block1_conv1": np.full((8, 8), np.nan, np.float32)}),
    "wrong shape": saved(**GOOD | {"block1_conv1": np.ones((4, 4), np.float32)}),
    "one number": saved(**GOOD | {"block1_conv1": np.float32(1)}),
    "text": saved(**GOOD | {"block1_conv1": np.full((8, 8), "1")}),
    "complex numbers": saved(**GOOD | {"block1_conv1": np.ones((8, 8), complex)}),
    "pickled objects": saved(**GOOD | {"block1_conv1": np.full((8, 8), None)}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_only_costs_recomputation(extract, picture, tmp_path, damage):
    style = picture(32, 24)
    first = TargetCache(tmp_path).targets(extract, style)
    (path,) = tmp_path.glob("*.npz")
    DAMAGES[damage](path)
    again = TargetCache(tmp_path).targets(extract, style)
    assert not again.cached
    assert equal(first, again)
    if path.is_file():
        assert TargetCache(tmp_path).targets(extract, style).cached  # and the file is whole again


def test_a_folder_that_cannot_be_written_only_costs_recomputation(extract, picture, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    cache = TargetCache(blocked / "cache")
    assert not cache.targets(extract, picture(32, 24)).cached
    assert cache.targets(extract, picture(32, 24)).cached


def test_memory_and_disk_are_bounded_and_the_newest_stay(extract, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(TargetCache, "MEMORY", 2)
    monkeypatch.setattr(TargetCache, "DISK", 3)
    assert TargetCache.MEMORY < TargetCache.DISK
    cache, styles = TargetCache(tmp_path), [picture(20, 20, seed) for seed in range(5)]
    for style in styles:
        cache.targets(extract, style)
    assert len(cache._held) == 2
    assert len(list(tmp_path.iterdir())) == 3
    assert not TargetCache(tmp_path).targets(extract, styles[0]).cached
    assert TargetCache(tmp_path).targets(extract, styles[-1]).cached


def test_what_was_used_last_stays_in_memory(extract, picture, monkeypatch):
    monkeypatch.setattr(TargetCache, "MEMORY", 2)
    cache, (first, second, third) = TargetCache(), [picture(20, 20, seed) for seed in range(3)]
    for style in (first, second, first, third):
        cache.targets(extract, style)
    assert cache.targets(extract, first).cached
    assert not cache.targets(extract, second).cached


def test_a_cache_may_be_shared_between_threads(extract, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(TargetCache, "MEMORY", 2)
    cache, styles = TargetCache(tmp_path), [picture(20, 20, seed) for seed in range(4)]
    wanted = [extract(pixels(style))[1][0].numpy() for style in styles]
    wrong = []

    def work():
        for _ in range(10):
            for style, gram in zip(styles, wanted, strict=True):
                if not np.allclose(cache.targets(extract, style).grams[0], gram, rtol=1e-5):
                    wrong.append(style)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
