"""Tests of what a user may change about an entry, of its looks, and of the files that are handed out."""

import dataclasses
import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst import colour, image
from nst.colour import Look
from nst.errors import GalleryError
from nst.gallery import Entry, Gallery
from tests.galleries import PROJECT, add, change, indexed, names, result

LOOK = Look("photograph", 0.5)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


def small(entry: Entry) -> set[str]:
    return {path.name for path in entry.folder.iterdir() if path.name.startswith(("thumbnail", "preview"))}


def seen(path_or_data: Path | bytes) -> np.ndarray:
    return np.asarray(Image.open(path_or_data if isinstance(path_or_data, Path) else io.BytesIO(path_or_data)), float)


def test_only_what_is_given_changes(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    change(entry.folder, **{"from a newer version": 1})
    expected = entry
    for given, kept in (
        ({"starred": True}, {"starred": True}),
        ({"rating": 4}, {"rating": 4}),
        ({"tags": [" Sea ", "sea", "sky"]}, {"tags": ("Sea", "sky")}),
        ({"note": "two\r\nlines "}, {"note": "two\nlines"}),
        ({"look": LOOK}, {"look": LOOK}),
        ({"name": "new"}, {"name": "new"}),
        ({"starred": False, "rating": 0, "tags": (), "note": "", "look": Look()}, None),
        ({}, {}),
    ):
        expected = dataclasses.replace(entry, name="new") if kept is None else dataclasses.replace(expected, **kept)
        assert gallery.annotate(entry.id, **given) == expected == gallery.get(entry.id)
        assert gallery.query().entries == (expected,)
    assert json.loads((entry.folder / "metadata.json").read_text())["from a newer version"] == 1
    before = indexed(gallery)
    gallery.rebuild()
    assert indexed(gallery) == before


@pytest.mark.parametrize(
    "given",
    [
        {"rating": 6},
        {"rating": -1},
        {"rating": True},
        {"rating": 2.5},
        {"tags": ["x" * 41]},
        {"tags": [str(i) for i in range(21)]},
        {"note": "x" * 5001},
    ],
)
def test_what_is_out_of_bounds_changes_nothing(gallery: Gallery, given: dict) -> None:
    entry = add(gallery, "one")
    with pytest.raises(GalleryError):
        gallery.annotate(entry.id, **{"name": "two", "starred": True} | given)
    assert gallery.get(entry.id) == entry
    assert names(gallery) == ["one"]


# Looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 1500])
def test_a_look_is_shown_and_the_picture_stays(gallery: Gallery, width: int) -> None:
    plain = add(gallery, "", result(width, 32))
    shown = seen(plain.preview())
    png, tiff = plain.picture_path.read_bytes(), plain.deep_path.read_bytes()
    looked = gallery.annotate(plain.id, look=Look("photograph", 0.0))  # nothing but the photograph
    photograph = image.resize(image.load(plain.content_path).rgb, (plain.width, plain.height))
    expected = image.resize(photograph, seen(looked.preview()).shape[1::-1]) * 255
    assert np.abs(seen(looked.preview()) - expected).mean() < 12  # JPEG of noise
    assert looked.thumbnail_path.read_bytes() != plain.thumbnail_path.read_bytes()
    assert (plain.picture_path.read_bytes(), plain.deep_path.read_bytes()) == (png, tiff)
    assert small(looked) >= {looked.thumbnail_path.name, looked.preview_path.name}
    again = gallery.annotate(plain.id, look=Look("matched", 0.25))
    assert looked.thumbnail_path.name not in small(again)
    back = gallery.annotate(plain.id, look=Look())
    assert back == plain
    assert np.abs(seen(back.preview()) - shown).mean() < 0.1  # from 16 bits instead of floats
    assert small(back) == {"thumbnail.jpg"} | ({"preview.jpg"} if width > 1440 else set())


def test_a_look_without_its_photograph_is_refused(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    entry.content_path.unlink()
    with pytest.raises(GalleryError, match="can't be read"):
        gallery.annotate(entry.id, look=LOOK, starred=True)
    assert gallery.get(entry.id) == entry == gallery.query().entries[0]
    assert gallery.annotate(entry.id, look=Look(), starred=True).starred
    other = add(gallery, "two")
    gallery.annotate(other.id, look=LOOK)
    other.content_path.unlink()
    assert gallery.annotate(other.id, look=LOOK, starred=True).starred  # it is the look that it has


def test_pictures_are_handed_out_as_they_look(gallery: Gallery) -> None:
    entry = add(gallery, "", result(seed=5))
    files = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "tiff": "TIFF"}
    assert gallery.picture(entry.id, "png") == entry.picture_path.read_bytes()
    assert gallery.picture(entry.id, "tiff") == entry.deep_path.read_bytes()
    photograph = image.load(entry.content_path).rgb
    expected = image.to_uint8(colour.apply(result(seed=5).picture, photograph, LOOK))
    gallery.annotate(entry.id, look=LOOK)
    for format_, name in files.items():
        data = gallery.picture(entry.id, format_)
        assert data == gallery.picture(entry.id, format_, look=LOOK)
        if format_ != "tiff":
            assert Image.open(io.BytesIO(data)).format == name
    png = gallery.picture(entry.id, "png")
    assert np.abs(seen(png) - expected).max() <= 1
    assert json.loads(image.read_png_text(png)["nst"])["id"] == entry.id
    assert gallery.picture(entry.id, "png", look=Look()) == entry.picture_path.read_bytes()
    with pytest.raises(GalleryError, match="Unknown format"):
        gallery.picture(entry.id, "gif")  # type: ignore[arg-type]


def test_transparent_pictures_have_looks_too(gallery: Gallery) -> None:
    alpha = np.ones((24, 40), np.float32)
    alpha[:, :20] = 0
    for opacity in (alpha, np.ones_like(alpha)):
        entry = gallery.annotate(add(gallery, alpha=opacity).id, look=LOOK)
        assert Image.open(entry.thumbnail_path).format == Image.open(io.BytesIO(entry.preview())).format == "WEBP"
        assert seen(gallery.picture(entry.id, "png"))[..., 3].min() == opacity.min() * 255
        entry.deep_path.unlink()
        assert seen(gallery.picture(entry.id, "png"))[..., 3].min() == opacity.min() * 255


# Company, and crashes --------------------------------------------------------------------------------------------

KILLED = """
import os, sys
from nst.colour import Look
from nst.gallery import Gallery
gallery = Gallery(sys.argv[1])
left = int(sys.argv[3])
def watch(event, args):
    global left
    if event == "os.rename":  # of which there is one a file: thumbnail, preview, record's draft, record
        left -= 1
    if left < 0 and event in ("os.rename", "open"):
        os._exit(9)
sys.addaudithook(watch)
gallery.annotate(sys.argv[2], starred=True, look=Look("matched", 0.5))
"""


@pytest.mark.parametrize("moment", range(4))
def test_an_entry_is_whole_whenever_its_changing_is_killed(gallery: Gallery, moment: int) -> None:
    entry = add(gallery, "one")
    command = [sys.executable, "-c", KILLED, str(gallery.root), entry.id, str(moment)]
    assert subprocess.run(command, cwd=PROJECT, timeout=60).returncode == 9
    found = gallery.get(entry.id)
    assert found == entry
    assert gallery.query().entries == gallery.query(starred=found.starred).entries == (found,)
    assert found.thumbnail_path.is_file()
    changed = gallery.annotate(entry.id, starred=True, look=Look("photograph"))
    assert small(changed) == {"thumbnail.jpg", "thumbnail-photograph-1.0.jpg", "preview-photograph-1.0.jpg"}


def test_an_entry_is_listed_as_it_is_when_killed_after_its_change(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    code = KILLED.replace('event in ("os.rename", "open")', 'event == "open"')
    command = [sys.executable, "-c", code, str(gallery.root), entry.id, "3"]
    assert subprocess.run(command, cwd=PROJECT, timeout=60).returncode == 9
    found = gallery.get(entry.id)
    assert (found.starred, found.look) == (True, Look("matched", 0.5))
    assert found.thumbnail_path.is_file()
    assert found.preview_path.is_file()
    assert gallery.query(starred=True).entries == (found,)


ANNOTATOR = """
import sys
from nst.gallery import Gallery
gallery = Gallery(sys.argv[1])
for number in range(15):
    if sys.argv[3] == "a":
        gallery.annotate(sys.argv[2], tags=[f"t{number}"])
        gallery.annotate(sys.argv[2], rating=number % 6)
    else:
        gallery.annotate(sys.argv[2], note=f"n{number}")
"""


def test_two_processes_change_an_entry_at_once(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    commands = [[sys.executable, "-c", ANNOTATOR, str(gallery.root), entry.id, name] for name in "ab"]
    running = [subprocess.Popen(command, cwd=PROJECT) for command in commands]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    found = gallery.get(entry.id)
    assert (found.tags, found.rating, found.note) == (("t14",), 2, "n14")
    assert gallery.query().entries == (found,)


def test_many_threads_change_an_entry_at_once(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    given = [{"starred": True}, {"rating": 3}, {"tags": ["a"]}, {"note": "b"}, {"name": "c"}, {"look": LOOK}]
    threads = [threading.Thread(target=gallery.annotate, args=(entry.id,), kwargs=one) for one in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = dataclasses.replace(entry, starred=True, rating=3, tags=("a",), note="b", name="c", look=LOOK)
    assert gallery.get(entry.id) == expected == gallery.query().entries[0]


# Entries from elsewhere ------------------------------------------------------------------------------------------


def elsewhere(tmp_path: Path, **given: object) -> tuple[Entry, dict[str, bytes]]:
    other = Gallery(tmp_path / "other")
    entry = other.annotate(add(other, "elsewhere").id, starred=True, **given)
    return entry, {path.name: path.read_bytes() for path in entry.folder.iterdir()}


def test_an_entry_from_elsewhere_is_adopted_whole(gallery: Gallery, tmp_path: Path) -> None:
    entry, files = elsewhere(tmp_path, look=LOOK)
    with pytest.raises(GalleryError, match="Add it first"):
        gallery.adopt(entry, files, {})
    add(gallery, "here")  # brings the inputs
    adopted = gallery.adopt(entry, files, {"000100.jpg": b"a frame"})
    assert (adopted, adopted.root) == (entry, gallery.root)
    assert gallery.get(entry.id) == entry
    assert sorted(names(gallery)) == ["elsewhere", "here"]
    assert adopted.thumbnail_path.read_bytes() == entry.thumbnail_path.read_bytes()
    assert [path.read_bytes() for path in adopted.frame_paths] == [b"a frame"]
    with pytest.raises(GalleryError, match="already"):
        gallery.adopt(entry, files, {})
    assert not list(gallery.work.iterdir())


def test_thumbnails_that_are_missing_are_made(gallery: Gallery, tmp_path: Path) -> None:
    entry, files = elsewhere(tmp_path, look=LOOK)
    add(gallery, "here")
    adopted = gallery.adopt(entry, {name: files[name] for name in ("result.png", "losses.csv")}, {})
    assert small(adopted) == {adopted.thumbnail_path.name, adopted.preview_path.name}
    assert np.abs(seen(adopted.thumbnail_path) - seen(entry.thumbnail_path)).mean() < 2


def test_nothing_of_a_bad_entry_is_adopted(gallery: Gallery, tmp_path: Path) -> None:
    entry, files = elsewhere(tmp_path)
    add(gallery, "here")
    good = {"result.png", "losses.csv", "thumbnail.jpg"}
    for name in ("../evil.png", "/etc/x.png", "x/../y.png", ".hidden.png", "run.sh", "a\\b.png", "trashed.json"):
        with pytest.raises(GalleryError, match="not the files"):
            gallery.adopt(entry, files | {name: b"x"}, {})
    for name in ("../1.jpg", "1.png", ".1.jpg", "a/b.jpg"):
        with pytest.raises(GalleryError, match="not the files"):
            gallery.adopt(entry, files, {name: b"x"})
    for name in good - {"thumbnail.jpg"}:
        with pytest.raises(GalleryError, match="not the files"):
            gallery.adopt(entry, {other: files[other] for other in good - {name}}, {})
    assert names(gallery) == ["here"]
    assert not list(gallery.work.iterdir())
