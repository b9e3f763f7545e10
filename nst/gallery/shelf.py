"""The style shelf: style pictures a user keeps at hand, and at which sizes their targets are in the cache.

One small file, `shelf.json`, read anew by every call, so that all tabs and programs see the same.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nst.errors import GalleryError
from nst.files import write_atomically
from nst.gallery.checks import count, get, moment
from nst.gallery.entry import Input
from nst.gallery.text import clean_text

MAX_STYLES = 500
"""On the shelf; and of how many pictures the sizes are remembered, be they on the shelf or not yet."""
MAX_SIZES = 16
"""Of a picture, the last ones noted."""
MAX_SIDE = 100_000

_LOCK = threading.RLock()
"""One for all shelves: a change reads, alters and writes the file."""


@dataclass(frozen=True)
class ShelfStyle:
    """A style picture on the shelf."""

    picture: Input
    name: str
    added: datetime
    ready: tuple[int, ...]
    """Longest sides in pixels at which its targets were in the cache, the smallest first."""


@dataclass(frozen=True)
class _Content:
    """What the file says."""

    styles: tuple[ShelfStyle, ...] = ()
    """In the order they were added; `ready` is empty here."""
    ready: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """By sha256, the last noted at the end."""


class Shelf:
    """The shelf in the file `path`; `tell` is called with a notice where it was damaged. Methods raise `OSError`."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path, self._tell = path, tell

    def styles(self) -> list[ShelfStyle]:
        """The styles, the last added first."""
        content = self._read()
        ready = {sha256: tuple(sorted(sizes)) for sha256, sizes in content.ready}
        return [replace(style, ready=ready.get(style.picture.sha256, ())) for style in reversed(content.styles)]

    def add(self, picture: Input, name: str | None, now: datetime) -> None:
        """Put a picture on the shelf; where it is there already, it only gets the `name`, if one is given."""
        with _LOCK:
            content = self._read()
            if any(style.picture.sha256 == picture.sha256 for style in content.styles):
                if name is not None:
                    self.rename(picture.sha256, name)
                return
            if len(content.styles) >= MAX_STYLES:
                raise GalleryError(f"The shelf is full. Received: style number {MAX_STYLES + 1}. Take some off first.")
            picture = replace(picture, weight=1.0)  # a weight is a matter of one painting
            style = ShelfStyle(picture, clean_text(name or "") or picture.label, now.astimezone(UTC), ())
            self._write(replace(content, styles=(*content.styles, style)))

    def rename(self, sha256: str, name: str) -> None:
        """Give a style another name; an empty one is the picture's label. Raises `GalleryError` where it isn't here."""
        with _LOCK:
            content = self._read()
            styles = {style.picture.sha256: style for style in content.styles}
            if sha256 not in styles:
                raise GalleryError(f"It is not on the shelf. Received: {sha256!r:.80}. Put it there first.")
            style = styles[sha256]
            styles[sha256] = replace(style, name=clean_text(name) or style.picture.label)
            self._write(replace(content, styles=tuple(styles.values())))

    def remove(self, sha256: str) -> None:
        """Take a style off the shelf, where it is there."""
        with _LOCK:
            content = self._read()
            kept = tuple(style for style in content.styles if style.picture.sha256 != sha256)
            if kept != content.styles:
                self._write(replace(content, styles=kept))

    def note_targets(self, sha256: str, longest: int) -> None:
        """Remember that a picture's targets are in the cache at a size."""
        with _LOCK:
            content = self._read()
            ready = dict(content.ready)
            sizes = ready.pop(sha256, ())
            if longest in sizes:
                return
            ready[sha256] = (*sizes, longest)[-MAX_SIZES:]
            self._write(replace(content, ready=tuple(ready.items())[-MAX_STYLES:]))

    def _read(self) -> _Content:
        with _LOCK:
            try:
                data = self._path.read_bytes()
            except FileNotFoundError:
                return _Content()
            try:
                return _parsed(json.loads(data))
            except (ValueError, RecursionError, GalleryError):
                self._set_aside()
                return _Content()

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        with suppress(FileNotFoundError):  # another process did so just now
            os.replace(self._path, aside)
            self._tell(f"The style shelf could not be read and begins anew; the old file is kept as {aside.name}.")

    def _write(self, content: _Content) -> None:
        record = {
            "styles": [
                {"picture": style.picture.to_dict(), "name": style.name, "added": style.added.isoformat()}
                for style in content.styles
            ],
            "ready": {sha256: list(sizes) for sha256, sizes in content.ready},
        }
        write_atomically(self._path, json.dumps(record, indent=2).encode())


def _parsed(data: Any) -> _Content:
    listed, ready = get(data, "styles", list), get(data, "ready", dict)
    if len(listed) > MAX_STYLES or len(ready) > MAX_STYLES:
        raise GalleryError("There are too many styles.")
    return _Content(
        tuple(_style(item) for item in listed),
        tuple((Input(sha256, "png", "").sha256, _sizes(ready, sha256)) for sha256 in ready),
    )


def _style(data: Any) -> ShelfStyle:
    picture = Input.from_dict(get(data, "picture", dict))
    name = clean_text(get(data, "name", str)) or picture.label
    return ShelfStyle(picture, name, datetime.fromisoformat(moment(data, "added")), ())


def _sizes(ready: dict[str, Any], sha256: str) -> tuple[int, ...]:
    sizes = get(ready, sha256, list)
    return tuple(count({"size": size}, "size", most=MAX_SIDE) for size in sizes[-MAX_SIZES:])
