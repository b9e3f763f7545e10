"""Settings: what is accepted, what is refused and how, presets, and the way through JSON and back."""

import dataclasses
import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nst import config
from nst.config import CONVOLUTIONS, MAX_SIZE, MAX_STYLES, MIN_SIZE, PRESETS, Settings, preset
from nst.errors import NSTError, SettingsError

NAMES = [field.name for field in dataclasses.fields(Settings)]

# What a valid setting may be, written down again on purpose: widening a range in nst.config should be a decision.
CHOICES = {
    "side": ["longest", "height"],
    "pooling": ["max", "average"],
    "padding": ["zero", "edge"],
    "optimizer": ["lbfgs", "adam", "sgd"],
    "init": ["content", "statistics", "noise", "picture"],
    "bounds": ["none", "penalty", "clip"],
}
FLOATS = {
    "content_weight": (0, 1e12),
    "tv_weight": (0, 1e12),
    "style_scale": (0.1, 4),
    "learning_rate": (1e-9, 1e6),
    "learning_rate_decay": (1e-6, 1),
    "beta_1": (0, 0.9999),
    "epsilon": (1e-12, 1e3),
    "spectrum": (0, 2),
    "plateau": (0, 0.5),
}
INTEGERS = {
    "size": (MIN_SIZE, MAX_SIZE),
    "decay_steps": (1, 10**9),
    "history": (1, 200),
    "iterations": (1, 100_000),
    "scales": (1, 6),
    "coarse_iterations": (0, 100_000),
    "early_iterations": (0, 100_000),
    "seed": (0, 2**31 - 1),
    "save_every": (0, 100_000),
}


def layers():
    pair = st.tuples(st.sampled_from(CONVOLUTIONS), st.floats(0, 1e12))
    return st.lists(pair, min_size=1, max_size=5, unique_by=lambda item: item[0])


@st.composite
def valid_values(draw):
    values = {name: draw(st.sampled_from(choices)) for name, choices in CHOICES.items()}
    values |= {name: draw(st.floats(*bounds)) for name, bounds in FLOATS.items()}
    values |= {name: draw(st.integers(*bounds)) for name, bounds in INTEGERS.items()}
    weights = st.lists(st.floats(0, 1e6), max_size=MAX_STYLES).filter(lambda w: not w or sum(w) > 0)
    values |= {"content_layers": draw(layers()), "style_layers": draw(layers()), "style_weights": draw(weights)}
    values["preset"] = draw(st.text(max_size=20))
    values["formula"] = draw(st.sampled_from(["balanced", "neural-style", "keras-example", "tensorflow-tutorial"]))
    if values["bounds"] == "clip":  # which has a meaning for these alone
        values["optimizer"], values["spectrum"] = draw(st.sampled_from(["adam", "sgd"])), 0
    weight = st.floats(0, 1e12)
    if values["formula"] == "balanced":
        values["strength"] = draw(st.none() | st.floats(0, 100))
        values["style_weight"] = draw(weight if values["strength"] is None else st.none() | weight)
    else:
        values["strength"], values["style_weight"] = None, draw(weight)
    keep = draw(st.sets(st.sampled_from(sorted(values))))
    keep |= {"formula", "strength", "style_weight", "bounds", "optimizer", "spectrum"}  # these depend on each other
    return {name: value for name, value in values.items() if name in keep}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(CONVOLUTIONS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(deadline=None, max_examples=150)
@given(valid_values())
def test_any_valid_settings_survive_json(values):
    settings = Settings(**values)
    again = Settings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert again == settings
    assert hash(again) == hash(settings)
    assert again.effective_style_weight == settings.effective_style_weight


@hypothesis_settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=4) | json_values)
@example({"style_layers": [["block1_conv1", None]]})
@example({"style_layers": {"block1_conv1": 1}})
@example({"content_layers": 5})
@example({"style_weights": [[1]]})
@example({"preset": None})
@example({"formula": ["balanced"]})
def test_junk_is_refused_with_a_settings_error_and_nothing_else(junk):
    try:
        settings = Settings.from_dict(junk)
    except SettingsError:
        return
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text() | st.integers() | st.none(), json_values, min_size=1, max_size=3))
def test_unknown_names_are_refused(junk):
    if set(junk) <= set(NAMES):
        return
    with pytest.raises(SettingsError, match="Unknown settings"):
        Settings.from_dict(junk)


HUGE = 10**400  # JSON can hold it; float() and math.isfinite raise OverflowError


@pytest.mark.parametrize(
    "changes",
    [
        {"size": HUGE},
        {"strength": HUGE},
        {"tv_weight": -HUGE},
        {"style_layers": [["block1_conv1", HUGE]]},
        {"content_layers": [["block1_conv1", -HUGE]]},
        {"style_weights": [1, HUGE]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_numbers_too_large_for_a_float_are_refused_like_any_other(changes):
    with pytest.raises(SettingsError):
        Settings.from_dict(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"style_weights": "12"},
        {"style_weights": ["1", "2"]},
        {"style_weights": [True, False]},
        {"style_weights": {"1": 5}},
        {"content_layers": [["block4_conv2", "1"]]},
        {"content_layers": [["block4_conv2", True]]},
        {"size": 512.0},
        {"size": "512"},
        {"size": True},
        {"strength": "50"},
    ],
    ids=str,
)
def test_the_wrong_type_is_never_silently_repaired(changes):
    with pytest.raises(SettingsError):
        Settings.from_dict(changes)


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS, "strength"])
def test_ranges_end_where_they_say(name):
    low, high = (FLOATS | INTEGERS | {"strength": (0, 100)})[name]
    for value in (low, high):
        assert getattr(Settings(**{name: value}), name) == value
    step = 1 if name in INTEGERS else 1e-3
    for value in (low - max(step, 1e-3), high + step * max(high, 1), None, "1", float("nan"), float("inf"), True):
        if value is None and name == "strength":
            continue
        with pytest.raises(SettingsError, match=name):
            Settings(**{name: value})


@pytest.mark.parametrize("name", [*CHOICES, "formula"])
@pytest.mark.parametrize("value", ["", "Max", None, 3, [], "lbfgs\n"])
def test_unknown_choices_name_the_known_ones(name, value):
    with pytest.raises(SettingsError, match=f"{name} is not known.*Choose one of"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style_layers": []}, "one at least"),
        ({"style_layers": [("block1_conv1", 1), ("block1_conv1", 2)]}, "not name a layer twice"),
        ({"style_layers": [("block6_conv1", 1)]}, "block6_conv1"),
        ({"style_layers": [("block1_pool", 1)]}, "block1_pool"),
        ({"content_layers": [("block1_conv1", -1)]}, "weight of block1_conv1"),
        ({"content_layers": [("block1_conv1", float("nan"))]}, "weight of block1_conv1"),
        ({"content_layers": "block1_conv1"}, "pairs"),
        ({"content_layers": [("block1_conv1",)]}, "pairs"),
        ({"style_weights": [0, 0]}, "above 0"),
        ({"style_weights": [1, -1]}, "a number from 0"),
        ({"style_weights": [1] * (MAX_STYLES + 1)}, str(MAX_STYLES)),
        ({"style_weights": 3}, "numbers"),
        ({"strength": None}, "both missing"),
        ({"formula": "neural-style"}, "strength does not apply"),
        ({"formula": "neural-style", "strength": None}, "needs a style_weight"),
        ({"bounds": "clip"}, "adam or sgd"),
        ({"bounds": "clip", "optimizer": "adam", "spectrum": 0.4}, "plain pixels"),
        ({"nonsense": 1}, "nonsense"),
        ({"preset": 5}, "preset must be a name"),
    ],
)
def test_contradictions_say_what_is_wrong(changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.from_dict(changes)
    assert isinstance(caught.value, NSTError)
    with pytest.raises(SettingsError, match=message):
        Settings().replace(**changes)


@pytest.mark.parametrize("data", [None, [], "size", 5, [["size", 64]]])
def test_settings_come_as_a_table(data):
    with pytest.raises(SettingsError, match="table"):
        Settings.from_dict(data)


def test_missing_settings_take_their_defaults():
    assert Settings.from_dict({}) == Settings()
    assert Settings.from_dict({"size": 64}) == Settings(size=64)


def test_settings_are_immutable_and_can_key_a_cache():
    settings = Settings(style_layers=[["block1_conv1", 1]], style_weights=[1, 2])
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.size = 64
    assert {settings: 1}[Settings(style_layers=(("block1_conv1", 1.0),), style_weights=(1.0, 2.0))] == 1


def test_replace_changes_what_it_is_told_and_nothing_else():
    before = preset("neural-style")
    after = before.replace(size=256)
    assert after.size == 256
    assert after.replace(size=before.size) == before


def test_strength_stands_for_a_style_weight_that_grows_by_equal_factors():
    weights = [Settings(strength=strength).effective_style_weight for strength in (0, 25, 50, 75, 100)]
    factors = [after / before for before, after in itertools.pairwise(weights)]
    assert weights[2] == pytest.approx(config.STYLE_WEIGHT_AT_50, rel=1e-12)
    assert factors == pytest.approx([factors[0]] * 4, rel=1e-9)
    assert factors[0] > 2


def test_the_fast_preset_has_the_classic_objective():
    classic, fast = preset("neural-style"), preset("neural-style-fast")
    same = ("formula", "content_weight", "style_weight", "tv_weight", "content_layers", "style_layers", "style_scale",
            "pooling", "padding", "init", "size", "side")  # fmt: skip
    assert all(getattr(fast, name) == getattr(classic, name) for name in same)


def test_a_style_weight_goes_before_strength():
    assert Settings(strength=100, style_weight=0.5).effective_style_weight == 0.5
    assert Settings(style_weight=0).effective_style_weight == 0


# The presets


def test_presets_bear_their_own_names_and_survive_json():
    for name, found in PRESETS.items():
        assert preset(name) is found.settings
        assert found.settings.preset == name
        assert found.title
        assert found.description.endswith(".")
        assert Settings.from_dict(json.loads(json.dumps(found.settings.to_dict()))) == found.settings
    assert config.DEFAULT_PRESET in PRESETS


@pytest.mark.parametrize("name", ["", "Studio", None, 5])
def test_unknown_presets_are_refused(name):
    with pytest.raises(SettingsError, match="Choose one of"):
        preset(name)


BLOCKS = tuple((f"block{i}_conv1", 1.0) for i in (1, 2, 3, 4, 5))
CLASSICS = {  # as the programs themselves have them
    "neural-style": {
        "formula": "neural-style",
        "content_weight": 5,
        "style_weight": 100,
        "tv_weight": 1e-3,
        "content_layers": (("block4_conv2", 1.0),),
        "optimizer": "lbfgs",
        "size": 512,
        "side": "longest",
        "bounds": "none",
        "scales": 1,
    },
    "keras-example": {
        "formula": "keras-example",
        "content_weight": 2.5e-8,
        "style_weight": 1e-6,
        "tv_weight": 1e-6,
        "content_layers": (("block5_conv2", 1.0),),
        "optimizer": "sgd",
        "learning_rate": 100,
        "learning_rate_decay": 0.96,
        "decay_steps": 100,
        "size": 400,
        "side": "height",
        "iterations": 4000,
        "save_every": 100,
        "spectrum": 0,
        "bounds": "none",
        "scales": 1,
    },
    "tensorflow-tutorial": {
        "formula": "tensorflow-tutorial",
        "content_weight": 1e4,
        "style_weight": 1e-2,
        "tv_weight": 30,
        "content_layers": (("block5_conv2", 1.0),),
        "optimizer": "adam",
        "learning_rate": 0.02,
        "learning_rate_decay": 1,
        "beta_1": 0.99,
        "epsilon": 0.1,
        "spectrum": 0,
        "bounds": "clip",
        "size": 512,
        "side": "longest",
        "iterations": 1000,
        "scales": 1,
    },
}
PLAIN = {
    "style_layers": BLOCKS,
    "strength": None,
    "style_scale": 1,
    "pooling": "max",
    "padding": "zero",
    "init": "content",
    "plateau": 0,
}


@pytest.mark.parametrize("name", CLASSICS)
def test_classic_presets_have_the_programs_own_numbers(name):
    wanted = PLAIN | CLASSICS[name]
    assert {key: getattr(preset(name), key) for key in wanted} == wanted


def test_reading_settings_loads_no_tensorflow():
    code = "import sys, nst.config, nst.result, nst.image; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
