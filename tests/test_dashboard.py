"""Tests of the Streamlit pages with AppTest: what they show, what they order, and that nothing makes them raise.

Jobs run only where a test says so, on a narrow network. What needs a browser is tested in tests/e2e.
"""

import contextlib
import gc
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nst import image, weights
from nst.config import PRESETS, preset
from nst.dashboard import service
from nst.errors import GalleryError
from nst.gallery import Gallery
from nst.jobs import JobManager, State
from nst.result import Status
from tests.conftest import draw
from tests.test_gallery import add, result
from tests.test_jobs import record

PROJECT = Path(__file__).parents[1]
ROUTER = str(PROJECT / "streamlit_app.py")
PHOTOGRAPH = image.encode_png(draw(40, 30, seed=1))
STYLES = [image.encode_png(draw(30, 30, seed=seed)) for seed in range(2, 12)]

HOSTILE = "![x](evil.png) <b>*bold* :red[boo] `code` $x^2$ [click](javascript:alert(1)) ~~no~~ # _em_"
PARSED = ("![", "](", "<b", "*bold", ":red", "`", "$", "~", "# ", "_em_")
"""Pieces of it that Markdown would act upon where they are not escaped."""

IMPORTS = """
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file(sys.argv[1], default_timeout=60).run()
for name in ("gallery", "settings", "result"):
    if name == "result":
        at.switch_page(f"nst/dashboard/{name}.py")
        at.query_params["id"] = sys.argv[2]
        at.run()
        assert at.title[0].value == "one", at.title
    else:
        at.switch_page(f"nst/dashboard/{name}.py").run()
    assert not at.exception
sys.exit(50 * any(name in sys.modules for name in ("tensorflow", "keras")))
"""


@pytest.fixture(scope="module", autouse=True)
def thaw():
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def freeze():
    """Streamlit collects garbage after every run of a page; with TensorFlow loaded that takes half a second."""
    gc.freeze()


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """The gallery that the pages open."""
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "gallery"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv(weights.ENV_OFFLINE, "1")
    monkeypatch.delenv(weights.ENV_WEIGHTS, raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield Gallery(tmp_path / "gallery")
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def jobs(gallery, monkeypatch, narrow):
    """The manager that the pages ask; it runs nothing before `run_pending`."""
    find = weights.find
    monkeypatch.setattr(weights, "find", lambda choice=None, **options: find(choice, **options) if choice else narrow)
    with contextlib.closing(JobManager(gallery, threaded=False)) as manager:
        monkeypatch.setattr(service, "jobs", lambda: manager)
        yield manager


@pytest.fixture
def studio(jobs):
    return shown(AppTest.from_file(ROUTER, default_timeout=30).run())


def shown(at: AppTest) -> AppTest:
    """A page that has run without an exception."""
    assert [error.value for error in at.exception] == []
    return at


def visit(at: AppTest, page: str, **query: str) -> AppTest:
    at.switch_page(f"nst/dashboard/{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return shown(at.run())


def upload(at: AppTest, styles: int = 1, photograph: str = "tubingen.png", style: str = "style {}.png") -> AppTest:
    at.file_uploader("photograph_upload").upload(photograph, PHOTOGRAPH, "image/png")
    files = [(style.replace("{}", str(i)), STYLES[i], "image/png") for i in range(styles)]
    at.file_uploader("style_upload").set_value(files)
    return shown(at.run())


def paint(at: AppTest) -> AppTest:
    return shown(at.button("paint").click().run())


def changed(jobs: JobManager, name: str) -> dict:
    """What the newest job's settings have that the preset has not."""
    settings = jobs.snapshots()[0].order.settings.to_dict()
    plain = preset(name).to_dict()
    return {name: value for name, value in settings.items() if value != plain[name]}


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def texts(at: AppTest) -> str:
    """Everything a page says, as Markdown sees it."""
    kinds = ("title", "header", "subheader", "caption", "markdown", "error", "warning", "info", "success", "toast")
    told = [element.value for kind in kinds for element in getattr(at, kind)]
    widgets = ("button", "slider", "select_slider", "number_input", "selectbox", "text_input", "expander")
    told += [widget.label for kind in widgets for widget in getattr(at, kind)]
    told += [part for metric in at.metric for part in (metric.label, str(metric.value))]
    told += [progress.proto.text for progress in at.get("progress")]
    return "\n".join(told)


def said(at: AppTest) -> str:
    """The same without the escapes, and with what is shown as plain text."""
    return re.sub(r"\\(.)", r"\1", texts(at)) + "\n" + "\n".join(text.value for text in at.text)


def check_escaped(at: AppTest) -> None:
    """The page shows the hostile name, and nowhere as Markdown."""
    assert "bold" in said(at)
    lines = [re.sub(r"\\.", "", line) for line in texts(at).splitlines() if "bold" in line or "boo" in line]
    assert [piece for line in lines for piece in PARSED if piece in line] == []


# The studio ------------------------------------------------------------------------------------------------------


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


def choose_preset(at: AppTest, name: str) -> AppTest:
    everyday = PRESETS[name].settings.strength is not None
    shown(at.segmented_control("preset").set_value(name if everyday else "Classics").run())
    return at if everyday else shown(at.selectbox("classic").set_value(name).run())


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


# Jobs in the studio ----------------------------------------------------------------------------------------------


def small(at: AppTest) -> AppTest:
    """The draft preset with few steps; sizes below 256 are not offered."""
    choose_preset(at, "draft")
    at.number_input("iterations_draft").set_value(1)
    at.number_input("scales_draft").set_value(1)
    return shown(at.run())


def test_a_painted_picture_appears_and_opens(studio, jobs, gallery):
    paint(small(upload(studio)))
    assert "Waiting for its turn" in said(studio)
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)
    (entry,) = gallery.query().entries
    shown(studio.button(f"open_{jobs.snapshots()[0].id}").click().run())
    assert studio.query_params["id"] in (entry.id, [entry.id])
    assert "tubingen" in studio.title[0].value


def test_waiting_jobs_are_listed_in_order_and_can_be_cancelled(studio, jobs):
    upload(studio)
    for number in range(3):
        studio.number_input("seed_studio").set_value(number)
        paint(shown(studio.run()))
    first, second, third = (job.id for job in jobs.snapshots()[::-1])
    assert [job.order.settings.seed for job in jobs.snapshots()[::-1]] == [0, 1, 2]
    cancels = [button.key for button in studio.button if "ancel" in button.label]
    assert cancels == [f"cancel_{job_id}" for job_id in (first, second, third)]
    shown(studio.button(f"cancel_{second}").click().run())
    assert jobs.get(second).state == State.CANCELLED
    assert "Stopped" in texts(studio)
    shown(studio.button(f"dismiss_{second}").click().run())
    assert [job.id for job in jobs.snapshots()] == [third, first]
    assert "Stopped" not in texts(studio)


def test_a_failed_job_says_why_and_can_be_painted_again(studio, jobs, gallery):
    paint(small(upload(studio)))
    path = gallery.input_path(jobs.snapshots()[0].order.content)
    path.rename(path.with_suffix(".away"))
    jobs.run_pending()
    shown(studio.run())
    assert "Failed" in texts(studio)
    assert "no longer in the gallery" in said(studio)
    path.with_suffix(".away").rename(path)
    shown(studio.button(f"again_{jobs.snapshots()[0].id}").click().run())
    jobs.run_pending()
    assert [job.state for job in jobs.snapshots()] == [State.FINISHED]


def test_painting_again_without_room_on_the_disk_is_told(studio, jobs, gallery):
    paint(upload(studio))
    job_id = jobs.snapshots()[0].id
    jobs.cancel(job_id)
    shown(studio.run())
    shutil.rmtree(gallery.work)
    gallery.work.write_text("a file in the way")
    shown(studio.button(f"again_{job_id}").click().run())
    assert "could not be queued" in said(studio)


def test_painting_without_room_on_the_disk_is_told(studio, jobs, gallery):
    upload(studio)
    shutil.rmtree(gallery.work)
    gallery.work.write_text("a file in the way")
    paint(studio)
    assert "could not be queued" in said(studio)


def test_an_interrupted_job_is_shown_and_can_be_painted_again(gallery, monkeypatch):
    record(gallery)
    with contextlib.closing(JobManager(gallery, threaded=False)) as manager:
        monkeypatch.setattr(service, "jobs", lambda: manager)
        at = shown(AppTest.from_file(ROUTER, default_timeout=30).run())
        assert "Interrupted" in texts(at)
        assert "left behind" in said(at)
        shown(at.button(f"again_{manager.snapshots()[0].id}").click().run())
        assert [job.state for job in manager.snapshots()] == [State.QUEUED]


def test_a_chosen_network_is_what_the_job_takes(studio, jobs, gallery):
    gallery.preferences_path.write_text('{"network": "builtin"}')
    paint(upload(studio))
    assert jobs.snapshots()[0].order.network == "builtin"


def test_pictures_removed_by_hand_do_not_break_the_studio(studio, jobs, gallery):
    paint(upload(studio, styles=2))
    for path in (gallery.root / "inputs").iterdir():
        path.unlink()
    shown(studio.run())
    jobs.run_pending()
    shown(studio.run())
    assert "Finished" in texts(studio)  # the page still has the uploads


def test_hostile_names_are_never_markdown_in_the_studio(studio, jobs):
    upload(studio, photograph=f"{HOSTILE}.png", style=f"{HOSTILE} {{}}.png", styles=2)
    paint(paint(studio))
    check_escaped(studio)
    for job in jobs.snapshots():
        jobs.cancel(job.id)
    check_escaped(shown(studio.run()))


def test_a_hostile_name_of_what_is_no_picture_is_never_markdown(studio):
    studio.file_uploader("photograph_upload").upload(f"{HOSTILE}.png", b"junk", "image/png")
    check_escaped(shown(studio.run()))


# The gallery page ------------------------------------------------------------------------------------------------


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


def hostile_entry(gallery: Gallery, preset_name: str = "studio") -> str:
    made = result(settings=preset("studio").replace(preset=preset_name), message=HOSTILE, versions={HOSTILE: HOSTILE})
    content = gallery.add_input(PHOTOGRAPH, HOSTILE)
    style = gallery.add_input(STYLES[0], HOSTILE)
    return add(gallery, HOSTILE, made, content=content, styles=[style]).id


def test_hostile_names_are_never_markdown_on_cards(studio, gallery):
    hostile_entry(gallery, preset_name=HOSTILE)
    check_escaped(visit(studio, "gallery"))


def test_a_hostile_folder_in_the_gallery_is_never_markdown(studio, gallery):
    (gallery.root / "results" / HOSTILE.replace("/", "")).mkdir()
    visit(studio, "gallery")
    check_escaped(shown(studio.run()))


# The result page -------------------------------------------------------------------------------------------------


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


# The settings page -----------------------------------------------------------------------------------------------

FILE, AUTO, BUILTIN = "A weights file of mine", "Find or download VGG19", "Built-in filters"


def use(at: AppTest, how: str, path: str = "") -> AppTest:
    visit(at, "settings")
    shown(at.segmented_control("network").set_value(how).run())
    if path:
        shown(at.text_input("path").set_value(path).run())
    return shown(at.button("use").click().run())


def remembered(gallery: Gallery) -> object:
    return json.loads(gallery.preferences_path.read_text())


@pytest.mark.parametrize("path", ["/no/such.h5", "streamlit_app.py", ".", "\0", "~nobody/x.h5", HOSTILE, "x" * 5000])
def test_a_wrong_weights_file_is_told_and_not_remembered(studio, gallery, path):
    use(studio, FILE, path)
    assert len(studio.error) == 1
    assert not gallery.preferences_path.exists()
    assert not any(piece in re.sub(r"\\.", "", studio.error[0].value) for piece in PARSED)


def test_without_a_path_nothing_can_be_used(studio):
    visit(studio, "settings")
    shown(studio.segmented_control("network").set_value(FILE).run())
    assert studio.button("use").disabled
    shown(studio.text_input("path").set_value("   ").run())
    assert studio.button("use").disabled


@pytest.mark.weights
def test_a_right_weights_file_is_remembered(studio, gallery, vgg19_path):
    use(studio, FILE, f" {vgg19_path} ")
    assert [error.value for error in studio.error] == []
    assert remembered(gallery) == {"network": str(vgg19_path)}
    assert str(vgg19_path) in said(studio)
    again = visit(shown(AppTest.from_file(ROUTER, default_timeout=30).run()), "settings")
    assert again.segmented_control("network").value == FILE
    assert again.text_input("path").value == str(vgg19_path)


def test_the_builtin_filters_and_the_search_are_remembered(studio, gallery):
    use(studio, BUILTIN)
    assert remembered(gallery) == {"network": "builtin"}
    assert "built-in filters, which come with the program" in said(studio)
    use(studio, AUTO)
    assert remembered(gallery) == {"network": None}


def test_other_preferences_are_kept(studio, gallery):
    gallery.preferences_path.write_text('{"of a later version": 1}')
    use(studio, BUILTIN)
    assert remembered(gallery) == {"of a later version": 1, "network": "builtin"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "5", '{"network": 5}', '{"network": []}', '{"network": ""}', "\udcff", "[" * 200_000],
    ids=lambda text: repr(text)[:20],
)
def test_damaged_preferences_are_survived(studio, gallery, text):
    gallery.preferences_path.write_bytes(text.encode(errors="surrogateescape"))
    for page in ("studio", "settings"):
        visit(studio, page)
    assert studio.segmented_control("network").value == AUTO
    use(studio, BUILTIN)
    assert remembered(gallery) == {"network": "builtin"}


def test_preferences_that_can_not_be_written_are_told(studio, gallery):
    gallery.preferences_path.mkdir()
    use(studio, BUILTIN)
    assert "could not be saved" in said(studio)


def test_a_remembered_file_that_has_gone_is_told_everywhere(studio, gallery, jobs):
    gallery.preferences_path.write_text(json.dumps({"network": f"/gone/{HOSTILE}.h5"}))
    check_escaped(visit(studio, "studio"))
    visit(studio, "settings")
    assert "does not exist" in said(studio)
    paint(small(upload(visit(studio, "studio"))))
    jobs.run_pending()
    assert jobs.snapshots()[0].state == State.FAILED
    check_escaped(shown(studio.run()))


def test_versions_and_the_gallerys_place_are_told(studio, gallery):
    visit(studio, "settings")
    assert str(gallery.root) in said(studio)
    assert re.search(r"tensorflow \d+\.\d+", said(studio))


# What is not loaded ----------------------------------------------------------------------------------------------


def test_looking_at_pages_does_not_load_tensorflow(gallery):
    entry = add(gallery, "one")
    add(gallery, "two")
    command = [sys.executable, "-c", IMPORTS, ROUTER, entry.id]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_a_gallery_that_can_not_be_opened_is_told_in_words(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "file"))
    st.cache_resource.clear()
    at = AppTest.from_file(str(Path(__file__).parents[1] / "streamlit_app.py"), default_timeout=60).run()
    st.cache_resource.clear()
    assert not at.exception
    assert "can't be opened" in said(at)
