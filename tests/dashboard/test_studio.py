"""The Studio: choosing pictures and settings, and ordering."""

import re

import pytest

from nst.config import PRESETS, preset
from nst.jobs import State
from tests.dashboard.pages import PHOTOGRAPH, STYLES, changed, choose_preset, paint, said, shown, small, texts, upload


def test_the_studio_begins_with_nothing_to_paint(studio, jobs):
    assert studio.button("paint").disabled
    assert "Choose a photograph and at least one style to begin." in texts(studio)
    assert "Your picture appears here" in texts(studio)
    assert jobs.snapshots() == []


@pytest.mark.parametrize("missing", ["photograph_upload", "style_upload"])
def test_one_picture_is_not_enough(studio, missing):
    other = "style_upload" if missing == "photograph_upload" else "photograph_upload"
    studio.file_uploader(other).upload("a.png", PHOTOGRAPH, "image/png")
    assert shown(studio.run()).button("paint").disabled


@pytest.mark.parametrize("name", list(PRESETS))
def test_an_untouched_preset_is_painted_exactly_as_it_is(studio, jobs, name):
    paint(choose_preset(upload(studio), name))
    (job,) = jobs.snapshots()
    assert job.state == State.QUEUED
    assert job.order.settings == preset(name)
    assert job.order.content.label == "tubingen"
    assert [style.label for style in job.order.styles] == ["style 0"]
    assert job.order.network == PRESETS[name].network


@pytest.mark.parametrize(
    ("kind", "key", "value", "expected"),
    [
        ("select_slider", "size_studio", 768, {"size": 768}),
        ("slider", "strength_studio", 80, {"strength": 80.0}),
        ("number_input", "iterations_studio", 7, {"iterations": 7}),
        ("number_input", "scales_studio", 2, {"scales": 2}),
        ("selectbox", "init_studio", "noise", {"init": "noise"}),
        ("number_input", "seed_studio", 42, {"seed": 42}),
        ("slider", "scale_studio", 50, {"style_scale": 0.5}),
        ("number_input", "content_weight_studio", 2.5, {"content_weight": 2.5}),
        ("number_input", "style_weight_studio", 70.0, {"style_weight": 70.0}),
        ("number_input", "tv_studio", 0.5, {"tv_weight": 0.5}),
        ("selectbox", "pooling_studio", "average", {"pooling": "average"}),
        ("selectbox", "padding_studio", "edge", {"padding": "edge"}),
    ],
)
def test_an_option_changes_its_setting_and_no_other(studio, jobs, kind, key, value, expected):
    getattr(upload(studio), kind)(key).set_value(value)
    paint(shown(studio.run()))
    assert changed(jobs, "studio") == expected


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "sgd"])
def test_any_preset_can_take_any_optimiser(studio, jobs, name, optimizer):
    choose_preset(upload(studio), name)
    paint(shown(studio.segmented_control(f"optimizer_{name}").set_value(optimizer).run()))
    assert jobs.snapshots()[0].order.settings == preset(name).with_optimizer(optimizer)


def test_each_preset_shows_its_own_values(studio):
    for name in PRESETS:
        settings = preset(name)
        choose_preset(studio, name)
        assert studio.select_slider(f"size_{name}").value == settings.size
        assert studio.number_input(f"iterations_{name}").value == settings.iterations
        assert studio.number_input(f"content_weight_{name}").value == settings.content_weight
        assert studio.segmented_control(f"optimizer_{name}").value == settings.optimizer
        strengths = [slider.value for slider in studio.slider if slider.label == "Strength"]
        assert strengths == ([] if settings.strength is None else [settings.strength])
        assert PRESETS[name].description in texts(studio)


def test_a_classics_size_is_a_height_where_it_is_one(studio):
    choose_preset(studio, "keras-example")
    assert studio.select_slider("size_keras-example").label == "Height, pixels"
    choose_preset(studio, "neural-style")
    assert studio.select_slider("size_neural-style").label == "Longest side, pixels"


def test_one_style_has_no_shares(studio):
    assert [slider.label for slider in upload(studio).slider if "Share" in slider.label] == []


def test_shares_of_several_styles_become_their_weights(studio, jobs):
    upload(studio, styles=3)
    assert [slider.label for slider in studio.slider if "Share" in slider.label] == [
        f"Share of style {number}" for number in (1, 2, 3)
    ]
    studio.slider("share_1").set_value(100)
    studio.slider("share_2").set_value(0)
    paint(shown(studio.run()))
    assert changed(jobs, "studio") == {"style_weights": [50.0, 100.0, 0.0]}
    assert [style.label for style in jobs.snapshots()[0].order.styles] == ["style 0", "style 1", "style 2"]


def test_shares_that_are_all_nothing_are_told_and_not_painted(studio):
    upload(studio, styles=2)
    studio.slider("share_0").set_value(0)
    studio.slider("share_1").set_value(0)
    shown(studio.run())
    assert "above 0" in said(studio)
    assert studio.button("paint").disabled


def test_at_most_eight_styles_are_taken_and_that_is_told(studio, jobs):
    upload(studio, styles=10)
    assert "At most 8 styles" in studio.warning[0].value
    paint(studio)
    assert [style.label for style in jobs.snapshots()[0].order.styles] == [f"style {i}" for i in range(8)]


@pytest.mark.parametrize(
    "junk",
    [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(100), PHOTOGRAPH[: len(PHOTOGRAPH) // 2], b"<svg onload='x()'/>"],
    ids=["empty", "text", "header only", "cut", "svg"],
)
def test_an_upload_that_is_no_picture_is_told(studio, jobs, junk):
    studio.file_uploader("photograph_upload").upload("junk.png", junk, "image/png")
    files = [("good.png", STYLES[0], "image/png"), ("bad.png", junk, "image/png")]
    studio.file_uploader("style_upload").set_value(files)
    shown(studio.run())
    assert sorted(re.match(r"\w+", error.value)[0] for error in studio.error) == ["bad", "junk"]
    assert studio.button("paint").disabled
    studio.file_uploader("photograph_upload").upload("good.png", PHOTOGRAPH, "image/png")
    paint(shown(studio.run()))
    assert [style.label for style in jobs.snapshots()[0].order.styles] == ["good"]


def test_drafts_are_painted_with_the_builtin_filters_and_the_page_says_so(studio, jobs, gallery, tmp_path):
    paint(small(upload(studio)))
    assert jobs.snapshots()[0].order.network == "builtin"
    assert "Network: built-in filters, which come with the program." in said(studio)
    paint(choose_preset(studio, "studio"))
    assert jobs.snapshots()[0].order.network is None
    gallery.preferences_path.write_text('{"network": "mine.h5"}')
    paint(small(studio))
    assert jobs.snapshots()[0].order.network == "mine.h5"


def test_samples_can_be_painted_without_an_upload(studio, jobs):
    for what in ("photograph", "style"):
        shown(studio.segmented_control(f"{what}_source").set_value("Samples").run())
        pills = studio.pills(f"{what}_sample")
        key = PILL_KEYS[what]
        pills.set_value(key if what == "photograph" else [key])
        shown(studio.run())
    paint(studio)
    order = jobs.snapshots()[0].order
    assert (order.content.ext, order.styles[0].ext, len(order.styles)) == ("jpg", "png", 1)
    assert jobs.gallery.input_path(order.content).is_file()


PILL_KEYS = {"photograph": "", "style": ""}


@pytest.fixture(scope="module", autouse=True)
def sample_keys():
    from nst import samples

    PILL_KEYS.update(photograph=samples.photographs()[0].key, style=samples.styles()[0].key)
