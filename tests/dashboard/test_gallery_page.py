"""The Gallery page."""

import json
import shutil

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nst import weights
from nst.config import preset
from nst.errors import GalleryError
from tests.dashboard.pages import STYLES, said, shown, texts, visit
from tests.test_gallery import add, result


def cards(at: AppTest) -> list[str]:
    return [button.key.removeprefix("open_") for button in at.button if (button.key or "").startswith("open_")]


@pytest.fixture
def thirty(gallery):
    """The ids of 30 results: ten draft ones and twenty studio ones, five of which have another style."""
    other = gallery.add_input(STYLES[5], "waves.png")
    ids = []
    for number in range(30):
        made = result(8, 8, seed=number, settings=preset("draft" if number < 10 else "studio"))
        options = {"styles": [other]} if number >= 25 else {}
        ids.append(add(gallery, f"picture {number:02}", made, **options).id)
    return ids


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
    assert "Pagoda: the file is missing or damaged" in said(studio)
    shown(studio.pills("photograph_sample").set_value("pagoda").run())
    assert len(studio.error) == 1
    shown(studio.pills("photograph_sample").set_value("cat").run())
    assert len(studio.error) == 0
    assert "Photograph: Stefan van der Walt, CC0" in said(studio)


def test_a_first_picture_that_cannot_be_kept_is_told_in_words(studio, jobs, monkeypatch):
    def full(order):
        raise GalleryError("The disk is full. Free some space and try again.")

    monkeypatch.setattr(jobs, "submit", full)
    shown(studio.button("first").click().run())
    assert "The disk is full" in said(studio)
    assert jobs.snapshots() == []


def test_a_card_opens_its_result(studio, gallery):
    entry = add(gallery, "harbour at night")
    visit(studio, "gallery")
    assert "harbour at night" in [text.value for text in studio.text]
    assert "1 result" in texts(studio)
    assert "40 × 24" in said(studio)
    assert len(studio.image) == 1
    shown(studio.button(f"open_{entry.id}").click().run())
    assert studio.title[0].value == "harbour at night"


def test_pages_of_a_gallery_show_every_result_once(studio, thirty):
    visit(studio, "gallery")
    first = cards(studio)
    assert "30 results" in texts(studio)
    assert len(first) == 24
    second = cards(shown(studio.pagination("page").set_value(2).run()))
    assert len(second) == 6
    assert sorted(first + second) == sorted(thirty)


def test_search_narrows_and_an_empty_answer_is_told(studio, thirty):
    visit(studio, "gallery")
    shown(studio.text_input("q").set_value("PICTURE 1").run())
    assert sorted(cards(studio)) == sorted(thirty[10:20])
    shown(studio.text_input("q").set_value("waves").run())
    assert sorted(cards(studio)) == sorted(thirty[25:])
    shown(studio.text_input("q").set_value("%' OR 1=1 --").run())
    assert cards(studio) == []
    assert "No result matches" in texts(studio)


def test_filters_narrow_and_work_together(studio, gallery, thirty):
    visit(studio, "gallery")
    shown(studio.selectbox("preset_filter").set_value("draft").run())
    assert sorted(cards(studio)) == sorted(thirty[:10])
    waves = next(sha for sha, style in gallery.styles().items() if style.label == "waves")
    shown(studio.selectbox("style_filter").set_value(waves).run())
    assert cards(studio) == []
    shown(studio.selectbox("preset_filter").set_value("studio").run())
    assert sorted(cards(studio)) == sorted(thirty[25:])


def test_filters_say_how_many_there_are(studio, thirty):
    visit(studio, "gallery")
    assert studio.selectbox("preset_filter").options == ["Any preset", "Studio (20)", "Draft (10)"]
    assert studio.selectbox("style_filter").options == ["Any style", "starry_night (25)", "waves (5)"]


def test_a_page_beyond_the_last_one_shows_something(studio, thirty):
    visit(studio, "gallery")
    shown(studio.pagination("page").set_value(2).run())
    shown(studio.selectbox("preset_filter").set_value("studio").run())
    assert len(cards(studio)) == 20


def test_a_filter_whose_last_result_is_deleted_does_not_break_the_page(studio, gallery, thirty):
    visit(studio, "gallery")
    shown(studio.selectbox("preset_filter").set_value("draft").run())
    for entry_id in thirty[:10]:
        gallery.delete(entry_id)
    shown(studio.run())
    shown(studio.selectbox("preset_filter").set_value("any").run())
    assert len(cards(studio)) == 20


@pytest.mark.parametrize("lost", ["thumbnail.jpg", "result.png", "metadata.json", "losses.csv"])
@pytest.mark.parametrize("page", ["gallery", "result"])
def test_a_file_removed_by_hand_does_not_break_a_page(studio, gallery, page, lost):
    entry = add(gallery, "one")
    add(gallery, "other")
    visit(studio, page, id=entry.id)
    (entry.folder / lost).unlink()
    shown(studio.run())
    if page == "gallery":
        assert "other" in said(studio)


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
