"""Reading records that may come from anywhere: each function takes one part of a JSON table, or tells what is wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from nst.errors import GalleryError
from nst.gallery.text import clean_text

MAX_COUNT = 10**9
"""Of anything counted here: evaluations, pixels of a side. SQLite can't hold just any whole number."""


def unusable(key: str, value: Any) -> GalleryError:
    """What to raise where a part of a record can't be used."""
    return GalleryError(f"metadata.json has no usable {key}. Received: {value!r:.80}.")


def get(data: Any, key: str, kind: type, default: Any = None) -> Any:
    """A part of the `kind` asked for; what is missing counts as the `default`."""
    value = data.get(key, default) if isinstance(data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise unusable(key, value)
    return value


def text(data: Any, key: str) -> str:
    """One clean line of at most 200 characters."""
    return clean_text(get(data, key, str))


def texts(data: Any, key: str, most: int) -> list[str]:
    """A list of at most `most` texts; empty where it is missing."""
    found = get(data, key, list, [])
    if len(found) > most or not all(isinstance(item, str) for item in found):
        raise unusable(key, found)
    return list(found)


def number(value: Any, key: str) -> float:
    """The value itself, where it is a finite number."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
    except OverflowError:  # an integer of 400 digits
        pass
    raise unusable(key, value)


def real(data: Any, key: str) -> float:
    """A finite number."""
    return number(data.get(key) if isinstance(data, dict) else None, key)


def count(data: Any, key: str, *, least: int = 0, most: int = MAX_COUNT, default: Any = None) -> int:
    """A whole number from `least` to `most`."""
    value: int = get(data, key, int, default)
    if not least <= value <= most:
        raise unusable(key, value)
    return value


def moment(data: Any, key: str) -> str:
    """A time as ISO 8601 in UTC with microseconds, so that texts sort by age."""
    value = get(data, key, str)
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise unusable(key, value) from None
