"""The style shelf: style pictures a user keeps at hand, and at which sizes their targets are in the cache.

One small file, `shelf.json`, read anew by every call, so that all tabs and programs see the same.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
"""One for all shelves of this program; others are kept out by the index, which is slower to let the next one in."""


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
    strange: Mapping[str, Any] = field(default_factory=dict)
    """What of the file isn't understood, in its places; it is written back as it was."""


class Shelf:
    """The shelf in the file `path`; `tell` is called with a notice where it was damaged. Methods raise `OSError`.

    `alone` runs a change while no other program makes one.
    """

    def __init__(self, path: Path, tell: Callable[[str], None], alone: Callable[[Callable[[], None]], None]) -> None:
        self._path, self._tell, self._alone = path, tell, alone
        self._skipped = 0

    def styles(self) -> list[ShelfStyle]:
        """The styles, the last added first."""
        content = self._read()
        ready = {sha256: tuple(sorted(sizes)) for sha256, sizes in content.ready}
        return [replace(style, ready=ready.get(style.picture.sha256, ())) for style in reversed(content.styles)]

    def add(self, picture: Input, name: str | None, now: datetime) -> None:
        """Put a picture on the shelf; where it is there already, it only gets the `name`, if one is given."""

        def change(content: _Content) -> _Content:
            if any(style.picture.sha256 == picture.sha256 for style in content.styles):
                return content if name is None else _renamed(content, picture.sha256, name)
            if len(content.styles) >= MAX_STYLES:
                raise GalleryError(f"The shelf is full. Received: style number {MAX_STYLES + 1}. Take some off first.")
            kept = replace(picture, weight=1.0)  # a weight is a matter of one painting
            style = ShelfStyle(kept, clean_text(name or "") or picture.label, now.astimezone(UTC), ())
            return replace(content, styles=(*content.styles, style))

        self._change(change)

    def rename(self, sha256: str, name: str) -> None:
        """Give a style another name; an empty one is the picture's label. Raises `GalleryError` where it isn't here."""
        self._change(lambda content: _renamed(content, sha256, name))

    def remove(self, sha256: str) -> None:
        """Take a style off the shelf, where it is there."""
        self._change(
            lambda content: replace(
                content, styles=tuple(style for style in content.styles if style.picture.sha256 != sha256)
            )
        )

    def note_targets(self, sha256: str, longest: int) -> None:
        """Remember that a picture's targets are in the cache at a size."""

        def change(content: _Content) -> _Content:
            ready = dict(content.ready)
            sizes = ready.pop(sha256, ())
            if longest in sizes:
                return content
            ready[sha256] = (*sizes, longest)[-MAX_SIZES:]
            return replace(content, ready=tuple(ready.items())[-MAX_STYLES:])

        self._change(change)

    def _change(self, change: Callable[[_Content], _Content]) -> None:
        """Read, alter and write, while nobody else does."""

        def work() -> None:
            before = self._read()
            after = change(before)
            if after != before:
                self._write(after)

        with _LOCK:
            self._alone(work)

    def _read(self) -> _Content:
        with _LOCK:
            try:
                data = self._path.read_bytes()
            except FileNotFoundError:
                return _Content()
            try:
                content = _parsed(json.loads(data))
            except (ValueError, RecursionError, GalleryError):
                self._set_aside()
                return _Content()
            self._tell_skipped(sum(map(len, content.strange.values())))
            return content

    def _tell_skipped(self, number: int) -> None:
        if number > self._skipped:
            self._tell(f"{number} on the style shelf can't be shown. They are kept in {self._path.name}.")
        self._skipped = number

    def _set_aside(self) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        with suppress(FileNotFoundError):  # another process did so just now
            os.replace(self._path, aside)
            self._tell(f"The style shelf could not be read and begins anew; the old file is kept as {aside.name}.")

    def _write(self, content: _Content) -> None:
        styles = [
            {"picture": style.picture.to_dict(), "name": style.name, "added": style.added.isoformat()}
            for style in content.styles
        ]
        ready = {sha256: list(sizes) for sha256, sizes in content.ready}
        record = {
            "styles": [*styles, *content.strange.get("styles", ())],
            "ready": {**content.strange.get("ready", {}), **ready},
        }
        write_atomically(self._path, json.dumps(record, indent=2).encode())


def _renamed(content: _Content, sha256: str, name: str) -> _Content:
    styles = {style.picture.sha256: style for style in content.styles}
    if sha256 not in styles:
        raise GalleryError(f"It is not on the shelf. Received: {sha256!r:.80}. Put it there first.")
    style = styles[sha256]
    styles[sha256] = replace(style, name=clean_text(name) or style.picture.label)
    return replace(content, styles=tuple(styles.values()))


def _parsed(data: Any) -> _Content:
    """What is understood, and apart from it what is not; raises `GalleryError` where it is no shelf at all."""
    styles: list[ShelfStyle] = []
    ready: dict[str, tuple[int, ...]] = {}
    strange: dict[str, Any] = {"styles": [], "ready": {}}
    for item in get(data, "styles", list):
        try:
            styles.append(_style(item, room=MAX_STYLES - len(styles)))
        except GalleryError:
            strange["styles"].append(item)
    for sha256, sizes in get(data, "ready", dict).items():
        try:
            ready[Input(sha256, "png", "").sha256] = _sizes(sizes, room=MAX_STYLES - len(ready))
        except GalleryError:
            strange["ready"][sha256] = sizes
    return _Content(tuple(styles), tuple(ready.items()), {key: value for key, value in strange.items() if value})


def _style(data: Any, *, room: int) -> ShelfStyle:
    if not room:
        raise GalleryError("There are too many styles.")
    picture = Input.from_dict(get(data, "picture", dict))
    name = clean_text(get(data, "name", str)) or picture.label
    return ShelfStyle(picture, name, datetime.fromisoformat(moment(data, "added")), ())


def _sizes(sizes: Any, *, room: int) -> tuple[int, ...]:
    if not room or not isinstance(sizes, list):
        raise GalleryError("These are no sizes.")
    return tuple(count({"size": size}, "size", most=MAX_SIDE) for size in sizes[-MAX_SIZES:])
