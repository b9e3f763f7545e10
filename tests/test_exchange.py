"""Tests of nst.exchange: real zips out of and into real galleries, and whatever a zip or a PNG may be instead."""

import bz2
import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nst import image
from nst.colour import Look
from nst.config import Settings
from nst.errors import GalleryError, ImageError, SettingsError
from nst.exchange import Imported, export, import_, matching, offered
from nst.exchange import archive as zips
from nst.exchange.outgoing import file_stem
from nst.exchange.table import parameters_csv
from nst.gallery import Entry, Gallery, Input
from nst.result import Change, LayerRow, Result, layer_names
from nst.tiff import read_tiff16
from tests.test_gallery import add, noise, result

PROJECT = Path(__file__).parents[1]
MISSING = "20260101-000000-abcdef"
CHANGES = (Change(3, 0, {"strength": 40.0}, {"strength": 50.0}),)
FUZZ = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "gallery")


@pytest.fixture
def other(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path / "other")


def rich(gallery: Gallery, folder: Path) -> Entry:
    """An entry with everything an entry may have."""
    frames = folder / "frames"
    frames.mkdir()
    for number in (10, 20):
        (frames / f"{number:06d}.jpg").write_bytes(image.encode_jpeg(noise(seed=number)))
    made = result(
        changes=CHANGES,
        layers=tuple(LayerRow(n, (0.5,) * len(layer_names(result().settings))) for n in range(1, 6)),
        settings=result().settings.replace(style_weights=(1.0, 3.0)),
    )
    styles = [gallery.add_input(image.encode_png(noise(seed=n)), f"style {n}.png") for n in (2, 3)]
    start = gallery.add_input(image.encode_png(noise(seed=4)), "sketch.png")
    parent = add(gallery, "before").id
    entry = add(gallery, "rich", made, styles=styles, frames=frames, initial=start, parent=parent, advice=["Try less."])
    note = "two\nlines, and ünïcode"
    return gallery.annotate(entry.id, starred=True, rating=4, tags=["sky", "Blue"], note=note)


def exported(gallery: Gallery, *ids: str, **options: bool) -> bytes:
    file = io.BytesIO()
    done = export(gallery, ids, file, **options)
    assert done.written == ids
    assert not done.refused
    return file.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def everything(folder: Path) -> dict[str, int]:
    """All files under a folder but the index, with their sizes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("index.sqlite"))
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def told(record: dict) -> dict:
    """A record without what an import replaces."""
    record = json.loads(json.dumps(record))
    del record["network"]["source"]
    for picture in (record["content"], *record["styles"], record["initial"] or {}):
        picture.pop("sha256", None)
        picture.pop("ext", None)
    return record


def pixels(picture: bytes | Path) -> np.ndarray:
    return image.load(picture).rgb


# Out -------------------------------------------------------------------------------------------------------------


def test_the_zip_has_its_folders_and_each_input_once(gallery: Gallery, tmp_path: Path) -> None:
    one, two = rich(gallery, tmp_path), add(gallery, "two")
    files = members(exported(gallery, one.id, two.id))
    first = ["result.png", "metadata.json", "losses.csv", "layers.csv", "frames/000010.jpg", "frames/000020.jpg"]
    assert set(files) == {
        *(f"results/{one.id}/{name}" for name in first),
        *(f"results/{two.id}/{name}" for name in ("result.png", "metadata.json", "losses.csv")),
        f"contents/tubingen-{one.content.sha256[:8]}.png",
        *(f"styles/style-{n}-{style.sha256[:8]}.png" for n, style in enumerate(one.styles, start=2)),
        f"starts/sketch-{one.initial.sha256[:8]}.png",
        *(name for name in files if name.startswith("styles/starry_night-")),
        "parameters.csv",
        "manifest.json",
        "README.txt",
    }
    manifest = json.loads(files["manifest.json"])
    assert manifest["results"] == [one.id, two.id]
    for picture in (one.content, *one.styles, one.initial, two.content, *two.styles):
        listed = manifest["inputs"][picture.sha256]
        assert image.load(files[listed["file"]]).sha256 == listed["sha256"]
        np.testing.assert_array_equal(pixels(files[listed["file"]]), pixels(gallery.input_path(picture)), strict=True)


def test_no_camera_and_no_place_in_a_computer_leaves_the_disk(gallery: Gallery) -> None:
    exif = Image.Exif()
    exif[0x013B] = "Anna Muster"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 31.0, 12.0)})
    photograph, deep = io.BytesIO(), io.BytesIO()
    Image.fromarray(image.to_uint8(noise())).save(photograph, "JPEG", exif=exif, comment=b"Anna Muster")
    greys = np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 60
    Image.fromarray(greys).save(deep, "PNG", exif=exif)
    content = gallery.add_input(photograph.getvalue(), "C:\\Users\\anna\\me.jpg")
    style = gallery.add_input(deep.getvalue(), "/home/anna/deep.png")
    entry = add(gallery, content=content, styles=[style])
    data = exported(gallery, entry.id)
    files = members(data)
    for text in (b"Anna Muster", b"anna", b"/home", b"48.0"):
        assert all(text not in content for content in files.values())
    for name, picture in (
        (f"contents/me-{content.sha256[:8]}.png", content),
        (f"styles/deep-{style.sha256[:8]}.png", style),
    ):
        assert not Image.open(io.BytesIO(files[name])).getexif()
        np.testing.assert_array_equal(pixels(files[name]), pixels(gallery.input_path(picture)), strict=True)


def test_what_png_cannot_hold_goes_out_as_it_came(gallery: Gallery) -> None:
    file = io.BytesIO()
    Image.fromarray(noise()[..., 0]).save(file, "TIFF")  # floating-point greys
    style = gallery.add_input(file.getvalue(), "float.tiff")
    entry = add(gallery, styles=[style])
    assert members(exported(gallery, entry.id))[f"styles/{file_stem(style)}.tiff"] == file.getvalue()


def test_missing_and_damaged_results_are_left_out_and_told(gallery: Gallery) -> None:
    good, no_input, no_picture, other_size = (add(gallery, name) for name in "abcd")
    lost = gallery.add_input(image.encode_png(noise(seed=9)), "lost.png")
    no_input = add(gallery, "lost", content=lost)
    gallery.input_path(lost).unlink()
    changed = gallery.add_input(image.encode_png(noise(seed=8)), "changed.png")
    damaged = add(gallery, "damaged", content=changed)
    gallery.input_path(changed).write_bytes(image.encode_png(noise(seed=7)))
    no_picture.picture_path.write_bytes(b"nothing")
    other_size.picture_path.write_bytes(image.encode_png(noise(41, 24)))
    ids = [good.id, no_input.id, damaged.id, no_picture.id, other_size.id, MISSING, "../../etc"]
    file = io.BytesIO()
    done = export(gallery, ids, file)
    assert done.written == (good.id,)
    assert list(done.refused) == ids[1:]
    reasons = ("missing", "damaged", "not a picture", "not the picture", "no such entry", "not the id")
    for reason, text in zip(reasons, done.refused.values(), strict=True):
        assert reason in text
    files = members(file.getvalue())
    assert sorted(name.split("/")[0] for name in files if "/" in name) == ["contents"] + 3 * ["results"] + ["styles"]
    readme = files["README.txt"].decode()
    assert all(f"{entry_id}: " in readme for entry_id in ids[1:])
    assert str(gallery.root) not in readme + str(done.refused)


@pytest.mark.parametrize("name", ["frames/000020.jpg", "layers.csv", "result.tiff"])
def test_a_result_with_one_damaged_file_is_left_out_as_a_whole(gallery: Gallery, tmp_path: Path, name: str) -> None:
    entry = rich(gallery, tmp_path)
    (entry.folder / name).write_bytes(b"damaged")
    file = io.BytesIO()
    assert list(export(gallery, [entry.id], file, deep=True).refused) == [entry.id]
    assert set(members(file.getvalue())) == {"parameters.csv", "manifest.json", "README.txt"}


def test_a_result_is_written_once_however_often_it_is_asked_for(gallery: Gallery) -> None:
    entry = add(gallery)
    done = export(gallery, [entry.id, entry.id], io.BytesIO())
    assert done.written == (entry.id,)


def test_an_export_of_nothing_is_a_zip_that_says_so(gallery: Gallery) -> None:
    data = exported(gallery)
    assert json.loads(members(data)["manifest.json"])["results"] == []
    with pytest.raises(GalleryError, match="no result"):
        import_(gallery, data)


def test_sixteen_bits_go_out_where_asked_for(gallery: Gallery) -> None:
    entry = add(gallery)
    name = f"results/{entry.id}/result.tiff"
    assert name not in members(exported(gallery, entry.id))
    assert members(exported(gallery, entry.id, deep=True))[name] == entry.deep_path.read_bytes()


class Pipe(io.RawIOBase):
    """Takes what is written and can do nothing else."""

    def __init__(self, room: int) -> None:
        self.room, self.data = room, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        if len(self.data) + len(data) > self.room:
            raise OSError(28, "No space left on device")
        self.data += data
        return len(data)


def test_a_zip_can_be_written_to_a_pipe(gallery: Gallery, other: Gallery) -> None:
    entry, pipe = add(gallery), Pipe(10**9)
    export(gallery, [entry.id], pipe)
    assert import_(other, bytes(pipe.data)).added == (entry.id,)


def test_a_full_disk_is_told(gallery: Gallery) -> None:
    entry = add(gallery)
    with pytest.raises(GalleryError, match="No space left"):
        export(gallery, [entry.id], Pipe(2000))


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_table_of_parameters_is_read_back(gallery: Gallery, tmp_path: Path) -> None:
    entry, plain = rich(gallery, tmp_path), add(gallery, 'a, "b"; ×')
    row, other_row = table(members(exported(gallery, entry.id, plain.id))["parameters.csv"])
    for name, value in entry.settings.to_dict().items():
        expected = json.dumps(value) if isinstance(value, list) else "" if value is None else str(value)
        assert row[name] == expected
    assert (row["id"], row["name"], row["created"], row["status"]) == (entry.id, "rich", entry.created, "finished")
    assert (row["width"], row["height"], float(row["seconds"]), row["evaluations"]) == ("40", "24", 1.25, "5")
    assert float(row["total_loss"]) == entry.losses.total
    assert json.loads(row["changes"])[0]["after"] == {"strength": 50.0}
    assert (row["content"], row["styles"], row["start"]) == ("tubingen", "style 2; style 3", "sketch")
    assert (row["tags"], row["rating"], row["starred"]) == ("; ".join(entry.tags), "4", "True")
    assert (row["network"], row["network_sha256"]) == ("vgg19", "a" * 64)
    assert other_row["name"] == 'a, "b"; ×'
    assert not any("/home/anna" in cell for cell in row.values())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "＝"])
def test_no_text_becomes_a_formula(gallery: Gallery, start: str) -> None:
    entry = add(gallery)
    evil = f'{start}HYPERLINK("http://example.com")'
    content = dataclasses.replace(entry.content)
    object.__setattr__(content, "label", evil)
    [row] = table(parameters_csv([dataclasses.replace(entry, name=evil, tags=(evil,), content=content)]))
    assert [row["name"], row["tags"], row["content"]] == 3 * [f"'{evil}"]


def test_numbers_below_zero_stay_numbers(gallery: Gallery) -> None:
    entry = add(gallery)
    losses = entry.losses._replace(total=-1.5)
    [row] = table(parameters_csv([dataclasses.replace(entry, losses=losses)]))
    assert row["total_loss"] == "-1.5"


# In --------------------------------------------------------------------------------------------------------------


def test_what_went_out_comes_in_the_same(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    entries = [rich(gallery, tmp_path), add(gallery, "two")]
    data = exported(gallery, *(entry.id for entry in entries))
    done = import_(other, data)
    assert done == Imported(tuple(sorted(entry.id for entry in entries)), (), {})
    for entry in entries:
        here = other.get(entry.id)
        assert told(here.to_dict()) == told(entry.to_dict())
        assert other.history(entry.id) == gallery.history(entry.id)
        np.testing.assert_array_equal(pixels(here.picture_path), pixels(entry.picture_path), strict=True)
        before, after = ((e.content, *e.styles, *filter(None, [e.initial])) for e in (entry, here))
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(pixels(other.input_path(new)), pixels(gallery.input_path(old)), strict=True)
        assert [path.read_bytes() for path in here.frame_paths] == [path.read_bytes() for path in entry.frame_paths]
        assert image.load(here.thumbnail_path.read_bytes()).width == 40
        text = json.loads(image.read_png_text(here.picture_path)["nst"])
        assert text["content"]["sha256"] == here.content.sha256
    assert other.layer_history(entries[0].id) == gallery.layer_history(entries[0].id)
    assert {entry.id for entry in other.query().entries} == {entry.id for entry in entries}
    assert import_(other, data) == Imported((), done.added, {})


def test_an_import_survives_being_exported_again(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    entry = rich(gallery, tmp_path)
    import_(other, exported(gallery, entry.id))
    third = Gallery(tmp_path / "third")
    assert import_(third, exported(other, entry.id)).added == (entry.id,)
    assert third.get(entry.id) == other.get(entry.id)


@pytest.mark.parametrize("transparent", [False, True])
def test_transparency_and_previews_come_in(gallery: Gallery, other: Gallery, transparent: bool) -> None:
    alpha = np.linspace(0, 1, 40 * 24, dtype=np.float32).reshape(24, 40) if transparent else None
    entry = add(gallery, alpha=alpha)
    large = add(gallery, "large", result(1500, 32), alpha=alpha)
    import_(other, exported(gallery, entry.id, large.id, deep=True))
    for each in (entry, large):
        here = other.get(each.id)
        assert {path.name for path in here.folder.iterdir()} == {path.name for path in each.folder.iterdir()}
        one, two = image.load(here.picture_path), image.load(each.picture_path)
        np.testing.assert_array_equal(one.rgb, two.rgb, strict=True)
        assert (one.alpha is None) is (not transparent)
        if transparent:
            np.testing.assert_array_equal(one.alpha, two.alpha, strict=True)


def test_opaque_pictures_of_transparent_ones_stay_so(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery, alpha=np.ones((24, 40), np.float32))
    assert import_(other, exported(gallery, entry.id)).added == (entry.id,)
    assert Image.open(other.get(entry.id).picture_path).mode == "RGBA"


@pytest.mark.parametrize("transparent", [False, True])
def test_sixteen_bits_come_in_without_anything_else(gallery: Gallery, other: Gallery, transparent: bool) -> None:
    alpha = np.linspace(0, 1, 40 * 24, dtype=np.float32).reshape(24, 40) if transparent else None
    entry = add(gallery, alpha=alpha)
    data = exported(gallery, entry.id, deep=True)
    assert import_(other, data).added == (entry.id,)
    assert other.get(entry.id).deep_path.read_bytes() == entry.deep_path.read_bytes()


def tiff(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    given = {"photometric": "rgb", "compression": "zlib", "predictor": True, "metadata": None} | options
    tifffile.imwrite(file, values, **given)
    return file.getvalue()


def levels() -> np.ndarray:
    return np.rint(noise() * 65535).astype(np.uint16)


TIFFS = {
    "none": b"II*\0",
    "another picture": tiff(levels()[::-1]),
    "another shape": tiff(levels().reshape(40, 24, 3)),
    "another kind": tiff(levels().astype(np.uint8)),
    "another compression": tiff(levels(), compression=None, predictor=None),
    "no differences": tiff(levels(), predictor=None),
    "tiles": tiff(levels(), tile=(16, 16)),
    "cut short": tiff(levels())[:3000],
}


@pytest.mark.parametrize("what", TIFFS)
def test_another_tiff_is_refused(gallery: Gallery, other: Gallery, what: str) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    files[f"results/{entry.id}/result.tiff"] = TIFFS[what]
    assert "result.tiff is" in import_(other, zipped(files)).refused[entry.id]


def test_an_artist_in_a_tiff_is_left_behind(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    files[f"results/{entry.id}/result.tiff"] = tiff(levels(), description="Anna Muster", rowsperstrip=7)
    import_(other, zipped(files))
    assert other.get(entry.id).deep_path.read_bytes() == entry.deep_path.read_bytes()


def test_a_tiff_that_is_a_bomb_does_not_go_off() -> None:
    """A strip of a hundred megabytes, where half of one should be."""
    data = tiff(np.rint(noise(400, 240) * 65535).astype(np.uint16), rowsperstrip=240)
    bomb = zlib.compress(bytes(100 * 2**20))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        places = [file.pages[0].tags[name].valueoffset for name in ("StripOffsets", "StripByteCounts")]
    found = bytearray(data + bomb)
    for place, value in zip(places, (len(data), len(bomb)), strict=True):
        found[place : place + 4] = struct.pack("<I", value)
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"result\.tiff"):
        read_tiff16(bytes(found), (240, 400, 3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_a_look_comes_in_with_its_thumbnail(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    plain = image.load(entry.thumbnail_path).rgb
    gallery.annotate(entry.id, look=Look("photograph", 0.5))
    import_(other, exported(gallery, entry.id))
    here = other.get(entry.id)
    assert here.look == Look("photograph", 0.5)
    thumbnail, expected = (image.load(each.thumbnail_path).rgb for each in (here, gallery.get(entry.id)))
    assert np.abs(thumbnail - expected).mean() < 0.01
    assert np.abs(thumbnail - plain).mean() > 0.05
    assert here.preview_path.is_file()


def test_an_original_that_is_there_is_kept(gallery: Gallery, other: Gallery) -> None:
    photograph = io.BytesIO()
    Image.fromarray(image.to_uint8(noise(seed=5))).save(photograph, "JPEG")
    content = gallery.add_input(photograph.getvalue(), "mine.jpg")
    entry = add(gallery, content=content)
    data = exported(gallery, entry.id)
    other.add_input(photograph.getvalue(), "called otherwise.jpg")
    import_(other, data)
    here = other.get(entry.id)
    assert here.content == content
    assert other.input_path(here.content).read_bytes() == photograph.getvalue()


def test_a_lost_original_is_put_in_from_the_zip(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    import_(other, exported(gallery, entry.id))
    here = other.get(entry.id)
    assert here.content.sha256 == image.load(other.input_path(here.content)).sha256
    assert (here.content.label, here.styles[0].label) == ("tubingen", "starry_night")


def test_the_same_result_with_another_name_is_present_and_stays(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery, "theirs")
    data = exported(gallery, entry.id)
    import_(other, data)
    other.annotate(entry.id, name="mine", rating=5)
    assert import_(other, data).present == (entry.id,)
    assert other.get(entry.id).name == "mine"


def test_another_result_of_the_same_id_is_refused(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    add(other, "mine", result(seed=3), entry_id=entry.id)
    before = everything(other.root)
    done = import_(other, exported(gallery, entry.id))
    assert "Another result" in done.refused[entry.id]
    assert everything(other.root) == before


def test_what_lies_in_the_trash_is_refused_and_can_be_restored(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery, "one")
    data = exported(gallery, entry.id)
    import_(other, data)
    other.delete(entry.id)
    done = import_(other, data)
    assert done.added == done.present == ()
    assert "restore it there" in done.refused[entry.id]
    assert other.restore([entry.id]).restored == (entry.id,)
    assert import_(other, data).present == (entry.id,)


@pytest.mark.parametrize("name", ["losses.csv", "layers.csv"])
def test_far_more_rows_than_evaluations_are_refused(gallery: Gallery, other: Gallery, name: str) -> None:
    columns = len(layer_names(result().settings))
    entry = add(gallery, "one", result(layers=tuple(LayerRow(i, (1.0,) * columns) for i in range(1, 6))))
    files = members(exported(gallery, entry.id))
    member = f"results/{entry.id}/{name}"
    header, *lines = files[member].decode().splitlines()
    files[member] = "\r\n".join([header, *(lines[0] for _ in range(5000))]).encode()
    assert name in import_(other, zipped(files)).refused[entry.id]
    (entry.folder / name).write_bytes(files[member])
    with pytest.raises(GalleryError, match=name):
        gallery.history(entry.id) if name == "losses.csv" else gallery.layer_history(entry.id)


def older_zip(gallery: Gallery, entry: Entry) -> bytes:
    """What `Gallery.export` wrote before."""
    files = {
        "metadata.json": (entry.folder / "metadata.json").read_bytes(),
        "losses.csv": (entry.folder / "losses.csv").read_bytes(),
        "result.png": entry.picture_path.read_bytes(),
        "result.jpg": gallery.picture(entry.id, "jpeg"),
        "content.png": gallery.input_path(entry.content).read_bytes(),
        **{f"style-{n}.png": gallery.input_path(s).read_bytes() for n, s in enumerate(entry.styles, start=1)},
        **{f"frames/{path.name}": path.read_bytes() for path in entry.frame_paths},
    }
    return zipped({f"{entry.id}/{name}": data for name, data in files.items()})


def test_the_older_zip_comes_in(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(image.encode_jpeg(noise()))
    styles = [gallery.add_input(image.encode_png(noise(seed=n)), f"style {n}.png") for n in (2, 3)]
    (frames := tmp_path / "frames").mkdir()
    (frames / "000100.jpg").write_bytes(image.encode_jpeg(noise()))
    entry = add(gallery, "old", styles=styles, frames=frames)
    path = tmp_path / "old.zip"
    path.write_bytes(older_zip(gallery, entry))
    assert import_(other, path).added == (entry.id,)
    here = other.get(entry.id)
    assert told(here.to_dict()) == told(entry.to_dict())
    assert here.content == entry.content
    assert here.styles == entry.styles
    assert len(here.frame_paths) == 1
    assert "/home/anna" not in here.network.source


def test_a_zip_made_again_of_its_unpacked_folder_comes_in(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    junk = {f"__MACOSX/my download/results/{entry.id}/._result.png": b"junk", "my download/.DS_Store": b"junk"}
    again = zipped({f"my download/{name}": data for name, data in files.items()} | junk)
    assert import_(other, again) == Imported((entry.id,), (), {})


def test_frames_that_bring_a_place_along_lose_it(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    entry = rich(gallery, tmp_path)
    exif = Image.Exif()
    exif[0x013B] = "Anna Muster"
    file = io.BytesIO()
    Image.fromarray(image.to_uint8(noise())).save(file, "JPEG", exif=exif)
    files = members(exported(gallery, entry.id))
    files[f"results/{entry.id}/frames/000010.jpg"] = file.getvalue()
    import_(other, zipped(files))
    one, two = (path.read_bytes() for path in other.get(entry.id).frame_paths)
    assert b"Anna" not in one
    assert pixels(one).shape == (24, 40, 3)
    assert two == entry.frame_paths[1].read_bytes()


# What may come instead -------------------------------------------------------------------------------------------


def harm(name: str, change: Callable[[bytes], bytes | None]) -> Callable[[dict[str, bytes], str], None]:
    """Change a file of the result, or take it away."""

    def apply(files: dict[str, bytes], entry_id: str) -> None:
        [full] = [full for full in files if full.removeprefix(f"results/{entry_id}/").startswith(name)]
        data = change(files.pop(full))
        if data is not None:
            files[full] = data

    return apply


def record(**changes: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | changes).encode()


def no_style(files: dict[str, bytes], entry_id: str) -> None:
    """The last style is no picture, though the manifest says that this was exported."""
    [name] = [name for name in files if name.startswith("styles/style-3")]
    files[name] = b"GIF89a"
    manifest = json.loads(files["manifest.json"])
    for listed in manifest["inputs"].values():
        if listed["file"] == name:
            listed["sha256"] = hashlib.sha256(files[name]).hexdigest()
    files["manifest.json"] = json.dumps(manifest).encode()


HARMS = {
    "a style that is none": (no_style, "GIF"),
    "no record": (harm("metadata.json", lambda data: None), "no .*metadata.json"),
    "no picture": (harm("result.png", lambda data: None), "no .*result.png"),
    "no losses": (harm("losses.csv", lambda data: None), "no .*losses.csv"),
    "no content": (harm("contents/", lambda data: None), "no contents/"),
    "another content": (harm("contents/", lambda data: image.encode_png(noise(seed=77))), "not the file"),
    "a picture that is none": (harm("result.png", lambda data: b"GIF89a"), "GIF"),
    "half a picture": (harm("result.png", lambda data: data[:500]), "damaged"),
    "another picture": (harm("result.png", lambda data: image.encode_png(noise(24, 40))), "24 x 40"),
    "a transparent picture": (
        harm("result.png", lambda data: image.encode_png(noise(), np.full((24, 40), 0.5))),
        "transparent",
    ),
    "a frame that is none": (harm("frames/000020.jpg", lambda data: data[:100]), "damaged"),
    "another table": (harm("losses.csv", lambda data: b"a,b\n1,2\n"), "losses.csv is damaged"),
    "impossible losses": (harm("losses.csv", lambda data: data + b"6,-1,40,24,1,1,1,1,1\r\n"), "impossible"),
    "no JSON": (harm("metadata.json", lambda data: data[:-1]), "no valid JSON"),
    "another id": (harm("metadata.json", record(id=MISSING)), "another entry"),
    "an id out of the gallery": (harm("metadata.json", record(id="../../evil")), "not the id"),
    "unknown settings": (harm("metadata.json", record(settings={"run": "rm -rf"})), "Unknown settings"),
    "too many styles": (
        harm("metadata.json", lambda data: record(styles=json.loads(data)["styles"] * 9)(data)),
        "no usable styles",
    ),
    "no styles": (harm("metadata.json", record(styles=[])), "no usable styles"),
    "a size as text": (harm("metadata.json", record(width="40")), "width"),
    "NaN seconds": (harm("metadata.json", record(seconds=float("nan"))), "NaN"),
    "endless seconds": (harm("metadata.json", record(seconds=1e300)), "seconds"),
    "negative evaluations": (harm("metadata.json", record(evaluations=-1)), "evaluations"),
    "huge numbers": (harm("metadata.json", record(evaluations=10**400)), "too large"),
    "half a character": (harm("metadata.json", record(message="\ud800")), "can't be read"),
    "deep JSON": (harm("metadata.json", lambda data: b"[" * 100_000 + b"]" * 100_000), "too deeply"),
    "a long record": (harm("metadata.json", lambda data: data + b" " * 2**20), "too much"),
    "a list": (harm("metadata.json", lambda data: b"[]"), "no usable id"),
}


@pytest.mark.parametrize("what", HARMS)
def test_a_harmed_result_is_refused_in_words_and_the_others_come_in(
    gallery: Gallery, other: Gallery, tmp_path: Path, what: str
) -> None:
    entry, good = rich(gallery, tmp_path), add(gallery, "good", content=add(gallery).styles[0])
    files = members(exported(gallery, entry.id, good.id))
    apply, reason = HARMS[what]
    apply(files, entry.id)
    done = import_(other, zipped(files))
    assert done.added == (good.id,)
    assert list(done.refused) == [entry.id]
    with pytest.raises(GalleryError, match=f"(?s){reason}"):
        raise GalleryError(done.refused[entry.id])
    assert not (other.root / "results" / entry.id).exists()
    assert not list(other.work.iterdir())
    assert len(list((other.root / "inputs").iterdir())) == 2  # the one picture of the good result, and its thumbnail


EVIL = [
    "../evil.png",
    "/tmp/evil.png",
    "results/../../evil.png",
    "results/../metadata.json",
    "C:\\evil.png",
    "a\0b",
    "",
]


@pytest.mark.parametrize("name", EVIL)
def test_names_that_lead_out_lead_nowhere(gallery: Gallery, other: Gallery, tmp_path: Path, name: str) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    png = files[f"results/{entry.id}/result.png"]
    extra = {name or "results/": png, f"results/{entry.id}/{name}": png, f"results/{entry.id}/frames/{name}": png}
    outside = {path for path in everything(tmp_path) if not path.startswith("other/")}
    done = import_(other, zipped(files | extra))
    assert done.added == (entry.id,)
    assert {path for path in everything(tmp_path) if not path.startswith("other/")} == outside
    names = {path.name for path in other.get(entry.id).folder.rglob("*") if path.is_file()}
    assert names == {"result.png", "metadata.json", "losses.csv", "thumbnail.jpg"}


@pytest.mark.parametrize("file", ["contents/../../../x.png", "/etc/passwd", "results/x.png", 7, None])
def test_a_manifest_that_leads_elsewhere_is_refused(gallery: Gallery, other: Gallery, file: object) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    manifest = json.loads(files["manifest.json"])
    for listed in manifest["inputs"].values():
        listed["file"] = file
    files["manifest.json"] = json.dumps(manifest).encode()
    with pytest.raises(GalleryError, match=r"manifest\.json"):
        import_(other, zipped(files))


def test_two_members_of_one_name_are_refused(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    file = io.BytesIO(exported(gallery, entry.id))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"results/{entry.id}/metadata.json", b"{}")
    with pytest.raises(GalleryError, match="same name"):
        import_(other, file)


def test_a_member_without_a_name_is_passed_over(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id)) | {"@@@": b"x"}
    data = zipped(files).replace(b"@@@", b"\x00@@")  # zipfile ends names there
    assert import_(other, data).added == (entry.id,)


def test_links_are_refused(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    del files[name := f"results/{entry.id}/result.png"]
    file = io.BytesIO(zipped(files))
    link = zipfile.ZipInfo(name)
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, str(entry.picture_path))
    assert "is a link" in import_(other, file).refused[entry.id]


def test_encrypted_zips_are_refused(gallery: Gallery, other: Gallery) -> None:
    data = bytearray(exported(gallery, add(gallery).id))
    start = data.rindex(b"PK\1\2")
    data[start + 8] |= 1
    with pytest.raises(GalleryError, match="encrypted"):
        import_(other, bytes(data))


def test_a_zip_in_a_zip_has_no_result(gallery: Gallery, other: Gallery) -> None:
    data = exported(gallery, add(gallery).id)
    with pytest.raises(GalleryError, match="no result"):
        import_(other, zipped({"inner.zip": data, "results.zip": data}))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bombs_do_not_go_off(gallery: Gallery, other: Gallery, method: int) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    del files[name := f"results/{entry.id}/metadata.json"]
    file = io.BytesIO(zipped(files))
    with zipfile.ZipFile(file, "a", method) as archive:
        archive.writestr(name, b" " * 64 * 2**20)
    before = everything(other.root)
    done = import_(other, file)
    assert list(done.refused) == [entry.id]
    assert ("too much" if method == zipfile.ZIP_DEFLATED else "method") in done.refused[entry.id]
    assert everything(other.root) == before


def lying(data: bytes, size: int) -> bytes:
    """The zip with every unpacked size, in the directory and before the members, said to be `size`."""
    found = bytearray(data)
    for mark, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        start = -1
        while (start := data.find(mark, start + 1)) >= 0:
            found[start + offset : start + offset + 4] = struct.pack("<I", size)
    return bytes(found)


def test_sizes_are_checked_while_reading(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    files = members(exported(gallery, entry.id))
    files[f"results/{entry.id}/metadata.json"] += b" " * 16 * 2**20
    del files["manifest.json"]
    done = import_(other, lying(zipped(files, zipfile.ZIP_DEFLATED), 100))
    assert list(done.refused) == [entry.id]


def test_the_sum_of_all_members_is_bounded(gallery: Gallery, other: Gallery) -> None:
    data = exported(gallery, add(gallery).id)
    assert sum(map(len, members(data).values())) > 10_000
    with pytest.raises(GalleryError, match="too much"):
        import_(other, data, total=10_000)


def test_the_number_of_members_is_bounded(gallery: Gallery, other: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    data = exported(gallery, add(gallery).id)
    monkeypatch.setattr(zips, "MAX_MEMBERS", 3)
    with pytest.raises(GalleryError, match="too many files"):
        import_(other, data)
    monkeypatch.setattr(zips, "MAX_DIRECTORY", 300)
    with pytest.raises(GalleryError, match="list of names"):
        import_(other, data)


def test_files_that_are_not_there(gallery: Gallery, tmp_path: Path) -> None:
    for path in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(GalleryError, match="no file"):
            import_(gallery, path)


def test_a_zip_cut_short_anywhere_gives_whole_results_or_none(tmp_path: Path) -> None:
    source, target = Gallery(tmp_path / "source"), Gallery(tmp_path / "target")
    content = source.add_input(image.encode_png(np.zeros((16, 16, 3), np.float32)), "c.png")
    made = dataclasses.replace(result(), picture=np.zeros((16, 16, 3), np.float32))
    entry = source.save(made, name="small", content=content, styles=[content])
    data = exported(source, entry.id)
    before = everything(target.root)
    for length in range(len(data)):
        with pytest.raises(GalleryError):
            import_(target, data[:length])
    assert everything(target.root) == before
    assert import_(target, data).added == (entry.id,)


@FUZZ
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"PK\3\4" + tail + b"PK\5\6" + bytes(18)))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises(GalleryError):
        import_(Gallery(folder), data)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A rich entry's id and zip."""

    id: str
    zip: bytes = dataclasses.field(repr=False)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    gallery = Gallery(folder / "gallery")
    entry = rich(gallery, folder)
    return Sample(entry.id, exported(gallery, entry.id))


def check_import(data: bytes) -> None:
    """An import never fails but in words, and keeps whole entries only."""
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(Path(folder) / "gallery")
        try:
            done = import_(gallery, data)
        except GalleryError:
            done = Imported((), (), {})
        assert [path.name for path in Path(folder).iterdir()] == ["gallery"]
        assert {path.name for path in (gallery.root / "results").iterdir()} == set(done.added)
        assert not list(gallery.work.iterdir())
        assert not gallery.rebuild().damaged
        for entry_id in done.added:
            here = gallery.get(entry_id)
            assert image.load(here.picture_path).width == here.width
            assert all(image.load(path) for path in (here.content_path, *here.style_paths, *here.frame_paths))
            gallery.history(entry_id)
            export(gallery, [entry_id], io.BytesIO())


@FUZZ
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_zip_with_changed_bytes_gives_whole_results_or_none(sample: Sample, changes: list[tuple[int, int]]) -> None:
    data = bytearray(sample.zip)
    for position, byte in changes:
        # Half of them in the list of names at the end, which is what decides.
        place = -1 - position % 2000 if position % 2 else position % len(data)
        data[place] = byte
    check_import(bytes(data))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["../x", "0" * 64]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: object) -> list[tuple]:
    """The ways to every part of a record."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *way) for key, part in inner for way in places(part))]


def changed(value: object, way: tuple, new: object) -> object:
    if not way:
        return new
    copy = value.copy()
    copy[way[0]] = changed(copy[way[0]], way[1:], new)
    return copy


@FUZZ
@given(data=st.data())
def test_any_record_and_any_manifest_are_taken_or_refused_in_words(sample: Sample, data: st.DataObject) -> None:
    files = members(sample.zip)
    name = data.draw(st.sampled_from([f"results/{sample.id}/metadata.json", "manifest.json"]))
    value = json.loads(files[name])
    value = changed(value, data.draw(st.sampled_from(places(value))), data.draw(ANYTHING))
    files[name] = json.dumps(value).encode()
    check_import(zipped(files))


def test_an_import_killed_by_a_full_disk_leaves_no_half_entry(gallery: Gallery, other: Gallery) -> None:
    entry = add(gallery)
    data = exported(gallery, entry.id)
    (other.root / "work").rmdir()
    (other.root / "work").write_bytes(b"")  # no draft can be made in a file
    done = import_(other, data)
    assert "can't be" in done.refused[entry.id]
    assert not list((other.root / "results").iterdir())


# Offers ----------------------------------------------------------------------------------------------------------


def with_text(text: str) -> bytes:
    return image.encode_png(noise(), text={"nst": text})


def test_a_picture_of_the_gallery_offers_its_settings_and_inputs(gallery: Gallery, tmp_path: Path) -> None:
    entry = rich(gallery, tmp_path)
    offer = offered(entry.picture_path.read_bytes())
    assert offer.settings == entry.settings
    assert offer.changes == CHANGES
    assert offer.content.sha256 == entry.content.sha256
    assert [(style.sha256, style.ext, style.weight) for style in offer.styles] == [
        (style.sha256, "png", weight) for style, weight in zip(entry.styles, (1.0, 3.0), strict=True)
    ]
    assert offer.initial.sha256 == entry.initial.sha256
    assert offer.network == entry.network._replace(source="")


def test_a_picture_of_the_command_line_offers_its_settings(tmp_path: Path) -> None:
    made: Result = result()
    script = "import json, sys; from nst.cli import _told; from tests.test_gallery import result; "
    script += "print(json.dumps(_told(result())))"
    text = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    offer = offered(with_text(text.strip()))
    assert offer.settings == made.settings
    assert offer.network == made.network._replace(source="")
    assert (offer.changes, offer.content, offer.styles, offer.initial) == ((), None, (), None)


def test_other_pictures_offer_nothing() -> None:
    assert offered(image.encode_png(noise())) is None
    assert offered(image.encode_png(noise(), text={"Title": "nst"})) is None
    assert offered(image.encode_jpeg(noise())) is None
    assert offered(b"") is None


def test_matching_finds_the_pictures_that_are_here(gallery: Gallery, other: Gallery, tmp_path: Path) -> None:
    entry = rich(gallery, tmp_path)
    offer = offered(entry.picture_path.read_bytes())
    content, styles = matching(gallery, offer)
    assert content.sha256 == entry.content.sha256
    assert styles == list(entry.styles)
    assert matching(other, offer) == (None, [None, None])
    other.add_input(gallery.input_path(entry.styles[1]).read_bytes(), "mine.png")
    content, styles = matching(other, offer)
    assert (content, styles[0], styles[1].sha256) == (None, None, entry.styles[1].sha256)
    here = Input(entry.content.sha256, "jpg", "other ending")
    assert matching(gallery, dataclasses.replace(offer, content=here))[0].ext == "png"
    no_content = dataclasses.replace(offer, content=None, styles=())
    assert matching(gallery, no_content) == (None, [])


OFFERED = {"settings": Settings().to_dict(), "network": {"name": "vgg19", "sha256": "a" * 64, "source": "/home/anna"}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no valid JSON"),
        ("[]", "no table"),
        ("{}", "must be a table"),
        ("[" * 50_000, "too deeply"),
        ('{"settings": {"size": NaN}}', "NaN"),
        ('{"settings": {"size": 1e999}}', "too large"),
        (f'{{"settings": {{"size": {"9" * 5000}}}}}', "can't be read"),
        ('{"settings": {"command": "rm"}}', "Unknown settings"),
        ('{"settings": {"size": 10}}', "size must be"),
        (json.dumps(OFFERED | {"network": 7}), "network"),
        (json.dumps(OFFERED | {"network": {"name": 1, "sha256": 2}}), "network"),
        (json.dumps(OFFERED | {"content": "x"}), "no table"),
        (json.dumps(OFFERED | {"content": {"sha256": "../../x", "ext": "png"}}), "no picture of the gallery"),
        (json.dumps(OFFERED | {"styles": {}}), "Styles"),
        (json.dumps(OFFERED | {"styles": [{"sha256": "a" * 64, "ext": "png"}] * 9}), "Styles"),
        (json.dumps(OFFERED | {"changes": 1}), "changes"),
        (json.dumps(OFFERED | {"changes": [1]}), "The text has no usable"),
    ],
)
def test_texts_that_cannot_be_used_are_told(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        offered(with_text(text))


def test_too_much_text_is_refused() -> None:
    with pytest.raises(ImageError, match="too much text"):
        offered(with_text(" " * 2**20))
    with pytest.raises(ImageError, match="no intact PNG"):
        offered(with_text("{}")[:200])


def test_an_offer_names_no_place() -> None:
    offer = offered(with_text(json.dumps(OFFERED)))
    assert "anna" not in repr(offer)


@FUZZ
@given(data=st.data())
def test_any_text_is_an_offer_or_is_told_in_words(sample: Sample, data: st.DataObject) -> None:
    png = members(sample.zip)[f"results/{sample.id}/result.png"]
    value = json.loads(image.read_png_text(png)["nst"])
    value = changed(value, data.draw(st.sampled_from(places(value))), data.draw(ANYTHING))
    with contextlib.suppress(ImageError, SettingsError):
        assert isinstance(offered(with_text(json.dumps(value))).settings, Settings)


@FUZZ
@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_no_offer_or_told_in_words(data: bytes, png: bool) -> None:
    with contextlib.suppress(ImageError):
        assert offered(b"\x89PNG\r\n\x1a\n" + data if png else data) is None


def test_tensorflow_and_streamlit_are_not_loaded() -> None:
    script = "import sys, nst.exchange; sys.exit(bool({'tensorflow', 'streamlit', 'keras'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT).returncode == 0


def test_bzip2_is_what_would_have_gone_off() -> None:
    """Why only two methods are read: a few bytes of the others unpack at once to as much as they like."""
    assert len(bz2.compress(bytes(64 * 2**20))) < 4096
