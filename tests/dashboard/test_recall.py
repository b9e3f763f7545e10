"""The form filled from a result, from a picture that was made here, and from an exported zip."""

import io

import pytest

from nst import exchange, image
from nst.config import Settings, preset
from nst.dashboard.order.chosen import Chosen
from nst.gallery import Gallery
from tests.conftest import draw
from tests.dashboard.pages import PHOTOGRAPH, STYLES, paint, said, shown, upload, uploader, visit
from tests.galleries import add, result

UNUSUAL = Settings(
    preset="of another version",
    size=333,
    strength=33.3,
    style_scale=0.337,
    style_weights=(1.0, 3.0),
    style_layers=(("block2_conv2", 0.7), ("block3_conv3", 2.5)),
    content_layers=(("block4_conv1", 1.5),),
    tv_weight=0.012,
    learning_rate=0.7,
    precision="mixed",
    history=13,
    scales=2,
    coarse_iterations=0,
    iterations=77,
    init="noise",
    seed=99,
    pooling="average",
    save_every=7,
)


@pytest.fixture
def entry(gallery):
    """A result with settings of which no preset has any, and two styles."""
    styles = [gallery.add_input(STYLES[number], f"style {number}") for number in (3, 4)]
    content = gallery.add_input(PHOTOGRAPH, "harbour")
    return add(gallery, "Evening", result(settings=UNUSUAL), content=content, styles=styles)


def recall(at, entry, what):
    at.session_state["recall"] = {"entry": entry.id, "what": what}
    return shown(at.run())


def chosen(at):
    found = at.session_state["chosen"] if "chosen" in at.session_state else Chosen()
    return [picture.label for picture in (found.photograph, *found.styles) if picture]


def ordered(at, jobs):
    paint(at)
    return jobs.snapshots()[0].order


def test_all_of_a_result_comes_back_what_the_form_does_not_show_included(studio, jobs, entry):
    recall(studio, entry, "all")
    assert "Settings of 'Evening'" in said(studio)
    order = ordered(studio, jobs)
    assert order.settings == UNUSUAL
    assert (order.content, [style.sha256 for style in order.styles]) == (
        entry.content,
        [style.sha256 for style in entry.styles],
    )


def test_what_is_changed_after_a_recall_changes_and_nothing_else(studio, jobs, entry):
    recall(studio, entry, "all")
    strength = next(slider for slider in studio.slider if slider.label == "Strength")
    shown(strength.set_value(80).run())
    assert ordered(studio, jobs).settings == UNUSUAL.replace(strength=80)


def test_all_but_the_seed_is_another_chance(studio, jobs, entry):
    settings = ordered(recall(studio, entry, "all but the seed"), jobs).settings
    assert settings.replace(seed=99) == UNUSUAL
    assert settings.seed != 99


def test_only_the_style_is_taken_on_request(studio, jobs, entry):
    upload(studio)
    recall(studio, entry, "style")
    assert chosen(studio) == ["tubingen", "style 3", "style 4"]
    assert ordered(studio, jobs).settings == preset("studio").replace(style_weights=(1.0, 3.0))


def test_a_recall_can_be_let_go(studio, jobs, entry):
    recall(studio, entry, "all")
    shown(studio.button("recall_reset").click().run())
    assert "Settings of" not in said(studio)
    assert ordered(studio, jobs).settings == preset("studio").replace(style_weights=(1.0, 3.0))


def test_a_second_recall_replaces_the_first(studio, jobs, gallery, entry):
    other = add(gallery, "Morning", result(settings=UNUSUAL.replace(size=400, style_weights=())))
    recall(recall(studio, entry, "all"), other, "all")
    assert ordered(studio, jobs).settings == UNUSUAL.replace(size=400, style_weights=())


def test_a_result_started_from_a_picture_starts_from_it_again(studio, jobs, gallery):
    start = gallery.add_input(image.encode_png(draw(20, 20, seed=50)), "start")
    made = result(settings=UNUSUAL.replace(init="picture", style_weights=()))
    entry = add(gallery, "Continued", made, initial=start)
    order = ordered(recall(studio, entry, "all"), jobs)
    assert (order.settings.init, order.initial.sha256) == ("picture", start.sha256)
    gallery.input_path(start).unlink()
    recall(studio, entry, "all")
    assert "is not in this gallery" in said(studio)
    order = ordered(studio, jobs)
    assert (order.settings.init, order.initial) == ("content", None)


@pytest.mark.parametrize("asked", ["junk", {}, {"entry": "../../etc/passwd"}, {"entry": "20200101-000000-abcdef"}])
def test_a_recall_of_nothing_is_told_or_left_alone(studio, asked):
    studio.session_state["recall"] = asked
    shown(studio.run())
    assert chosen(studio) == []


def test_inputs_that_are_gone_are_told(studio, gallery, entry):
    gallery.input_path(entry.styles[0]).unlink()
    recall(studio, entry, "all")
    assert "No longer in the gallery: style 3" in said(studio)
    assert chosen(studio) == ["harbour", "style 4"]


# Files that are more than a photograph ---------------------------------------------------------------------------


def drop(at, name, data):
    uploader(at, "photograph").upload(name, data, "application/octet-stream")
    return shown(at.run())


def test_a_picture_made_here_offers_its_settings(studio, jobs, gallery, entry):
    drop(studio, "shared.png", entry.picture_path.read_bytes())
    assert "This picture was made here" in said(studio)
    assert chosen(studio) == ["shared"]
    shown(studio.button("offer_use").click().run())
    assert "This picture was made here" not in said(studio)
    order = ordered(studio, jobs)
    assert order.settings == UNUSUAL
    assert order.content.sha256 == entry.content.sha256


def test_a_picture_made_here_can_be_a_photograph_like_any_other(studio, jobs, entry):
    drop(studio, "shared.png", entry.picture_path.read_bytes())
    shown(studio.button("offer_pass").click().run())
    upload_style = uploader(studio, "style").set_value([("s.png", STYLES[0], "image/png")])
    shown(upload_style.run())
    order = ordered(studio, jobs)
    assert (order.content.label, order.settings) == ("shared", preset("studio"))
    assert "made here" not in said(studio)


def test_an_ordinary_photograph_offers_nothing(studio):
    assert "made here" not in said(upload(studio))


def test_an_exported_zip_is_taken_into_the_gallery(studio, gallery, tmp_path):
    elsewhere = Gallery(tmp_path / "elsewhere")
    away = add(elsewhere, "From afar")
    file = io.BytesIO()
    exchange.export(elsewhere, [away.id], file)
    drop(studio, "results.zip", file.getvalue())
    assert "1 result added to the gallery" in said(studio)
    assert gallery.get(away.id).name == "From afar"
    assert [link.proto.label for link in studio.get("page_link")] == ["From afar"]
    assert chosen(studio) == []
    drop(studio, "results.zip", file.getvalue())
    assert "1 result there already" in said(studio)


@pytest.mark.parametrize("junk", [b"PK\x03\x04", b"PK\x03\x04" + bytes(200)])
def test_a_zip_that_is_none_is_told(studio, junk):
    drop(studio, "results.zip", junk)
    assert "results.zip" in studio.error[0].value.replace("\\", "")
    assert "zip" in said(studio)


def test_the_form_is_as_it_was_left_on_another_page(studio, jobs, entry):
    recall(studio, entry, "all")
    visit(visit(studio, "gallery"), "studio")
    assert ordered(studio, jobs).settings == UNUSUAL
