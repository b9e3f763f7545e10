"""The files of gallery entries: what is in them, writing a folder of them whole, reading them back, the zip."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst import image
from nst.errors import GalleryError, ImageError
from nst.gallery_entry import WHOLE_COLUMNS, Entry, check_id, read_bytes
from nst.result import LossRow, Result

THUMBNAIL_SIDE = 512
PREVIEW_SIDE = 1440
"""Larger results get a preview of this size; Streamlit re-encodes anything wider than 1460."""
JPEG_QUALITY = 95
PNG_TEXT_KEY = "nst"


# Writing ----------------------------------------------------------------------------------------------------------


def files_of(entry: Entry, result: Result, alpha: np.ndarray | None) -> dict[str, bytes]:
    """Everything an entry's folder holds besides frames, by name."""
    files = {
        entry.picture_path.name: image.encode_png(result.picture, alpha, text={PNG_TEXT_KEY: entry.png_text()}),
        entry.thumbnail_path.name: image.thumbnail(result.picture, alpha, THUMBNAIL_SIDE),
        "losses.csv": losses_csv(result.history),
        "metadata.json": record_bytes(entry.to_dict()),
    }
    if max(entry.width, entry.height) > PREVIEW_SIDE:
        files[entry.preview_path.name] = image.thumbnail(result.picture, alpha, PREVIEW_SIDE)
    return files


def write_folder(folder: Path, files: Mapping[str, bytes], frames: Sequence[Path]) -> None:
    """A new folder of files, all of which have reached the disk when this returns."""
    folder.mkdir()
    for name, data in files.items():
        _write(folder / name, data)
    if frames:
        (folder / "frames").mkdir()
        for frame in frames:
            _write(folder / "frames" / frame.name, frame.read_bytes())
        sync_folder(folder / "frames")
    sync_folder(folder)


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder have reached the disk; Windows does so by itself and has no call for it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """A record as the text of `metadata.json`."""
    text = json.dumps(record, indent=2, ensure_ascii=False)
    return text.encode(errors="backslashreplace")  # half a surrogate pair becomes the \\u escape that JSON has for it


def losses_csv(rows: Iterable[LossRow]) -> bytes:
    """A table with a header; numbers are written so that reading gives the very same ones."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(LossRow._fields)
    writer.writerows(rows)
    return file.getvalue().encode()


# Reading ----------------------------------------------------------------------------------------------------------


def entry_folder(root: Path, entry_id: str) -> Path:
    """The folder of an entry; raises `GalleryError` where the id is none of ours or there is no such folder."""
    folder = root / "results" / check_id(entry_id)
    if folder.is_symlink() or not folder.is_dir():  # a link might lead out of the gallery
        raise GalleryError(f"There is no such entry. Received: {entry_id}. It may have been deleted: see the gallery.")
    return folder


def read_entry(root: Path, entry_id: str) -> Entry:
    """The entry as its folder tells it; raises `GalleryError` where it is missing, incomplete or damaged."""
    folder = entry_folder(root, entry_id)
    entry = Entry.from_dict(read_record(folder), root)
    if entry.id != entry_id:
        raise GalleryError(f"metadata.json belongs to another entry. Received: {entry.id}. Rename the folder to that.")
    for path in (entry.picture_path, entry.thumbnail_path, folder / "losses.csv"):
        if not path.is_file():
            raise GalleryError(f"{path.name} is missing. Put it back, or move the folder {entry_id} away.")
    return entry


def read_record(folder: Path) -> dict[str, Any]:
    """`metadata.json` of an entry's folder, unchecked; raises `GalleryError` where it is no JSON table."""
    try:
        record = json.loads(read_bytes(folder / "metadata.json"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise GalleryError("metadata.json is damaged. Restore it from a backup, or move the folder away.")
    return record


def read_losses(data: bytes) -> list[LossRow]:
    """The reverse of `losses_csv`; raises `GalleryError` where the table is damaged."""
    try:
        header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
        if tuple(header) != LossRow._fields:
            raise ValueError
        kinds = [int if column in WHOLE_COLUMNS else float for column in header]
        found = [LossRow._make(kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in rows]
        if any(not 0 < row.evaluation < 10**9 for row in found):
            raise ValueError
        return found
    except (ValueError, csv.Error):
        raise GalleryError("losses.csv is damaged. Restore it from a backup; the picture is not affected.") from None


def load(path: Path) -> image.Picture:
    """A picture of the gallery itself; raises `GalleryError` where it is missing or damaged."""
    try:
        return image.load(read_bytes(path))
    except ImageError as error:
        raise GalleryError(f"A picture of the gallery is damaged. Received: {path}. Restore it. {error}") from error


def extension(data: bytes) -> str:
    """The format of a picture that `image.load` takes, by its first bytes."""
    for start, ext in ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"II", "tiff"), (b"MM", "tiff")):
        if data.startswith(start):
            return ext
    return "avif"


def opaque_thumbnail(picture: image.Picture) -> bytes:
    """A small JPEG, on white where the picture is transparent."""
    rgb, alpha = picture.rgb, picture.alpha
    if alpha is not None:
        rgb = rgb * alpha[..., None] + (1 - alpha[..., None])  # (h, w, 3)
    return image.thumbnail(rgb, None, THUMBNAIL_SIDE)


# Handing out ------------------------------------------------------------------------------------------------------


def jpeg_of(entry: Entry) -> bytes:
    """The picture as a JPEG file without any metadata, on white where it is transparent."""
    picture = load(entry.picture_path)
    return image.encode_jpeg(picture.rgb, picture.alpha, quality=JPEG_QUALITY)


def zip_of(entry: Entry) -> bytes:
    """See `Gallery.export`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("metadata.json", "losses.csv"):
            archive.writestr(f"{entry.id}/{name}", read_bytes(entry.folder / name))
        for name, data in _pictures(entry):
            archive.writestr(f"{entry.id}/{name}", data, zipfile.ZIP_STORED)  # they are compressed already
    return file.getvalue()


def _pictures(entry: Entry) -> Iterator[tuple[str, bytes]]:
    yield "result.png", read_bytes(entry.picture_path)
    yield "result.jpg", jpeg_of(entry)
    styles = [(f"style-{number}", path) for number, path in enumerate(entry.style_paths, start=1)]
    for stem, path in (("content", entry.content_path), *styles):
        ext, data = _without_metadata(path)
        yield f"{stem}.{ext}", data
    for path in entry.frame_paths:
        yield f"frames/{path.name}", read_bytes(path)


def _without_metadata(path: Path) -> tuple[str, bytes]:
    """Extension and bytes of a PNG with the pixels that `image.load` sees; of the file itself where they differ."""
    picture = load(path)
    png = image.encode_png(picture.rgb, picture.alpha)
    again = image.load(png)
    if np.array_equal(again.rgb, picture.rgb) and _equal(again.alpha, picture.alpha):
        return "png", png
    return path.suffix[1:], read_bytes(path)


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
