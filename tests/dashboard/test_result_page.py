"""The page of one result."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from nst import image
from nst.checkpoint import Checkpoint
from nst.colour import Look
from nst.config import preset
from nst.gallery import Entry, Gallery
from nst.jobs import State
from nst.result import Change, LayerRow, Status, layer_names
from tests.dashboard.pages import HOSTILE, PARSED, check_escaped, hostile_entry, labels, said, shown, visit
from tests.dashboard.test_statistics_page import frame_of
from tests.galleries import add, noise, result, rows


def opened(at: AppTest, entry: Entry) -> AppTest:
    return visit(at, "result", id=entry.id)


def viewers(at: AppTest) -> list[dict]:
    """What the pictures on the page are told to show."""
    return [json.loads(found.proto.json) for found in at.get("bidi_component")]


def clicked(at: AppTest, key: str) -> AppTest:
    return shown(at.button(key).click().run())


def settings_told(at: AppTest) -> dict[str, tuple[str, str]]:
    table = at.dataframe[0].value
    return dict(zip(table["Setting"], zip(table["Value"], table["Preset has"], strict=True), strict=True))


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (2, 4):
        (folder / f"{number:06}.jpg").write_bytes(image.encode_jpeg(noise(seed=number)))
    return folder


# Finding it --------------------------------------------------------------------------------------------------------


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


# What is shown -----------------------------------------------------------------------------------------------------


def test_a_result_shows_its_pictures_figures_and_losses(studio, gallery):
    entry = add(gallery, "harbour")
    opened(studio, entry)
    assert studio.title[0].value == "harbour"
    (viewer,) = viewers(studio)
    assert viewer["before"] == {
        "src": f"/files/input/{entry.content.sha256}?size=screen",
        "alt": "The photograph: tubingen",
        "label": "Photograph",
    }
    assert viewer["after"]["src"] == f"/files/picture/{entry.id}?colours=own&blend=1"
    assert (viewer["width"], viewer["height"]) == (40, 24)
    assert len(studio.image) == 1  # the style
    assert "starry_night" in said(studio)
    assert "Finished. Finished. 40 × 24 · Studio · 1 s · 5 evaluations" in said(studio)
    assert len(studio.get("vega_lite_chart")) == 1
    assert [button.label for button in studio.get("download_button")] == ["PNG", "JPEG", "WebP", "TIFF", "Everything"]
    assert entry.network.sha256 in said(studio)
    assert entry.id in said(studio)


@pytest.mark.parametrize("precision", ["mixed", "float32"])
def test_what_the_preset_left_open_is_not_told_as_a_change(studio, gallery, precision):
    entry = add(gallery, made=result(settings=preset("studio").replace(precision=precision)))
    assert settings_told(opened(studio, entry))["precision"] == (precision, "")


def test_a_precision_that_a_classic_does_not_have_is(studio, gallery):
    entry = add(gallery, made=result(settings=preset("keras-example").replace(precision="mixed")))
    assert settings_told(opened(studio, entry))["precision"] == ("mixed", "float32")


def test_a_result_shows_every_setting(studio, gallery):
    settings = preset("tensorflow-tutorial").replace(size=640, seed=77, style_weights=(0.25,))
    opened(studio, add(gallery, "x", result(settings=settings)))
    told = settings_told(studio)
    assert {name.replace("_", " ") for name in settings.to_dict()} <= told.keys()
    assert [told[name][0] for name in ("size", "seed", "style weights", "strength")] == ["640", "77", "0.25", "–"]
    assert told["content layers"][0] == "block5_conv2 × 1.0"


def test_settings_that_differ_from_the_preset_come_first_beside_what_it_has(studio, gallery):
    opened(studio, add(gallery, "x", result(settings=preset("studio").replace(seed=77, strength=20.0))))
    told = settings_told(studio)
    assert list(told)[:3] == ["strength", "seed", "style weight in force"]
    assert told["seed"] == ("77", "0")
    assert told["strength"] == ("20", "50")
    assert {usual for _, usual in list(told.values())[3:]} == {""}


def test_settings_of_an_unknown_preset_are_compared_with_nothing(studio, gallery):
    opened(studio, add(gallery, "x", result(settings=preset("studio").replace(preset="of another version", seed=7))))
    assert {usual for _, usual in settings_told(studio).values()} == {""}


def test_advice_is_told_in_the_entrys_words(studio, gallery):
    opened(studio, add(gallery, "x", advice=["Try a smaller style.", HOSTILE]))
    assert "Try a smaller style." in said(studio)
    check_escaped(studio)


def test_the_entry_it_continues_and_the_picture_it_began_from_are_linked(studio, gallery):
    first = add(gallery, "first")
    initial = gallery.add_input(image.encode_png(noise(seed=9)), "doodle.png")
    opened(studio, add(gallery, "second", parent=first.id, initial=initial))
    assert "Started from the picture doodle" in said(studio)
    (link,) = [link.proto for link in studio.get("page_link") if "Continues" in link.proto.label]
    assert link.query_string == f"id={first.id}"
    gallery.delete(first.id)
    shown(studio.run())
    assert f"Continues a result that is no longer here, id {first.id}" in said(studio)


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


def test_without_its_photograph_a_result_is_shown_alone(studio, gallery):
    entry = gallery.annotate(add(gallery, "one").id, look=Look("matched", 0.5))
    entry.content_path.unlink()
    opened(studio, entry)
    (viewer,) = viewers(studio)
    assert viewer["before"] is None
    assert viewer["after"]["src"].endswith("?colours=own&blend=1")
    assert "The photograph is missing" in said(studio)


def test_hostile_names_are_never_markdown_on_the_result_page(studio, gallery):
    check_escaped(visit(studio, "result", id=hostile_entry(gallery)))


def test_a_hostile_preset_is_never_markdown_on_the_result_page(studio, gallery):
    """It comes with the folder of an entry that somebody else made; values of metrics are Markdown too."""
    check_escaped(visit(studio, "result", id=hostile_entry(gallery, preset_name=HOSTILE)))


# What the user says about it ---------------------------------------------------------------------------------------


def test_name_star_rating_tags_and_note_are_kept_at_once(studio, gallery):
    entry = add(gallery, "one")
    gallery.annotate(add(gallery, "other").id, tags=["sea"])
    opened(studio, entry)
    assert studio.multiselect(f"tags_{entry.id}").options == ["sea"]
    shown(studio.text_input(f"name_{entry.id}").set_value("Harbour at dawn").run())
    assert studio.title[0].value == "Harbour at dawn"
    clicked(studio, "star")
    assert "★ Starred" in labels(studio)
    shown(studio.feedback(f"rating_{entry.id}").set_value(3).run())
    shown(studio.multiselect(f"tags_{entry.id}").set_value(["sea", "blue"]).run())
    shown(studio.text_area(f"note_{entry.id}").set_value("For the hall.\nAsk Anna.").run())
    kept = gallery.get(entry.id)
    assert (kept.name, kept.starred, kept.rating, kept.tags, kept.note) == (
        "Harbour at dawn",
        True,
        4,
        ("sea", "blue"),
        "For the hall.\nAsk Anna.",
    )
    shown(studio.feedback(f"rating_{entry.id}").set_value(None).run())
    clicked(studio, "star")
    assert (gallery.get(entry.id).rating, gallery.get(entry.id).starred) == (0, False)


@pytest.mark.parametrize("tags", [[f"tag {number}" for number in range(30)], ["sea", "x" * 60]])
def test_what_can_not_be_kept_is_told_in_words_and_blocks_nothing(studio, gallery, tags):
    entry = gallery.annotate(add(gallery, "one").id, tags=["sea"])
    opened(studio, entry)
    shown(studio.multiselect(f"tags_{entry.id}").set_value(tags).run())
    assert len(studio.error) == 1
    assert gallery.get(entry.id).tags == ("sea",)
    assert studio.multiselect(f"tags_{entry.id}").value == ["sea"]
    shown(studio.multiselect(f"tags_{entry.id}").set_value(["sea", "blue"]).run())
    assert not studio.error
    assert gallery.get(entry.id).tags == ("sea", "blue")


def test_tags_given_in_another_tab_stay(studio, gallery):
    entry = gallery.annotate(add(gallery, "one").id, tags=["sea", "old"])
    opened(studio, entry)
    gallery.annotate(entry.id, tags=["sea", "old", "theirs"])
    shown(studio.multiselect(f"tags_{entry.id}").set_value(["sea", "mine"]).run())
    assert gallery.get(entry.id).tags == ("sea", "theirs", "mine")
    assert studio.multiselect(f"tags_{entry.id}").value == ["sea", "theirs", "mine"]


@pytest.mark.parametrize(("key", "kept"), [("note_mine", "mine"), ("note_theirs", "theirs")])
def test_a_note_written_in_another_tab_is_not_overwritten_unasked(studio, gallery, key, kept):
    entry = gallery.annotate(add(gallery, "one").id, note="old")
    opened(studio, entry)
    gallery.annotate(entry.id, note="theirs")
    shown(studio.text_area(f"note_{entry.id}").set_value("mine").run())
    assert gallery.get(entry.id).note == "theirs"
    assert studio.text_area(f"note_{entry.id}").value == "theirs"
    assert "changed in another tab" in said(studio)
    assert "mine" in [text.value for text in studio.text]
    clicked(studio, key)
    assert gallery.get(entry.id).note == studio.text_area(f"note_{entry.id}").value == kept
    assert not studio.warning


def test_what_another_tab_has_changed_is_shown_by_the_next_run(studio, gallery):
    entry = add(gallery, "one")
    opened(studio, entry)
    gallery.annotate(entry.id, note="theirs", rating=2, tags=["blue"], name="renamed")
    shown(studio.run())
    assert studio.text_area(f"note_{entry.id}").value == "theirs"
    assert studio.feedback(f"rating_{entry.id}").value == 1
    assert studio.multiselect(f"tags_{entry.id}").value == ["blue"]
    assert studio.text_input(f"name_{entry.id}").value == "renamed"


# Colours -----------------------------------------------------------------------------------------------------------


def test_colours_switch_the_picture_shown_and_are_kept_only_when_told(studio, gallery):
    entry = add(gallery, "one")
    opened(studio, entry)
    assert studio.button("keep_look").disabled
    shown(studio.segmented_control(f"colours_{entry.id}").set_value("matched").run())
    shown(studio.slider(f"blend_{entry.id}").set_value(40).run())
    assert viewers(studio)[0]["after"]["src"] == f"/files/picture/{entry.id}?colours=matched&blend=0.4"
    assert gallery.get(entry.id).look == Look()
    clicked(studio, "keep_look")
    assert gallery.get(entry.id).look == Look("matched", 0.4)
    assert studio.button("keep_look").disabled


def test_a_result_opens_with_the_colours_it_keeps(studio, gallery):
    entry = gallery.annotate(add(gallery, "one").id, look=Look("photograph", 0.75))
    opened(studio, entry)
    assert viewers(studio)[0]["after"]["src"].endswith("?colours=photograph&blend=0.75")
    assert studio.button("keep_look").disabled


# How it came to be -------------------------------------------------------------------------------------------------


def chart(at: AppTest) -> dict:
    return json.loads(at.get("vega_lite_chart")[0].proto.spec)


def test_changes_made_while_painting_are_marked_on_the_losses(studio, gallery):
    change = Change(3, 0, {"strength": 50.0}, {"strength": 70.0})
    opened(studio, add(gallery, "x", result(changes=(change,))))
    assert [layer["mark"]["type"] for layer in chart(studio)["layer"]] == ["line", "rule"]
    opened(studio, add(gallery, "y"))
    assert chart(studio)["mark"]["type"] == "line"


def test_the_losses_layer_by_layer_name_every_layer(studio, gallery):
    names = layer_names(preset("studio"))
    layers = tuple(LayerRow(row.evaluation, (1.0,) * len(names)) for row in rows(5))
    opened(studio, add(gallery, "x", result(layers=layers)))
    shown(studio.toggle("by_layer").set_value(True).run())
    assert tuple(chart(studio)["encoding"]["color"]["scale"]["domain"]) == names


def test_the_timeline_goes_through_the_pictures_on_the_way_to_the_final_one(studio, gallery, frames):
    entry = add(gallery, "x", frames=frames)
    opened(studio, entry)
    slider = studio.select_slider(f"step_{entry.id}")
    assert slider.options == ["2", "4", "final"]
    assert viewers(studio)[1]["after"]["src"] == f"/files/frame/{entry.id}/2"
    shown(slider.set_value(4).run())
    assert viewers(studio)[1]["after"]["src"] == f"/files/frame/{entry.id}/4"
    shown(studio.select_slider(f"step_{entry.id}").set_value("final").run())
    assert viewers(studio)[1]["after"]["src"] == f"/files/picture/{entry.id}?colours=own&blend=1"
    assert {"MP4", "GIF", "WebP"} <= {button.label for button in studio.get("download_button")}


def test_without_pictures_on_the_way_there_is_one_sentence(studio, gallery):
    opened(studio, add(gallery, "x"))
    assert "No pictures were kept on the way." in said(studio)
    assert len(studio.select_slider) == 0


# Going on ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["more", "reproduce"])
def test_going_on_queues_a_job_and_shows_the_studio(studio, gallery, jobs, key):
    opened(studio, add(gallery, "one"))
    clicked(studio, key)
    assert studio.title[0].value == "Studio"
    assert [job.state for job in jobs.snapshots()] == [State.QUEUED]
    assert "In the queue" in studio.toast[0].value
    shown(studio.run())
    assert not studio.toast  # once


def test_larger_offers_only_larger_sizes_and_queues_one(studio, gallery, jobs):
    opened(studio, add(gallery, "one", result(settings=preset("studio").replace(size=1024))))
    menu = studio.menu_button("larger")
    assert menu.options == ["1536 px", "2048 px", "3072 px", "4096 px"]
    shown(menu.click(1536).run())
    assert studio.title[0].value == "Studio"
    assert [job.order.settings.size for job in jobs.snapshots()] == [1536]


def keep_state(gallery: Gallery, entry: Entry) -> None:
    facts = {"evaluations": 5, "iteration": 5, "scale": 0}
    gallery.keep_state(entry.id, Checkpoint(facts, {"picture": noise()}))


def test_only_a_stopped_result_whose_state_is_kept_can_be_finished(studio, gallery, jobs):
    done, stopped = add(gallery, "done"), add(gallery, "stopped", result(status=Status.CANCELLED))
    keep_state(gallery, done)
    for entry in (done, stopped):
        opened(studio, entry)
        assert "Finish it" not in labels(studio)
    assert "no longer kept" in studio.button("more").help
    keep_state(gallery, stopped)
    shown(studio.run())
    assert studio.button("more").help == ""
    clicked(studio, "finish")
    assert studio.title[0].value == "Studio"
    assert [job.order.parent for job in jobs.snapshots()] == [stopped.id]


def test_what_can_not_be_queued_is_told_in_words(studio, gallery, jobs):
    entry = add(gallery, "one", result(status=Status.CANCELLED))
    keep_state(gallery, entry)
    for path in gallery.root.rglob(f"*{entry.id}*.npz*"):
        path.write_bytes(b"damaged")
    opened(studio, entry)
    clicked(studio, "finish")
    assert studio.title[0].value == "one"
    assert "saved state of this result" in said(studio)
    assert not jobs.snapshots()


@pytest.mark.parametrize(("what", "seed"), [("all", True), ("all but the seed", False)])
def test_settings_go_back_to_the_studio(studio, gallery, what, seed):
    opened(studio, add(gallery, "one", result(settings=preset("studio").replace(seed=77, strength=20.0))))
    shown(studio.menu_button("recall_menu").click(what).run())
    assert studio.title[0].value == "Studio"
    assert studio.session_state["base"].settings.strength == 20
    assert (studio.session_state["base"].settings.seed == 77) is seed


def test_the_style_alone_goes_back_to_the_studio(studio, gallery):
    opened(studio, add(gallery, "one"))
    shown(studio.menu_button("recall_menu").click("style").run())
    assert studio.title[0].value == "Studio"
    assert "base" not in studio.session_state
    assert "starry_night" in said(studio)
    assert "tubingen" not in said(studio)


def test_comparing_goes_to_the_page_of_both_results(studio, gallery):
    first, second = add(gallery, "first"), add(gallery, "second")
    opened(studio, first)
    shown(studio.menu_button("compare").click(second.id).run())
    assert studio.title[0].value == "Compare"
    assert studio.query_params["ids"] == f"{first.id},{second.id}"


def test_hostile_names_are_never_markdown_among_what_can_be_compared(studio, gallery):
    hostile_entry(gallery)
    opened(studio, add(gallery, "one"))
    (label,) = studio.menu_button("compare").options
    assert "bold" in label
    assert not any(piece in re.sub(r"\\.", "", label) for piece in PARSED)


def test_results_of_one_name_can_be_told_apart_where_one_is_chosen(studio, gallery):
    entries = [add(gallery, "same") for _ in range(3)]
    opened(studio, entries[0])
    assert len({*studio.menu_button("compare").options}) == 2


def test_a_long_name_does_not_widen_the_menu_of_what_can_be_compared(studio, gallery):
    add(gallery, "long " * 40)
    opened(studio, add(gallery, "one"))
    (label,) = studio.menu_button("compare").options
    assert label.startswith("1\\. long long")
    assert len(label) < 60


def test_the_only_result_has_nothing_to_be_compared_with(studio, gallery):
    opened(studio, add(gallery, "one"))
    assert "compare" not in [menu.key for menu in studio.menu_button]


def test_deleting_moves_the_result_to_the_trash_and_offers_to_undo_it(studio, gallery):
    entry = add(gallery, "one")
    add(gallery, "other")
    opened(studio, entry)
    clicked(studio, "delete")
    assert studio.title[0].value == "Gallery"
    assert [kept.name for kept in gallery.query().entries] == ["other"]
    assert (gallery.root / "trash" / entry.id / "result.png").is_file()
    clicked(studio, "undo_button")
    assert gallery.get(entry.id) == entry


def test_a_result_deleted_in_another_tab_is_told_in_words(studio, gallery):
    entry = add(gallery, "one")
    opened(studio, entry)
    gallery.delete(entry.id)
    clicked(studio, "star")
    assert studio.title[0].value == "Result"
    assert len(studio.error) == 1
    opened(studio, add(gallery, "other"))
    assert not studio.error


def test_a_download_of_a_result_deleted_in_another_tab_is_told_in_words(studio, gallery):
    entry = add(gallery, "one")
    opened(studio, entry)
    gallery.delete(entry.id)
    shown(next(found for found in studio.get("download_button") if found.label == "PNG").click().run())
    assert studio.title[0].value == "Result"
    assert len(studio.error) == 1


def test_everything_is_not_offered_where_a_picture_is_missing(studio, gallery):
    entry = add(gallery, "one")
    opened(studio, entry)
    everything = studio.get("download_button")[-1].proto
    assert not everything.disabled
    entry.style_paths[0].unlink()
    shown(studio.run())
    everything = studio.get("download_button")[-1].proto
    assert everything.disabled
    assert "starry" in everything.help


def test_a_starred_result_is_deleted_only_when_asked_once_more(studio, gallery):
    entry = gallery.annotate(add(gallery, "one").id, starred=True)
    opened(studio, entry)
    assert studio.button("delete").label == "Delete it all the same"
    assert "This result is starred" in said(studio)
    clicked(studio, "delete")
    assert studio.title[0].value == "Gallery"
    assert not gallery.query().total


@pytest.mark.parametrize("layered", [False, True])
def test_long_runs_are_drawn_with_no_more_points_than_a_screen_shows(studio, gallery, layered):
    names = layer_names(preset("studio"))
    layers = tuple(LayerRow(row.evaluation, (1.0,) * len(names)) for row in rows(5000)) if layered else ()
    opened(studio, add(gallery, "x", result(history=rows(5000), layers=layers, evaluations=5000)))
    if layered:
        shown(studio.toggle("by_layer").set_value(True).run())
    frame = frame_of(studio.get("vega_lite_chart")[0])
    assert frame.groupby("loss")["evaluation"].count().max() == 2000
    assert (frame["evaluation"].min(), frame["evaluation"].max()) == (1, 5000)
