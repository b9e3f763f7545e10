"""The page of one result."""

import re

import pytest

from nst.config import preset
from nst.result import Status
from tests.dashboard.pages import HOSTILE, PARSED, check_escaped, hostile_entry, said, shown, visit
from tests.test_gallery import add, result


@pytest.mark.parametrize(
    "entry_id",
    ["", "20261121-075541-3fa9c2", "../../etc/passwd", "%00", "'; DROP TABLE entries; --", "x" * 5000, HOSTILE],
)
def test_an_unknown_id_gives_a_message(studio, gallery, entry_id):
    visit(studio, "result", id=entry_id)
    assert len(studio.error) == 1
    assert studio.title[0].value == "Result"
    assert len(studio.image) == 0
    assert not any(piece in re.sub(r"\\.", "", studio.error[0].value) for piece in PARSED)


def test_no_id_at_all_gives_a_message(studio):
    assert len(visit(studio, "result").error) == 1


def test_a_result_shows_its_pictures_figures_and_losses(studio, gallery):
    entry = add(gallery, "harbour")
    visit(studio, "result", id=entry.id)
    assert studio.title[0].value == "harbour"
    assert len(studio.image) == 3  # photograph, style, result
    assert "tubingen" in said(studio)
    assert {metric.label: metric.value for metric in studio.metric} == {
        "Size": "40 × 24",
        "Preset": "Studio",
        "Time": "1 s",
        "Evaluations": "5",
    }
    assert len(studio.get("vega_lite_chart")) == 1
    assert [button.label for button in studio.get("download_button")] == ["PNG", "JPEG", "Everything"]
    assert entry.network.sha256 in said(studio)
    assert entry.id in said(studio)


def test_a_result_shows_every_setting(studio, gallery):
    settings = preset("tensorflow-tutorial").replace(size=640, seed=77, style_weights=(0.25,))
    visit(studio, "result", id=add(gallery, "x", result(settings=settings)).id)
    table = studio.dataframe[0].value
    told = dict(zip(table["Setting"], table["Value"], strict=True))
    assert {name.replace("_", " ") for name in settings.to_dict()} <= told.keys()
    assert (told["size"], told["seed"], told["style weights"], told["strength"]) == ("640", "77", "0.25", "–")
    assert told["content layers"] == "block5_conv2 × 1.0"


def test_a_result_without_losses_and_one_that_failed_are_shown(studio, gallery):
    entry = add(gallery, "nothing", result(history=(), status=Status.FAILED, message="It went wrong."))
    visit(studio, "result", id=entry.id)
    assert "Failed. It went wrong." in said(studio)
    assert len(studio.get("vega_lite_chart")) == 0


def test_inputs_removed_by_hand_do_not_break_a_result(studio, gallery):
    entry = add(gallery, "one")
    for path in (gallery.root / "inputs").iterdir():
        path.unlink()
    visit(studio, "result", id=entry.id)
    assert studio.title[0].value == "one"


def test_hostile_names_are_never_markdown_on_the_result_page(studio, gallery):
    check_escaped(visit(studio, "result", id=hostile_entry(gallery)))


def test_a_hostile_preset_is_never_markdown_on_the_result_page(studio, gallery):
    """It comes with the folder of an entry that somebody else made; values of metrics are Markdown too."""
    check_escaped(visit(studio, "result", id=hostile_entry(gallery, preset_name=HOSTILE)))


def test_deleting_asks_first(studio, gallery):
    entry = add(gallery, "one")
    visit(studio, "result", id=entry.id)
    assert "delete_confirmed" not in [button.key for button in studio.button]
    shown(studio.button("delete").click().run())
    assert {"keep", "delete_confirmed"} <= {button.key for button in studio.button}
    assert gallery.get(entry.id) == entry


def test_a_confirmed_delete_moves_the_result_to_the_trash(studio, gallery):
    entry = add(gallery, "one")
    add(gallery, "other")
    visit(studio, "result", id=entry.id)
    shown(studio.button("delete").click().run())
    studio.button("delete").click()  # AppTest runs the whole page, so the dialog has to be opened once more
    shown(studio.button("delete_confirmed").click().run())
    assert studio.title[0].value == "Gallery"
    assert [kept.name for kept in gallery.query().entries] == ["other"]
    assert (gallery.root / "trash" / entry.id / "result.png").is_file()


def test_keeping_it_keeps_it(studio, gallery):
    entry = add(gallery, "one")
    visit(studio, "result", id=entry.id)
    shown(studio.button("delete").click().run())
    studio.button("delete").click()
    shown(studio.button("keep").click().run())
    assert studio.title[0].value == "one"
    assert gallery.get(entry.id) == entry
