"""The Studio: choosing pictures and settings, and ordering."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from nst import advice, estimate, image, samples
from nst.config import PRESETS, preset
from nst.dashboard.order.chosen import Chosen
from nst.jobs import State
from tests.conftest import draw
from tests.dashboard.pages import (
    PHOTOGRAPH,
    ROUTER,
    STYLES,
    changed,
    choose_preset,
    paint,
    press,
    said,
    shown,
    small,
    texts,
    upload,
    uploader,
    visit,
)


def test_the_studio_begins_with_nothing_to_paint(studio, jobs):
    assert studio.button("paint").disabled
    assert "Choose a photograph and at least one style to begin." in texts(studio)
    assert "Your picture appears here" in texts(studio)
    assert jobs.snapshots() == []


@pytest.mark.parametrize("given", ["photograph", "style"])
def test_one_picture_is_not_enough(studio, given):
    uploader(studio, given).upload("a.png", PHOTOGRAPH, "image/png")
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


def share(at, name):
    return next(slider for slider in at.slider if slider.label == f"Share of {name}")


def test_shares_of_several_styles_become_their_weights(studio, jobs):
    upload(studio, styles=3)
    assert [slider.label for slider in studio.slider if "Share" in slider.label] == [
        f"Share of style {number}" for number in (0, 1, 2)
    ]
    share(studio, "style 1").set_value(100)
    share(studio, "style 2").set_value(0)
    paint(shown(studio.run()))
    assert changed(jobs, "studio") == {"style_weights": [50.0, 100.0, 0.0]}
    assert [style.label for style in jobs.snapshots()[0].order.styles] == ["style 0", "style 1", "style 2"]


def test_a_share_stays_with_its_style_when_another_is_removed(studio, jobs):
    upload(studio, styles=3)
    share(studio, "style 1").set_value(100)
    shown(studio.run())
    shown(removal(studio, "style 0").click().run())
    paint(studio)
    assert changed(jobs, "studio") == {"style_weights": [100.0, 50.0]}


def test_shares_that_are_all_nothing_are_told_and_not_painted(studio):
    upload(studio, styles=2)
    share(studio, "style 0").set_value(0)
    share(studio, "style 1").set_value(0)
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
    uploader(studio, "photograph").upload("junk.png", junk, "image/png")
    files = [("good.png", STYLES[0], "image/png"), ("bad.png", junk, "image/png")]
    uploader(studio, "style").set_value(files)
    shown(studio.run())
    assert sorted(re.match(r"\w+", error.value)[0] for error in studio.error) == ["bad", "junk"]
    assert studio.button("paint").disabled
    uploader(studio, "photograph").upload("good.png", PHOTOGRAPH, "image/png")
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


# Where pictures come from ------------------------------------------------------------------------------------------


def source(at, what, name):
    return shown(at.segmented_control(f"{what}_source").set_value(name).run())


def removal(at, label):
    return next(button for button in at.button if button.label == label and button.key.startswith("remove_"))


def chosen(at):
    """The labels of the pictures that are chosen."""
    found = at.session_state["chosen"] if "chosen" in at.session_state else Chosen()
    return [picture.label for picture in (found.photograph, *found.styles) if picture]


def test_samples_can_be_painted_without_an_upload(studio, jobs):
    photograph, style = samples.photographs()[0], samples.styles()[0]
    press(source(studio, "photograph", "Samples"), "photograph_samples", photograph.key)
    press(source(studio, "style", "Samples"), "style_samples", style.key)
    assert chosen(studio) == [photograph.title, style.title]
    assert photograph.credit in said(studio)
    paint(studio)
    order = jobs.snapshots()[0].order
    assert (order.content.ext, order.styles[0].ext, len(order.styles)) == ("jpg", "png", 1)
    assert jobs.gallery.input_path(order.content).is_file()


def test_pressing_a_style_again_puts_it_back_and_a_photograph_replaces_another(studio):
    first, second = samples.photographs()[:2]
    source(studio, "photograph", "Samples")
    press(press(studio, "photograph_samples", first.key), "photograph_samples", second.key)
    assert chosen(studio) == [second.title]
    style = samples.styles()[0]
    press(source(studio, "style", "Samples"), "style_samples", style.key)
    assert chosen(studio) == [second.title, style.title]
    press(studio, "style_samples", style.key)
    assert chosen(studio) == [second.title]


def test_a_browser_can_press_nothing_that_is_not_there(studio):
    press(source(studio, "style", "Samples"), "style_samples", "../../etc/passwd")
    assert chosen(studio) == []


def test_pictures_from_several_sources_are_blended_and_survive_another_page(studio, jobs):
    upload(studio)
    press(source(studio, "style", "Samples"), "style_samples", samples.styles()[0].key)
    shown(studio.slider("strength_studio").set_value(64).run())
    visit(visit(studio, "settings"), "studio")
    assert chosen(studio) == ["tubingen", "style 0", samples.styles()[0].title]
    paint(studio)
    assert [style.label for style in jobs.snapshots()[0].order.styles] == ["style 0", samples.styles()[0].title]
    assert jobs.snapshots()[0].order.settings.strength == 64


def test_the_same_style_twice_counts_once(studio):
    uploader(studio, "style").set_value([(f"{name}.png", STYLES[0], "image/png") for name in "ab"])
    shown(studio.run())
    assert chosen(studio) == ["a"]


def test_what_is_removed_is_not_painted(studio):
    upload(studio, styles=2)
    shown(removal(studio, "style 0").click().run())
    assert chosen(studio) == ["tubingen", "style 1"]
    shown(removal(studio, "tubingen").click().run())
    assert chosen(studio) == ["style 1"]
    assert studio.button("paint").disabled


def test_uploaded_styles_are_on_the_shelf_for_the_next_visit(studio, jobs, gallery):
    upload(studio, styles=2)
    at = source(shown(AppTest.from_file(ROUTER, default_timeout=30).run()), "style", "Shelf")
    assert chosen(at) == []
    wanted = next(style for style in gallery.shelf() if style.name == "style 1")
    assert chosen(press(at, "style_shelf", wanted.picture.sha256)) == ["style 1"]
    assert chosen(press(at, "style_shelf", wanted.picture.sha256)) == []


def test_a_style_on_the_shelf_can_be_renamed_and_put_away(studio, gallery):
    source(upload(studio), "style", "Shelf")
    sha256 = gallery.shelf()[0].picture.sha256
    shown(studio.text_input(f"shelf_name_{sha256[:12]}").set_value("Night").run())
    assert [style.name for style in gallery.shelf()] == ["Night"]
    shown(studio.button("unshelve").click().run())
    assert gallery.shelf() == []
    assert "Styles that you upload stay here" in said(studio)
    assert chosen(studio) == ["tubingen", "style 0"]


def test_a_chosen_picture_that_somebody_has_removed_is_told(studio, gallery):
    upload(studio)
    for path in (gallery.root / "inputs").iterdir():
        path.unlink()
    shown(studio.run())
    assert "tubingen is no longer in the gallery" in said(studio)
    assert chosen(studio) == []
    paint(upload(studio))


# Before painting -------------------------------------------------------------------------------------------------


def forecast(at):
    return next((line.value for line in at.caption if "on this computer" in line.value), None)


def test_what_a_picture_takes_is_told_before_and_grows_with_it(studio):
    assert forecast(studio) is None
    small_one = forecast(upload(studio))
    assert re.match(r"About .* GB on this computer", small_one.replace("\\", ""))
    shown(studio.select_slider("size_studio").set_value(2048).run())
    assert forecast(studio) != small_one


def test_what_does_not_fit_is_told_with_a_size_that_does(studio, jobs, monkeypatch):
    monkeypatch.setattr(estimate, "available_bytes", lambda: 1_700_000_000)
    upload(studio)
    assert not studio.warning
    shown(studio.select_slider("size_studio").set_value(2048).run())
    assert "1.7 GB are free" in said(studio)
    shown(studio.button("use_fitting").click().run())
    assert 256 <= studio.select_slider("size_studio").value < 2048
    assert not studio.warning
    paint(studio)
    assert jobs.snapshots()[0].order.settings.size == studio.select_slider("size_studio").value


def test_advice_is_given_before_painting(studio):
    upload(studio)
    (width, height) = (30, 30)  # of the styles here: far smaller than the picture
    told = advice.before(settings=preset("studio"), size=(512, 384), styles=[(width, height)])
    assert told
    assert told[0] in said(studio)


def test_a_photograph_too_thin_for_its_size_is_told(studio):
    uploader(studio, "photograph").upload("thin.png", image.encode_png(draw(16, 800, seed=1)), "image/png")
    uploader(studio, "style").set_value([("s.png", STYLES[0], "image/png")])
    shown(studio.run())
    assert forecast(studio) is None
    assert studio.warning
