"""Results come in from a zip: one of `outgoing`, or one of the older kind with a single result.

Every part of a result is read, bounded and checked before anything of it is kept, and its files are made anew from
what was read: the picture from its pixels, the tables from their numbers, the record from its fields.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nst import colour, image
from nst.config import MAX_STYLES
from nst.errors import GalleryError, NSTError
from nst.exchange.archive import MAX_MANIFEST, MAX_PICTURE, MAX_RECORD, MAX_TABLE, MAX_TOTAL, Archive, opened
from nst.exchange.documents import read_json
from nst.exchange.offer import kept
from nst.exchange.outgoing import ELSEWHERE, check_size, inputs_of
from nst.gallery import Entry, Gallery, Input, check_id, default_name
from nst.gallery.checks import MAX_COUNT
from nst.gallery.entry import EXTENSIONS, clean_text
from nst.gallery.files import (
    LAYERS,
    PNG_TEXT_KEY,
    PREVIEW_SIDE,
    THUMBNAIL_SIDE,
    layers_csv,
    losses_csv,
    read_layers,
    read_losses,
    record_bytes,
)
from nst.gallery.pictures import needs_preview
from nst.tiff import encode_tiff16, read_tiff16

MAX_REASON = 600
"""Characters of why a result is refused; what is wrong may be quoted at length."""

_FOLDER = re.compile(r"((?:results/)?)([^/]+)/.+", re.DOTALL)
_FRAME = re.compile(r"[0-9A-Za-z_-]{1,60}\.jpg")
_INPUT = re.compile(rf"(contents|styles|starts)/[^/]+\.({'|'.join(EXTENSIONS)})")
_ROUNDING = 0.51 / 255
"""A picture of 8 bits is this far from one of 16 at most."""
_MUTABLE = ("name", "starred", "rating", "tags", "note", "look")
"""What a user may change after painting; two results that differ in these alone are the same."""


@dataclass(frozen=True)
class Imported:
    """What `import_` did."""

    added: tuple[str, ...]
    """The ids of results that are in the gallery now."""
    present: tuple[str, ...]
    """Those that were there before; they are as they were, with their own names, stars and notes."""
    refused: Mapping[str, str]
    """What could not be taken, and why."""


def import_(gallery: Gallery, source: Path | bytes | BinaryIO, *, total: int = MAX_TOTAL) -> Imported:
    """Take in the results of a zip file that `export` wrote, here or elsewhere, or of the older kind.

    A result comes whole, with the pictures it was made from, or not at all. Names, stars, ratings, tags, notes and
    looks come along. Of its inputs, one whose original is in this gallery stays that; else the picture from the zip
    is added, and the record tells its hash. At most `total` bytes are unpacked.

    Raises `GalleryError` where the source can't be read, is no zip file or has no result in it.
    """
    added: list[str] = []
    present: list[str] = []
    refused: dict[str, str] = {}
    with opened(source, total=total) as archive:
        reader = _Reader(gallery, archive)
        for entry_id, folder in reader.folders():
            try:
                (added if reader.take(entry_id, folder) else present).append(check_id(entry_id))
            except NSTError as error:
                refused[clean_text(entry_id)] = str(error)[:MAX_REASON]
    if not (added or present or refused):
        raise GalleryError("There is no result in this zip. Choose one that was exported from a gallery.")
    return Imported(tuple(added), tuple(present), refused)


class _Reader:
    """Takes results out of one zip."""

    def __init__(self, gallery: Gallery, archive: Archive) -> None:
        self.gallery, self.archive = gallery, archive
        manifests = [name for name in archive.names if re.fullmatch(r"([^/]+/)?manifest\.json", name)]
        self.top = min(manifests, key=len, default="manifest.json").removesuffix("manifest.json")
        """The folder that everything lies in, where the zip was unpacked and zipped again."""
        self.manifest = self._manifest() if manifests else {}
        self.inputs: dict[str, Input] = {}
        """What this gallery has for an original, by its SHA-256."""

    def folders(self) -> list[tuple[str, str]]:
        """Ids, or what stands in their place, and their folders in the zip."""
        found: dict[str, str] = {}
        for name in self.archive.names:
            inside = name.removeprefix(self.top) if name.startswith(self.top) else ""
            match = _FOLDER.fullmatch(inside)
            if match and (match[1] or re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}", match[2])):
                found.setdefault(match[2], f"{self.top}{match[1]}{match[2]}/")
        return sorted(found.items())

    def take(self, entry_id: str, folder: str) -> bool:
        """Keep a result; False where it is there already. Raises an `NSTError` where it can't be taken."""
        entry = self._entry(check_id(entry_id), folder)
        if self._present(entry):
            return False
        picture = image.load(self.archive.read(f"{folder}result.png", MAX_PICTURE))
        check_size(entry, picture)
        files = self._tables(folder, entry.evaluations) | self._deep(folder, entry, picture)
        frames = _Frames(self.archive, f"{folder}frames/")
        for name in frames:
            frames[name]  # every one is seen to be a picture before any is kept
        entry = self._with_inputs(entry, folder)
        self.gallery.adopt(entry, files | _files(entry, picture), frames)
        return True

    def _entry(self, entry_id: str, folder: str) -> Entry:
        record = read_json(self.archive.read(f"{folder}metadata.json", MAX_RECORD), "metadata.json", GalleryError)
        if isinstance(record, dict) and isinstance(record.get("network"), dict):
            record["network"]["source"] = ELSEWHERE
        entry = Entry.from_dict(record, self.gallery.root)
        if not entry.name:
            entry = replace(entry, name=default_name(entry.content.label, [style.label for style in entry.styles]))
        if entry.id != entry_id:
            raise GalleryError(f"metadata.json belongs to another entry. Received: {entry.id}. Export it again.")
        if not 1 <= len(entry.styles) <= MAX_STYLES:
            raise GalleryError(
                f"metadata.json has no usable styles. Received: {len(entry.styles)}. Export the result again."
            )
        for name in ("seconds", "full_size_evaluations"):
            if not 0 <= getattr(entry, name) <= MAX_COUNT:
                raise GalleryError(f"metadata.json has no usable {name}. Received: {getattr(entry, name)!r:.40}.")
        return entry

    def _present(self, entry: Entry) -> bool:
        if not entry.folder.exists():
            if self.gallery.in_trash(entry.id):  # a twin could neither be deleted nor let the other be restored
                raise GalleryError(f"It is in the trash: restore it there. Received: {entry.id}.")
            return False
        if _made(self.gallery.get(entry.id)) == _made(entry):
            return True
        raise GalleryError(
            f"Another result with this id is in the gallery. Received: {entry.id}. Delete that one first to take this."
        )

    def _tables(self, folder: str, evaluations: int) -> dict[str, bytes]:
        """losses.csv and, where it is there, layers.csv; written anew from the numbers."""
        history = read_losses(self.archive.read(f"{folder}losses.csv", MAX_TABLE), evaluations)
        if any(not 0 <= number <= MAX_COUNT for row in history for number in (row.scale, row.width, row.height)):
            raise GalleryError("losses.csv has an impossible scale or size. Export the result again.")
        tables = {"losses.csv": losses_csv(history)}
        if f"{folder}{LAYERS}" in self.archive:
            tables[LAYERS] = layers_csv(*read_layers(self.archive.read(f"{folder}{LAYERS}", MAX_TABLE), evaluations))
        return tables

    def _deep(self, folder: str, entry: Entry, picture: image.Picture) -> dict[str, bytes]:
        """result.tiff, where it is there; written anew from its pixels, which must be those of result.png."""
        name = entry.deep_path.name
        if f"{folder}{name}" not in self.archive:
            return {}
        data = self.archive.read(f"{folder}{name}", MAX_PICTURE)
        pixels = read_tiff16(data, (entry.height, entry.width, 4 if entry.transparent else 3))
        rgb, alpha = pixels[..., :3], pixels[..., 3] if entry.transparent else None
        seen = slice(None) if picture.alpha is None else picture.alpha > 0  # what is hidden, `load` fills
        if np.abs(rgb[seen] - picture.rgb[seen]).max() > _ROUNDING:
            raise GalleryError(f"{name} is another picture than result.png. Export the result again.")
        return {name: encode_tiff16(rgb, alpha)}

    # Inputs ----------------------------------------------------------------------------------------------------

    def _with_inputs(self, entry: Entry, folder: str) -> Entry:
        """The entry with inputs that are in this gallery; they are added where they were not, all of them or none."""
        stems = ("content", *(f"style-{number}" for number in range(1, len(entry.styles) + 1)), "start")
        missing: dict[str, tuple[Input, bytes]] = {}
        for (_, picture), stem in zip(inputs_of(entry), stems, strict=False):
            here = self.inputs.get(picture.sha256) or kept(self.gallery, picture)
            if here:
                self.inputs[picture.sha256] = here
            elif picture.sha256 not in missing:
                missing[picture.sha256] = (picture, self._input_bytes(picture, f"{folder}{stem}"))
        for _, data in missing.values():
            image.load(data)
        for sha256, (picture, data) in missing.items():
            self.inputs[sha256] = self.gallery.add_input(data, picture.label)
        return replace(
            entry,
            content=self._here(entry.content),
            styles=tuple(map(self._here, entry.styles)),
            initial=entry.initial and self._here(entry.initial),
        )

    def _here(self, picture: Input) -> Input:
        return replace(self.inputs[picture.sha256], label=picture.label, weight=picture.weight)

    def _input_bytes(self, picture: Input, older: str) -> bytes:
        """`older` is where the older kind of zip has it, but for its ending."""
        listed = self.manifest.get(picture.sha256)
        if listed is None:
            for name in (f"{older}.{ext}" for ext in EXTENSIONS):
                if name in self.archive:
                    return self.archive.read(name, MAX_PICTURE)
            raise GalleryError(
                f"The picture {picture.label!r} it was made from is not in the zip. Received: {picture.sha256}. "
                "Export the result again."
            )
        data = self.archive.read(self.top + listed["file"], MAX_PICTURE)
        if hashlib.sha256(data).hexdigest() != listed["sha256"]:
            raise GalleryError(f"{listed['file'][:80]} is not the file that was exported. Export the result again.")
        return data

    def _manifest(self) -> dict[str, dict[str, str]]:
        data = self.archive.read(f"{self.top}manifest.json", MAX_MANIFEST)
        manifest = read_json(data, "manifest.json", GalleryError)
        inputs = manifest.get("inputs") if isinstance(manifest, dict) else None
        if not isinstance(inputs, dict) or not all(map(_is_listed, inputs.values())):
            raise GalleryError("manifest.json does not say which file is which picture. Export the results again.")
        return inputs


class _Frames(Mapping[str, bytes]):
    """The frames of a result, each read when it is asked for: together they may be larger than the memory."""

    def __init__(self, archive: Archive, folder: str) -> None:
        self._archive, self._folder = archive, folder
        names = (name.removeprefix(folder) for name in archive.names if name.startswith(folder))
        self._names = sorted(name for name in names if _FRAME.fullmatch(name))

    def __getitem__(self, name: str) -> bytes:
        data = self._archive.read(self._folder + name, MAX_PICTURE)
        picture = image.load(data)
        # A frame of ours is pixels and nothing else; another JPEG might bring along where a photograph was taken.
        return data if _is_plain_jpeg(data) else image.encode_jpeg(picture.rgb, picture.alpha)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _is_plain_jpeg(data: bytes) -> bool:
    """Whether a file is a JPEG that holds nothing before its pixels but what decoding them needs."""
    start = 2
    while data.startswith(b"\xff\xd8") and data[start : start + 1] == b"\xff":
        marker = data[start + 1]
        if marker == _SCAN:
            return True
        if marker in _METADATA:
            return False
        start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    return False


_SCAN = 0xDA
_METADATA = (*range(0xE1, 0xF0), 0xFE)
"""APP1 to APP15 and comments; APP0 only says that it is a JPEG file."""


def _is_listed(item: Any) -> bool:
    texts = isinstance(item, dict) and isinstance(item.get("file"), str) and isinstance(item.get("sha256"), str)
    return texts and _INPUT.fullmatch(item["file"]) is not None


def _made(entry: Entry) -> dict[str, Any]:
    """How an entry was made, whatever has been done with it since and under which hashes its inputs are kept."""
    record = entry.to_dict()
    for name in (*_MUTABLE, "content", "initial"):
        del record[name]
    record["styles"] = [style.weight for style in entry.styles]
    del record["network"]["source"]
    return record


def _files(entry: Entry, picture: image.Picture) -> dict[str, bytes]:
    """Picture, thumbnail, preview and record of an entry from its pixels."""
    rgb, alpha = picture.rgb, picture.alpha
    if alpha is None and entry.transparent:
        alpha = np.ones(rgb.shape[:2], np.float32)  # it was made from a transparent one, and is opaque itself
    shown = rgb if entry.look.plain else colour.apply(rgb, image.load(entry.content_path).rgb, entry.look)
    files = {
        entry.picture_path.name: image.encode_png(rgb, alpha, text={PNG_TEXT_KEY: entry.png_text()}),
        entry.thumbnail_path.name: image.thumbnail(shown, alpha, THUMBNAIL_SIDE),
        "metadata.json": record_bytes(entry.to_dict()),
    }
    if needs_preview(entry):
        files[entry.preview_path.name] = image.thumbnail(shown, alpha, PREVIEW_SIDE)
    return files
