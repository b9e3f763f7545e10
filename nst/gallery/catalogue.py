"""Keeping the index in agreement with the folders: whatever a crash or a hand left behind, the folders are right."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nst.errors import GalleryError
from nst.gallery.entry import Entry
from nst.gallery.files import read_entry
from nst.gallery.index import Index, IndexRefusedError, IndexUnusableError, Stamp, Stamped
from nst.gallery.memory import MemoryIndex
from nst.gallery.text import check_id, clean_text
from nst.gallery.trash import MARK

_TOLD_REASONS = 5
_MOMENT = 100_000_000
"""Nanoseconds."""

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
        self._memory: MemoryIndex | None = None
        self._refusal = ""
        self._repair_lock = threading.Lock()
        self._repairs: tuple[str, ...] = ()
        self._damaged: Mapping[str, str] = {}

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: a replaced index, folders that can't be shown."""
        damaged, told = self._damaged, self._repairs
        if self._memory:
            told += (f"Results can be looked at, but nothing can be kept about them now. {self._refusal}",)
        if not damaged:
            return told
        reasons = "; ".join(f"{folder}: {reason}" for folder, reason in sorted(damaged.items())[:_TOLD_REASONS])
        more = " And more." if len(damaged) > _TOLD_REASONS else ""
        return (*told, f"{len(damaged)} in the results folder can't be shown. They are kept. {reasons}{more}")

    def rebuild(self) -> Rebuilt:
        """Make the index anew from the folders alone. What is no intact entry is told and left as it is."""
        present, strange = self._listed()
        entries, damaged = self._read(present)
        try:
            self.ask(lambda index: index.replace(entries))
            self._memory = None
        except IndexRefusedError as error:
            self._in_memory(error).replace(entries)
        self._damaged = strange | damaged
        return Rebuilt(len(entries), self._damaged)

    def reconcile(self) -> None:
        """Take in folders without row and records that were changed, drop rows without folder.

        That is what a crash, a hand or a race left behind. Costs a directory listing, a look at when each record was
        changed and as many short rows from the index, so every list begins with it.
        """
        try:
            self._reconcile(self.ask)
            self._memory = None
        except IndexRefusedError as error:
            memory = self._in_memory(error)
            self._reconcile(lambda work: work(memory))

    def _in_memory(self, error: IndexRefusedError) -> MemoryIndex:
        """What to read from while there is no index on the disk; an empty one at first."""
        memory = self._memory or MemoryIndex()
        self._memory, self._refusal = memory, str(error)
        return memory

    def _reconcile(self, ask: Callable[[Callable[[Index], Any]], Any]) -> None:
        # The rows come first: one whose folder is not in a listing made after it is truly without folder, whatever
        # another process saves or deletes meanwhile.
        known: dict[str, Stamp | None] = ask(lambda index: index.stamps())
        present, strange = self._listed(known.keys())
        results = str(self._results)
        entries, damaged = self._read(
            entry_id for entry_id in present if (known.get(entry_id) or "") != _stamp(results, entry_id)
        )
        gone = known.keys() - present | known.keys() & damaged.keys()
        if entries or gone:
            ask(lambda index: index.put(entries, remove=gone))
        self._damaged = strange | damaged

    def look(self, work: Callable[[Index], T]) -> T:
        """Ask without changing anything: the index in memory, where `reconcile` had to make one."""
        memory = self._memory
        return self.ask(work) if memory is None else work(memory)

    def note(self, entry: Entry | None = None, *, remove: Iterable[str] = ()) -> None:
        """Tell the index what has just changed on disk.

        Should that fail, the folders are right all the same, and the next list brings the index up to date or tells
        what is wrong with it.
        """
        with suppress(GalleryError):
            # Without a stamp the next list reads the folder once more: somebody may have changed it meanwhile.
            entries: list[Stamped] = [(entry, None)] if entry else []
            ids = list(remove)
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
            self._index.put(entries)
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

    def _read(self, ids: Iterable[str]) -> tuple[list[Stamped], dict[str, str]]:
        """The intact entries among the folders with their stamps, and why the others are none."""
        entries: list[Stamped] = []
        damaged = {}
        for entry_id in sorted(ids):
            stamp = _settled(_stamp(str(self._results), entry_id))  # first: what is changed after it is read again
            with suppress(OSError):
                (self._results / entry_id / MARK).unlink()  # it is back from the trash, by hand
            try:
                entries.append((read_entry(self._root, entry_id), stamp))
            except GalleryError as error:
                if (self._results / entry_id).exists():  # else it was deleted just now
                    damaged[entry_id] = str(error)
        return entries, damaged


def _stamp(results: str, entry_id: str) -> Stamp | None:
    """Of an entry's record; None where there is none. Ten thousand are asked for at once, hence no Path."""
    try:
        found = os.stat(f"{results}/{entry_id}/metadata.json")
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _settled(stamp: Stamp | None) -> Stamp | None:
    """The stamp where another change would give another one: file systems tell two of one moment not apart."""
    return stamp if stamp and abs(time.time_ns() - stamp[0]) > _MOMENT else None
