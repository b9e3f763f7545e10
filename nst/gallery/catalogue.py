"""Keeping the index in agreement with the folders: whatever a crash or a hand left behind, the folders are right."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nst.errors import GalleryError
from nst.gallery.entry import Entry
from nst.gallery.files import read_entry
from nst.gallery.index import Index, IndexUnusableError
from nst.gallery.text import check_id, clean_text

_TOLD_REASONS = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Rebuilt:
    """What `Gallery.rebuild` found."""

    entries: int
    damaged: Mapping[str, str]
    """Folders that are no intact entry, and why; they are left as they are."""


@contextmanager
def disk(root: Path, trouble: str) -> Iterator[None]:
    """Tells what the disk refuses as a `GalleryError` that begins with `trouble`."""
    try:
        yield
    except OSError as error:
        raise GalleryError(
            f"{trouble}: {error.strerror or error}. Received: {root}. "
            "Free some space or check the folder's permissions, then try again."
        ) from error


class Catalogue:
    """The index of the entries in `root`/results."""

    def __init__(self, root: Path) -> None:
        self._root, self._results = root, root / "results"
        self._index = Index(root / "index.sqlite")
        self._repair_lock = threading.Lock()
        self._repairs: tuple[str, ...] = ()
        self._damaged: Mapping[str, str] = {}

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: a replaced index, folders that can't be shown."""
        damaged = self._damaged
        if not damaged:
            return self._repairs
        reasons = "; ".join(f"{folder}: {reason}" for folder, reason in sorted(damaged.items())[:_TOLD_REASONS])
        more = " And more." if len(damaged) > _TOLD_REASONS else ""
        return (*self._repairs, f"{len(damaged)} in the results folder can't be shown. They are kept. {reasons}{more}")

    def rebuild(self) -> Rebuilt:
        """Make the index anew from the folders alone. What is no intact entry is told and left as it is."""
        present, strange = self._listed()
        entries, damaged = self._read(present)
        self.ask(lambda index: index.replace(entries))
        self._damaged = strange | damaged
        return Rebuilt(len(entries), self._damaged)

    def reconcile(self) -> None:
        """Take in folders that have no row, drop rows that have no folder: what a crash, or a hand, left behind.

        Costs a directory listing and as many ids from the index, so every list begins with it.
        """
        # The rows come first: one whose folder is not in a listing made after it is truly without folder, whatever
        # another process saves or deletes meanwhile.
        known = self.ask(lambda index: index.ids())
        present, strange = self._listed(known)
        entries, damaged = self._read(present - known)
        gone = known - present
        if entries or gone:
            self.ask(lambda index: index.put(entries, remove=gone, overwrite=False))
        self._damaged = strange | damaged

    def note(self, entry: Entry | None = None, *, remove: Iterable[str] = ()) -> None:
        """Tell the index what has just changed on disk.

        Should that fail, the folders are right all the same, and the next list brings the index up to date or tells
        what is wrong with it.
        """
        with suppress(GalleryError):
            entries, ids = [entry] if entry else [], list(remove)
            self.ask(lambda index: index.put(entries, remove=ids))

    def ask(self, work: Callable[[Index], T]) -> T:
        """Do something with the index, and once more with a new one where it turns out to be unusable."""
        try:
            return work(self._index)
        except IndexUnusableError as error:
            try:
                self._replace(error)
                return work(self._index)
            except IndexUnusableError as again:
                raise GalleryError(
                    f"The gallery's index can't be made again: {again}. Received: {self._index.path}. "
                    "Check the disk, then delete that file: it is made from the results folder."
                ) from again

    def _replace(self, error: IndexUnusableError) -> None:
        with self._repair_lock:
            aside = self._index.set_aside(error.inode)
            entries, _ = self._read(self._listed()[0])
            self._index.put(entries, overwrite=False)
            if aside:
                self._repairs += (
                    f"The gallery's index could not be used ({error}). It was made again from the results folder; "
                    f"the old file is kept as {aside.name}.",
                )

    def _listed(self, known: AbstractSet[str] = frozenset()) -> tuple[set[str], dict[str, str]]:
        """The ids that have a folder, and the folders that are not named like an entry; `known` are ids already."""
        with disk(self._root, "The results folder can't be read"):
            self._results.mkdir(exist_ok=True)  # somebody may have removed it whole
            with os.scandir(self._results) as found:
                names = {item.name for item in found if item.is_dir() and not item.name.startswith(".")}
        present = names & known
        strange = {}
        for name in names - known:
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
                entries.append(read_entry(self._root, entry_id))
            except GalleryError as error:
                if (self._results / entry_id).exists():  # else it was deleted just now
                    damaged[entry_id] = str(error)
        return entries, damaged
