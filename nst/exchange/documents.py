"""Reading JSON that may come from anywhere: nothing too deep, no number that is none, no text that can't be shown."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from nst.errors import NSTError

MAX_DEPTH = 12
"""Of lists and tables in each other; a record has five."""
MAX_WHOLE = 2**53
"""Larger whole numbers are not the same as real ones, and nothing that is counted here gets near."""


def read_json(data: bytes | str, what: str, error: type[NSTError]) -> Any:
    """The value of a JSON text in UTF-8; raises `error` in words where it is none or has something impossible in it.

    Every number is finite, every whole one within `MAX_WHOLE` of 0, every text is valid Unicode.
    """
    try:
        value = json.loads(data.decode() if isinstance(data, bytes) else data, parse_constant=_refuse)
        _check(value, MAX_DEPTH)
        return value
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as trouble:  # which JSON's and Unicode's own errors are
        reason = str(trouble)[:100] if type(trouble) is ValueError else "it is no valid JSON"
    raise error(f"{what} can't be read: {reason}. Received: {len(data):,} characters. Choose another file.")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"it has the number {name}")


def _check(value: Any, room: int) -> None:
    if room == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        value.encode()  # half a surrogate pair has no encoding
    elif (isinstance(value, int) and abs(value) > MAX_WHOLE) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("it has a number that is too large")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, room)
            _check(item, room - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, room - 1)
