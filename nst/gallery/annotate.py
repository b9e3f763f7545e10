"""Changing what a user says about an entry: name, star, rating, tags, note, and the look it is shown with."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nst.colour import Look
from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery.entry import MAX_RATING, Entry
from nst.gallery.files import read_entry, read_record, record_bytes, sync_folder
from nst.gallery.text import clean_note, clean_tags, clean_text, default_name


def checked(
    entry: Entry,
    *,
    name: str | None,
    starred: bool | None,
    rating: int | None,
    tags: Sequence[str] | None,
    note: str | None,
    look: Look | None,
) -> dict[str, Any]:
    """What is to change in an entry's record; raises `GalleryError` where something is out of bounds."""
    if rating is not None and (isinstance(rating, bool) or rating not in range(MAX_RATING + 1)):
        raise GalleryError(f"A rating is a whole number from 0 to {MAX_RATING}. Received: {rating!r:.40}.")
    if name is not None:
        name = clean_text(name) or default_name(entry.content.label, [style.label for style in entry.styles])
    changes = {
        "name": name,
        "starred": None if starred is None else bool(starred),
        "rating": None if rating is None else int(rating),
        "tags": None if tags is None else list(clean_tags(tags)),
        "note": None if note is None else clean_note(note),
        "look": None if look in (None, entry.look) else look.to_dict(),
    }
    return {key: value for key, value in changes.items() if value is not None}


def rewrite(entry: Entry, changes: Mapping[str, Any], files: Mapping[str, bytes], *, work: Path) -> Entry:
    """Change an entry's record, after having written its small pictures; raises `OSError` and `GalleryError`.

    Only one program at a time may be here: what others have changed since `entry` was read is kept.
    """
    folder = entry.folder
    record = read_record(folder) | dict(changes)
    for name, data in files.items():
        write_atomically(folder / name, data)
    draft = work / f"{entry.id}-{uuid.uuid4().hex}.json"
    write_atomically(draft, record_bytes(record))
    os.replace(draft, folder / "metadata.json")
    sync_folder(folder)
    entry = read_entry(entry.root, entry.id)
    if "look" in changes:
        _tidy(entry)
    return entry


def _tidy(entry: Entry) -> None:
    """Remove the small pictures of looks that the entry had before."""
    for path in (*entry.folder.glob("thumbnail-*"), *entry.folder.glob("preview-*")):
        if path not in (entry.thumbnail_path, entry.preview_path):
            with suppress(OSError):
                path.unlink()
