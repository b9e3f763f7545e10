"""What a list of results may be asked for: filters and orders, turned into SQL over the index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypedDict

from nst.errors import GalleryError
from nst.gallery.entry import MAX_RATING
from nst.gallery.text import clean_text, fold, one_line

MOST = 10**9
"""Of a page's limit and offset and of sizes: more than any gallery has, and within what SQLite can count."""

ORDERS = {
    "newest": "created DESC, id DESC",
    "oldest": "created, id",
    "name": "title, created, id",
    "largest": "pixels DESC, created DESC, id DESC",
    "slowest": "seconds DESC, created DESC, id DESC",
    "rating": "rating DESC, created DESC, id DESC",
}


class Filters(TypedDict, total=False):
    """What entries must match, all of it; what is missing or None lets every entry through."""

    text: str
    """Found in the name, the labels of the inputs, the tags and the note, whatever its case."""
    preset: str | None
    style: str | None
    """A sha256 or a label."""
    content: str | None
    """A sha256 or a label."""
    network: str | None
    starred: bool | None
    tag: str | None
    """Whatever its case."""
    since: date | str | None
    """The first day, in UTC; ISO 8601."""
    until: date | str | None
    """The last day, in UTC; ISO 8601."""
    smallest: int | None
    """Pixels of the longest side, at least."""
    largest: int | None
    """Pixels of the longest side, at most."""
    rated: int | None
    """At least so many of 5."""


@dataclass(frozen=True)
class StyleUse:
    """A picture, or whatever else entries have in common."""

    label: str
    """What its newest entry calls it."""
    count: int
    """Of entries."""


@dataclass(frozen=True)
class Facets:
    """What there is to filter by: each value with its label and how many entries have it."""

    presets: Mapping[str, StyleUse]
    """The most used first."""
    styles: Mapping[str, StyleUse]
    """By sha256, sorted by label."""
    contents: Mapping[str, StyleUse]
    """By sha256, sorted by label."""
    networks: Mapping[str, StyleUse]
    """By name, the most used first."""
    tags: Mapping[str, StyleUse]
    """As their newest entry writes them, sorted."""
    sizes: Mapping[int, StyleUse]
    """By the longest side in pixels, the smallest first."""


def check_order(order: str) -> None:
    if order not in ORDERS:
        raise GalleryError(f"Unknown order. Received: {order!r:.40}. Choose one of: {', '.join(ORDERS)}.")


def check_page(limit: int, offset: int) -> None:
    for what, number in (("limit", limit), ("offset", offset)):
        _whole(number, f"The {what} of a page", MOST)


def conditions(filters: Filters) -> tuple[str, tuple[Any, ...]]:
    """A WHERE clause over the table `entries`, and its values; raises `GalleryError` on impossible filters.

    Text is found by instr, which knows no wildcards that would need escaping.
    """
    if unknown := filters.keys() - _CONDITIONS.keys():
        raise TypeError(f"unknown filters: {', '.join(sorted(unknown))}")
    where, values = ["1"], []
    for name, (condition, value_of) in _CONDITIONS.items():
        given = filters.get(name)
        if given is not None and given != "":
            value = value_of(given)
            where.append(condition)
            values += [value] * condition.count("?")
    return " AND ".join(where), tuple(values)


def _whole(value: Any, what: str, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise GalleryError(f"{what} must be a whole number from 0 to {most}. Received: {value!r:.40}. Choose another.")
    return value


def _side(value: Any) -> int:
    return _whole(value, "A size in pixels", MOST)


def _day(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise GalleryError(f"That is no day. Received: {value!r:.40}. Write it like 2026-11-21.") from None


_CONDITIONS: dict[str, tuple[str, Any]] = {
    "text": ("instr(search, ?)", lambda text: fold(clean_text(text))),
    "preset": ("preset = ?", clean_text),
    "style": ("id IN (SELECT id FROM styles WHERE sha256 = ? UNION SELECT id FROM styles WHERE label = ?)", clean_text),
    "content": ("(content = ? OR content_label = ?)", clean_text),
    "network": ("network = ?", clean_text),
    "starred": ("starred = ?", lambda starred: int(bool(starred))),
    "tag": ("id IN (SELECT id FROM tags WHERE folded = ?)", lambda tag: fold(one_line(tag))),
    "since": ("created >= ?", _day),
    "until": ("created < ?", lambda day: _day(day) + "U"),  # after a day come a T and the time
    "smallest": ("longest >= ?", _side),
    "largest": ("longest <= ?", _side),
    "rated": ("rating >= ?", lambda stars: _whole(stars, "A rating", MAX_RATING)),
}
