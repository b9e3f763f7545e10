"""Tests of the style shelf, and of what the gallery tells about inputs without decoding them."""

import io
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nst import image
from nst.errors import GalleryError
from nst.gallery import Gallery, Input
from nst.gallery.shelf import MAX_SIZES, MAX_STYLES
from tests.galleries import PROJECT, noise

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery", now=lambda: NOW)


def style(gallery: Gallery, name: str, seed: int = 0) -> Input:
    return gallery.add_input(image.encode_png(noise(seed=seed)), f"{name}.png")


def shelved(gallery: Gallery) -> list[str]:
    return [found.name for found in gallery.shelf()]


def test_styles_are_put_on_the_shelf_renamed_and_taken_off(gallery: Gallery) -> None:
    night, wave = style(gallery, "night", 1), style(gallery, "wave", 2)
    gallery.shelve(night)
    gallery.shelve(wave, "The great\nwave")
    assert shelved(gallery) == shelved(Gallery(gallery.root)) == ["The great wave", "night"]
    found = gallery.shelf()[1]
    assert (found.picture, found.added, found.ready) == (night, NOW, ())
    gallery.shelve(night)
    gallery.shelve(wave, "Wave")
    assert shelved(gallery) == ["Wave", "night"]
    gallery.rename_style(night.sha256, "  Starry ")
    gallery.rename_style(wave.sha256, "")
    assert shelved(gallery) == ["wave", "Starry"]
    gallery.unshelve(wave.sha256)
    gallery.unshelve(wave.sha256)
    assert shelved(gallery) == ["Starry"]
    assert gallery.input_path(wave).is_file()
    with pytest.raises(GalleryError, match="not on the shelf"):
        gallery.rename_style(wave.sha256, "x")


def test_only_pictures_of_the_gallery_are_shelved_and_shown(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="Add it first"):
        gallery.shelve(Input("0" * 64, "png", "gone"))
    night = style(gallery, "night")
    gallery.shelve(night)
    data = gallery.input_path(night).read_bytes()
    gallery.input_path(night).unlink()
    assert gallery.shelf() == []
    gallery.add_input(data, "night.png")
    assert shelved(gallery) == ["night"]


def test_a_shelf_has_an_end(gallery: Gallery) -> None:
    night = style(gallery, "night")
    gallery.shelve(night)
    path = gallery.root / "shelf.json"
    record = json.loads(path.read_text())
    (one,) = record["styles"]
    many = [one | {"picture": one["picture"] | {"sha256": f"{i:064x}"}} for i in range(MAX_STYLES)]
    path.write_text(json.dumps(record | {"styles": many}))
    with pytest.raises(GalleryError, match="full"):
        gallery.shelve(night)
    assert gallery.notices == ()


def test_sizes_at_which_targets_are_ready_are_remembered(gallery: Gallery) -> None:
    night = style(gallery, "night")
    gallery.note_targets(night.sha256, 512)  # before it is on the shelf
    gallery.shelve(night)
    for longest in (256, 512, 1024):
        gallery.note_targets(night.sha256, longest)
    assert gallery.shelf()[0].ready == (256, 512, 1024)
    for longest in range(2000, 2000 + MAX_SIZES):
        gallery.note_targets(night.sha256, longest)
    assert gallery.shelf()[0].ready == tuple(range(2000, 2000 + MAX_SIZES))
    for bad in (0, -1, 10**9):
        with pytest.raises(GalleryError):
            gallery.note_targets(night.sha256, bad)
    for number in range(3):
        gallery.note_targets(f"{number:064x}", 64)
    assert len(json.loads((gallery.root / "shelf.json").read_text())["ready"]) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"styles": 1, "ready": {}}',
        '{"styles": [{"picture": {"sha256": "../../x", "ext": "png", "label": ""}, "name": "", "added": ""}]}',
    ],
)
def test_a_damaged_shelf_is_set_aside_and_told(gallery: Gallery, text: str) -> None:
    path = gallery.root / "shelf.json"
    path.write_text(text)
    assert gallery.shelf() == []
    (aside,) = gallery.root.glob("shelf.json.damaged-*")
    assert aside.read_text() == text
    (notice,) = gallery.notices
    assert aside.name in notice
    gallery.shelve(style(gallery, "night"))
    assert shelved(gallery) == ["night"]
    assert Gallery(gallery.root).notices == ()


@pytest.mark.parametrize(
    ("part", "strange"),
    [
        ("styles", [{}, 7, {"picture": {"sha256": "../../x", "ext": "png", "label": ""}, "name": "", "added": ""}]),
        ("styles", [{"mood": "calm", "kind": "of a newer version"}]),
        ("ready", {"../x": [1]}),
        ("ready", {"1" * 64: ["1"]}),
        ("ready", {"2" * 64: 512}),
    ],
)
def test_what_is_strange_on_the_shelf_is_skipped_and_kept(gallery: Gallery, part: str, strange: object) -> None:
    night, wave = style(gallery, "night", 1), style(gallery, "wave", 2)
    gallery.shelve(night)
    gallery.note_targets(night.sha256, 512)
    path = gallery.root / "shelf.json"
    record = json.loads(path.read_text())
    record[part] = [*strange, *record[part]] if isinstance(strange, list) else strange | record[part]
    path.write_text(json.dumps(record))
    assert shelved(gallery) == ["night"]
    assert gallery.shelf()[0].ready == (512,)
    gallery.shelve(wave)
    assert shelved(gallery) == ["wave", "night"]
    (notice,) = gallery.notices
    assert "can't be shown" in notice
    kept = json.loads(path.read_text())[part]
    assert all(item in kept for item in strange)
    assert isinstance(strange, list) or all(kept[key] == value for key, value in strange.items())


def test_two_programs_change_the_shelf_at_once(gallery: Gallery) -> None:
    writer = (
        "import sys\nfrom nst.gallery import Gallery\ngallery = Gallery(sys.argv[1])\n"
        "for number in range(60):\n    gallery.note_targets(sys.argv[2] + f'{number:063x}', 64)\n"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", writer, str(gallery.root), letter], cwd=PROJECT) for letter in "ab"
    ]
    assert [program.wait(timeout=60) for program in programs] == [0, 0]
    assert len(json.loads((gallery.root / "shelf.json").read_text())["ready"]) == 120


def test_many_threads_change_the_shelf_at_once(gallery: Gallery) -> None:
    styles = [style(gallery, f"{i}", i) for i in range(6)]

    def work(picture: Input) -> None:
        gallery.shelve(picture)
        for longest in (100, 200, 300):
            Gallery(gallery.root).note_targets(picture.sha256, longest)

    threads = [threading.Thread(target=work, args=(picture,)) for picture in styles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shelved(gallery)) == [str(i) for i in range(6)]
    assert {found.ready for found in gallery.shelf()} == {(100, 200, 300)}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=()), max_size=30), minutes=st.integers(-(10**6), 10**6))
def test_any_name_is_read_back(tmp_path: Path, name: str, minutes: int) -> None:
    when = NOW + timedelta(minutes=minutes)
    gallery = Gallery(tmp_path / "gallery", now=lambda: when)
    night = style(gallery, "night")
    gallery.unshelve(night.sha256)
    gallery.shelve(night, name)
    (found,) = gallery.shelf()
    assert found.added == when
    gallery.rename_style(night.sha256, found.name)
    assert gallery.shelf() == [found]
    assert gallery.notices == ()


# Inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_the_size_of_an_input_is_that_of_the_picture_upright(
    gallery: Gallery, format_: str, orientation: int | None
) -> None:
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(image.to_uint8(noise(40, 24))).save(file, format_, exif=exif)
    stored = gallery.add_input(file.getvalue(), "one")
    seen = image.load(file.getvalue())
    assert gallery.input_size(stored) == (seen.width, seen.height)


def test_the_size_of_what_is_no_picture_is_refused(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="missing or damaged"):
        gallery.input_size(Input("0" * 64, "png", "gone"))
    stored = style(gallery, "night")
    gallery.input_path(stored).write_bytes(b"\x89PNG\r\n\x1a\nnot at all")
    with pytest.raises(GalleryError, match="missing or damaged"):
        gallery.input_size(stored)


def test_the_file_for_measurements_lies_in_the_gallery(gallery: Gallery) -> None:
    assert gallery.machine_path == gallery.root / "machine.json"
