"""parameters.csv: a row a result, with everything that can be compared in a spreadsheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable
from typing import Any

from nst.config import Settings
from nst.gallery import Entry

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for the beginning of a formula, wherever the text came from."""


def parameters_csv(entries: Iterable[Entry]) -> bytes:
    """A table with a header, in UTF-8 with the mark by which spreadsheets know it.

    Texts that a spreadsheet might run as a formula begin with an apostrophe; numbers are as Python reads them back.
    """
    file = io.StringIO(newline="")
    names = list(_COLUMNS)
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    for entry in entries:
        writer.writerow({name: _cell(value) for name, value in _row(entry).items()})
    return file.getvalue().encode("utf-8-sig", errors="replace")


_COLUMNS = (
    "id",
    "name",
    "created",
    "status",
    "preset",
    *(field.name for field in dataclasses.fields(Settings) if field.name != "preset"),
    "changes",
    "width",
    "height",
    "seconds",
    "evaluations",
    "full_size_evaluations",
    *(f"{part}_loss" for part in ("total", "content", "style", "tv")),
    "network",
    "network_sha256",
    "content",
    "styles",
    "start",
    "tags",
    "rating",
    "starred",
)


def _row(entry: Entry) -> dict[str, Any]:
    record = entry.to_dict()
    losses = record["losses"] or {}
    return {
        **{name: record[name] for name in ("id", "name", "created", "status", "width", "height", "rating", "starred")},
        **{name: record[name] for name in ("seconds", "evaluations", "full_size_evaluations")},
        **entry.settings.to_dict(),
        **{f"{part}_loss": losses.get(part) for part in ("total", "content", "style", "tv")},
        "changes": record["changes"] or None,
        "network": entry.network.name,
        "network_sha256": entry.network.sha256,
        "content": entry.content.label,
        "styles": "; ".join(style.label for style in entry.styles),
        "start": entry.initial and entry.initial.label,
        "tags": "; ".join(entry.tags),
    }


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
