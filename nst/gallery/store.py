"""The gallery: results and the pictures they were made from, kept as plain folders with an index for quick lists.

    results/<id>/       one entry: result.png, result.tiff, metadata.json, losses.csv, thumbnail.jpg; layers.csv and
                        frames/ where there are any
    inputs/<sha256>.*   the pictures entries were made from, byte for byte, each once
    states/<id>.npz     where a run ended, to go on from there; the oldest give way to new ones
    trash/<id>/         entries that were deleted; after 30 days they are removed for good
    targets/            the cache of style targets
    work/               files of running jobs and half-written entries; may be emptied while no program runs
    index.sqlite        what the folders say, for quick lists; made again from them whenever needed
    shelf.json          style pictures kept at hand
    preferences.json    what the user chose on the settings page
    machine.json        what was measured on this computer

This is the only place that knows where things lie. TensorFlow is never imported here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from nst import image
from nst.checkpoint import Checkpoint
from nst.colour import Look
from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery.adopt import adoptable
from nst.gallery.annotate import checked, rewrite
from nst.gallery.catalogue import Catalogue, Rebuilt, disk
from nst.gallery.entry import Entry, Input, entry_of, input_path, read_bytes
from nst.gallery.files import (
    LAYERS,
    entry_folder,
    extension,
    files_of,
    load,
    opaque_thumbnail,
    read_entry,
    read_layers,
    read_losses,
    sync_folder,
    write_folder,
)
from nst.gallery.index import Index
from nst.gallery.pictures import Format, encoded, previews, upright_size
from nst.gallery.query import Facets, Filters, check_order, check_page
from nst.gallery.shelf import MAX_SIDE, Shelf, ShelfStyle
from nst.gallery.states import STATES_BYTES, States
from nst.gallery.text import check_id, label_of, new_id
from nst.gallery.trash import Deleted, Restored, Trash, Trashed, move
from nst.result import LayerRow, LossRow, Result

ENV_GALLERY = "NST_GALLERY"


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    entries: tuple[Entry, ...]
    total: int
    """How many entries match in all."""


def default_root() -> Path:
    """Where the gallery is unless told otherwise: $NST_GALLERY, else `gallery/` at the project's root."""
    return Path(os.environ.get(ENV_GALLERY) or Path(__file__).resolve().parents[2] / "gallery")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Gallery:
    """The gallery in the folder `root`, which is made where it is missing. Safe to use from any thread.

    Several processes may use one gallery at a time. Every method raises `GalleryError` where the disk does not do
    what is asked, and where an id is not one of a present entry. `now` tells the time, with its zone, to the trash
    and the shelf; `states_bytes` is how much disk the states of finished runs may take.
    """

    def __init__(
        self, root: Path | str, *, now: Callable[[], datetime] = _utc_now, states_bytes: int = STATES_BYTES
    ) -> None:
        self.root = Path(root).resolve()
        self.work = self.root / "work"
        self.targets = self.root / "targets"
        self.preferences_path = self.root / "preferences.json"
        self.machine_path = self.root / "machine.json"
        self._inputs, states = self.root / "inputs", self.root / "states"
        with self._disk("The gallery can't be opened"):
            (self.root / "results").mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # a disk that can't be written may have results; what is missing is told when needed
            for folder in (self.root / "trash", self._inputs, states, self.work, self.targets):
                folder.mkdir(exist_ok=True)
        self._told: tuple[str, ...] = ()
        self._now = now
        self._catalogue = Catalogue(self.root)
        self._states = States(states, self.work, most=states_bytes)
        self._trash = Trash(self.root, now)
        self._shelf = Shelf(self.root / "shelf.json", self._tell, self._alone)
        self.reconcile()
        with suppress(OSError, GalleryError):  # then another time: nothing depends on it
            self._trash.sweep()
            self.purge(self._trash.expired())

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about this gallery: a replaced index or shelf, folders that can't be shown."""
        return (*self._told, *self._catalogue.notices)

    def _tell(self, notice: str) -> None:
        self._told += (notice,)

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

    def input_size(self, picture: Input) -> tuple[int, int]:
        """(width, height) in pixels of an input, upright; no pixel is decoded."""
        return upright_size(self.input_path(picture))

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
        initial: Input | None = None,
        parent: str | None = None,
        advice: Sequence[str] = (),
    ) -> Entry:
        """Keep a result with everything needed to make it again, and the state in which it ended.

        `name` is cut to 200 characters; an empty one is made from the labels. `alpha`, (h, w) float in [0, 1], goes
        into the picture. `frames` is a folder of JPEGs to copy. The styles' weights are those of the settings.
        `initial` is the picture it was started from, `parent` the id of the entry it continues, `advice` what to try
        next.

        The entry is whole or absent: its folder is written under `work/` and renamed when all of it has reached the
        disk. Raises `GalleryError` when it can't be written, when an input isn't in the gallery or when there is an
        entry of this id, and `ImageError` when the picture has values that are no numbers.
        """
        entry = entry_of(
            result,
            entry_id=new_id() if entry_id is None else check_id(entry_id),
            name=name,
            content=content,
            styles=styles,
            transparent=alpha is not None,
            root=self.root,
            initial=initial,
            parent=parent,
            advice=advice,
        )
        kept = sorted(frames.glob("*.jpg")) if frames else []
        self._publish(entry, files_of(entry, result, alpha), ((path.name, path.read_bytes()) for path in kept))
        if result.checkpoint is not None:
            self._states.keep(entry.id, result.checkpoint)
        return entry

    def adopt(self, entry: Entry, files: Mapping[str, bytes], frames: Mapping[str, bytes]) -> Entry:
        """Take in an entry that was made elsewhere, whole or not at all; its inputs must be in this gallery.

        `files` are those of its folder by name, `result.png` and `losses.csv` at least; the record is always written
        from `entry`, and thumbnails that are missing are made. `frames` are JPEG files by name, taken one by one.
        Raises `GalleryError` where there is an entry of this id, a name is none of an entry's or something is missing,
        and `ImageError` where a thumbnail is to be made of what is no picture.
        """
        entry = replace(entry, root=self.root)
        self._publish(entry, adoptable(entry, files, frames), ((name, frames[name]) for name in frames))
        return entry

    def _publish(self, entry: Entry, files: Mapping[str, bytes], frames: Iterable[tuple[str, bytes]]) -> None:
        for picture in entry.inputs:
            self._check_present(picture)
        draft = self.work / f"{entry.id}-{uuid.uuid4().hex}.tmp"
        try:
            with self._disk("The result can't be saved"):
                write_folder(draft, files, frames)
                if entry.folder.exists():
                    raise GalleryError(
                        f"There is an entry of this id already. Received: results/{entry.id}. "
                        "Move that folder out of the gallery, then try again."
                    )
                move(draft, entry.folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._catalogue.note(entry)

    def _check_present(self, picture: Input) -> None:
        if not self.input_path(picture).is_file():
            raise GalleryError(
                f"The picture {picture.label!r} is not in the gallery. Received: {picture.sha256}. Add it first."
            )

    # Changing --------------------------------------------------------------------------------------------------

    def rename(self, entry_id: str, name: str) -> Entry:
        """Give an entry another name, cut to 200 characters; an empty one is made from the labels."""
        return self.annotate(entry_id, name=name)

    def annotate(
        self,
        entry_id: str,
        *,
        name: str | None = None,
        starred: bool | None = None,
        rating: int | None = None,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        look: Look | None = None,
    ) -> Entry:
        """Change what is given of an entry, all of it or nothing; its picture stays as it was painted.

        `name` is cut to 200 characters; an empty one is made from the labels. `rating` is 0 (none) to 5. Tags are
        bounded (see `clean_tags`), and so is the note (see `clean_note`). With another `look` thumbnail and preview
        are made anew, which takes the photograph. Raises `GalleryError` where something is out of bounds.
        """
        entry = self.get(entry_id)
        changes = checked(entry, name=name, starred=starred, rating=rating, tags=tags, note=note, look=look)
        if not changes:
            return entry
        files = previews(replace(entry, look=look)) if look and "look" in changes else {}
        self._catalogue.note(remove=[entry_id])  # killed half-way, the next list reads the folder, whatever it says

        def write() -> Entry:
            with self._disk("The entry can't be changed"):
                return rewrite(entry, changes, files, work=self.work)

        return self._catalogue.ask(lambda index: index.change(write))

    # The trash -------------------------------------------------------------------------------------------------

    def delete(self, entry_id: str) -> None:
        """Move an entry to the trash folder; its inputs stay, others may use them."""
        with self._disk("The entry can't be moved to the trash"):
            self._trash.put(entry_folder(self.root, entry_id))
        self._catalogue.note(remove=[entry_id])

    def delete_many(self, ids: Iterable[str]) -> Deleted:
        """Move entries to the trash folder, except those that have a star or can't be moved: the reasons are told."""
        moved, refused = self._each(ids, self._trash.put_unstarred, "The entry can't be moved to the trash")
        self._catalogue.note(remove=moved)
        return Deleted(moved, refused)

    def trashed(self) -> list[Trashed]:
        """What is in the trash, the last deleted first."""
        with self._disk("The trash can't be read"):
            return self._trash.listed()

    def in_trash(self, entry_id: str) -> bool:
        """Whether an entry of this id, which may come from anywhere, is in the trash."""
        try:
            self._trash.find(entry_id)
        except GalleryError:
            return False
        return True

    def restore(self, ids: Iterable[str]) -> Restored:
        """Move entries out of the trash, except where another has their place: the reasons are told."""
        return Restored(*self._each(ids, self._trash.restore, "The entry can't be restored"))  # rows: the next list

    def purge(self, ids: Iterable[str]) -> None:
        """Remove entries in the trash for good, and the states they ended in; what isn't there is passed over."""
        wanted = {check_id(entry_id) for entry_id in ids}
        with self._disk("The trash can't be emptied"):
            for entry_id in wanted.intersection(self._trash.ids()):
                self._trash.remove(entry_id)
                if not (self.root / "results" / entry_id).exists():  # else an entry of this id has come back
                    self._states.remove(entry_id)

    def _each(
        self, ids: Iterable[str], work: Callable[[str], None], trouble: str
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Do something with every entry; the ids of those where it went well, and by id why it didn't."""
        done, refused = [], {}
        for entry_id in dict.fromkeys(ids):
            try:
                with self._disk(trouble):
                    work(entry_id)
                done.append(entry_id)
            except GalleryError as error:
                refused[str(entry_id)] = str(error)
        return tuple(done), refused

    # Reading ---------------------------------------------------------------------------------------------------

    def get(self, entry_id: str) -> Entry:
        """An entry by its id, which may come from anywhere; raises `GalleryError` where there is none intact."""
        return read_entry(self.root, entry_id)

    def history(self, entry_id: str) -> list[LossRow]:
        """The losses of every evaluation of an entry."""
        entry = self.get(entry_id)
        return read_losses(read_bytes(entry.folder / "losses.csv"), entry.evaluations)

    def layer_history(self, entry_id: str) -> tuple[tuple[str, ...], list[LayerRow]]:
        """The names of the parts of the losses, and the parts of every evaluation; empty where they weren't kept."""
        entry = self.get(entry_id)
        path = entry.folder / LAYERS
        return read_layers(read_bytes(path), entry.evaluations) if path.is_file() else ((), [])

    def query(self, *, order: str = "newest", limit: int = 24, offset: int = 0, **filters: Unpack[Filters]) -> Page:
        """A part of the entries that match all `filters` (see `Filters`), in one of `ORDERS`.

        Raises `GalleryError` on an unknown order, a negative limit or offset, and impossible filters.
        """
        check_order(order)
        check_page(limit, offset)
        self.reconcile()
        wanted = partial(self._page, filters, order=order, limit=limit, offset=offset)
        try:
            return wanted()
        except GalleryError:  # rows of a newer version, say: its entries are told as damaged, the others shown
            self.rebuild()
            return wanted()

    def _page(self, filters: Filters, *, order: str, limit: int, offset: int) -> Page:
        select = partial(Index.select, filters=filters, order=order, limit=limit, offset=offset)
        records, total = self._catalogue.look(select)
        return Page(tuple(Entry.from_dict(record, self.root) for record in records), total)

    def ids(self, *, order: str = "newest", **filters: Unpack[Filters]) -> list[str]:
        """The ids of all entries that match all `filters`, in one of `ORDERS`; raises as `query` does."""
        check_order(order)
        self.reconcile()
        return self._catalogue.look(lambda index: index.matching(filters, order))

    def facets(self) -> Facets:
        """What there is to filter by, over all entries."""
        self.reconcile()
        return self._catalogue.look(lambda index: index.facets())

    def statistics(self) -> list[dict[str, Any]]:
        """A light row an entry for charts, the oldest first.

        Its id, name, created, status, preset, network, width, height, seconds, evaluations, strength (or None),
        style_scale, optimizer, rating, starred, and styles: a list of labels.
        """
        self.reconcile()
        return self._catalogue.look(lambda index: index.statistics())

    # Handing out -----------------------------------------------------------------------------------------------

    def picture(self, entry_id: str, format: Format, *, look: Look | None = None) -> bytes:
        """The picture as a file, with the entry's look or another one.

        PNG has the settings inside (see `Entry.png_text`), TIFF 16 bits a channel; both are the files that were kept
        where the look is plain. JPEG and WebP have no metadata; JPEG is on white where the picture is transparent.
        Raises `GalleryError` where a file is missing or damaged.
        """
        entry = self.get(entry_id)
        return encoded(entry, format, entry.look if look is None else look)

    # States ----------------------------------------------------------------------------------------------------

    def keep_state(self, entry_id: str, checkpoint: Checkpoint) -> None:
        """Keep the state in which an entry's run ended. Where the disk doesn't take it, only the log tells."""
        self._states.keep(entry_id, lambda: checkpoint)

    def has_state(self, entry_id: str) -> bool:
        """Whether `state` has something to read: a look into a folder, where reading takes a second."""
        return self._states.has(entry_id)

    def state(self, entry_id: str) -> Checkpoint | None:
        """The state in which an entry's run ended; None where it is damaged or gave way to newer ones."""
        return self._states.get(entry_id)

    # The shelf -------------------------------------------------------------------------------------------------

    def shelf(self) -> list[ShelfStyle]:
        """The style pictures kept at hand whose files are there, the last added first."""
        with self._disk("The style shelf can't be read"):
            return [style for style in self._shelf.styles() if self.input_path(style.picture).is_file()]

    def shelve(self, picture: Input, name: str | None = None) -> None:
        """Keep a style picture at hand, under its label unless another name is given."""
        self._check_present(picture)
        with self._disk("The style shelf can't be changed"):
            self._shelf.add(picture, name, self._now())

    def rename_style(self, sha256: str, name: str) -> None:
        """Give a style on the shelf another name, cut to 200 characters; an empty one is the picture's label."""
        with self._disk("The style shelf can't be changed"):
            self._shelf.rename(sha256, name)

    def unshelve(self, sha256: str) -> None:
        """Take a style off the shelf, where it is there; the picture stays in the gallery."""
        with self._disk("The style shelf can't be changed"):
            self._shelf.remove(sha256)

    def note_targets(self, sha256: str, longest: int) -> None:
        """Remember that the targets of a style picture are in the cache at a size: `longest` side in pixels."""
        if not 0 < longest <= MAX_SIDE:
            raise GalleryError(f"That is no side in pixels. Received: {longest!r:.40}. Give 1 to {MAX_SIDE}.")
        with self._disk("The style shelf can't be changed"):
            self._shelf.note_targets(sha256, longest)

    # The index -------------------------------------------------------------------------------------------------

    def rebuild(self) -> Rebuilt:
        """Make the index anew from the folders alone. What is no intact entry is told and left as it is."""
        return self._catalogue.rebuild()

    def reconcile(self) -> None:
        """Take in folders that have no row, drop rows that have no folder: what a crash, or a hand, left behind."""
        self._catalogue.reconcile()

    def _alone(self, work: Callable[[], None]) -> None:
        self._catalogue.ask(lambda index: index.alone(work))

    def _disk(self, trouble: str) -> AbstractContextManager[None]:
        return disk(self.root, trouble)
