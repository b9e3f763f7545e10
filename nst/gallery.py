"""The gallery: results and the pictures they were made from, kept as plain folders with an index for quick lists.

    results/<id>/       one entry: result.png, metadata.json, losses.csv, thumbnail.jpg, and frames/ where kept
    inputs/<sha256>.*   the pictures entries were made from, byte for byte, each once
    trash/<id>/         entries that were deleted; nothing is ever removed for good
    targets/            the cache of style targets
    work/               files of running jobs and half-written entries; may be emptied while no program runs
    index.sqlite        what the folders say, for quick lists; made again from them whenever needed
    preferences.json    what the user chose on the settings page

This is the only place that knows where things lie. TensorFlow is never imported here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nst import image
from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery_entry import (
    Entry,
    Input,
    check_id,
    clean_text,
    default_name,
    entry_of,
    input_path,
    label_of,
    new_id,
    read_bytes,
)
from nst.gallery_files import (
    entry_folder,
    extension,
    files_of,
    jpeg_of,
    load,
    opaque_thumbnail,
    read_entry,
    read_losses,
    read_record,
    record_bytes,
    sync_folder,
    write_folder,
    zip_of,
)
from nst.gallery_index import ORDERS, Index, IndexUnusableError, StyleUse
from nst.result import LossRow, Result

__all__ = [
    "Entry",
    "Gallery",
    "Input",
    "Page",
    "Rebuilt",
    "StyleUse",
    "check_id",
    "default_name",
    "default_root",
    "new_id",
]

ENV_GALLERY = "NST_GALLERY"
MOST = 10**9
"""Of a page's limit and offset: more than any gallery has, and within what SQLite can count."""
_TOLD_REASONS = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    entries: tuple[Entry, ...]
    total: int
    """How many entries match in all."""


@dataclass(frozen=True)
class Rebuilt:
    """What `Gallery.rebuild` found."""

    entries: int
    damaged: Mapping[str, str]
    """Folders that are no intact entry, and why; they are left as they are."""


def default_root() -> Path:
    """Where the gallery is unless told otherwise: $NST_GALLERY, else `gallery/` at the project's root."""
    return Path(os.environ.get(ENV_GALLERY) or Path(__file__).resolve().parents[1] / "gallery")


class Gallery:
    """The gallery in the folder `root`, which is made where it is missing. Safe to use from any thread.

    Several processes may use one gallery at a time. Every method raises `GalleryError` where the disk does not do
    what is asked, and where an id is not one of a present entry.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        self.work = self.root / "work"
        self.targets = self.root / "targets"
        self.preferences_path = self.root / "preferences.json"
        self._results, self._inputs, self._trash = (self.root / name for name in ("results", "inputs", "trash"))
        with self._disk("The gallery can't be opened"):
            for folder in (self._results, self._inputs, self._trash, self.work, self.targets):
                folder.mkdir(parents=True, exist_ok=True)
        self._index = Index(self.root / "index.sqlite")
        self._repair_lock = threading.Lock()
        self._repairs: tuple[str, ...] = ()
        self._damaged: Mapping[str, str] = {}
        self.reconcile()

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about this gallery: a replaced index, folders that can't be shown."""
        damaged = self._damaged
        if not damaged:
            return self._repairs
        reasons = "; ".join(f"{folder}: {reason}" for folder, reason in sorted(damaged.items())[:_TOLD_REASONS])
        more = " And more." if len(damaged) > _TOLD_REASONS else ""
        return (*self._repairs, f"{len(damaged)} in the results folder can't be shown. They are kept. {reasons}{more}")

    # Inputs ----------------------------------------------------------------------------------------------------

    def add_input(self, data: bytes, name: str) -> Input:
        """Keep an uploaded picture, once however often it comes; `name` only becomes its label.

        The bytes stay as they are, with all their metadata, on this disk; nothing but pixels goes on from here.
        Raises `ImageError` when they are no picture we can read.
        """
        found = Input(hashlib.sha256(data).hexdigest(), extension(data), label_of(name))
        path, thumbnail = self.input_path(found), self._input_thumbnail_path(found)
        if path.is_file() and path.stat().st_size == len(data) and thumbnail.is_file():
            return found
        small = opaque_thumbnail(image.load(data))
        with self._disk("The picture can't be kept"):
            write_atomically(thumbnail, small)
            write_atomically(path, data)
            sync_folder(self._inputs)
        return found

    def input_path(self, picture: Input) -> Path:
        """Where the original of an input lies."""
        return input_path(self.root, picture)

    def input_thumbnail(self, picture: Input) -> bytes:
        """A small JPEG of an input; raises `GalleryError` where both it and the original are gone."""
        path = self._input_thumbnail_path(picture)
        with suppress(FileNotFoundError):
            return path.read_bytes()
        small = opaque_thumbnail(load(self.input_path(picture)))
        with self._disk("The thumbnail can't be kept"):
            write_atomically(path, small)
        return small

    def _input_thumbnail_path(self, picture: Input) -> Path:
        return self._inputs / f"{picture.sha256}.thumb.jpg"

    # Saving ----------------------------------------------------------------------------------------------------

    def save(
        self,
        result: Result,
        *,
        name: str,
        content: Input,
        styles: Sequence[Input],
        alpha: np.ndarray | None = None,
        frames: Path | None = None,
        entry_id: str | None = None,
    ) -> Entry:
        """Keep a result with everything needed to make it again.

        `name` is cut to 200 characters; an empty one is made from the labels. `alpha`, (h, w) float in [0, 1], goes
        into the picture. `frames` is a folder of JPEGs to copy. The styles' weights are those of the settings.

        The entry is whole or absent: its folder is written under `work/` and renamed when all of it has reached the
        disk. Raises `GalleryError` when it can't be written, when an input isn't in the gallery or when there is an
        entry of this id, and `ImageError` when the picture has values that are no numbers.
        """
        entry_id = new_id() if entry_id is None else check_id(entry_id)
        for picture in (content, *styles):
            self._check_present(picture)
        entry = entry_of(
            result,
            entry_id=entry_id,
            name=name,
            content=content,
            styles=styles,
            transparent=alpha is not None,
            root=self.root,
        )
        self._publish(entry, files_of(entry, result, alpha), sorted(frames.glob("*.jpg")) if frames else [])
        self._note(entry)
        return entry

    def _publish(self, entry: Entry, files: Mapping[str, bytes], frames: Sequence[Path]) -> None:
        draft = self.work / f"{entry.id}-{uuid.uuid4().hex}.tmp"
        try:
            with self._disk("The result can't be saved"):
                write_folder(draft, files, frames)
                self._move(draft, entry.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _check_present(self, picture: Input) -> None:
        if not self.input_path(picture).is_file():
            raise GalleryError(
                f"The picture {picture.label!r} is not in the gallery. Received: {picture.sha256}. Add it first."
            )

    def _move(self, source: Path, target: Path) -> None:
        """Rename a folder, for good: the disk knows when this returns."""
        if target.exists():
            raise GalleryError(
                f"There is an entry of this id already. Received: {target.relative_to(self.root)}. "
                "Move that folder out of the gallery, then try again."
            )
        os.rename(source, target)
        sync_folder(target.parent)
        sync_folder(source.parent)

    def rename(self, entry_id: str, name: str) -> Entry:
        """Give an entry another name, cut to 200 characters; an empty one is made from the labels."""
        entry = self.get(entry_id)
        name = clean_text(name) or default_name(entry.content.label, [style.label for style in entry.styles])
        record = read_record(entry.folder) | {"name": name}
        self._note(remove=entry_id)  # if this is killed half-way, the next list reads the folder, whatever it says
        with self._disk("The name can't be changed"):
            draft = self.work / f"{entry_id}-{uuid.uuid4().hex}.json"
            write_atomically(draft, record_bytes(record))
            os.replace(draft, entry.folder / "metadata.json")
            sync_folder(entry.folder)
        entry = self.get(entry_id)
        self._note(entry)
        return entry

    def delete(self, entry_id: str) -> None:
        """Move an entry to the trash folder; its inputs stay, others may use them."""
        folder = entry_folder(self.root, entry_id)
        with self._disk("The entry can't be moved to the trash"):
            self._move(folder, self._trash / entry_id)
        self._note(remove=entry_id)

    # Reading ---------------------------------------------------------------------------------------------------

    def get(self, entry_id: str) -> Entry:
        """An entry by its id, which may come from anywhere; raises `GalleryError` where there is none intact."""
        return read_entry(self.root, entry_id)

    def history(self, entry_id: str) -> list[LossRow]:
        """The losses of every evaluation of an entry."""
        return read_losses(read_bytes(self.get(entry_id).folder / "losses.csv"))

    def query(
        self,
        *,
        text: str = "",
        preset: str | None = None,
        style: str | None = None,
        limit: int = 24,
        offset: int = 0,
        order: str = "newest",
    ) -> Page:
        """The entries that match everything asked for, in the `order` "newest", "oldest" or "name".

        `text` is looked for in the name and in the labels of the inputs, whatever its case; `style` is a sha256 or a
        label. Raises `GalleryError` on an unknown order and a negative limit or offset.
        """
        _check_page(order, limit, offset)
        self.reconcile()
        select = partial(
            self._index.select,
            text=clean_text(text),
            preset=None if preset is None else clean_text(preset),
            style=None if style is None else clean_text(style),
            order=order,
            limit=limit,
            offset=offset,
        )
        records, total = self._indexed(select)
        try:
            return Page(self._entries(records), total)
        except GalleryError:  # rows of a newer version, say: its entries are told as damaged, the others shown
            self.rebuild()
            records, total = self._indexed(select)
            return Page(self._entries(records), total)

    def _entries(self, records: Iterable[Mapping[str, Any]]) -> tuple[Entry, ...]:
        return tuple(Entry.from_dict(record, self.root) for record in records)

    def presets(self) -> dict[str, int]:
        """The presets in use and how many entries each has, the most used first."""
        self.reconcile()
        return self._indexed(self._index.presets)

    def styles(self) -> dict[str, StyleUse]:
        """The style pictures in use by sha256, each with a label and its number of entries, sorted by label."""
        self.reconcile()
        return self._indexed(self._index.styles)

    # Handing out -----------------------------------------------------------------------------------------------

    def png(self, entry_id: str) -> bytes:
        """The picture, lossless, with the settings inside (see `Entry.png_text`)."""
        return read_bytes(self.get(entry_id).picture_path)

    def jpeg(self, entry_id: str) -> bytes:
        """The picture as a JPEG file without any metadata, on white where it is transparent."""
        return jpeg_of(self.get(entry_id))

    def export(self, entry_id: str) -> bytes:
        """A zip file of the entry: picture as PNG and JPEG, record, losses, inputs, and frames where there are any.

        The inputs are handed out as PNG files of their pixels as the engine sees them, so that no place or name that
        a camera wrote leaves this disk. Only what PNG can't hold unchanged here (greyscale with more than 8 bits)
        is handed out as it was uploaded. Raises `GalleryError` where a file is missing or damaged.
        """
        return zip_of(self.get(entry_id))

    # The index -------------------------------------------------------------------------------------------------

    def rebuild(self) -> Rebuilt:
        """Make the index anew from the folders alone. What is no intact entry is told and left as it is."""
        present, strange = self._listed()
        entries, damaged = self._read(present)
        self._indexed(lambda: self._index.replace(entries))
        self._damaged = strange | damaged
        return Rebuilt(len(entries), self._damaged)

    def reconcile(self) -> None:
        """Take in folders that have no row, drop rows that have no folder: what a crash, or a hand, left behind.

        Costs a directory listing and as many ids from the index, so every list begins with it.
        """
        # The rows come first: one whose folder is not in a listing made after it is truly without folder, whatever
        # another process saves or deletes meanwhile.
        known = self._indexed(self._index.ids)
        present, strange = self._listed()
        entries, damaged = self._read(present - known)
        gone = known - present
        if entries or gone:
            self._indexed(lambda: self._index.put(entries, remove=gone, overwrite=False))
        self._damaged = strange | damaged

    def _listed(self) -> tuple[set[str], dict[str, str]]:
        """The ids that have a folder, and the folders that are not named like an entry."""
        with self._disk("The results folder can't be read"):
            self._results.mkdir(exist_ok=True)  # somebody may have removed it whole
            with os.scandir(self._results) as found:
                names = {item.name for item in found if item.is_dir() and not item.name.startswith(".")}
        present = set()
        strange = {}
        for name in names:
            try:
                present.add(check_id(name))
            except GalleryError:
                strange[clean_text(name)] = "It is not named like an entry."
        return present, strange

    def _read(self, ids: Iterable[str]) -> tuple[list[Entry], dict[str, str]]:
        """The intact entries among the folders, and why the others are none."""
        entries, damaged = [], {}
        for entry_id in sorted(ids):
            try:
                entries.append(self.get(entry_id))
            except GalleryError as error:
                if (self._results / entry_id).exists():  # else it was deleted just now
                    damaged[entry_id] = str(error)
        return entries, damaged

    def _note(self, entry: Entry | None = None, *, remove: str | None = None) -> None:
        """Tell the index what has just changed on disk.

        Should that fail, the folders are right all the same, and the next list brings the index up to date or tells
        what is wrong with it.
        """
        with suppress(GalleryError):
            entries, ids = [entry] if entry else [], [remove] if remove else []
            self._indexed(lambda: self._index.put(entries, remove=ids))

    def _indexed(self, work: Callable[[], T]) -> T:
        """Do something with the index, and once more with a new one where it turns out to be unusable."""
        try:
            return work()
        except IndexUnusableError as error:
            try:
                self._replace_index(error)
                return work()
            except IndexUnusableError as again:
                raise GalleryError(
                    f"The gallery's index can't be made again: {again}. Received: {self._index.path}. "
                    "Check the disk, then delete that file: it is made from the results folder."
                ) from again

    def _replace_index(self, error: IndexUnusableError) -> None:
        with self._repair_lock:
            aside = self._index.set_aside(error.inode)
            entries, _ = self._read(self._listed()[0])
            self._index.put(entries, overwrite=False)
            if aside:
                self._repairs += (
                    f"The gallery's index could not be used ({error}). It was made again from the results folder; "
                    f"the old file is kept as {aside.name}.",
                )

    @contextmanager
    def _disk(self, trouble: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise GalleryError(
                f"{trouble}: {error.strerror or error}. Received: {self.root}. "
                "Free some space or check the folder's permissions, then try again."
            ) from error


def _check_page(order: str, limit: int, offset: int) -> None:
    if order not in ORDERS:
        raise GalleryError(f"Unknown order. Received: {order!r:.40}. Choose one of: {', '.join(ORDERS)}.")
    for what, number in (("limit", limit), ("offset", offset)):
        if not 0 <= number <= MOST:
            raise GalleryError(f"The {what} of a page must be from 0 to {MOST}. Received: {number}. Choose another.")
