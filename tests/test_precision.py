"""Mixed precision: which one is the quicker here, what stays float32, how near the pictures come, on any device."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from nst import cli, engine
from nst.checkpoint import Checkpoint
from nst.config import AUTO, CONVOLUTIONS, PRESETS, Settings, preset
from nst.errors import CheckpointError, SettingsError
from nst.features import Extractor, TargetCache, extractor, vgg19
from nst.objective import Objective
from nst.precision import quicker, reopened, settled
from nst.tiles import WHOLE, Stage
from tests.conftest import draw
from tests.judge import judged

WAYS = {
    "whole": WHOLE,
    "segments": (Stage(2, 32), Stage(5, None)),
    "tiles": (Stage(3, 32), Stage(5, 48)),
    "strips": (Stage(5, None, strips=2),),
}
MIXED = Settings(tv_weight=1.0, bounds="penalty", precision="mixed")
HOW = {"pooling": "max", "padding": "zero"}
SHORT = preset("draft").replace(size=48, scales=2, coarse_iterations=3, iterations=6)
needs_card = pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="needs a graphics card")


# Which


@pytest.mark.parametrize(("capability", "wanted"), [((9, 0), "mixed"), ((8, 0), "mixed"), ((7, 5), "float32")])
def test_a_graphics_card_is_asked_for_its_generation(capability, wanted):
    assert quicker(capability) == wanted


def test_a_card_that_tells_nothing_is_not_trusted_with_it():
    assert quicker(()) == "float32"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [({"avx2", "avx512_bf16"}, "mixed"), ({"amx_bf16"}, "mixed"), ({"avx512f"}, "float32"), (set(), "float32")],
)
def test_a_processor_may_have_instructions_for_it(flags, wanted, monkeypatch):
    for name in ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    assert quicker(flags=flags) == wanted


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("TF_ENABLE_ONEDNN_OPTS", "0", "float32"),
        ("TF_ENABLE_ONEDNN_OPTS", "1", "mixed"),
        ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", "float32"),
        ("ONEDNN_MAX_CPU_ISA", "avx512_core_bf16", "mixed"),
        ("DNNL_MAX_CPU_ISA", "AVX2", "float32"),
    ],
)
def test_instructions_that_tensorflow_is_told_not_to_use_do_not_count(name, value, wanted, monkeypatch):
    for other in ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    assert quicker(flags={"avx512_bf16"}) == wanted


def test_this_processor_is_asked_for_its_instructions(monkeypatch):
    for name in ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    told = Path("/proc/cpuinfo")
    flags = told.read_text() if told.exists() else ""
    assert quicker() == ("mixed" if re.search(r"\b(avx512|amx)_bf16\b", flags) else "float32")


def test_only_what_was_left_open_is_settled():
    assert settled(Settings(precision=AUTO), "mixed") == Settings(precision="mixed")
    assert settled(Settings(precision="float32"), "mixed") == Settings(precision="float32")


def test_a_new_picture_from_an_old_one_is_settled_anew():
    assert reopened(preset("studio").replace(precision="mixed")).precision == AUTO
    for kept in (preset("keras-example").replace(precision="mixed"), Settings(preset="of another version")):
        assert reopened(kept) == kept


def test_an_open_precision_builds_nothing(narrow):
    with pytest.raises(SettingsError, match="not settled"):
        extractor(narrow, SHORT)


def test_our_own_presets_leave_it_open_and_the_classic_programs_are_exact():
    assert {name for name, found in PRESETS.items() if found.settings.precision == AUTO} == {
        "draft", "studio", "neural-style-fast"
    }  # fmt: skip
    assert {found.settings.precision for found in PRESETS.values()} == {AUTO, "float32"}


# The network


@pytest.mark.parametrize(("pooling", "padding"), [("max", "zero"), ("average", "edge")])
def test_all_but_the_first_layer_compute_in_half_the_bits(narrow, pooling, padding):
    model = vgg19(narrow, CONVOLUTIONS, pooling=pooling, padding=padding, precision="mixed")
    first, *others = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert first.compute_dtype == "float32"
    assert {layer.compute_dtype for layer in others} == {"bfloat16"}
    assert {layer.variable_dtype for layer in others} == {"float32"}
    assert {activation.dtype.name for activation in model(tf.zeros([1, 32, 32, 3]))[1:]} == {"bfloat16"}


def test_what_the_losses_see_is_float32_and_near(narrow):
    rgb = tf.constant(draw(48, 40, seed=1)[None] * 255)
    found, wanted = (
        tf.nest.flatten(Extractor(narrow, CONVOLUTIONS[3:8], CONVOLUTIONS[:5], **HOW, precision=precision)(rgb))
        for precision in ("mixed", "float32")
    )
    for half, full in zip(found, wanted, strict=True):
        assert half.dtype == tf.float32
        difference = np.linalg.norm(half - full) / np.linalg.norm(full)
        assert difference < 0.01
    assert difference > 0  # so it did compute otherwise


@pytest.mark.parametrize("way", WAYS)
def test_losses_and_gradient_come_near_by_every_way(narrow, way):
    (values, gradient), (wanted, slope) = (
        evaluated(MIXED.replace(precision=precision), narrow, WAYS[way]) for precision in ("mixed", "float32")
    )
    np.testing.assert_allclose(values, wanted, rtol=0.02)
    assert np.linalg.norm(gradient - slope) < 0.15 * np.linalg.norm(slope)  # random filters cancel more than VGG19's
    assert gradient.dtype == np.float32


def test_strips_without_biases_are_rounded_as_the_whole_is(narrow):
    """With biases, which strips add to rounded sums and the whole to exact ones, losses differ by about a per cent."""
    (values, gradient), (wanted, slope) = (evaluated(MIXED, narrow, WAYS[way]) for way in ("strips", "whole"))
    np.testing.assert_allclose(values, wanted, rtol=1e-4)
    assert np.linalg.norm(gradient - slope) < 1e-3 * np.linalg.norm(slope)


def evaluated(settings, network, way):
    found = Objective.of(
        draw(80, 64, seed=0),
        [draw(40, 50, seed=1)],
        settings,
        size=(80, 64),
        extract=extractor(network, settings),
        cache=TargetCache(),
        by=way,
    )
    values, gradient = found(tf.constant((draw(80, 64, seed=2) * 1.2 - 0.1)[None] * found.pixel_range, tf.float32))
    return values, np.asarray(gradient)


def test_style_targets_are_kept_apart(narrow, tmp_path):
    style = draw(40, 40, seed=3)
    for precision in ("mixed", "float32"):
        cache = TargetCache(tmp_path)  # a new one: what is known is on the disk
        assert not cache.targets(extractor(narrow, MIXED.replace(precision=precision)), style).cached
    assert len(list(tmp_path.iterdir())) == 2


# The run


def paint(network, settings=SHORT, **options):
    return engine.stylize(draw(60, 48, seed=0), [draw(40, 40, seed=1)], settings, network=network, **options)


def test_a_result_tells_which_it_was_and_repeats_to_the_same_bytes(narrow):
    result = paint(narrow, SHORT)
    assert result.settings.precision == engine.quicker_precision()
    np.testing.assert_array_equal(paint(narrow, result.settings).picture, result.picture)


@pytest.mark.parametrize("precision", ["mixed", "float32"])
def test_a_stopped_run_goes_on_in_the_precision_it_began_with(narrow, precision):
    """A gallery may have been carried here from another computer, where the other one is the quicker."""
    chosen = SHORT.replace(precision=precision)
    steps = itertools.count(1)
    stopped = paint(narrow, chosen, cancelled=lambda: next(steps) > 5)
    checkpoint = Checkpoint.from_bytes(stopped.checkpoint().to_bytes())
    resumed = paint(narrow, SHORT, checkpoint=checkpoint)  # whose precision is open
    np.testing.assert_array_equal(resumed.picture, paint(narrow, chosen).picture)
    other = "float32" if precision == "mixed" else "mixed"
    with pytest.raises(CheckpointError, match="other settings"):
        paint(narrow, SHORT.replace(precision=other), checkpoint=checkpoint)


# VGG19 on real pictures


@pytest.mark.weights
@pytest.mark.slow
def test_a_picture_loses_one_per_cent_at_most(shared, vgg19_path, tmp_path):
    """Judged in float32 after equally many evaluations; quicker where the processor is made for it, right anywhere."""
    pictures = [str(shared / "images" / f"{name}.jpg") for name in ("tubingen", "starry_night")]
    command = ["stylize", *pictures, "--preset", "neural-style-fast", "--size", "192", "--weights", str(vgg19_path)]
    outs = {precision: tmp_path / f"{precision}.png" for precision in ("float32", "mixed")}
    for precision, out in outs.items():
        assert cli.main([*command, "--precision", precision, "-o", str(out), "--no-gallery", "--json"]) == 0
    full, mixed = (
        score["content"] + score["style"] for score in judged(shared, vgg19_path, "starry_night", *outs.values())
    )
    print(f"192 px: float32 {full:.0f}, mixed {mixed:.0f}")
    assert mixed <= 1.01 * full


# A graphics card, where there is one


@needs_card
def test_a_card_paints_the_same_picture_twice_and_near_the_processors(narrow):
    settings = SHORT.replace(precision="float32")
    first, second = paint(narrow, settings), paint(narrow, settings)
    np.testing.assert_array_equal(first.picture, second.picture)
    with tf.device("/CPU:0"):
        there = Extractor(narrow, CONVOLUTIONS[3:4], CONVOLUTIONS[:3], **HOW)
        wanted = tf.nest.flatten(there(tf.constant(first.picture[None] * 255)))
    found = tf.nest.flatten(extractor(narrow, settings.replace(
        content_layers=[(CONVOLUTIONS[3], 1)], style_layers=[(layer, 1) for layer in CONVOLUTIONS[:3]]
    ))(tf.constant(first.picture[None] * 255)))  # fmt: skip
    for a, b in zip(found, wanted, strict=True):
        assert np.linalg.norm(a - b) < 1e-3 * np.linalg.norm(b)


GROWING = """
import tensorflow as tf
from nst.engine import prepare_tensorflow
{before}
prepare_tensorflow()
grows = map(tf.config.experimental.get_memory_growth, tf.config.list_physical_devices("GPU"))
print(float(tf.reduce_sum(tf.ones(4))), all(grows))
"""


@needs_card
@pytest.mark.parametrize(("before", "wanted"), [("", "4.0 True"), ("tf.ones(1)", "4.0 False")])
def test_a_card_is_shared_politely_unless_it_is_in_use_already(before, wanted):
    command = [sys.executable, "-c", GROWING.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout.splitlines()[-1] == wanted


@needs_card
def test_mixed_precision_on_a_card_stays_within_one_per_cent(narrow):
    totals = [
        paint(narrow, SHORT.replace(size=128, iterations=40, plateau=0, precision=precision)).losses.total
        for precision in ("float32", "mixed")
    ]
    assert totals[1] == pytest.approx(totals[0], rel=0.01)
