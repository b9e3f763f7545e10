"""Tests of nst.gallery with real files, a real SQLite index, and real processes that are killed while they save."""

import contextlib
import dataclasses
import io
import json
import math
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nst import image
from nst.config import PRESETS, Settings, preset
from nst.errors import GalleryError, ImageError
from nst.gallery import Entry, Facets, Gallery, Input, Rebuilt, StyleUse, default_name, default_root, new_id
from nst.gallery.index import MIGRATIONS
from nst.result import LossRow, Status
from tests.galleries import NETWORK, PROJECT, add, change, indexed, names, noise, result, rows

WRITER = """
import sys
from pathlib import Path
from nst.gallery import Gallery
from tests.galleries import add, result
gallery = Gallery(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    frames = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    add(gallery, f"{sys.argv[3]} {number}", result(96, 64, seed=number), frames=frames)
"""


def start_writer(root: Path, count: int, name: str, *frames: Path) -> subprocess.Popen:
    writer = [sys.executable, "-c", WRITER, str(root), str(count), name, *map(str, frames)]
    return subprocess.Popen(writer, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def check_whole(gallery: Gallery, entry: Entry) -> None:
    """Everything an entry promises is there and readable, and the parts agree."""
    assert gallery.get(entry.id) == entry
    text = json.loads(image.read_png_text(entry.picture_path)["nst"])
    assert Settings.from_dict(text["settings"]) == entry.settings
    assert image.load(entry.picture_path).rgb.shape == (entry.height, entry.width, 3)
    assert Image.open(entry.thumbnail_path).size == (entry.width, entry.height)
    assert gallery.history(entry.id)[-1] == entry.losses
    assert all(image.load(path) for path in (entry.content_path, *entry.style_paths))


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


# Saving and reading ----------------------------------------------------------------------------------------------


def test_what_is_saved_is_read_back(gallery: Gallery) -> None:
    made = result(seed=3, history=rows(5))
    entry = add(gallery, "My picture", made)
    assert gallery.get(entry.id) == entry
    assert gallery.query().entries == (entry,)
    assert (entry.name, entry.settings, entry.preset) == ("My picture", made.settings, "studio")
    assert (entry.status, entry.message, entry.network) == (Status.FINISHED, "Finished.", NETWORK)
    assert (entry.seconds, entry.evaluations, entry.full_size_evaluations) == (1.25, 5, 3.5)
    assert (entry.width, entry.height) == (40, 24)
    assert (entry.content.label, entry.styles[0].label) == ("tubingen", "starry_night")
    assert entry.versions == made.versions
    assert gallery.history(entry.id) == list(made.history)
    assert entry.losses == made.history[-1]
    check_whole(gallery, entry)
    np.testing.assert_array_equal(
        image.to_uint8(image.load(gallery.picture(entry.id, "png")).rgb), image.to_uint8(made.picture), strict=True
    )
    assert {path.name for path in entry.folder.iterdir()} == {
        "result.png",
        "metadata.json",
        "losses.csv",
        "thumbnail.jpg",
        "result.tiff",
    }
    assert not list(gallery.work.iterdir())


def test_a_gallery_opened_anew_shows_the_same(gallery: Gallery) -> None:
    entry = add(gallery)
    assert Gallery(gallery.root).query().entries == (entry,)


@pytest.mark.parametrize("name", PRESETS)
def test_the_png_holds_the_settings_and_says_nothing_about_people(gallery: Gallery, name: str) -> None:
    entry = add(gallery, "Anna at home", result(settings=preset(name)))
    text = image.read_png_text(gallery.picture(entry.id, "png"))["nst"]
    record = json.loads(text)
    assert Settings.from_dict(record["settings"]) == entry.settings == preset(name)
    assert record["content"]["sha256"] == entry.content.sha256
    assert (record["schema"], record["network"]["sha256"], record["losses"]["evaluation"]) == (1, "a" * 64, 5)
    for private in ("Anna", "tubingen", "starry", "/home"):
        assert private not in text


def test_losses_that_are_no_numbers_are_kept(gallery: Gallery) -> None:
    bad = LossRow(1, 0, 40, 24, 0.5, math.nan, math.inf, 1.0, 0.0)
    entry = add(gallery, "", result(history=(bad,), status=Status.FAILED))
    assert "NaN" not in (entry.folder / "metadata.json").read_text()
    assert math.isnan(gallery.get(entry.id).losses.total)
    assert gallery.history(entry.id)[0].content == math.inf


def test_a_result_without_history_can_be_saved(gallery: Gallery) -> None:
    entry = add(gallery, "", result(history=()))
    assert gallery.query().entries[0].losses is None
    assert gallery.history(entry.id) == []


def test_transparency_reaches_picture_and_thumbnail_but_not_the_jpeg(gallery: Gallery) -> None:
    alpha = np.ones((12, 20), np.float32)
    alpha[:, :10] = 0
    entry = add(gallery, alpha=alpha)
    assert image.load(gallery.picture(entry.id, "png")).alpha.min() == 0
    assert entry.thumbnail_path.name == "thumbnail.webp"
    assert gallery.get(entry.id).thumbnail_path.is_file()
    assert Image.open(entry.thumbnail_path).mode == "RGBA"
    jpeg = Image.open(io.BytesIO(gallery.picture(entry.id, "jpeg")))
    assert (jpeg.format, jpeg.mode) == ("JPEG", "RGB")
    assert min(jpeg.getpixel((2, 12))) > 240


def test_only_large_results_have_a_preview(gallery: Gallery) -> None:
    small, large = add(gallery), add(gallery, "", result(1600, 32))
    assert small.preview() == gallery.picture(small.id, "png")
    assert Image.open(io.BytesIO(large.preview())).size == (1440, 29)
    assert Image.open(large.thumbnail_path).size == (512, 10)


def test_frames_are_kept_in_order(gallery: Gallery, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (200, 100):
        (frames / f"{number:06}.jpg").write_bytes(image.encode_jpeg(noise(seed=number)))
    (frames / ".000300.jpg.tmp").write_bytes(b"half")
    entry = add(gallery, frames=frames)
    assert [path.name for path in entry.frame_paths] == ["000100.jpg", "000200.jpg"]
    assert entry.frame_paths[0].read_bytes() == (frames / "000100.jpg").read_bytes()


def test_styles_get_the_weights_they_were_painted_with(gallery: Gallery) -> None:
    styles = [gallery.add_input(image.encode_png(noise(seed=seed)), f"{seed}.png") for seed in (3, 4)]
    painted = result(settings=preset("studio").replace(style_weights=(0.25, 2)))
    entry = add(gallery, "", painted, styles=styles)
    assert [style.weight for style in gallery.get(entry.id).styles] == [0.25, 2]
    with pytest.raises(GalleryError, match="2 weights for 1 styles"):
        add(gallery, "", painted)


def test_an_id_may_be_given_once(gallery: Gallery) -> None:
    entry_id = new_id()
    assert add(gallery, "first", entry_id=entry_id).id == entry_id
    with pytest.raises(GalleryError, match="already"):
        add(gallery, "second", entry_id=entry_id)
    assert names(gallery) == ["first"]
    assert not list(gallery.work.iterdir())


def test_ids_begin_with_the_time() -> None:
    before, entry_id, after = (f"{datetime.now(UTC):%Y%m%d-%H%M%S}", new_id(), f"{datetime.now(UTC):%Y%m%d-%H%M%S}")
    assert before <= entry_id[:15] <= after
    assert len({new_id() for _ in range(50)}) == 50


# Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two\nlines\tand\x00more\u2028 ", "two lines and more"),
        ("a" * 300, "a" * 200),
        ("50 % “quoted” 'x' 夜 🌃", "50 % “quoted” 'x' 夜 🌃"),
        ("half a pair \ud83c", "half a pair"),
        (" \n ", "tubingen × starry night"),
    ],
)
def test_names_are_bounded_and_one_line(gallery: Gallery, given: str, kept: str) -> None:
    assert add(gallery, given).name == kept
    assert names(Gallery(gallery.root)) == [kept]


def test_default_names() -> None:
    assert default_name("tubingen", ["starry_night"]) == "tubingen × starry night"
    assert default_name("a", ["b", "c"]) == "a × b + c"
    assert len(default_name("a" * 150, ["b" * 150])) == 200
    assert default_name("", []) == "picture"


def test_renaming_reaches_the_folder_and_the_list(gallery: Gallery) -> None:
    entry = add(gallery, "old")
    record = json.loads((entry.folder / "metadata.json").read_text())
    (entry.folder / "metadata.json").write_text(json.dumps(record | {"from a newer version": 1}))
    assert gallery.rename(entry.id, " new\nname ").name == "new name"
    assert names(gallery, text="new name") == names(Gallery(gallery.root)) == ["new name"]
    assert names(gallery, text="old") == []
    assert gallery.get(entry.id) == dataclasses.replace(entry, name="new name")
    assert json.loads((entry.folder / "metadata.json").read_text())["from a newer version"] == 1
    assert gallery.rename(entry.id, "").name == "tubingen × starry night"


def test_a_rename_killed_between_its_two_writes_is_listed_by_the_new_name(gallery: Gallery) -> None:
    entry = add(gallery, "old")
    code = """
import os, sys
from nst.gallery import Gallery
gallery = Gallery(sys.argv[1])
renamed = []
def watch(event, args):
    if renamed and event == "open":  # the file is in place and the folder about to be synced
        os._exit(9)
    if event == "os.rename" and str(args[1]).endswith("metadata.json"):
        renamed.append(1)
sys.addaudithook(watch)
gallery.rename(sys.argv[2], "new")
"""
    done = subprocess.run([sys.executable, "-c", code, str(gallery.root), entry.id], cwd=PROJECT, timeout=60)
    assert done.returncode == 9
    assert gallery.get(entry.id).name == "new"
    assert names(gallery) == names(gallery, text="new") == ["new"]


# Inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format_", "ext"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tiff"), ("AVIF", "avif")]
)
def test_inputs_are_kept_byte_for_byte_and_named_by_content(gallery: Gallery, format_: str, ext: str) -> None:
    file = io.BytesIO()
    Image.fromarray(image.to_uint8(noise())).save(file, format_)
    stored = gallery.add_input(file.getvalue(), "C:\\Users\\anna\\../me.JPG")
    assert (stored.ext, stored.label) == (ext, "me")
    assert gallery.input_path(stored) == gallery.root / "inputs" / f"{stored.sha256}.{ext}"
    assert gallery.input_path(stored).read_bytes() == file.getvalue()


def test_an_input_is_stored_once(gallery: Gallery) -> None:
    data = image.encode_png(noise())
    first = gallery.add_input(data, "one.png")
    stamps = [(path.name, path.stat().st_mtime_ns) for path in sorted((gallery.root / "inputs").iterdir())]
    second = gallery.add_input(data, "two.png")
    assert (first.sha256, first.label, second.label) == (second.sha256, "one", "two")
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted((gallery.root / "inputs").iterdir())] == stamps
    assert len(stamps) == 2


def test_a_cut_short_input_is_mended_by_adding_it_again(gallery: Gallery) -> None:
    data = image.encode_png(noise())
    stored = gallery.add_input(data, "one.png")
    gallery.input_path(stored).write_bytes(data[:50])
    gallery.add_input(data, "one.png")
    assert gallery.input_path(stored).read_bytes() == data


def test_input_thumbnails_are_small_opaque_and_made_again_when_lost(gallery: Gallery) -> None:
    alpha = np.ones((600, 900), np.float32)
    alpha[:, :450] = 0
    stored = gallery.add_input(image.encode_png(noise(900, 600), alpha), "cut-out.png")
    thumbnail = Image.open(io.BytesIO(gallery.input_thumbnail(stored)))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (512, 341))
    assert min(thumbnail.getpixel((20, 100))) > 240
    before = gallery.input_thumbnail(stored)
    for path in (gallery.root / "inputs").glob("*.thumb.jpg"):
        path.unlink()
    assert gallery.input_thumbnail(stored) == before
    shutil.rmtree(gallery.root / "inputs")
    with pytest.raises(GalleryError, match="can't be read"):
        gallery.input_thumbnail(stored)


def test_what_is_no_picture_is_not_kept(gallery: Gallery) -> None:
    with pytest.raises(ImageError):
        gallery.add_input(b"<html>", "page.jpg")
    assert not list((gallery.root / "inputs").iterdir())


def test_inputs_are_checked(gallery: Gallery) -> None:
    stored = gallery.add_input(image.encode_png(noise()), "one.png")
    assert Input.from_dict(json.loads(json.dumps(stored.to_dict()))) == stored
    for bad in (
        {"sha256": "../../etc/passwd"},
        {"sha256": 3},
        {"ext": "sh"},
        {"ext": "/../x"},
        {"label": None},
        {"weight": "1"},
        {"weight": math.nan},
    ):
        with pytest.raises(GalleryError):
            Input.from_dict(stored.to_dict() | bad)
    with pytest.raises(GalleryError):
        Input.from_dict(["sha256"])


def test_a_result_of_inputs_that_are_not_kept_is_refused(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="Add it first"):
        add(gallery, content=Input("0" * 64, "png", "unknown"))
    assert not list((gallery.root / "results").iterdir())


# Queries ---------------------------------------------------------------------------------------------------------


def test_pages_and_orders(gallery: Gallery) -> None:
    for name in ("b", "C", "a", "D", "e"):
        add(gallery, name)
    assert names(gallery) == ["e", "D", "a", "C", "b"]
    assert names(gallery, order="oldest") == ["b", "C", "a", "D", "e"]
    assert names(gallery, order="name") == ["a", "b", "C", "D", "e"]
    assert names(gallery, limit=2) == ["e", "D"]
    assert names(gallery, limit=2, offset=4) == ["b"]
    assert names(gallery, offset=9) == []
    assert [gallery.query(limit=limit, offset=4).total for limit in (0, 2)] == [5, 5]
    for bad in ({"limit": -1}, {"offset": -1}, {"offset": 2**63}, {"order": "id; DROP TABLE entries"}):
        with pytest.raises(GalleryError):
            gallery.query(**bad)


def test_filters_by_preset_and_style(gallery: Gallery) -> None:
    night, scream = (gallery.add_input(image.encode_png(noise(seed=s)), n) for s, n in ((5, "night"), (6, "Scream")))
    add(gallery, "one", result(settings=preset("draft")), styles=[night])
    add(gallery, "two", styles=[night, scream, night])
    renamed = dataclasses.replace(scream, label="The Scream")
    add(gallery, "three", styles=[renamed])
    facets = gallery.facets()
    assert facets.presets == {"studio": StyleUse("Studio", 2), "draft": StyleUse("Draft", 1)}
    assert list(facets.presets) == ["studio", "draft"]
    assert facets.styles == {night.sha256: StyleUse("night", 2), scream.sha256: StyleUse("The Scream", 2)}
    assert [use.label for use in facets.styles.values()] == ["night", "The Scream"]
    assert names(gallery, preset="draft") == ["one"]
    assert names(gallery, preset="unknown") == []
    assert names(gallery, style=night.sha256) == ["two", "one"]
    assert names(gallery, style=scream.sha256) == ["three", "two"]
    assert names(gallery, style="The Scream") == ["three"]
    assert names(gallery, style=night.sha256, preset="studio", text="TW") == ["two"]
    assert gallery.query(style=night.sha256, limit=1).total == 2


SEARCHES = [
    ("100%", ["100% wool"]),
    ("%", ["100% wool"]),
    ("_", ["snake_case"]),
    ("\\", ["back\\slash"]),
    ("'", ["it's"]),
    ('"', ['"quoted"']),
    ("ÄRGER", ["Ärger"]),
    ("a\u0308rger", ["Ärger"]),
    ("straße", ["STRASSE"]),
    ("*", []),
    ("wool\ntubingen", []),
    ("wool ", ["1000 wools", "100% wool"]),
]


def test_search_takes_every_character_as_itself(gallery: Gallery) -> None:
    style = gallery.add_input(image.encode_png(noise(seed=2)), "starry")
    for name in ("100% wool", "snake_case", "back\\slash", "it's", '"quoted"', "Ärger", "STRASSE", "1000 wools"):
        add(gallery, name, styles=[style])
    assert {text: names(gallery, text=text) for text, _ in SEARCHES} == dict(SEARCHES)


def test_search_finds_labels(gallery: Gallery) -> None:
    add(gallery, "mine")
    assert names(gallery, text="TUBING") == names(gallery, text="Starry_") == ["mine"]
    assert names(gallery, text="x" * 500) == []
    assert names(gallery, text="\ud800", preset="\ud800", style="\ud800") == []


def test_many_threads_may_ask_and_save(gallery: Gallery) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(4):
                add(gallery, f"{number}-{i}")
                gallery.query(text=str(number))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(names(gallery)) == sorted(f"{number}-{i}" for number in range(6) for i in range(4))


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_opening_waits_for_another_process_that_makes_the_index(tmp_path: Path, mode: str) -> None:
    (tmp_path / "gallery").mkdir()
    opened: list[Gallery] = []
    opening = threading.Thread(target=lambda: opened.append(Gallery(tmp_path / "gallery")))
    with contextlib.closing(sqlite3.connect(tmp_path / "gallery" / "index.sqlite", isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("BEGIN IMMEDIATE")
        opening.start()
        for statement in MIGRATIONS[0]:
            other.execute(statement)
        time.sleep(0.4)  # by now the thread has seen that there is nothing yet
        other.execute("PRAGMA user_version = 1")
        other.execute("COMMIT")
    opening.join()
    assert opened[0].notices == ()
    add(opened[0], "one")
    assert names(opened[0]) == ["one"]


# Folders and index -----------------------------------------------------------------------------------------------


texts = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["%", "_", "'", '"', "'; DROP TABLE entries; --", "a\nb", "\\", "🌃", "\ud800", "\x00", "x" * 250, "ﬀ", "İ"]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(st.tuples(texts, texts), min_size=1, max_size=3))
def test_rebuilding_gives_the_index_that_saving_made(tmp_path: Path, found: list[tuple[str, str]]) -> None:
    shutil.rmtree(tmp_path / "gallery", ignore_errors=True)
    gallery = Gallery(tmp_path / "gallery")
    for name, label in found:
        style = gallery.add_input(image.encode_png(noise(seed=2)), label)
        entry = add(gallery, name, styles=[style], made=result(settings=Settings(preset=label)))
        assert entry.id in [match.id for match in gallery.query(text=name).entries]
    before, listed = indexed(gallery), gallery.query()
    assert gallery.rebuild() == Rebuilt(len(found), {})
    assert indexed(gallery) == before
    assert gallery.query() == listed
    for name in ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm"):
        (gallery.root / name).unlink(missing_ok=True)
    assert Gallery(gallery.root).query() == listed
    assert indexed(gallery) == before


def test_folders_without_row_are_taken_in_and_rows_without_folder_dropped(gallery: Gallery) -> None:
    entries = [add(gallery, name) for name in ("stays", "goes", "comes")]
    kept = gallery.root.parent / "kept"
    os.rename(entries[2].folder, kept)
    shutil.rmtree(entries[1].folder)
    assert names(gallery) == ["stays"]
    assert gallery.query(limit=0).total == 1
    with pytest.raises(GalleryError, match="no such entry"):
        gallery.get(entries[1].id)
    os.rename(kept, entries[2].folder)
    assert names(gallery) == ["comes", "stays"]
    assert gallery.notices == ()
    shutil.rmtree(gallery.root / "results")
    assert gallery.query().total == 0
    assert gallery.facets() == Facets({}, {}, {}, {}, {}, {})


def test_records_changed_by_hand_are_read_again(gallery: Gallery) -> None:
    entry, other = add(gallery, "before"), add(gallery, "other")
    for each in (entry, other):
        long_ago(each)
    assert names(gallery) == ["other", "before"]
    change(entry.folder, name="edited")  # of the same length but for its time
    assert names(gallery) == ["other", "edited"]
    long_ago(entry)
    assert names(gallery, text="edited") == ["edited"]
    (entry.folder / "metadata.json").write_text("{")
    assert names(gallery) == ["other"]
    assert entry.id in gallery.notices[0]
    change(other.folder, name="kept")
    assert gallery.statistics()[0]["name"] == "kept"


def test_records_that_are_unchanged_are_not_read_again(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    long_ago(entry)
    assert names(gallery) == ["one"]
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db, db:
        db.execute("UPDATE entries SET rating = 5")  # which the folder doesn't say
    assert gallery.statistics()[0]["rating"] == 5


def test_a_change_while_the_index_is_rebuilt_is_listed(gallery: Gallery) -> None:
    entry = add(gallery, "before")
    long_ago(entry)
    gallery.reconcile()
    index = gallery._catalogue._index
    found, _ = gallery._catalogue._read([entry.id])
    gallery.rename(entry.id, "after")
    index.replace(found)  # what a rebuild does that has read the folders before
    assert names(gallery) == ["after"]


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: (folder / "metadata.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "metadata.json").write_text("[" * 100_000), "damaged"),
        (lambda folder: (folder / "metadata.json").write_text("[]"), "damaged"),
        (lambda folder: (folder / "metadata.json").unlink(), "can't be read"),
        (lambda folder: (folder / "result.png").unlink(), "result.png is missing"),
        (lambda folder: change(folder, status="dreaming"), "unknown status"),
        (lambda folder: change(folder, id=new_id()), "another entry"),
        (lambda folder: change(folder, id="../.."), "not the id"),
        (lambda folder: change(folder, created="yesterday"), "created"),
        (lambda folder: change(folder, width=None), "width"),
        (lambda folder: change(folder, seconds=10**400), "no usable seconds"),
        (lambda folder: change(folder, schema=2, settings={"warp": 9}), "newer version.*Unknown settings"),
        (lambda folder: change(folder, settings={"warp": 9}), "^Unknown settings"),
        (lambda folder: change(folder, content={"sha256": "../../x", "ext": "png", "label": ""}), "no picture"),
    ],
)
def test_damaged_folders_are_told_and_left_alone(gallery: Gallery, harm: object, reason: str) -> None:
    add(gallery, "good")
    bad = add(gallery, "bad")
    harm(bad.folder)
    files = {path: path.read_bytes() for path in bad.folder.iterdir()}
    rebuilt = gallery.rebuild()
    assert rebuilt.entries == 1
    with pytest.raises(GalleryError, match=reason):
        raise GalleryError(rebuilt.damaged[bad.id])
    assert names(gallery) == names(Gallery(gallery.root)) == ["good"]
    assert len(gallery.notices) == 1
    assert bad.id in gallery.notices[0]
    with pytest.raises(GalleryError, match=reason):
        gallery.get(bad.id)
    assert {path: path.read_bytes() for path in bad.folder.iterdir()} == files
    gallery.delete(bad.id)
    gallery.reconcile()
    assert gallery.notices == ()


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_record_is_an_entry_or_a_gallery_error(tmp_path: Path, data: st.DataObject) -> None:
    entry = add(Gallery(tmp_path / "gallery")) if not (tmp_path / "record").exists() else None
    if entry:
        (tmp_path / "record").write_text(json.dumps(entry.to_dict()))
    record = json.loads((tmp_path / "record").read_text())
    place = record
    key = data.draw(st.sampled_from(sorted(record)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(junk)
    with contextlib.suppress(GalleryError):
        read = Entry.from_dict(record, tmp_path)
        assert Entry.from_dict(json.loads(json.dumps(read.to_dict())), tmp_path).to_dict() == read.to_dict()


def test_rows_that_another_version_wrote_do_not_break_the_page(gallery: Gallery) -> None:
    add(gallery, "good")
    bad = add(gallery, "newer")
    change(bad.folder, settings={"warp": 9})
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db, db:
        db.execute("UPDATE records SET record = json_set(record, '$.settings.warp', 9) WHERE id = ?", (bad.id,))
    assert names(gallery) == ["good"]
    assert "Unknown settings" in gallery.notices[0]


def test_strange_folders_are_told_and_hidden_ones_and_files_are_not(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    shutil.copytree(entry.folder, entry.folder.with_name(f"{entry.id} (copy)"))
    (gallery.root / "results" / ".thumbnails").mkdir()
    (gallery.root / "results" / "desktop.ini").write_text("")
    assert gallery.rebuild() == Rebuilt(1, {f"{entry.id} (copy)": "It is not named like an entry."})
    assert names(gallery) == ["one"]


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "no database":
        path.write_bytes(b"not a database at all" * 100)
    elif how == "cut short":
        os.truncate(path, size // 2)
    elif how == "garbage inside":
        with open(path, "r+b") as file:
            for start in range(100, size, 4096):
                file.seek(start)
                file.write(b"\xff" * 200)
    elif how == "other tables":
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("DROP TABLE records")
    elif how == "lost rows":
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM records")
    elif how == "newer version":
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA user_version = 99")


DAMAGES = ["no database", "cut short", "garbage inside", "other tables", "lost rows", "newer version"]


def long_ago(entry: Entry) -> None:
    """Make an entry's record look older than what the index has to read twice."""
    os.utime(entry.folder / "metadata.json", (10**9, 10**9))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("reopened", [True, False])
def test_an_unusable_index_is_set_aside_and_made_again(gallery: Gallery, how: str, reopened: bool) -> None:
    for number in range(3):
        long_ago(add(gallery, f"{number}"))
    before = gallery.query()
    damage(gallery.root / "index.sqlite", how)
    harmed = (gallery.root / "index.sqlite").read_bytes()
    if reopened:
        gallery = Gallery(gallery.root)
    assert gallery.query() == before
    (aside,) = gallery.root.glob("index.sqlite.damaged-*")
    assert aside.read_bytes() == harmed
    (notice,) = gallery.notices
    assert aside.name in notice
    assert Gallery(gallery.root).notices == ()
    add(gallery, "afterwards")
    assert gallery.query().total == 4


@pytest.mark.parametrize("call", ["save", "delete", "rename", "rebuild", "facets", "statistics"])
def test_every_call_survives_an_index_damaged_behind_its_back(gallery: Gallery, call: str) -> None:
    first, second = add(gallery, "first"), add(gallery, "second")
    damage(gallery.root / "index.sqlite", "no database")
    calls = {
        "save": lambda: add(gallery, "third"),
        "delete": lambda: gallery.delete(first.id),
        "rename": lambda: gallery.rename(first.id, "1st"),
        "rebuild": gallery.rebuild,
        "facets": gallery.facets,
        "statistics": gallery.statistics,
    }
    calls[call]()
    expected = {"save": ["third", "second", "first"], "delete": ["second"], "rename": ["second", "1st"]}
    assert names(gallery) == expected.get(call, ["second", "first"])
    assert second == gallery.get(second.id)
    assert len(gallery.notices) == 1


def test_an_index_from_before_the_first_migration_is_filled(gallery: Gallery) -> None:
    add(gallery, "one")
    (gallery.root / "index.sqlite").write_bytes(b"")
    assert names(gallery) == ["one"]
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_lists_use_indices(gallery: Gallery) -> None:
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db:
        for statement, index in (
            ("SELECT id FROM entries WHERE 1 ORDER BY created DESC, id DESC LIMIT 24", "entries_by_age"),
            ("SELECT id FROM entries WHERE preset = 'x' ORDER BY created DESC, id DESC", "entries_by_preset"),
            ("SELECT id FROM styles WHERE sha256 = 'x'", "styles_by_picture"),
        ):
            plan = str(db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())
            assert index in plan
            assert "TEMP B-TREE" not in plan


# Ids from anywhere -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry_id",
    [
        "",
        ".",
        "..",
        "../inputs",
        "20261121-075541-3fa9c2/../../inputs",
        "/etc/passwd",
        "20261121-075541-3fa9c2\n",
        "20261121-075541-3FA9C2",
        "２０２６１１２１-075541-3fa9c2",
        "20261121-075541-3fa9c2\x00",
        "20261121-075541-3fa9c2",
        None,
        7,
    ],
)
def test_ids_that_lead_nowhere(gallery: Gallery, entry_id: str) -> None:
    add(gallery, "one")
    (gallery.root / "results" / "20261121-075541-3FA9C2").mkdir()
    calls = (gallery.get, gallery.history, gallery.layer_history, gallery.delete)
    for call in (*calls, partial(gallery.picture, format="png"), partial(gallery.annotate, starred=True)):
        with pytest.raises(GalleryError):
            call(entry_id)
    with pytest.raises(GalleryError):
        gallery.rename(entry_id, "x")
    if isinstance(entry_id, str):
        assert gallery.delete_many([entry_id]).refused.keys() == {entry_id}
    if entry_id is not None and entry_id != "20261121-075541-3fa9c2":
        with pytest.raises(GalleryError):
            add(gallery, entry_id=entry_id)
    assert names(gallery) == ["one"]
    assert not list((gallery.root / "trash").iterdir())


def test_links_out_of_the_gallery_are_not_followed(gallery: Gallery, tmp_path: Path) -> None:
    other = Gallery(tmp_path / "other")
    entry = add(other, "elsewhere")
    (gallery.root / "results" / entry.id).symlink_to(entry.folder)
    assert names(gallery) == []
    for call in (gallery.get, gallery.delete):
        with pytest.raises(GalleryError, match="no such entry"):
            call(entry.id)
    assert names(other) == ["elsewhere"]


# Deleting and handing out ----------------------------------------------------------------------------------------


def test_deleting_moves_the_whole_entry_to_the_trash(gallery: Gallery) -> None:
    entry, other = add(gallery, "old"), add(gallery, "other")
    files = {path.name: path.read_bytes() for path in entry.folder.iterdir()}
    gallery.delete(entry.id)
    assert names(gallery) == names(Gallery(gallery.root)) == ["other"]
    trashed = gallery.root / "trash" / entry.id
    assert {path.name: path.read_bytes() for path in trashed.iterdir() if path.name != "trashed.json"} == files
    assert gallery.input_path(entry.content).is_file()
    shutil.copytree(trashed, entry.folder)
    with pytest.raises(GalleryError, match="already"):
        gallery.delete(entry.id)
    assert names(gallery) == ["other", "old"]
    check_whole(gallery, other)


def test_damaged_files_of_an_entry_are_told(gallery: Gallery) -> None:
    entry = add(gallery)
    for text in ("", "evaluation\n1", (entry.folder / "losses.csv").read_text() + "1,2\r\n", "\x00"):
        (entry.folder / "losses.csv").write_text(text)
        with pytest.raises(GalleryError, match=r"losses\.csv is damaged"):
            gallery.history(entry.id)
    for path in (entry.deep_path, entry.picture_path):
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(GalleryError, match=r"damaged.*Restore it"):
            gallery.picture(entry.id, "jpeg")
        path.unlink()
    with pytest.raises(GalleryError, match="missing"):
        gallery.picture(entry.id, "jpeg")


# Trouble with the disk -------------------------------------------------------------------------------------------


def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match="can't be opened"):
        Gallery(tmp_path / "file" / "gallery")


def without_index(gallery: Gallery) -> Gallery:
    """The gallery with something in the place of its index that SQLite can't open, as on a disk of that kind."""
    for path in gallery.root.glob("index.sqlite*"):
        path.unlink()
    (gallery.root / "index.sqlite").mkdir()
    return Gallery(gallery.root)


def test_results_are_shown_where_there_can_be_no_index(gallery: Gallery) -> None:
    first, second = add(gallery, "first"), add(gallery, "second")
    page, facets, statistics = gallery.query(text="s"), gallery.facets(), gallery.statistics()
    refused = without_index(gallery)
    assert refused.query(text="s") == page
    assert refused.facets() == facets
    assert refused.statistics() == statistics
    assert refused.ids() == [second.id, first.id]
    assert refused.get(first.id) == first
    (notice,) = refused.notices
    assert "index can't be used" in notice
    with pytest.raises(GalleryError, match="index can't be used"):
        refused.rename(first.id, "x")
    assert refused.rebuild() == Rebuilt(2, {})
    change(first.folder, name="edited")
    assert names(refused) == ["second", "edited"]
    refused.delete(second.id)
    assert names(refused) == ["edited"]
    refused.purge([second.id])
    assert refused.trashed() == []
    add(refused, "third")
    assert names(refused) == ["third", "edited"]
    (gallery.root / "index.sqlite").rmdir()
    assert names(refused) == ["third", "edited"]
    assert refused.notices == ()


def test_many_threads_may_ask_where_there_can_be_no_index(gallery: Gallery) -> None:
    add(gallery, "one")
    refused = without_index(gallery)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: (refused.query().total, len(refused.facets().styles)), range(40))) == {(1, 1)}


def test_results_are_shown_and_deleted_on_a_full_disk(gallery: Gallery) -> None:
    entries = [add(gallery, name) for name in ("one", "two")]
    for entry in entries:
        long_ago(entry)
    gallery.reconcile()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        full = Gallery(gallery.root)
        assert names(full) == ["two", "one"]
        full.delete(entries[0].id)
        assert names(full) == ["two"]
        with pytest.raises(GalleryError):
            full.rename(entries[1].id, "x")
        full.purge([entries[0].id])
        assert full.notices
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(full) == names(Gallery(gallery.root)) == ["two"]
    assert full.notices == ()


def test_a_save_that_fails_half_way_leaves_nothing(gallery: Gallery) -> None:
    add(gallery, "before")
    limited = WRITER.replace(
        "print(", "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))\nprint("
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, str(gallery.root), "1", "too large"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "nst.errors.GalleryError: The result can't be saved: File too large." in done.stderr
    assert names(gallery) == ["before"]
    assert len(list((gallery.root / "results").iterdir())) == 1
    assert not list(gallery.work.iterdir())


def test_saving_without_a_work_folder(gallery: Gallery) -> None:
    gallery.work.rmdir()
    with pytest.raises(GalleryError, match="can't be saved"):
        add(gallery)
    assert not list((gallery.root / "results").iterdir())


def test_a_picture_of_nan_is_refused_and_leaves_nothing(gallery: Gallery) -> None:
    with pytest.raises(ImageError):
        add(gallery, "", result(picture=np.full((24, 40, 3), np.nan, np.float32)))
    assert not list(gallery.work.iterdir())


def test_a_save_does_not_fail_when_only_its_row_does(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nst.gallery.index.BUSY_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        entry = add(gallery, "kept")
        assert entry.folder.is_dir()
        with pytest.raises(GalleryError, match="locked"):
            gallery.query()
    assert names(gallery) == ["kept"]


# Several processes -----------------------------------------------------------------------------------------------


def test_two_processes_save_at_once(tmp_path: Path) -> None:
    root = tmp_path / "gallery"  # made by both: the first migration is raced for as well
    writers = [start_writer(root, 12, name) for name in ("a", "b")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    with contextlib.closing(sqlite3.connect(root / "index.sqlite")) as db:  # before anything is reconciled
        assert db.execute("SELECT count(*) FROM entries").fetchone() == (24,)
    gallery = Gallery(root)
    assert sorted(names(gallery)) == sorted(f"{name} {number}" for name in "ab" for number in range(12))
    for entry in gallery.query().entries:
        check_whole(gallery, entry)


def test_a_writer_killed_at_any_moment_leaves_only_whole_entries(tmp_path: Path) -> None:
    root, frames = tmp_path / "gallery", tmp_path / "frames"
    frames.mkdir()
    for number in range(40):  # so that most of the time is spent writing
        (frames / f"{number:06}.jpg").write_bytes(b"a frame")
    chance = random.Random(0)
    for number in range(7):
        writer = start_writer(root, 10_000, f"run {number}", frames)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.02, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        gallery = Gallery(root)
        page = gallery.query(limit=1000)
        assert gallery.notices == ()
        assert {entry.id for entry in page.entries} == {path.name for path in (root / "results").iterdir()}
        for entry in page.entries[:20]:  # the newest are the ones that this run may have left half-written
            check_whole(gallery, entry)
            assert len(entry.frame_paths) == 40
        before = indexed(gallery)
        assert gallery.rebuild() == Rebuilt(page.total, {})
        assert indexed(gallery) == before
    assert page.total > 0


# Company ---------------------------------------------------------------------------------------------------------


def test_tensorflow_and_streamlit_are_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from nst.gallery import Gallery; Gallery(sys.argv[1]).query();"
        "sys.exit(sum(name in sys.modules for name in ('tensorflow', 'keras', 'streamlit', 'nst.engine')))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, check=True, timeout=60)


def test_the_default_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NST_GALLERY", raising=False)
    assert default_root() == PROJECT / "gallery"
    monkeypatch.setenv("NST_GALLERY", str(tmp_path))
    assert default_root() == tmp_path
