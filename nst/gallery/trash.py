"""The trash: entries that were deleted wait here for a while, whole, before they are removed for good."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery.entry import Entry
from nst.gallery.files import entry_folder, read_record, sync_folder
from nst.gallery.text import check_id

RETENTION_DAYS = 30
"""How long entries stay in the trash."""
MARK = "trashed.json"
"""In a trashed entry's folder: when it was deleted. In any other it means nothing, and is removed where it is seen."""
CLOCK = ".clock"
"""In the trash: when an opening found something whose time is over, by which a clock that runs ahead is found out."""
_GOING = ".going"
"""How folders end that are being removed; one that is left by a crash goes when the gallery is opened."""

_DAY = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trashed:
    """An entry in the trash."""

    id: str
    name: str
    """Its id where its record is damaged or gives it none."""
    deleted: datetime
    expires: datetime
    """When its time is over. It is removed for good when the gallery is opened on a later day once more."""
    thumbnail: Path
    """Which may be missing where the entry was damaged."""


@dataclass(frozen=True)
class Deleted:
    """What `Gallery.delete_many` did."""

    moved: tuple[str, ...]
    refused: Mapping[str, str]
    """By id, the reason in words."""


@dataclass(frozen=True)
class Restored:
    """What `Gallery.restore` did."""

    restored: tuple[str, ...]
    refused: Mapping[str, str]
    """By id, the reason in words."""


class Trash:
    """The trash folder of the gallery `root`; `now` tells the time, with its zone. Methods raise OSError."""

    def __init__(self, root: Path, now: Callable[[], datetime]) -> None:
        self._root, self._folder, self._now = root, root / "trash", now

    def put(self, folder: Path) -> None:
        """Move an entry's folder here; raises `GalleryError` where it is gone or there is one of this id already."""
        target = self._folder / folder.name
        try:
            if target.exists() and folder.exists():  # in this order, for another process may be moving it
                raise GalleryError(
                    f"There is an entry of this id in the trash already. Received: {folder.name}. "
                    "Move one of the two folders out of the gallery first."
                )
            (folder / MARK).unlink(missing_ok=True)  # of an earlier time: should writing another fail, it has none
            move(folder, target)
        except FileNotFoundError:
            raise GalleryError(f"It was deleted already. Received: {folder.name}. See the trash.") from None
        with suppress(OSError):  # then its time begins when it is first seen
            self._mark(target)

    def put_unstarred(self, entry_id: str) -> None:
        """The same by its id; raises `GalleryError` also where there is no such entry or it has a star."""
        folder = entry_folder(self._root, entry_id)
        if _has_star(folder):
            raise GalleryError("It has a star. Take the star away to delete it.")
        self.put(folder)

    def restore(self, entry_id: str) -> None:
        """Move an entry back; raises `GalleryError` where it isn't here or another has its place."""
        folder, target = self.find(entry_id), self._root / "results" / entry_id
        if target.exists():
            raise GalleryError(
                f"There is an entry of this id in the gallery. Received: {entry_id}. "
                "Move one of the two folders out of the gallery first."
            )
        move(folder, target)
        with suppress(OSError):  # a mark in an entry means nothing
            (target / MARK).unlink(missing_ok=True)

    def remove(self, entry_id: str) -> None:
        """Remove an entry for good; raises `GalleryError` where it isn't here."""
        going = self._folder / f".{entry_id}-{uuid.uuid4().hex}{_GOING}"
        os.rename(self.find(entry_id), going)  # so that a crash leaves no half of an entry
        shutil.rmtree(going)

    def find(self, entry_id: str) -> Path:
        """The folder of a trashed entry; raises `GalleryError` where there is none."""
        folder = self._folder / check_id(entry_id)
        if folder.is_symlink() or not folder.is_dir():  # a link might lead out of the gallery
            raise GalleryError(f"It is not in the trash. Received: {entry_id}. It may have been restored or removed.")
        return folder

    def ids(self) -> list[str]:
        """Of everything here that is named like an entry."""
        found = []
        for path in self._folder.iterdir():
            with suppress(GalleryError):
                self.find(path.name)
                found.append(path.name)
        return sorted(found)

    def listed(self) -> list[Trashed]:
        """Everything here, the last deleted first."""
        found = [self._trashed(self._folder / entry_id) for entry_id in self.ids()]
        return sorted(found, key=lambda trashed: (trashed.deleted, trashed.id), reverse=True)

    def expired(self) -> list[str]:
        """The ids of those whose time is over by two looks at the clock, a day or more apart.

        One look may be at a clock that runs ahead. Where it was the first one, the other finds it in the future.
        """
        over = self._deleted_before(self._now() - timedelta(days=RETENTION_DAYS))
        opened = self._opened_before() if over else None
        if opened is None:
            return []
        return sorted(over & self._deleted_before(opened - timedelta(days=RETENTION_DAYS)))

    def _deleted_before(self, latest: datetime) -> set[str]:
        return {entry_id for entry_id in self.ids() if self._deleted(self._folder / entry_id) <= latest}

    def _opened_before(self) -> datetime | None:
        """When an earlier opening, at least a day ago, looked at the clock; None where that isn't known."""
        now, path = self._now().astimezone(UTC), self._folder / CLOCK
        opened = _moment(path, "opened")
        if opened is not None and now - _DAY < opened <= now:
            return None
        write_atomically(path, json.dumps({"opened": now.isoformat()}).encode())
        return opened if opened is not None and opened <= now else None

    def sweep(self) -> None:
        """Finish removing what a crash left half-removed."""
        for path in self._folder.glob(f".*{_GOING}"):
            shutil.rmtree(path, ignore_errors=True)

    def _trashed(self, folder: Path) -> Trashed:
        deleted = self._deleted(folder)
        try:
            entry = Entry.from_dict(read_record(folder), self._root)
            name, thumbnail = entry.name or folder.name, folder / entry.thumbnail_path.name
        except GalleryError:
            name, thumbnail = folder.name, folder / "thumbnail.jpg"
        return Trashed(folder.name, name, deleted, deleted + timedelta(days=RETENTION_DAYS), thumbnail)

    def _deleted(self, folder: Path) -> datetime:
        """When an entry was deleted; from now on where it doesn't tell, or tells of an impossible time.

        That is one to come, or before the entry was made: clocks are set now and then. A folder that was changed
        after its mark was moved by hand, or copied: it counts from then.
        """
        now = self._now().astimezone(UTC)
        marked, changed = _moment(folder / MARK, "deleted"), _changed(folder)
        if marked is not None and changed is not None and _created(folder) <= marked:
            deleted = max(marked, changed)
            if deleted <= now + _DAY:
                return deleted
        with suppress(OSError):
            self._mark(folder)
        return now

    def _mark(self, folder: Path) -> None:
        write_atomically(folder / MARK, json.dumps({"deleted": self._now().astimezone(UTC).isoformat()}).encode())


def _moment(path: Path, key: str) -> datetime | None:
    """A time that a file tells; None where it doesn't."""
    try:
        return datetime.fromisoformat(json.loads(path.read_bytes())[key]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _created(folder: Path) -> datetime:
    """When an entry was made; long ago where its record doesn't tell."""
    return _moment(folder / "metadata.json", "created") or datetime.min.replace(tzinfo=UTC)


def _changed(folder: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(folder.stat().st_ctime, UTC)
    except (OSError, ValueError, OverflowError):
        return None


def _has_star(folder: Path) -> bool:
    try:
        return read_record(folder).get("starred") is True
    except GalleryError:  # what is damaged can be deleted
        return False


def move(source: Path, target: Path) -> None:
    """Rename a folder, for good: the disk knows when this returns."""
    os.rename(source, target)
    sync_folder(target.parent)
    sync_folder(source.parent)
