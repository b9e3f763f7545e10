"""One zip of any number of results, written as it goes: never more than one result's pictures are in memory.

    results/<id>/     result.png, metadata.json, losses.csv, and layers.csv, result.tiff and frames/ where there are any
    contents/         the photographs, styles/ the style pictures, starts/ what else was started from; each once
    parameters.csv    a row a result, for a spreadsheet
    manifest.json     which file holds which input
    README.txt        what is what, and what could not be written

Inputs go out as PNG files of the pixels that the engine sees, so that no place or name that a camera wrote leaves the
disk. Only what PNG can't hold unchanged goes out as it came in.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from nst import __version__, image
from nst.errors import GalleryError, NSTError
from nst.exchange.table import parameters_csv
from nst.gallery import Entry, Gallery, Input
from nst.gallery.entry import clean_text, input_path, read_bytes
from nst.gallery.files import LAYERS, load, read_layers, read_losses, record_bytes
from nst.tiff import read_tiff16

FORMAT = 1
ELSEWHERE = "on the computer it was painted on"
"""What stands for the place where a network's weights lay, which leaves no computer and means nothing on another."""
LABEL_LENGTH = 60
_README = """\
Results of a neural style transfer studio (nst {version}).

results/         a folder for each: the picture, how it was made (metadata.json), its losses, its frames
contents/        the photographs, as PNG without what a camera wrote into them
styles/          the style pictures, likewise
starts/          other pictures that painting started from, likewise
parameters.csv   the settings of all results, for a spreadsheet (UTF-8)
manifest.json    which file is which input, by the SHA-256 of the original

To have the results in another gallery, import this zip there.
"""


@dataclass(frozen=True)
class Exported:
    """What `export` did."""

    written: tuple[str, ...]
    """The ids of the results in the zip."""
    refused: Mapping[str, str]
    """What is not in it, and why."""


def export(gallery: Gallery, ids: Iterable[str], file: BinaryIO, *, deep: bool = False) -> Exported:
    """Write the results `ids` to `file` as one zip; `deep` adds the pictures with 16 bits where they were kept.

    What is missing or damaged is left out as a whole and told, here and in the zip. Raises `GalleryError` where
    `file` can't be written.
    """
    try:
        with zipfile.ZipFile(file, "w") as archive:
            return _Export(gallery, archive, deep=deep).write(ids)
    except OSError as error:  # what is read raises GalleryError
        raise GalleryError(
            f"The zip can't be written: {error.strerror or error}. Received: {type(file).__name__}. "
            "Free some space, or choose another place."
        ) from error


def inputs_of(entry: Entry) -> Iterator[tuple[str, Input]]:
    """The pictures an entry was made from, each with the folder that it goes to."""
    yield "contents", entry.content
    yield from (("styles", style) for style in entry.styles)
    if entry.initial:
        yield "starts", entry.initial


class _Export:
    """One zip being written."""

    def __init__(self, gallery: Gallery, archive: zipfile.ZipFile, *, deep: bool) -> None:
        self.gallery, self.archive, self.deep = gallery, archive, deep
        self.inputs: dict[str, dict[str, str]] = {}
        """By the original's SHA-256: name and SHA-256 of the file in the zip."""

    def write(self, ids: Iterable[str]) -> Exported:
        written: list[Entry] = []
        refused: dict[str, str] = {}
        for entry_id in dict.fromkeys(ids):
            try:
                written.append(self._entry(entry_id))
            except NSTError as error:
                refused[clean_text(str(entry_id))] = self._without_places(str(error))
        self._add("parameters.csv", parameters_csv(written))
        self._add("manifest.json", self._manifest(written))
        self._add("README.txt", _readme(refused))
        return Exported(tuple(entry.id for entry in written), refused)

    def _entry(self, entry_id: str) -> Entry:
        """Everything is read, and seen to be intact, before the first byte of it is written."""
        entry = self.gallery.get(entry_id)
        files = self._files(entry)
        for path in entry.frame_paths:
            load(path)
        inputs = [(folder, picture, *_portable(entry.root, picture)) for folder, picture in self._new_inputs(entry)]

        when = datetime.fromisoformat(entry.created)
        for path in entry.frame_paths:
            self._add(f"results/{entry.id}/frames/{path.name}", read_bytes(path), when)
        for name, data in files.items():
            self._add(f"results/{entry.id}/{name}", data, when)
        for folder, picture, ext, data in inputs:
            name = f"{folder}/{file_stem(picture)}.{ext}"
            if name in self.archive.NameToInfo:  # eight digits in common is rare, but can be made
                name = f"{folder}/{picture.sha256}.{ext}"
            self.inputs[picture.sha256] = {"file": name, "sha256": hashlib.sha256(data).hexdigest()}
            self._add(name, data, when)
        return entry

    def _files(self, entry: Entry) -> dict[str, bytes]:
        """By name; the record is the last, so that what was cut short has none and is no result to anyone."""
        check_size(entry, load(entry.picture_path))
        wanted = ["result.png", "losses.csv", LAYERS, *([entry.deep_path.name] if self.deep else [])]
        files = {name: read_bytes(entry.folder / name) for name in wanted if (entry.folder / name).exists()}
        read_losses(files["losses.csv"], entry.evaluations)
        if LAYERS in files:
            read_layers(files[LAYERS], entry.evaluations)
        if entry.deep_path.name in files:
            read_tiff16(files[entry.deep_path.name], (entry.height, entry.width, 4 if entry.transparent else 3))
        return files | {"metadata.json": record_bytes(portable_record(entry))}

    def _new_inputs(self, entry: Entry) -> list[tuple[str, Input]]:
        new: dict[str, tuple[str, Input]] = {}
        for folder, picture in inputs_of(entry):
            if not input_path(entry.root, picture).is_file():
                raise GalleryError(
                    f"The picture {picture.label!r} it was made from is missing. Received: {picture.sha256}. "
                    "Put it back; the result alone can be saved from its page."
                )
            if picture.sha256 not in self.inputs:
                new.setdefault(picture.sha256, (folder, picture))
        return list(new.values())

    def _manifest(self, written: Iterable[Entry]) -> bytes:
        manifest = {
            "format": FORMAT,
            "program": f"nst {__version__}",
            "results": [entry.id for entry in written],
            "inputs": self.inputs,
        }
        return json.dumps(manifest, indent=2).encode()

    def _add(self, name: str, data: bytes, when: datetime | None = None) -> None:
        info = zipfile.ZipInfo(name, max((when or datetime.now(UTC)).timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
        info.external_attr = 0o644 << 16
        packed = name.endswith((".png", ".jpg", ".jpeg", ".webp", ".avif"))
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        self.archive.writestr(info, data)

    def _without_places(self, reason: str) -> str:
        return reason.replace(str(self.gallery.root), "gallery")


# What leaves the disk --------------------------------------------------------------------------------------------


def portable_record(entry: Entry) -> dict[str, Any]:
    """The record without where the weights lay on this computer."""
    record = entry.to_dict()
    record["network"]["source"] = ELSEWHERE
    return record


def check_size(entry: Entry, picture: image.Picture) -> None:
    """Raises `GalleryError` where a picture is not the one that the record tells of."""
    if (picture.width, picture.height) != (entry.width, entry.height):
        raise GalleryError(
            f"result.png is not the picture that metadata.json tells of. Received: {picture.width} x {picture.height} "
            f"pixels, expected {entry.width} x {entry.height}. Restore it."
        )
    if picture.alpha is not None and not entry.transparent:
        raise GalleryError("result.png is transparent, which metadata.json doesn't tell. Restore it.")


def file_stem(picture: Input) -> str:
    """What an input's file is called in a zip: its label, of letters, digits and dashes, and a part of its hash."""
    label = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", picture.label))[:LABEL_LENGTH].strip("-_")
    return f"{label or 'picture'}-{picture.sha256[:8]}"


def _portable(root: Path, picture: Input) -> tuple[str, bytes]:
    """Extension and bytes of an input without metadata: PNG where that gives the very pixels, else the original."""
    path = input_path(root, picture)
    seen = load(path)
    if seen.sha256 != picture.sha256:
        raise GalleryError(
            f"The picture {picture.label!r} it was made from is damaged. Received: {seen.sha256}. Add it again."
        )
    for encode in (_png, _deep_png):
        png = encode(seen)
        if _same(image.load(png), seen):
            return "png", png
    return picture.ext, read_bytes(path)


def _png(picture: image.Picture) -> bytes:
    return image.encode_png(picture.rgb, picture.alpha)


def _deep_png(picture: image.Picture) -> bytes:
    """A PNG file with 16 bits of grey, the same pixels where the picture has no colour and no transparency."""
    grey = picture.rgb[..., 0]
    file = io.BytesIO()
    Image.fromarray(np.rint(grey * 65535).astype(np.uint16)).save(file, "PNG")
    return file.getvalue()


def _same(one: image.Picture, other: image.Picture) -> bool:
    if one.alpha is None or other.alpha is None:
        return one.alpha is other.alpha and np.array_equal(one.rgb, other.rgb)
    return np.array_equal(one.rgb, other.rgb) and np.array_equal(one.alpha, other.alpha)


def _readme(refused: Mapping[str, str]) -> bytes:
    lines = [_README.format(version=__version__)]
    if refused:
        lines.append("Not in this zip:\n")
        lines += [f"{entry_id}: {clean_text(reason)}\n" for entry_id, reason in refused.items()]
    return "\n".join(lines).encode(errors="replace")
