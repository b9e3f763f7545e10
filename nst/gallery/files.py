"""The files of gallery entries: what is in them, writing a folder of them whole, reading them back."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nst import image
from nst.config import CONVOLUTIONS
from nst.errors import GalleryError, ImageError
from nst.gallery.entry import WHOLE_COLUMNS, Entry, read_bytes
from nst.gallery.text import check_id, clean_text
from nst.result import LayerRow, LossRow, Result, layer_names
from nst.tiff import encode_tiff16

MAX_LAYERS = 2 * len(CONVOLUTIONS)
"""Content and style of every convolution."""
MORE_ROWS = 100
"""How many lines a table may have beyond the evaluations of the record, header included."""
THUMBNAIL_SIDE = 512
PREVIEW_SIDE = 1440
"""Larger results get a preview of this size; Streamlit re-encodes anything wider than 1460."""
JPEG_QUALITY = 95
PNG_TEXT_KEY = "nst"
LAYERS = "layers.csv"


# Writing ----------------------------------------------------------------------------------------------------------


def files_of(entry: Entry, result: Result, alpha: np.ndarray | None) -> dict[str, bytes]:
    """Everything an entry's folder holds besides frames, by name."""
    files = {
        entry.picture_path.name: image.encode_png(result.picture, alpha, text={PNG_TEXT_KEY: entry.png_text()}),
        entry.deep_path.name: encode_tiff16(result.picture, alpha),
        entry.thumbnail_path.name: image.thumbnail(result.picture, alpha, THUMBNAIL_SIDE),
        "losses.csv": losses_csv(result.history),
        "metadata.json": record_bytes(entry.to_dict()),
    }
    if result.layers:
        files[LAYERS] = layers_csv(layer_names(result.settings), result.layers)
    if max(entry.width, entry.height) > PREVIEW_SIDE:
        files[entry.preview_path.name] = image.thumbnail(result.picture, alpha, PREVIEW_SIDE)
    return files


def write_folder(folder: Path, files: Mapping[str, bytes], frames: Iterable[tuple[str, bytes]]) -> None:
    """A new folder of files, all of which have reached the disk when this returns; frames are taken one by one."""
    folder.mkdir()
    for name, data in files.items():
        _write(folder / name, data)
    kept = folder / "frames"
    for name, data in frames:
        kept.mkdir(exist_ok=True)
        _write(kept / name, data)
    if kept.exists():
        sync_folder(kept)
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


def layers_csv(names: Sequence[str], rows: Iterable[LayerRow]) -> bytes:
    """A table of the evaluation and a column a name; numbers are written so that reading gives the very same ones."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("evaluation", *names))
    writer.writerows((row.evaluation, *row.losses) for row in rows)
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


def read_losses(data: bytes, evaluations: int) -> list[LossRow]:
    """The reverse of `losses_csv`, for an entry whose record tells of so many `evaluations`.

    Raises `GalleryError` where the table is damaged, or has many more rows than that: it would be drawn whole.
    """
    try:
        _check_length(data, evaluations)
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


def read_layers(data: bytes, evaluations: int) -> tuple[tuple[str, ...], list[LayerRow]]:
    """The reverse of `layers_csv`; raises `GalleryError` as `read_losses` does."""
    try:
        _check_length(data, evaluations)
        (first, *names), *rows = csv.reader(io.StringIO(data.decode(), newline=""))
        found = [LayerRow(int(evaluation), tuple(map(float, losses))) for evaluation, *losses in rows]
        sound = first == "evaluation" and len(names) <= MAX_LAYERS
        if not sound or any(len(row.losses) != len(names) or not 0 < row.evaluation < 10**9 for row in found):
            raise ValueError
        return tuple(map(clean_text, names)), found
    except (ValueError, csv.Error):
        raise GalleryError("layers.csv is damaged. Restore it from a backup; the picture is not affected.") from None


def _check_length(data: bytes, evaluations: int) -> None:
    """Raises `ValueError` before anything is made of far too many rows, whatever ends their lines."""
    if max(data.count(b"\n"), data.count(b"\r")) > evaluations + MORE_ROWS:
        raise ValueError


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
