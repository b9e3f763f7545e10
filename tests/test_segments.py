"""Segment by segment and tile by tile against the whole way: losses, gradients, maps, Gram matrices; one trace each."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nst import convolution, evaluation, losses, objective, striped, tiles, weights
from nst.config import Settings, preset
from nst.engine import prepare_tensorflow, stylize
from nst.features import Extractor, TargetCache, extractor
from nst.objective import Objective
from nst.tiles import WHOLE, Stage
from tests.conftest import draw
from tests.networks import seeded

prepare_tensorflow()  # so that float32 is float32 on a graphics card as well
RECOMPUTED = (Stage(2, 32), Stage(5, None))
TILED = (Stage(3, 32), Stage(5, 48))
STRIPED = (Stage(5, None, strips=2),)
SHALLOW = {"content_layers": [("block3_conv2", 1)], "style_layers": [("block1_conv1", 1), ("block3_conv2", 1)]}
SETTINGS = {
    "balanced": Settings(tv_weight=1.0, bounds="penalty"),
    "average pooling, edge padding, the deepest layer": preset("neural-style").replace(
        pooling="average",
        padding="edge",
        bounds="penalty",
        content_layers=[("block2_conv1", 1), ("block5_conv4", 1)],
        style_layers=[("block1_conv2", 1), ("block3_conv4", 3)],
    ),
    "powers, sums, no deeper than block 3": preset("keras-example").replace(**SHALLOW),
    "pixels to 1, the last maps of blocks": preset("tensorflow-tutorial").replace(
        content_layers=[("block3_conv2", 1)],
        style_layers=[("block1_conv2", 1), ("block2_conv1", 2), ("block2_conv2", 1), ("block3_conv1", 1)],
    ),
}


def evaluated(settings, size, way, network, **options):
    """Losses by layer, and the gradient, at a picture some of which is out of range."""
    found = Objective.of(
        draw(*size, seed=0),
        [draw(40, 50, seed=1)],
        settings,
        size=size,
        cache=TargetCache(),
        by=way,
        **{"extract": extractor(network, settings), **options},
    )
    values, gradient = found(tf.constant((draw(*size, seed=2) * 1.2 - 0.1)[None] * found.pixel_range, tf.float32))
    return values, np.asarray(gradient)


def check_agree(found, wanted):
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-4)
    difference = found[1] - wanted[1]
    assert np.abs(wanted[1]).max() > 0
    assert np.abs(difference).max() < 1e-4 * np.abs(wanted[1]).max()
    assert np.linalg.norm(difference) < 1e-4 * np.linalg.norm(wanted[1])


# Against the whole way

core = st.none() | st.integers(1, 5).map(lambda cells: tiles.GRID * cells)
in_tiles = st.sampled_from([(5,), (2, 5), (1, 4, 5)]).flatmap(
    lambda lasts: st.tuples(*(st.builds(Stage, st.just(last), core, st.just(0)) for last in lasts))
)
in_strips = st.tuples(st.builds(Stage, st.just(5), st.none(), st.integers(1, 2)))


@given(name=st.sampled_from(list(SETTINGS)), size=st.tuples(*[st.integers(32, 100)] * 2), way=in_tiles | in_strips)
@hypothesis_settings(max_examples=30, deadline=None, derandomize=True)  # a kink of a ReLU may lie within an ulp
def test_losses_and_gradient_are_those_of_the_whole_way(name, size, way):
    check_agree(*(evaluated(SETTINGS[name], size, by, seeded()) for by in (way, WHOLE)))


@pytest.mark.parametrize("way", [(Stage(5, 16),), (Stage(1, 16), Stage(2, 16), Stage(3, 16), Stage(5, 16))])
@pytest.mark.parametrize("name", SETTINGS)
def test_tiles_of_a_single_cell_of_the_grid(name, way, narrow):
    check_agree(*(evaluated(SETTINGS[name], (63, 49), by, narrow) for by in (way, WHOLE)))


@pytest.mark.parametrize("values", [1, 700])
@pytest.mark.parametrize("name", SETTINGS)
def test_penalties_and_magnitudes_add_up_over_strips(name, values, narrow, monkeypatch):
    wanted = evaluated(SETTINGS[name], (50, 37), WHOLE, narrow)
    monkeypatch.setattr(evaluation, "STRIP", values)
    monkeypatch.setattr(objective, "STRIP", values)
    check_agree(evaluated(SETTINGS[name], (50, 37), (Stage(5, None),) * 2, narrow), wanted)


@pytest.mark.weights
def test_vgg19_in_tiles(vgg19_path):
    network = weights.read(vgg19_path)
    wanted = evaluated(preset("studio").replace(precision="float32"), (201, 137), WHOLE, network)
    for way in (RECOMPUTED, TILED, STRIPED, (Stage(5, 64),)):
        check_agree(evaluated(preset("studio").replace(precision="float32"), (201, 137), way, network), wanted)


@pytest.mark.parametrize("size", [(40, 16), (16, 17), (45, 18), (16, 19), (50, 20), (33, 31)], ids=str)
@pytest.mark.parametrize("name", SETTINGS)
def test_strips_of_a_row_or_two(name, size, narrow):
    check_agree(*(evaluated(SETTINGS[name], size, by, narrow) for by in (STRIPED, WHOLE)))


def test_strips_of_layers_with_biases(narrow):
    random = np.random.default_rng(3)
    filters = {
        name: (kernel, random.normal(0, 30, bias.shape).astype(np.float32))
        for name, (kernel, bias) in narrow.filters.items()
    }
    network = weights.make("builtin", "the same with biases", filters)
    for settings in (SETTINGS["balanced"], SETTINGS["average pooling, edge padding, the deepest layer"]):
        check_agree(*(evaluated(settings, (63, 49), by, network) for by in (STRIPED, WHOLE)))


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="what a processor's memory is spared")
def test_strips_hold_less(narrow):
    settings, size, held = SETTINGS["balanced"], (800, 600), []
    extract, pixels = extractor(narrow, settings), tf.constant(draw(*size)[None] * 255)
    for by in ((Stage(5, None),), STRIPED):
        found = Objective.of(
            draw(*size), [draw(40, 50)], settings, size=size, extract=extract, cache=TargetCache(), by=by
        )
        found(pixels)
        held.append(min(held_at_most(lambda found=found: found(pixels)) for _ in range(4)))
    assert 0 < held[1] < 0.6 * held[0]  # 0.3 to 0.43: threads vary it


@pytest.mark.parametrize("name", SETTINGS)
def test_last_maps_are_computed_anew_only_where_they_are_needed(name, narrow, monkeypatch):
    computed = Counter()
    convolved = striped._Convolution.__call__

    def counted(self, strip, seen, wanted):
        @tf.custom_gradient
        def told(features):
            def note(array):
                computed[self.name] += 1
                return array

            found = tf.numpy_function(note, [features], features.dtype, stateful=False)  # dropped where not asked for
            return tf.ensure_shape(found, features.shape), lambda slope: slope

        return told(convolved(self, strip, seen, wanted))

    monkeypatch.setattr(striped._Convolution, "__call__", counted)
    settings = SETTINGS[name]
    content, style = ([layer for layer, _ in layers] for layers in (settings.content_layers, settings.style_layers))
    extract = Extractor(narrow, content, style, pooling=settings.pooling, padding=settings.padding)
    check_agree(
        evaluated(settings, (51, 37), STRIPED, narrow, extract=extract), evaluated(settings, (51, 37), WHOLE, narrow)
    )
    blocks = [block for block in (1, 2) if f"block{block}_conv1" not in content]
    assert {f"block{block}_conv1" for block in blocks} <= set(computed)
    asked = {f"block{block}_conv2" for block in blocks}
    assert asked & set(computed) == (asked if settings.pooling == "average" else asked & set(style))
    assert set(computed.values()) == {striped.STRIPS}


def held_at_most(evaluate):
    """Bytes of tensors beside those that were there before."""
    before = tf.config.experimental.get_memory_info("CPU:0")["current"]
    tf.config.experimental.reset_memory_stats("CPU:0")
    evaluate()
    return tf.config.experimental.get_memory_info("CPU:0")["peak"] - before


def test_blocks_with_content_targets_are_held(narrow):
    network = extractor(narrow, SETTINGS["balanced"]).segments
    assert network.segment(1, 5, 2).striped == {0, 1}
    assert network.segment(1, 5, 0).striped == set()
    network = extractor(narrow, SETTINGS["average pooling, edge padding, the deepest layer"]).segments
    assert network.segment(1, 5, 2).striped == {0}
    shallow = Extractor(narrow, ["block2_conv2"], ["block1_conv1"], pooling="max", padding="zero").segments
    assert shallow.segment(1, 2, 2).striped == {0}  # nothing pools what the last block gives


def test_layers_that_leave_a_segment_without_a_loss(narrow):
    settings = Settings(content_layers=[("block4_conv1", 1)], style_layers=[("block4_conv1", 1)])
    for way in (RECOMPUTED, STRIPED, (Stage(1, 16), Stage(2, 16), Stage(5, 32))):
        check_agree(*(evaluated(settings, (63, 49), by, narrow) for by in (way, WHOLE)))


# Looking without a gradient


@pytest.mark.parametrize("name", SETTINGS)
def test_maps_and_gram_matrices_are_those_of_a_look_at_the_whole(name, narrow):
    extract, picture = extractor(narrow, SETTINGS[name]), draw(77, 50)
    wanted = extract(tf.constant(picture[None] * 255))
    for way in (RECOMPUTED, TILED, STRIPED, (Stage(5, 16),)):
        found = extract.look(picture, way)
        for some, others in zip(found, wanted, strict=True):
            for one, other in zip(some, others, strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(other).max())
        maps, grams = extract.look(picture, way, contents=False)
        assert not maps
        assert all(np.array_equal(one, other) for one, other in zip(grams, found[1], strict=True))
    assert not extract.look(picture, WHOLE, contents=False)[0]


class Whole(Extractor):
    """An extractor that is not to be shown large pictures."""

    def call(self, picture):
        assert picture.shape[1] is None or picture.shape[1] * picture.shape[2] < 64 * 64
        return super().call(picture)


def test_large_photographs_and_styles_are_never_looked_at_whole(narrow, monkeypatch):
    monkeypatch.setattr(tiles, "ON_A_CARD", 0)
    monkeypatch.setattr(tiles, "WAYS", ((63 * 64, WHOLE), (90 * 90, RECOMPUTED), (np.inf, TILED)))
    settings = SETTINGS["balanced"]
    layers = [[layer for layer, _ in pairs] for pairs in (settings.content_layers, settings.style_layers)]
    extract = Whole(narrow, *layers, pooling="max", padding="zero")
    cache = TargetCache()
    large, small = draw(120, 90), draw(40, 30)
    grams = cache.targets(extract, large).grams
    for found, wanted in zip(grams, Extractor.call(extract, tf.constant(large[None] * 255))[1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    for size in ((80, 80), (120, 90)):
        found = Objective.of(large, [small], settings, size=size, extract=extract, cache=cache)
        values, _ = found(tf.constant(draw(*size, seed=2)[None] * 255))
        assert np.isfinite(values).all()
    with pytest.raises(AssertionError):
        Objective.of(large, [small], settings, size=(120, 90), extract=extract, cache=cache, by=WHOLE)


def test_what_leads_up_to_a_large_picture_and_its_styles_go_its_way(narrow, monkeypatch):
    monkeypatch.setattr(tiles, "ON_A_CARD", 0)
    monkeypatch.setattr(tiles, "WAYS", ((70 * 70, WHOLE), (np.inf, TILED)))
    monkeypatch.setattr(tiles, "SPARING", 100 * 100)
    ways, look, evaluate = [], Extractor.look, objective.evaluation
    monkeypatch.setattr(objective, "evaluation", lambda *given: ways.append(given[-1]) or evaluate(*given))
    monkeypatch.setattr(Extractor, "look", lambda *given, **more: ways.append(given[2]) or look(*given, **more))
    settings = Settings(size=128, iterations=1, scales=2, coarse_iterations=1, style_scale=0.5)
    stylize(draw(128, 96), [draw(50, 50, 1)], settings, network=narrow)
    assert ways == [TILED] * 6  # at either size the photograph, the style and the losses
    ways.clear()
    stylize(draw(128, 96), [draw(50, 50, 1)], settings.replace(size=64), network=narrow)
    assert set(ways) == {WHOLE}


def test_maps_are_held_as_they_were_computed(narrow):
    layers = ("block1_conv1", "block2_conv1")
    extract = Extractor(narrow, layers, layers, pooling="max", padding="zero", precision="mixed")
    maps, grams = extract.look(draw(70, 50), TILED)
    assert [str(array.dtype) for array in maps] == ["float32", "bfloat16"]
    assert [gram.dtype for gram in grams] == [tf.float32] * 2
    assert str(extract.segments.segment(1, 1, 0).output.dtype.name) == "bfloat16"


def test_turned_convolutions_in_tiles(narrow, monkeypatch):
    layers = ("block2_conv2", "block4_conv2")
    found = []
    for fewest in (10**6, 8):
        monkeypatch.setattr(convolution, "FEWEST_FILTERS", fewest)
        monkeypatch.setattr(convolution, "_reorders_gradients", lambda: True)
        extract = Extractor(narrow, layers, layers, pooling="max", padding="zero")
        assert any(isinstance(layer, convolution.Turned) for layer in extract.backbone.layers) == (fewest == 8)
        targets = dict(zip(layers, extract.look(draw(70, 50, 1), TILED)[0], strict=True))
        grams = {name: tf.zeros((extract.channels[name],) * 2) for name in layers}
        gradient, one = np.zeros((1, 50, 70, 3), np.float32), tf.ones([])
        wanted = [{name: (target, one) for name, target in part.items()} for part in (targets, grams)]
        extract.segments.pull_back(draw(70, 50)[None] * 255, 1.0, TILED, *wanted, gradient)
        found.append(gradient)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5 * np.abs(found[0]).max())


# One trace, the same bytes, new weights


def test_segments_are_traced_once_whatever_changes(narrow):
    base = Settings(padding="edge", tv_weight=1.0)  # an extractor that no other test here uses
    for size in ((40, 50), (63, 49), (100, 33)):
        for way in (RECOMPUTED, (Stage(2, 16), Stage(5, 16)), (Stage(2, None), Stage(5, None)), STRIPED):
            for settings in (base, base.replace(strength=80.0), preset("tensorflow-tutorial").replace(
                padding="edge", content_layers=base.content_layers, style_layers=base.style_layers
            )):  # fmt: skip
                evaluated(settings, size, way, narrow)
    segments = extractor(narrow, base).segments
    assert segments.segment.cache_info().currsize == 3
    for part in ((1, 2, 0), (3, 5, 0), (1, 5, 2)):
        segment = segments.segment(*part)
        assert segment.look.experimental_get_tracing_count() == 1
        assert segment.pull.experimental_get_tracing_count() == 1
    assert {step.experimental_get_tracing_count() for step in extractor(narrow, base).steps.values()} <= {0, 1}


@pytest.mark.parametrize("way", [RECOMPUTED, TILED, STRIPED], ids=str)
def test_the_same_bytes_twice(way, narrow):
    first, second = (evaluated(SETTINGS["balanced"], (85, 61), way, narrow) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() == second[1].tobytes()


def test_a_run_in_tiles_ends_where_a_whole_one_does(narrow, monkeypatch):
    settings = Settings(size=64, iterations=6, bounds="penalty", spectrum=0.4)
    wanted = stylize(draw(80, 60), [draw(50, 50, 1)], settings, network=narrow)
    monkeypatch.setattr(tiles, "ON_A_CARD", 0)
    monkeypatch.setattr(tiles, "WAYS", ((np.inf, TILED),))
    first, second = (stylize(draw(80, 60), [draw(50, 50, 1)], settings, network=narrow) for _ in range(2))
    assert first.picture.tobytes() == second.picture.tobytes()
    assert np.abs(first.picture - wanted.picture).mean() < 2e-4  # L-BFGS makes much of a last bit
    assert not np.array_equal(first.picture, wanted.picture)  # so it was another way that it went


@pytest.mark.parametrize("way", [RECOMPUTED, TILED], ids=str)
def test_new_weights_take_effect_at_once(way, narrow):
    size, before, after = (63, 49), SETTINGS["balanced"], SETTINGS["balanced"].replace(strength=20.0, tv_weight=9.0)
    pixels = tf.constant(draw(*size, seed=2)[None] * 255)
    found = []
    for by in (way, WHOLE):
        of = {"size": size, "extract": extractor(narrow, before), "cache": TargetCache(), "by": by}
        begun = Objective.of(draw(*size), [draw(40, 50, 1)], before, **of)
        values, gradient = begun.reweighted(after)(pixels)
        assert not np.allclose(values, begun(pixels)[0], rtol=0.01)
        found.append((values, np.asarray(gradient)))
    check_agree(*found)


def test_a_part_of_a_gram_matrix_is_its_share(narrow):
    """What `Segments` rests on: a mean over positions is the sum of its parts' means by their shares."""
    features = tf.constant(draw(30, 20)[None])
    parts = [(features[:, :8], 0.4), (features[:, 8:], 0.6)]
    whole = sum(share * losses.gram_matrix(part).numpy() for part, share in parts)
    np.testing.assert_allclose(whole, losses.gram_matrix(features), rtol=1e-5)
