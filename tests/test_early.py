"""Early evaluations with the built-in filters: in what order, weighed how, counted how, resumed to the same bytes."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from nst import cli, engine, weights
from nst.checkpoint import Checkpoint
from nst.config import Settings, preset
from nst.features import TargetCache, extractor
from nst.flops import evaluation_flops
from nst.objective import Objective
from nst.result import Status
from nst.scales import Scale, most_evaluations, plan, planned_evaluations
from tests.judge import judged
from tests.networks import seeded

SETTINGS = preset("studio").replace(
    size=128, scales=2, coarse_iterations=3, early_iterations=4, iterations=5, precision="float32"
)
FULL = (128, 88)


@pytest.fixture(scope="module")
def network():
    """The narrow one, by a name of its own: it is not the network of the early evaluations."""
    return weights.make("narrow", "narrow filters", seeded().filters)


@pytest.fixture(scope="module")
def pictures(picture):
    return picture(128, 88, 1), [picture(100, 100, 2)]


@pytest.fixture(scope="module")
def painted(pictures, network):
    steps = []
    return engine.stylize(*pictures, SETTINGS, network=network, on_step=steps.append), steps


# The plan


def test_early_scales_come_first_and_full_size_twice():
    scales = plan(FULL, SETTINGS)
    assert scales == [Scale((64, 44)), Scale(FULL, True), Scale(FULL)]
    assert most_evaluations(SETTINGS, scales) == [3, 4, 5]
    assert planned_evaluations(SETTINGS) == 12


def test_without_early_iterations_no_scale_is_early():
    scales = plan(FULL, SETTINGS.replace(early_iterations=0))
    assert scales == [Scale((64, 44)), Scale(FULL)]
    assert most_evaluations(SETTINGS, scales) == [3, 5]


def test_an_early_evaluation_costs_a_quarter():
    early, full = Scale(FULL, True), Scale(FULL)
    assert full.flops(Settings(), "vgg19") == evaluation_flops(Settings(), 128 * 88, network="vgg19")
    assert early.flops(Settings(), "vgg19") / full.flops(Settings(), "vgg19") == pytest.approx(0.252, abs=0.001)
    assert early.flops(Settings(), "builtin") == full.flops(Settings(), "builtin")


# Weights


def objectives(pictures, network, settings):
    return [
        Objective.of(*pictures, settings, size=FULL, extract=extractor(filters, settings), cache=TargetCache())
        for filters in (network, weights.builtin())
    ]


@pytest.mark.parametrize("name", ["studio", "neural-style-fast", "keras-example", "tensorflow-tutorial"])
def test_each_layer_counts_as_much_as_with_the_network_itself(pictures, network, name):
    full, early = objectives(pictures, network, preset(name).replace(precision="float32"))
    like = early.like(full)
    photograph = tf.constant(pictures[0][None] * full.pixel_range)
    wanted, found, own = (objective(photograph)[0][4:] for objective in (full, like, early))
    contents = len(preset(name).content_layers)
    np.testing.assert_allclose(found[contents:], wanted[contents:], rtol=1e-4)
    assert np.abs(own[contents:] / wanted[contents:] - 1).max() > 0.05  # which it did not do by itself
    content = [objective.arguments[1] * objective.photograph.variances for objective in (like, full)]
    np.testing.assert_allclose(*content, rtol=1e-4)


def test_steered_weights_keep_that_proportion(pictures, network):
    full, early = objectives(pictures, network, SETTINGS)
    changed = SETTINGS.replace(strength=80.0, tv_weight=1.0)
    at_once, later = early.like(full).reweighted(changed), early.reweighted(changed).like(full.reweighted(changed))
    for a, b in zip(at_once.arguments[1::2], later.arguments[1::2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_layer_without_weight_stays_without(pictures, network):
    settings = SETTINGS.replace(style_layers=(("block1_conv1", 0.0), ("block2_conv1", 1.0)), style_weight=0.0)
    full, early = objectives(pictures, network, settings)
    assert np.array_equal(early.like(full).arguments[3], [0, 0])


# The run


def test_rows_tell_the_scales_and_work_is_counted_by_arithmetic(painted):
    result, steps = painted
    assert [(row.scale, row.width) for row in result.history] == [(0, 64)] * 3 + [(1, 128)] * 4 + [(2, 128)] * 5
    assert steps[0].scales == 3
    cost = [evaluation_flops(SETTINGS, w * h, network=name) for w, h, name in
            ((64, 44, "narrow"), (*FULL, "builtin"), (*FULL, "narrow"))]  # fmt: skip
    wanted = (3 * cost[0] + 4 * cost[1] + 5 * cost[2]) / cost[2]
    assert result.full_size_evaluations == pytest.approx(wanted)
    assert steps[-1].progress == 1
    assert all(a.progress <= b.progress for a, b in itertools.pairwise(steps))


def test_the_optimiser_goes_on_where_only_the_network_changes(pictures, network, monkeypatch):
    made = []
    make = engine.Descent

    def counted(*arguments):
        made.append(arguments)
        return make(*arguments)

    monkeypatch.setattr(engine, "Descent", counted)
    engine.stylize(*pictures, SETTINGS, network=network)
    assert len(made) == 2


@pytest.mark.parametrize("evaluations", [1, 3, 5, 7, 8, 11])
def test_a_run_stopped_anywhere_ends_as_if_it_had_not(pictures, network, painted, evaluations):
    seen = []
    stopped = engine.stylize(
        *pictures, SETTINGS, network=network, on_step=seen.append, cancelled=lambda: len(seen) >= evaluations
    )
    assert stopped.status == Status.CANCELLED
    checkpoint = Checkpoint.from_bytes(stopped.checkpoint().to_bytes())
    resumed = engine.stylize(*pictures, SETTINGS, network=network, checkpoint=checkpoint)
    np.testing.assert_array_equal(resumed.picture, painted[0].picture)
    assert resumed.full_size_evaluations == pytest.approx(painted[0].full_size_evaluations)


def test_a_larger_size_is_painted_by_the_network_alone(pictures, network):
    def changes(evaluations, scale):
        return {"size": 256} if evaluations >= 9 else {}

    result = engine.stylize(*pictures, SETTINGS, network=network, changes=changes)
    assert [row.width for row in result.history[9:]] == [256] * 5
    assert result.picture.shape[1] == 256


# VGG19 on real pictures


@pytest.mark.weights
@pytest.mark.slow
def test_neural_style_fast_gets_the_classic_picture_in_fifty_evaluations(shared, vgg19_path, tmp_path, capsys):
    photograph, painting = (str(shared / "images" / f"{name}.jpg") for name in ("tubingen", "starry_night"))
    wanted = json.loads((shared / "reference" / "neural_style_pt_256.json").read_text())["saved_picture_score"]
    out = tmp_path / "fast.png"
    command = ["stylize", photograph, painting, "--preset", "neural-style-fast", "--size", "256", "-o", str(out)]
    command += ["--json", "--weights", str(vgg19_path), "--gallery", str(tmp_path / "gallery")]
    assert cli.main(command) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    (score,) = judged(shared, vgg19_path, "starry_night", out)
    print(f"neural-style-fast: {score}, {told['full_size_evaluations']} evaluations at full size")
    assert told["full_size_evaluations"] <= 50
    assert score["content"] + score["style"] <= wanted["content"] + wanted["style"]
