"""The Gallery page."""

import io
import json
import shutil
from datetime import date, timedelta
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nst import weights
from nst.config import preset
from nst.dashboard.collection.view import NAMES
from nst.errors import GalleryError
from nst.exchange import export
from nst.gallery import Gallery
from tests.dashboard.pages import HOSTILE, STYLES, check_escaped, hostile_entry, press, said, shown, texts, visit
from tests.test_gallery import add, result


def grid(at: AppTest) -> dict:
    """What the grid of cards is given to draw."""
    found = at.get("bidi_component")
    return json.loads(found[0].proto.json) if found else {"cards": []}


def cards(at: AppTest) -> list[str]:
    return [card["id"] for card in grid(at)["cards"]]


def send(at: AppTest, event: str, value: Any) -> AppTest:
    """What the grid sends when somebody clicks; AppTest knows no components of one's own."""
    (element,) = at.get("bidi_component")
    states = at._tree.get_widget_states()
    sent = states.widgets.add()
    sent.id = f"$$STREAMLIT_INTERNAL_KEY_{element.proto.id}__events"
    sent.json_trigger_value = json.dumps([{"event": event, "value": value}])
    return shown(at._run(states))


def sha_of(gallery: Gallery, label: str) -> str:
    return next(sha for sha, style in gallery.facets().styles.items() if style.label == label)


def address(at: AppTest) -> dict[str, str]:
    return {name: value[-1] if isinstance(value, list) else value for name, value in at.query_params.items()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A gallery for `thirty` to copy, because saving takes longer than most tests here, and the ids."""
    gallery = Gallery(tmp_path_factory.mktemp("saved") / "gallery")
    other = gallery.add_input(STYLES[5], "waves.png")
    ids = []
    for number in range(30):
        made = result(8, 8, seed=number, settings=preset("draft" if number < 10 else "studio"))
        options = {"styles": [other]} if number >= 25 else {}
        ids.append(add(gallery, f"picture {number:02}", made, **options).id)
    return gallery, ids


@pytest.fixture
def thirty(gallery, saved):
    """The ids of 30 results: ten draft ones and twenty studio ones, five of which have another style."""
    source, ids = saved
    shutil.copytree(source.root, gallery.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("index.sqlite*"))
    gallery.rebuild()
    return [*ids]


@pytest.mark.parametrize("page", ["studio", "gallery"])
def test_one_button_paints_a_first_picture_from_samples(studio, jobs, page):
    visit(studio, page)
    assert ("Nothing here yet" if page == "gallery" else "Your picture appears here") in texts(studio)
    assert "Search" not in [box.label for box in studio.text_input], "nothing to search in an empty gallery"
    shown(studio.button("first").click().run())
    assert studio.title[0].value == "Studio"
    (job,) = jobs.snapshots()
    assert job.order.settings == preset("studio")
    assert (job.order.content.label, *(style.label for style in job.order.styles)) == ("Pagoda", "Flowing brush")
    assert "Pagoda" in said(studio)
    assert "first" not in [button.key for button in studio.button], "it is there for an empty queue only"


def test_a_first_picture_never_waits_for_a_download(studio, jobs, monkeypatch):
    monkeypatch.setenv(weights.ENV_OFFLINE, "0")
    shown(studio.button("first").click().run())
    assert jobs.snapshots()[0].order.network == "builtin"


def test_a_first_picture_uses_the_network_that_was_chosen(studio, jobs, gallery, tmp_path):
    (tmp_path / "mine.h5").write_bytes(b"not looked into yet")
    gallery.preferences_path.write_text(json.dumps({"network": str(tmp_path / "mine.h5")}))
    shown(studio.button("first").click().run())
    assert jobs.snapshots()[0].order.network == str(tmp_path / "mine.h5")


def test_a_first_picture_in_the_making_is_not_offered_again(studio, jobs):
    visit(studio, "gallery")
    shown(studio.button("first").click().run())
    visit(studio, "gallery")
    assert "Nothing here yet" in texts(studio)
    assert "first" not in [button.key for button in studio.button]


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_a_sample_that_is_not_there_costs_that_sample_only(studio, jobs, tmp_path, monkeypatch, fault):
    from nst import samples

    for path in samples.PHOTOGRAPHS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pagoda.jpg").unlink() if fault == "missing" else (tmp_path / "pagoda.jpg").write_bytes(b"no JPEG")
    monkeypatch.setattr(samples, "PHOTOGRAPHS", tmp_path)
    st.cache_data.clear()
    shown(studio.button("first").click().run())
    assert jobs.snapshots() == []
    shown(studio.segmented_control("photograph_source").set_value("Samples").run())
    (told,) = studio.error
    assert ("pagoda" if fault == "missing" else "not a picture") in told.value
    press(studio, "photograph_samples", "pagoda")
    assert len(studio.error) == 2, "it was asked for all the same"
    press(studio, "photograph_samples", "cat")
    assert len(studio.error) == 1
    assert "Photograph: Stefan van der Walt, CC0" in said(studio)


def test_a_first_picture_that_cannot_be_kept_is_told_in_words(studio, jobs, monkeypatch):
    def full(order):
        raise GalleryError("The disk is full. Free some space and try again.")

    monkeypatch.setattr(jobs, "submit", full)
    shown(studio.button("first").click().run())
    assert "The disk is full" in said(studio)
    assert jobs.snapshots() == []


def test_a_card_shows_its_result_and_opens_it(studio, gallery):
    entry = add(gallery, "harbour at night")
    gallery.annotate(entry.id, rating=4, starred=True)
    visit(studio, "gallery")
    assert "1 result" in texts(studio)
    (card,) = grid(studio)["cards"]
    assert card == {
        "id": entry.id,
        "name": "harbour at night",
        "caption": f"Studio · 40 × 24 · {entry.created[:10]}",
        "src": f"/files/thumbnail/{entry.id}",
        "href": f"/result?id={entry.id}",
        "width": 40,
        "height": 24,
        "starred": True,
        "rating": 4,
        "picked": False,
    }
    send(studio, "open", entry.id)
    assert studio.title[0].value == "harbour at night"
    assert address(studio) == {"id": entry.id}


def test_pages_of_a_gallery_show_every_result_once(studio, thirty):
    visit(studio, "gallery")
    first = cards(studio)
    assert "30 results" in texts(studio)
    assert len(first) == 24
    second = cards(shown(studio.pagination[0].set_value(2).run()))
    assert len(second) == 6
    assert sorted(first + second) == sorted(thirty)


def test_search_narrows_and_an_empty_answer_is_told(studio, thirty):
    visit(studio, "gallery")
    shown(studio.text_input("q").set_value("PICTURE 1").run())
    assert sorted(cards(studio)) == sorted(thirty[10:20])
    assert "10 of 30 results" in texts(studio)
    shown(studio.text_input("q").set_value("waves").run())
    assert sorted(cards(studio)) == sorted(thirty[25:])
    shown(studio.text_input("q").set_value("%' OR 1=1 --").run())
    assert cards(studio) == []
    assert "No result matches" in texts(studio)


def test_filters_narrow_and_work_together(studio, gallery, thirty):
    visit(studio, "gallery")
    shown(studio.selectbox("preset_filter").set_value("draft").run())
    assert sorted(cards(studio)) == sorted(thirty[:10])
    waves = sha_of(gallery, "waves")
    shown(studio.selectbox("style_filter").set_value(waves).run())
    assert cards(studio) == []
    shown(studio.selectbox("preset_filter").set_value("studio").run())
    assert sorted(cards(studio)) == sorted(thirty[25:])
    assert "Style: waves · Preset: Studio" in said(studio), "nothing narrows a list unseen"


def test_filters_say_how_many_there_are(studio, thirty):
    visit(studio, "gallery")
    assert studio.selectbox("preset_filter").options == ["Studio (20)", "Draft (10)"]
    assert studio.selectbox("style_filter").options == ["starry_night (25)", "waves (5)"]
    assert studio.selectbox("content_filter").options == ["tubingen (30)"]


def test_what_a_result_was_given_can_be_filtered_by(studio, gallery, thirty):
    gallery.annotate(thirty[3], starred=True, rating=5, tags=["Night"], note="for the wall")
    gallery.annotate(thirty[4], rating=2)
    visit(studio, "gallery")
    for change in (
        lambda: studio.toggle("starred_filter").set_value(True),
        lambda: studio.selectbox("tag_filter").set_value("Night"),
        lambda: studio.selectbox("rated_filter").set_value(3),
        lambda: studio.text_input("q").set_value("the WALL"),
    ):
        shown(change().run())
        assert cards(studio) == [thirty[3]]
        shown(studio.button("clear").click().run())
        assert len(cards(studio)) == 24
    assert "clear" not in [button.key for button in studio.button], "nothing is left to clear"


def test_sizes_and_days_are_filtered_by(studio, gallery, thirty):
    large = add(gallery, "large", result(64, 48)).id
    visit(studio, "gallery")
    shown(studio.number_input("smallest_filter").set_value(41).run())
    assert cards(studio) == [large]
    shown(studio.number_input("smallest_filter").set_value(None).run())
    shown(studio.number_input("largest_filter").set_value(41).run())
    assert "30 of 31 results" in texts(studio)
    shown(studio.button("clear").click().run())
    today = date.fromisoformat(gallery.get(large).created[:10])
    shown(studio.date_input("since_filter").set_value(today + timedelta(days=1)).run())
    assert cards(studio) == []
    shown(studio.date_input("since_filter").set_value(thirty_days_before(today)).run())
    assert "31 results" in texts(studio)
    assert f"from {thirty_days_before(today)}" in said(studio)


def thirty_days_before(day: date) -> date:
    return day - timedelta(days=30)


def test_the_order_can_be_chosen(studio, thirty):
    visit(studio, "gallery")
    shown(studio.selectbox("order").set_value("name").run())
    assert cards(studio) == thirty[:24]


def test_a_page_beyond_the_last_one_shows_something(studio, thirty):
    visit(studio, "gallery")
    shown(studio.pagination[0].set_value(2).run())
    shown(studio.selectbox("preset_filter").set_value("studio").run())
    assert len(cards(studio)) == 20


def test_a_filter_whose_last_result_is_deleted_does_not_break_the_page(studio, gallery, thirty):
    visit(studio, "gallery")
    shown(studio.selectbox("preset_filter").set_value("draft").run())
    for entry_id in thirty[:10]:
        gallery.delete(entry_id)
    shown(studio.run())
    assert "No result matches" in texts(studio)
    shown(studio.selectbox("preset_filter").set_value(None).run())
    assert len(cards(studio)) == 20


# The address -----------------------------------------------------------------------------------------------------


def test_the_address_tells_what_is_shown(studio, gallery, thirty):
    visit(studio, "gallery")
    assert address(studio) == {}
    shown(studio.text_input("q").set_value("picture").run())
    shown(studio.selectbox("preset_filter").set_value("studio").run())
    shown(studio.selectbox("order").set_value("oldest").run())
    shown(studio.toggle("starred_filter").set_value(True).run())
    assert address(studio) == {"q": "picture", "preset": "studio", "order": "oldest", "starred": "yes"}
    shown(studio.button("clear").click().run())
    assert address(studio) == {"order": "oldest"}
    shown(studio.pagination[0].set_value(2).run())
    assert address(studio) == {"order": "oldest", "page": "2"}
    shown(studio.text_input("q").set_value("picture").run())
    assert "page" not in address(studio), "the second page of something else"


def test_a_link_shows_what_its_sender_saw(studio, gallery, thirty):
    waves = sha_of(gallery, "waves")
    visit(studio, "gallery", style=waves, order="oldest", q="PICTURE")
    assert cards(studio) == thirty[25:]
    assert studio.text_input("q").value == "PICTURE"
    assert studio.selectbox("style_filter").value == waves
    visit(studio, "studio")
    studio.query_params.clear()
    studio.query_params.update({"page": "2", "order": "oldest"})
    visit(studio, "gallery")
    assert cards(studio) == thirty[24:]
    assert studio.pagination[0].value == 2
    assert studio.text_input("q").value == ""


def test_going_back_shows_what_was_there(studio, thirty):
    visit(studio, "gallery")
    shown(studio.text_input("q").set_value("picture 01").run())
    studio.query_params.clear()  # as a browser's Back button does
    shown(studio.run())
    assert studio.text_input("q").value == ""
    assert len(cards(studio)) == 24


@pytest.mark.parametrize("left", ["id", "ids"])
def test_back_from_a_result_shows_what_was_there(studio, thirty, left):
    visit(studio, "gallery")
    shown(studio.text_input("q").set_value("picture 01").run())
    visit(studio, "result", id=thirty[1])
    studio.query_params.clear()
    visit(studio, "gallery", **{left: thirty[1]})
    assert studio.text_input("q").value == "picture 01"
    assert cards(studio) == [thirty[1]]
    assert grid(studio)["address"] == "q=picture+01", "the browser is to show it"
    shown(studio.text_input("q").set_value("picture 02").run())
    assert cards(studio) == [thirty[2]]
    assert grid(studio)["address"] is None
    assert address(studio) == {"q": "picture 02"}


def test_an_address_that_arrives_late_does_not_undo_what_was_typed(studio, thirty):
    visit(studio, "gallery")
    shown(studio.text_input("q").set_value("picture").run())
    studio.query_params.clear()  # the browser has not yet heard of the new one
    shown(studio.selectbox("preset_filter").set_value("draft").run())
    assert address(studio) == {"q": "picture", "preset": "draft"}
    assert sorted(cards(studio)) == sorted(thirty[:10])


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "2", "99999999999999999999", "1e9", "nan", "x\x00y", HOSTILE, "../..", "²"]
)
def test_hostile_addresses_do_not_break_the_page(studio, thirty, value):
    names = [*NAMES, "view", "ids", "id"]
    visit(studio, "gallery")
    for asked in [*({name: value} for name in names), dict.fromkeys(names, value)]:
        studio.query_params.clear()
        studio.query_params.update(asked)
        shown(studio.run())
        assert studio.title[0].value == "Gallery"
        assert len(studio.error) == 0


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "9999-12-31", "2026-02-30"])
def test_days_that_can_not_be_shown_are_not_asked_for(studio, thirty, day):
    visit(studio, "gallery", since=day, until=day)
    assert len(studio.error) == 0
    assert studio.date_input("since_filter").value is None
    assert len(cards(studio)) == 24
    assert address(studio) == {}


def test_hostile_names_are_shown_as_typed_on_cards(studio, gallery):
    hostile_entry(gallery, preset_name=HOSTILE)
    visit(studio, "gallery")
    (card,) = grid(studio)["cards"]
    assert card["name"] == HOSTILE
    assert "bold" not in texts(studio), "names are data for the grid, which sets them as text"


def test_a_hostile_folder_in_the_gallery_is_told_and_never_markdown(studio, gallery):
    (gallery.root / "results" / HOSTILE.replace("/", "")).mkdir()
    visit(studio, "gallery")
    check_escaped(shown(studio.run()))


def test_a_hostile_filter_is_never_markdown(studio, gallery):
    hostile_entry(gallery, preset_name=HOSTILE)
    visit(studio, "gallery", preset=HOSTILE)
    assert len(cards(studio)) == 1
    check_escaped(studio)
    visit(studio, "gallery", tag=HOSTILE)
    check_escaped(studio)


# Many at once ----------------------------------------------------------------------------------------------------


def select(at: AppTest, how: str = "pick_all", **query: str) -> AppTest:
    visit(at, "gallery", **query)
    shown(at.toggle("selecting").set_value(True).run())
    return shown(at.button(how).click().run())


def test_a_page_or_all_that_match_can_be_selected(studio, thirty):
    select(studio, "pick_page")
    assert "**24** selected" in texts(studio)
    assert all(card["picked"] for card in grid(studio)["cards"])
    shown(studio.button("pick_all").click().run())
    assert "**30** selected" in texts(studio)
    shown(studio.pagination[0].set_value(2).run())
    assert [card["picked"] for card in grid(studio)["cards"]] == [True] * 6
    shown(studio.button("pick_none").click().run())
    assert "**0** selected" in texts(studio)
    assert studio.button("delete").disabled


def test_only_what_matches_is_selected(studio, thirty):
    select(studio, preset="draft")
    assert sorted(studio.session_state["picked"]) == sorted(thirty[:10])


def test_leaving_the_select_mode_selects_nothing(studio, thirty):
    select(studio)
    shown(studio.toggle("selecting").set_value(False).run())
    shown(studio.toggle("selecting").set_value(True).run())
    assert "**0** selected" in texts(studio)


def test_selected_results_are_starred_and_tagged(studio, gallery, thirty):
    gallery.annotate(thirty[0], tags=["old"])
    select(studio, q="picture 00")
    shown(studio.button("star").click().run())
    shown(studio.selectbox("tag_chosen").set_value("old").run())
    assert gallery.get(thirty[0]).starred
    shown(studio.button("tag_remove").click().run())
    assert gallery.get(thirty[0]).tags == ()
    shown(studio.button("unstar").click().run())
    assert not gallery.get(thirty[0]).starred
    assert not gallery.get(thirty[1]).starred


def test_a_tag_is_added_once_whatever_its_case(studio, gallery):
    ids = [add(gallery, "one").id, add(gallery, "two").id]
    gallery.annotate(ids[0], tags=["night", "wall"])
    gallery.annotate(ids[1], tags=["Night"])
    select(studio)
    shown(studio.selectbox("tag_chosen").set_value("wall").run())
    shown(studio.button("tag_add").click().run())
    assert gallery.get(ids[0]).tags == ("night", "wall")
    assert gallery.get(ids[1]).tags == ("Night", "wall")
    assert "Tag added to 2 results" in said(studio)


def test_two_to_four_can_be_compared(studio, gallery, thirty):
    select(studio, "pick_page")
    assert studio.button("compare").disabled
    send(studio, "pick", {"said": 1, "shown": cards(studio), "picked": thirty[:-3:-1]})
    assert not studio.button("compare").disabled
    shown(studio.button("compare").click().run())
    assert address(studio) == {"ids": f"{thirty[29]},{thirty[28]}"}


def test_deleting_many_can_be_undone(studio, gallery, thirty):
    select(studio, preset="draft")
    shown(studio.button("delete").click().run())
    assert "10 moved to the trash" in texts(studio)
    assert gallery.query().total == 20
    assert "**0** selected" in texts(studio)
    shown(studio.button("undo_button").click().run())
    assert gallery.query().total == 30
    assert "10 results restored" in said(studio)
    assert "moved to the trash" not in texts(studio)


def test_starred_results_are_not_deleted_and_it_is_told(studio, gallery, thirty):
    gallery.annotate(thirty[0], starred=True)
    select(studio, preset="draft")
    shown(studio.button("delete").click().run())
    assert "9 moved to the trash" in texts(studio)
    assert gallery.get(thirty[0]).starred
    (warning,) = studio.warning
    assert "1 stays where it is" in warning.value
    assert "star" in warning.value
    assert studio.session_state["picked"] == [thirty[0]]


def test_stars_of_cards_are_kept(studio, gallery, thirty):
    visit(studio, "gallery")
    assert grid(studio)["heard"] == 0
    send(studio, "star", {"said": 7, "stars": {thirty[29]: True, thirty[28]: True}})
    assert grid(studio)["heard"] == 7
    assert [card["id"] for card in grid(studio)["cards"] if card["starred"]] == [thirty[29], thirty[28]]
    send(studio, "star", {"said": 8, "stars": {thirty[29]: False}})
    assert [entry.id for entry in gallery.query(starred=True).entries] == [thirty[28]]


def test_boxes_of_cards_select_across_pages(studio, thirty):
    visit(studio, "gallery")
    shown(studio.toggle("selecting").set_value(True).run())
    first = cards(studio)
    send(studio, "pick", {"said": 1, "shown": first, "picked": first[:2]})
    shown(studio.pagination[0].set_value(2).run())
    second = cards(studio)
    send(studio, "pick", {"said": 2, "shown": second, "picked": second[:1]})
    assert studio.session_state["picked"] == [*first[:2], second[0]]
    send(studio, "pick", {"said": 3, "shown": second, "picked": []})
    assert studio.session_state["picked"] == first[:2]


@pytest.mark.parametrize("event", ["open", "star", "pick"])
@pytest.mark.parametrize(
    "value",
    [None, 7, "x", [], {}, {"said": "1"}, {"said": 1, "stars": 3, "picked": "x"}, {"said": 1, "stars": {"../..": 1}}],
)
def test_what_the_browser_makes_up_does_no_harm(studio, gallery, thirty, event, value):
    visit(studio, "gallery")
    send(studio, event, value)
    assert gallery.query().total == 30
    assert not gallery.query(starred=True).total


def test_another_page_can_leave_something_to_undo(studio, gallery, thirty):
    gallery.delete(thirty[0])
    studio.session_state["undo"] = [thirty[0]]
    visit(studio, "gallery")
    assert "1 moved to the trash" in texts(studio)
    shown(studio.button("undo_button").click().run())
    assert gallery.get(thirty[0]).name == "picture 00"


def test_what_the_trash_gave_back_is_not_offered_again(studio, gallery, thirty):
    gallery.delete_many(thirty[:2])
    studio.session_state["undo"] = thirty[:2]
    visit(studio, "gallery", view="trash")
    send(studio, "pick", {"said": 1, "shown": thirty[:2], "picked": thirty[:1]})
    shown(studio.button("restore").click().run())
    assert "1 moved to the trash" in texts(studio)
    assert studio.session_state["undo"] == [thirty[1]]


def test_a_notice_of_deletion_can_be_closed(studio, gallery, thirty):
    gallery.delete(thirty[0])
    studio.session_state["undo"] = [thirty[0]]
    visit(studio, "gallery")
    shown(studio.button("undo_close").click().run())
    assert "moved to the trash" not in texts(studio)
    assert gallery.query().total == 29


def test_results_removed_meanwhile_are_told_and_cost_the_others_nothing(studio, gallery, thirty):
    select(studio, preset="draft")
    gallery.delete(thirty[0])
    shown(studio.button("star").click().run())
    assert "9 results starred" in said(studio)
    assert "1 could not be changed" in said(studio)
    assert gallery.get(thirty[1]).starred


def test_the_page_tells_what_is_not_in_the_zip_before_it_is_downloaded(studio, gallery):
    ids = [add(gallery, f"{number}").id for number in range(10)]
    select(studio)
    gallery.get(ids[3]).picture_path.unlink()
    assert not studio.get("download_button")
    shown(studio.button("export").click().run())
    assert "9 results in the zip" in said(studio)
    assert "1 result not in the zip: keep the originals" in said(studio)
    assert "result.png" in studio.warning[0].value.replace("\\", "")
    (download,) = studio.get("download_button")
    assert not download.proto.disabled
    shown(studio.button("pick_page").click().run())
    assert not studio.get("download_button"), "it held what was selected before"


def test_a_whole_zip_is_told_without_a_warning_and_can_be_closed(studio, gallery):
    add(gallery, "one")
    select(studio)
    shown(studio.button("export").click().run())
    assert "1 result in the zip" in said(studio)
    assert not studio.warning
    shown(studio.button("export_close").click().run())
    assert not studio.get("download_button")


# The trash -------------------------------------------------------------------------------------------------------


def test_the_trash_gives_back_or_forgets(studio, gallery, thirty):
    for entry_id in thirty[:3]:
        gallery.delete(entry_id)
    visit(studio, "gallery")
    assert "Trash \\(3\\)" in [button.label for button in studio.button]
    shown(studio.button("to_trash").click().run())
    assert address(studio) == {"view": "trash"}
    assert studio.title[0].value == "Trash"
    assert sorted(cards(studio)) == sorted(thirty[:3])
    assert all("days left" in card["caption"] and card["href"] is None for card in grid(studio)["cards"])
    send(studio, "pick", {"said": 1, "shown": thirty[:3], "picked": thirty[:1]})
    shown(studio.button("restore").click().run())
    assert gallery.get(thirty[0]).name == "picture 00"
    shown(studio.button("trash_all").click().run())
    shown(studio.button("purge_confirmed").click().run())
    assert gallery.trashed() == []
    assert "The trash is empty" in texts(studio)
    shown(studio.button("leave_trash").click().run())
    assert "28 results" in texts(studio)


def test_the_trash_of_an_empty_gallery_can_be_reached(studio, gallery):
    gallery.delete(add(gallery, "one").id)
    visit(studio, "gallery")
    assert "Nothing here yet" in texts(studio)
    shown(studio.button("to_trash").click().run())
    assert len(cards(studio)) == 1


@pytest.mark.parametrize("lost", ["thumbnail.jpg", "result.png", "metadata.json"])
def test_a_damaged_entry_in_the_trash_does_not_break_the_page(studio, gallery, lost):
    entry = add(gallery, "one")
    gallery.delete(entry.id)
    (gallery.root / "trash" / entry.id / lost).unlink()
    visit(studio, "gallery", view="trash")
    shown(studio.button("trash_all").click().run())
    shown(studio.button("restore").click().run())


# Import ----------------------------------------------------------------------------------------------------------


def test_a_zip_from_another_gallery_is_taken_in(studio, gallery, tmp_path):
    other = Gallery(tmp_path / "other")
    ids = [add(other, "far away").id, add(other, "further").id]
    file = io.BytesIO()
    export(other, ids, file)
    visit(studio, "gallery")
    studio.file_uploader("import_0").upload("results.zip", file.getvalue(), "application/zip")
    shown(studio.run())
    assert sorted(cards(studio)) == sorted(ids)
    assert "2 results imported" in said(studio)
    studio.file_uploader("import_1").upload("results.zip", file.getvalue(), "application/zip")
    shown(studio.run())
    assert "0 results imported, 2 here already" in said(studio)


def test_what_is_no_zip_of_results_is_told_in_words(studio, gallery):
    visit(studio, "gallery")
    studio.file_uploader("import_0").upload(f"{HOSTILE[:40]}.zip", b"PK\x03\x04 no zip", "application/zip")
    shown(studio.run())
    assert len(studio.warning) == 1
    check_escaped(studio)


# Damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["thumbnail.jpg", "result.png", "metadata.json", "losses.csv"])
@pytest.mark.parametrize("page", ["gallery", "result"])
def test_a_file_removed_by_hand_does_not_break_a_page(studio, gallery, page, lost):
    entry = add(gallery, "one")
    add(gallery, "other")
    visit(studio, page, id=entry.id)
    (entry.folder / lost).unlink()
    shown(studio.run())
    if page == "gallery":
        assert "other" in [card["name"] for card in grid(studio)["cards"]]


@pytest.mark.parametrize("damaged", ["thumbnail.jpg", "result.png", "losses.csv"])
@pytest.mark.parametrize("page", ["gallery", "result"])
def test_a_damaged_file_does_not_break_a_page(studio, gallery, page, damaged):
    entry = add(gallery, "one")
    (entry.folder / damaged).write_bytes(b"damaged")
    visit(studio, page, id=entry.id)


@pytest.mark.parametrize("page", ["gallery", "result"])
def test_a_folder_removed_by_hand_does_not_break_a_page(studio, gallery, page):
    entry = add(gallery, "one")
    visit(studio, page, id=entry.id)
    shutil.rmtree(entry.folder)
    shown(studio.run())


def test_an_index_removed_by_hand_does_not_break_the_gallery(studio, gallery, thirty):
    visit(studio, "gallery")
    for path in gallery.root.glob("index.sqlite*"):
        path.write_bytes(b"damaged" * 1000)
    shown(studio.run())
    assert len(cards(studio)) == 24
