"""The page that compares results."""

import json
import re

import pytest

from nst.colour import Look
from nst.config import preset
from tests.dashboard.pages import HOSTILE, PARSED, hostile_entry, said, visit
from tests.dashboard.test_statistics_page import frame_of
from tests.galleries import add, result, rows


def compared(at, *entries):
    return visit(at, "compare", ids=",".join(entry.id for entry in entries))


def viewer(at):
    (found,) = at.get("bidi_component")
    return json.loads(found.proto.json)


def lines(at):
    """The names in the loss chart."""
    return json.loads(at.get("vega_lite_chart")[0].proto.spec)["encoding"]["color"]["sort"]


@pytest.mark.parametrize(
    "ids",
    [
        "",
        ",",
        "20261121-075541-3fa9c2",
        "../../etc/passwd,x",
        "a,b,c,d,e",
        "x" * 5000,
        HOSTILE,
        f"{HOSTILE},{HOSTILE} ",
    ],
)
def test_ids_that_lead_nowhere_give_a_message(studio, gallery, ids):
    visit(studio, "compare", ids=ids)
    assert len(studio.error) == 1
    assert studio.title[0].value == "Compare"
    assert not studio.get("bidi_component")


def test_one_result_twice_is_nothing_to_compare(studio, gallery):
    entry = add(gallery, "one")
    compared(studio, entry, entry)
    assert "From 2 to 4 results can be compared" in said(studio)


def test_a_result_that_is_gone_costs_the_others_nothing(studio, gallery):
    one, gone, other = (add(gallery, name) for name in ("one", "gone", "other"))
    gallery.delete(gone.id)
    compared(studio, one, gone, other)
    assert viewer(studio)["after"]["label"] == "2. other"
    assert len(studio.warning) == 1
    assert gone.id in said(studio)
    assert not studio.error


def test_blanks_and_a_trailing_comma_are_no_results(studio, gallery):
    one, other = add(gallery, "one"), add(gallery, "other")
    visit(studio, "compare", ids=f" {one.id}, ,{other.id} ,")
    assert viewer(studio)["after"]["label"] == "2. other"
    assert not studio.warning


def test_long_runs_are_compared_with_no_more_points_than_a_screen_shows(studio, gallery):
    compared(studio, add(gallery, "one", result(history=rows(5000), evaluations=5000)), add(gallery, "two"))
    frame = frame_of(studio.get("vega_lite_chart")[0])
    assert frame.groupby("run")["evaluation"].count().to_dict() == {"1. one": 2000, "2. two": 5}


def test_two_results_lie_under_a_slider_with_the_looks_they_keep(studio, gallery):
    first = add(gallery, "first")
    second = gallery.annotate(add(gallery, "second").id, look=Look("matched", 0.5))
    compared(studio, first, second)
    shown = viewer(studio)
    assert shown["before"]["src"] == f"/files/picture/{first.id}?colours=own&blend=1"
    assert shown["after"]["src"] == f"/files/picture/{second.id}?colours=matched&blend=0.5"
    assert (shown["before"]["label"], shown["after"]["label"]) == ("1. first", "2. second")


def test_two_results_can_be_seen_side_by_side(studio, gallery):
    compared(studio, add(gallery, "first"), add(gallery, "second"))
    studio.segmented_control("view").set_value("Side by side").run()
    assert [picture["label"] for picture in viewer(studio)["pictures"]] == ["1. first", "2. second"]


def test_results_of_another_form_are_never_laid_over_each_other(studio, gallery):
    compared(studio, add(gallery, "wide"), add(gallery, "high", result(24, 40)))
    assert len(viewer(studio)["pictures"]) == 2
    assert not studio.segmented_control


def test_four_results_are_side_by_side(studio, gallery):
    compared(studio, *[add(gallery, f"{number}") for number in range(4)])
    assert len(viewer(studio)["pictures"]) == 4


def test_only_what_differs_is_in_the_table(studio, gallery):
    one = add(gallery, "same name", result(settings=preset("studio").replace(strength=20.0, tv_weight=3.0)))
    other = add(gallery, "same name", result(settings=preset("studio").replace(strength=80.0, tv_weight=3.0)))
    compared(studio, one, other)
    table = studio.dataframe[0].value
    assert list(table.columns) == ["Setting", "1. same name", "2. same name"]
    assert list(table["Setting"]) == ["strength", "style weight in force"]
    assert list(table.iloc[0]) == ["strength", "20", "80"]


def test_results_made_alike_differ_in_nothing(studio, gallery):
    compared(studio, add(gallery, "one"), add(gallery, "two"))
    assert "Nothing: they were made from the same pictures" in said(studio)
    assert len(studio.dataframe) == 0


def test_losses_are_overlaid_even_where_one_run_has_none(studio, gallery):
    compared(studio, add(gallery, "one"), add(gallery, "none", result(history=())))
    assert lines(studio) == ["1. one", "2. none"]


def test_the_results_are_linked(studio, gallery):
    entries = [add(gallery, "one"), add(gallery, "two")]
    compared(studio, *entries)
    links = [link.proto.query_string for link in studio.get("page_link")]
    assert links == [f"id={entry.id}" for entry in entries]


def test_hostile_names_are_never_markdown_on_the_compare_page(studio, gallery):
    """What the viewer and the table show is text by nature; the links' tooltips are not."""
    visit(studio, "compare", ids=f"{hostile_entry(gallery)},{add(gallery, 'one').id}")
    label = studio.get("page_link")[0].proto.help
    assert "bold" in label
    assert not any(piece in re.sub(r"\\.", "", label) for piece in PARSED)
    assert viewer(studio)["before"]["label"] == f"1. {HOSTILE}"
