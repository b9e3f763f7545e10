"""What a gallery entry is: its id, its record (what `metadata.json` says), and where its files lie.

Records may come from anywhere (a copied folder, an unpacked zip), so everything read here is checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nst.colour import Look
from nst.config import Settings
from nst.errors import GalleryError, SettingsError
from nst.gallery.checks import count, get, moment, number, real, text, texts, unusable
from nst.gallery.text import (
    MAX_TAGS,
    check_id,
    clean_note,
    clean_tags,
    clean_text,
    default_name,
    fold,
    label_of,
    new_id,
    one_line,
    writable,
)
from nst.result import CHANGEABLE, Change, LossRow, NetworkInfo, Result, Status

__all__ = [
    "EXTENSIONS",
    "SCHEMA",
    "WHOLE_COLUMNS",
    "Entry",
    "Input",
    "changes_of",
    "check_id",
    "clean_text",
    "default_name",
    "entry_of",
    "fold",
    "input_path",
    "label_of",
    "new_id",
    "read_bytes",
]

SCHEMA = 1
MAX_RATING = 5
MAX_CHANGES = 1000
MAX_ADVICE, MAX_ADVICE_TEXT = 20, 500
"""Sentences, and characters of each."""
WHOLE_COLUMNS = ("evaluation", "scale", "width", "height")
"""Of a `LossRow`; the others are real numbers."""
EXTENSIONS = ("jpg", "png", "webp", "tiff", "avif")

AS_PAINTED = Look()

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PRIVATE = ("name", "tags", "note", "starred", "rating", "look", "parent", "advice")
"""Of a record: what a user typed or chose; it stays out of `result.png`."""


# Inputs and entries ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Input:
    """A picture stored in the gallery by the hash of its bytes. Raises `GalleryError` when a part is impossible."""

    sha256: str
    ext: str
    """One of `EXTENSIONS`, by content."""
    label: str
    """What to call it; never a path."""
    weight: float = 1.0
    """In an entry: the relative weight that this style had."""

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256) or self.ext not in EXTENSIONS:
            raise GalleryError(
                f"That is no picture of the gallery. Received: {self.sha256!r:.80}, {self.ext!r:.20}. Add it again."
            )
        object.__setattr__(self, "label", clean_text(str(self.label)) or "picture")
        object.__setattr__(self, "weight", number(self.weight, "weight"))

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"sha256": self.sha256, "ext": self.ext, "label": self.label, "weight": self.weight}

    @classmethod
    def from_dict(cls, data: Any) -> Input:
        """The reverse of `to_dict`; raises `GalleryError` where something is missing or impossible."""
        return cls(get(data, "sha256", str), get(data, "ext", str), get(data, "label", str), data.get("weight", 1.0))


@dataclass(frozen=True)
class Entry:
    """One result and everything needed to make it again."""

    id: str
    name: str
    created: str
    """ISO 8601, UTC, microseconds."""
    status: Status
    message: str
    settings: Settings
    network: NetworkInfo
    versions: Mapping[str, str]
    seconds: float
    evaluations: int
    full_size_evaluations: float
    width: int
    height: int
    content: Input
    styles: tuple[Input, ...]
    losses: LossRow | None
    """The last evaluation; None where there was none."""
    transparent: bool
    """Whether the picture has an alpha channel."""
    root: Path = field(repr=False, compare=False)
    """The gallery's folder."""
    starred: bool = False
    rating: int = 0
    """1 to 5; 0 where it was not rated."""
    tags: tuple[str, ...] = ()
    """At most 20, each of at most 40 characters and once whatever its case."""
    note: str = ""
    """Of the user, several lines, at most 5000 characters."""
    look: Look = AS_PAINTED
    """How the picture is shown and saved; `result.png` is without it."""
    initial: Input | None = None
    """The picture it was started from, where that was one of its own."""
    parent: str | None = None
    """The id of the entry that it continues."""
    changes: tuple[Change, ...] = ()
    """Of the settings while it was painted; `settings` are those at its end."""
    advice: tuple[str, ...] = ()
    """What to try next, as the program saw it when the picture was finished."""

    @property
    def preset(self) -> str:
        return self.settings.preset

    @property
    def folder(self) -> Path:
        return self.root / "results" / self.id

    @property
    def picture_path(self) -> Path:
        return self.folder / "result.png"

    @property
    def deep_path(self) -> Path:
        """The picture with 16 bits a channel; entries of old have none."""
        return self.folder / "result.tiff"

    @property
    def thumbnail_path(self) -> Path:
        return self._small_path("thumbnail")

    @property
    def preview_path(self) -> Path:
        """A smaller copy for the screen; small results without a look have none (see `preview`)."""
        return self._small_path("preview")

    def _small_path(self, stem: str) -> Path:
        """Each look has a name of its own, so that the record, the last to change, says at once what is shown."""
        look = "" if self.look.plain else f"-{self.look.colours}-{self.look.blend!r}"
        return self.folder / f"{stem}{look}.{'webp' if self.transparent else 'jpg'}"

    @property
    def frame_paths(self) -> list[Path]:
        """The pictures kept on the way, in order; empty where none were."""
        return sorted((self.folder / "frames").glob("*.jpg"))

    @property
    def content_path(self) -> Path:
        return input_path(self.root, self.content)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """Every picture it was made from: photograph, styles, and what it was started from."""
        return (self.content, *self.styles, *([self.initial] if self.initial else []))

    @property
    def style_paths(self) -> list[Path]:
        return [input_path(self.root, style) for style in self.styles]

    def preview(self) -> bytes:
        """The picture for the screen: the preview where there is one, else the PNG; raises `GalleryError`."""
        return read_bytes(self.preview_path if self.preview_path.is_file() else self.picture_path)

    def to_dict(self) -> dict[str, Any]:
        """JSON types: the content of `metadata.json`."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "name": self.name,
            "created": self.created,
            "status": str(self.status),
            "message": self.message,
            "settings": self.settings.to_dict(),
            "network": self.network._asdict(),
            "versions": dict(self.versions),
            "seconds": self.seconds,
            "evaluations": self.evaluations,
            "full_size_evaluations": self.full_size_evaluations,
            "width": self.width,
            "height": self.height,
            "content": self.content.to_dict(),
            "styles": [style.to_dict() for style in self.styles],
            "losses": self.losses and {name: _finite(value) for name, value in self.losses._asdict().items()},
            "transparent": self.transparent,
            "starred": self.starred,
            "rating": self.rating,
            "tags": list(self.tags),
            "note": self.note,
            "look": self.look.to_dict(),
            "initial": self.initial and self.initial.to_dict(),
            "parent": self.parent,
            "changes": [change_dict(change) for change in self.changes],
            "advice": list(self.advice),
        }

    def png_text(self) -> str:
        """What travels inside `result.png`, as JSON: the record without what a user typed, chose or named.

        A picture is what people share. Its entry's name, tags and note, the labels (file names) and where the weights
        lay say something about a person or a computer, so they stay in the gallery; hashes still tell the inputs.
        """
        record = {key: value for key, value in self.to_dict().items() if key not in _PRIVATE}
        del record["network"]["source"]
        for picture in (record["content"], *record["styles"], record["initial"] or {}):
            picture.pop("label", None)
        return json.dumps(record)

    @classmethod
    def from_dict(cls, data: Any, root: Path) -> Entry:
        """The reverse of `to_dict`; raises `GalleryError` with the reason where it can't be read.

        That includes what a newer version wrote and this one does not know: showing a result with settings that are
        not those it was made with would be worse than telling.
        """
        try:
            return cls(**{name: read(data) for name, read in _READERS.items()}, root=root)
        except (GalleryError, SettingsError, OverflowError) as error:  # the last from a setting of 400 digits
            newer = isinstance(data, dict) and isinstance(data.get("schema"), int) and data["schema"] > SCHEMA
            hint = "It was written by a newer version: update this program. " if newer else ""
            raise GalleryError(f"{hint}{error}") from None


def entry_of(
    result: Result,
    *,
    entry_id: str,
    name: str,
    content: Input,
    styles: Sequence[Input],
    transparent: bool,
    root: Path,
    initial: Input | None = None,
    parent: str | None = None,
    advice: Sequence[str] = (),
) -> Entry:
    """The record of a result that is being saved; the styles get the weights they were painted with.

    Of more changes or advice than a record holds the last and the first are kept: a painting is never lost to them.
    """
    weights = result.settings.style_weights or (1.0,) * len(styles)
    if len(weights) != len(styles):
        raise GalleryError(f"Give one weight a style. Received: {len(weights)} weights for {len(styles)} styles.")
    height, width = result.picture.shape[:2]
    return Entry(
        id=entry_id,
        name=clean_text(name) or default_name(content.label, [style.label for style in styles]),
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        status=result.status,
        message=result.message,
        settings=result.settings,
        network=result.network,
        versions=dict(result.versions),
        seconds=result.seconds,
        evaluations=result.evaluations,
        full_size_evaluations=result.full_size_evaluations,
        width=width,
        height=height,
        content=content,
        styles=tuple(Input(s.sha256, s.ext, s.label, weight) for s, weight in zip(styles, weights, strict=True)),
        losses=result.losses if result.history else None,
        transparent=transparent,
        root=root,
        initial=initial,
        parent=None if parent is None else check_id(parent),
        changes=tuple(c._replace(before=dict(c.before), after=dict(c.after)) for c in result.changes[-MAX_CHANGES:]),
        advice=_advice(advice[:MAX_ADVICE]),
    )


def change_dict(change: Change) -> dict[str, Any]:
    """A change of settings as JSON types."""
    return change._asdict() | {"before": dict(change.before), "after": dict(change.after)}


def changes_of(data: Any) -> tuple[Change, ...]:
    """The `changes` of a record, checked against its `settings`; none where it tells of none.

    Raises `GalleryError` and `SettingsError` where they can't be: where undoing them one after the other, from the
    last, doesn't give settings that a run may have.
    """
    listed = get(data, "changes", list, [])
    if len(listed) > MAX_CHANGES:
        raise unusable("changes", f"{len(listed)} of them")
    changes = tuple(_change(item) for item in listed)
    settings = Settings.from_dict(data.get("settings"))
    for change in reversed(changes):
        settings.replace(**change.after)
        settings = settings.replace(**change.before)
    return changes


def _change(data: Any) -> Change:
    before, after = get(data, "before", dict), get(data, "after", dict)
    if before.keys() != after.keys() or not before or not before.keys() <= set(CHANGEABLE):
        raise unusable("changes", sorted(map(str, before.keys() ^ after.keys())) or sorted(map(str, before)))
    return Change(count(data, "evaluation"), count(data, "scale"), before, after)


def _advice(sentences: Sequence[str]) -> tuple[str, ...]:
    lines = (one_line(sentence)[:MAX_ADVICE_TEXT].rstrip() for sentence in sentences)
    return tuple(line for line in lines if line)


# Where files lie -------------------------------------------------------------------------------------------------


def input_path(root: Path, picture: Input) -> Path:
    """Where an input lies, byte for byte as it was uploaded."""
    return root / "inputs" / f"{picture.sha256}.{picture.ext}"


def read_bytes(path: Path) -> bytes:
    """A file of the gallery; raises `GalleryError` when it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise GalleryError(
            f"A file of the gallery can't be read: {error.strerror}. Received: {path}. "
            "Put it back, or delete the entry."
        ) from error


# Checking records ------------------------------------------------------------------------------------------------


def _status(data: Any) -> Status:
    try:
        return Status(get(data, "status", str))
    except ValueError:
        raise GalleryError(f"metadata.json has an unknown status. Received: {data['status']!r:.80}.") from None


def _network(data: Any) -> NetworkInfo:
    network = get(data, "network", dict)
    return NetworkInfo(*(writable(get(network, name, str)) for name in NetworkInfo._fields))


def _settings(data: Any) -> Settings:
    settings = Settings.from_dict(get(data, "settings", dict))
    return settings.replace(preset=writable(settings.preset))


def _losses(data: Any) -> LossRow | None:
    if data.get("losses") is None:
        return None
    losses = get(data, "losses", dict)
    return LossRow._make(
        get(losses, name, int) if name in WHOLE_COLUMNS else _loss(losses, name) for name in LossRow._fields
    )


def _loss(losses: Any, name: str) -> float:
    return math.nan if losses.get(name) is None else real(losses, name)


def _finite(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None


def _optional(data: Any, key: str, read: Callable[[Any], Any]) -> Any:
    return None if data.get(key) is None else read(data[key])


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": lambda data: check_id(get(data, "id", str)),
    "name": partial(text, key="name"),
    "created": partial(moment, key="created"),
    "status": _status,
    "message": lambda data: writable(get(data, "message", str)),
    "settings": _settings,
    "network": _network,
    "versions": lambda data: {
        writable(str(key)): writable(str(value)) for key, value in get(data, "versions", dict).items()
    },
    "seconds": partial(real, key="seconds"),
    "evaluations": partial(count, key="evaluations"),
    "full_size_evaluations": partial(real, key="full_size_evaluations"),
    "width": partial(count, key="width", least=1),
    "height": partial(count, key="height", least=1),
    "content": lambda data: Input.from_dict(get(data, "content", dict)),
    "styles": lambda data: tuple(Input.from_dict(style) for style in get(data, "styles", list)),
    "losses": _losses,
    "transparent": partial(get, key="transparent", kind=bool),
    "starred": partial(get, key="starred", kind=bool, default=False),
    "rating": partial(count, key="rating", most=MAX_RATING, default=0),
    "tags": lambda data: clean_tags(texts(data, "tags", MAX_TAGS)),
    "note": lambda data: clean_note(get(data, "note", str, "")),
    "look": lambda data: Look.from_dict(data.get("look", {})),
    "initial": partial(_optional, key="initial", read=Input.from_dict),
    "parent": partial(_optional, key="parent", read=check_id),
    "changes": changes_of,
    "advice": lambda data: _advice(texts(data, "advice", MAX_ADVICE)),
}
