"""What the Gallery page shows, as the address says it: a link is enough to see the same, and a bad one does no harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from nst.gallery.query import ORDERS
from nst.gallery.text import clean_text

LARGEST_PAGE = 10**6
LARGEST_SIZE = 10**5
"""Pixels; no picture of ours is larger, and numbers stay short."""
MOST_STARS = 5
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)
"""Days that can be asked for."""


@dataclass(frozen=True)
class View:
    """Search, filters, order and page. What is None, empty or False narrows nothing."""

    text: str = ""
    style: str | None = None
    content: str | None = None
    preset: str | None = None
    network: str | None = None
    tag: str | None = None
    starred: bool = False
    rated: int | None = None
    """At least so many of five."""
    since: date | None = None
    until: date | None = None
    smallest: int | None = None
    """Longest side, pixels."""
    largest: int | None = None
    order: str = "newest"
    page: int = 1

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> View:
        """The view of an address. It may come from anywhere: what makes no sense in it is as if it weren't there."""
        return cls(
            text=clean_text(query.get("q", "")),
            **{name: clean_text(query.get(name, "")) or None for name in CHOICES},
            starred=query.get("starred") == "yes",
            rated=_whole(query.get("rated", ""), MOST_STARS),
            since=_day(query.get("since", "")),
            until=_day(query.get("until", "")),
            smallest=_whole(query.get("smallest", ""), LARGEST_SIZE),
            largest=_whole(query.get("largest", ""), LARGEST_SIZE),
            order=query["order"] if query.get("order") in ORDERS else "newest",
            page=_whole(query.get("page", ""), LARGEST_PAGE) or 1,
        )

    def to_query(self) -> dict[str, str]:
        """The reverse of `from_query`, without what is as it is by default."""
        default = View()
        changed = {field.name: value for field in fields(self) if (value := self._of(field)) != default._of(field)}
        return {"q" if name == "text" else name: _word(value) for name, value in changed.items()}

    def _of(self, field: Any) -> Any:
        return getattr(self, field.name)

    def filters(self) -> dict[str, Any]:
        """What `Gallery.query` and `Gallery.ids` are asked with."""
        asked = {name: getattr(self, name) for name in (*CHOICES, *BOUNDS)}
        return {"text": self.text, "starred": True if self.starred else None, **asked}

    @property
    def narrowed(self) -> int:
        """How many filters are on, the search among them."""
        return sum(value not in (None, "", False) for value in self.filters().values())


CHOICES = ("style", "content", "preset", "network", "tag")
BOUNDS = ("rated", "since", "until", "smallest", "largest")
NAMES = frozenset("q" if field.name == "text" else field.name for field in fields(View))
"""The names in the address that belong to a view."""


def _word(value: str | int | date | bool) -> str:
    return "yes" if value is True else value.isoformat() if isinstance(value, date) else str(value)


def _whole(text: str, most: int) -> int | None:
    """A number from 1 to `most` in plain digits; int() would take more, and take long."""
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    return int(text) if plain and 1 <= int(text) <= most else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day <= LATEST else None
