"""What a gallery entry is: its id, its record (what `metadata.json` says), and where its files lie.

Records may come from anywhere (a copied folder, an unpacked zip), so everything read here is checked.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from nst.config import Settings
from nst.errors import GalleryError, SettingsError
from nst.result import LossRow, NetworkInfo, Result, Status

SCHEMA = 1
MAX_TEXT = 200
"""Characters of a name or a label."""
WHOLE_COLUMNS = ("evaluation", "scale", "width", "height")
"""Of a `LossRow`; the others are real numbers."""
EXTENSIONS = ("jpg", "png", "webp", "tiff", "avif")

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICTURE_SUFFIX = re.compile(r"\.(jpe?g|png|webp|tiff?|avif)$", re.IGNORECASE)


# Names -----------------------------------------------------------------------------------------------------------


def new_id() -> str:
    """A fresh id such as `20261121-075541-3fa9c2`: the time in UTC, so that ids sort by age, and chance."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def check_id(entry_id: str) -> str:
    """The id itself; raises `GalleryError` where it isn't one of ours. It may come from a URL."""
    if not isinstance(entry_id, str) or not _ID.fullmatch(entry_id):
        raise GalleryError(
            f"That is not the id of a gallery entry. Received: {str(entry_id)[:60]!r}. Choose an entry in the gallery."
        )
    return entry_id


def clean_text(text: str) -> str:
    """One line of at most `MAX_TEXT` characters, without control characters and what no file can hold."""
    visible = (" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join("".join(visible).split())[:MAX_TEXT].rstrip()


def label_of(upload: str) -> str:
    """What to call a picture, from the name it was uploaded under: no folders, no ending."""
    return clean_text(_PICTURE_SUFFIX.sub("", re.split(r"[/\\]", upload)[-1])) or "picture"


def default_name(content_label: str, style_labels: Sequence[str]) -> str:
    """A name for an entry that was given none: "tubingen × starry night"."""
    name = f"{content_label} × {' + '.join(style_labels)}" if style_labels else content_label
    return clean_text(name.replace("_", " ")) or "picture"


def fold(text: str) -> str:
    """Text for comparing: upper and lower case, and composed and decomposed letters, are the same."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


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
        object.__setattr__(self, "weight", _number(self.weight, "weight"))

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {"sha256": self.sha256, "ext": self.ext, "label": self.label, "weight": self.weight}

    @classmethod
    def from_dict(cls, data: Any) -> Input:
        """The reverse of `to_dict`; raises `GalleryError` where something is missing or impossible."""
        return cls(_get(data, "sha256", str), _get(data, "ext", str), _get(data, "label", str), data.get("weight", 1.0))


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
    def thumbnail_path(self) -> Path:
        return self.folder / f"thumbnail.{self._preview_ext}"

    @property
    def preview_path(self) -> Path:
        """A smaller copy for the screen; only large results have one (see `preview`)."""
        return self.folder / f"preview.{self._preview_ext}"

    @property
    def _preview_ext(self) -> str:
        return "webp" if self.transparent else "jpg"

    @property
    def frame_paths(self) -> list[Path]:
        """The pictures kept on the way, in order; empty where none were."""
        return sorted((self.folder / "frames").glob("*.jpg"))

    @property
    def content_path(self) -> Path:
        return input_path(self.root, self.content)

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
        }

    def png_text(self) -> str:
        """What travels inside `result.png`, as JSON: the record without what a user typed or named.

        A picture is what people share. Its entry's name, the labels (file names) and where the weights lay say
        something about a person or a computer, so they stay in the gallery; hashes still tell the inputs.
        """
        record = self.to_dict()
        del record["name"], record["network"]["source"]
        for picture in (record["content"], *record["styles"]):
            del picture["label"]
        return json.dumps(record)

    @classmethod
    def from_dict(cls, data: Any, root: Path) -> Entry:
        """The reverse of `to_dict`; raises `GalleryError` with the reason where it can't be read.

        That includes what a newer version wrote and this one does not know: showing a result with settings that are
        not those it was made with would be worse than telling.
        """
        try:
            return cls(**{name: read(data) for name, read in _READERS.items()}, root=root)
        except (GalleryError, SettingsError, OverflowError) as error:  # the last from an integer of 400 digits
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
) -> Entry:
    """The record of a result that is being saved; the styles get the weights they were painted with."""
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
    )


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


def _get(data: Any, key: str, kind: type) -> Any:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise GalleryError(f"metadata.json has no usable {key}. Received: {value!r:.80}.")
    return value


def _text(data: Any, key: str) -> str:
    return clean_text(_get(data, key, str))


def _number(value: Any, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise GalleryError(f"metadata.json has no usable {key}. Received: {value!r:.80}.")
    return value


def _real(data: Any, key: str) -> float:
    return _number(data.get(key) if isinstance(data, dict) else None, key)


def _status(data: Any) -> Status:
    try:
        return Status(_get(data, "status", str))
    except ValueError:
        raise GalleryError(f"metadata.json has an unknown status. Received: {data['status']!r:.80}.") from None


def _created(data: Any) -> str:
    text = _get(data, "created", str)
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        raise GalleryError(f"metadata.json has no usable created. Received: {text!r:.80}.") from None


def _network(data: Any) -> NetworkInfo:
    network = _get(data, "network", dict)
    return NetworkInfo(*(_get(network, name, str) for name in NetworkInfo._fields))


def _losses(data: Any) -> LossRow | None:
    if data.get("losses") is None:
        return None
    losses = _get(data, "losses", dict)
    return LossRow._make(
        _get(losses, name, int) if name in WHOLE_COLUMNS else _loss(losses, name) for name in LossRow._fields
    )


def _loss(losses: Any, name: str) -> float:
    return math.nan if losses.get(name) is None else _real(losses, name)


def _finite(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None


_READERS: dict[str, Callable[[Any], Any]] = {
    "id": lambda data: check_id(_get(data, "id", str)),
    "name": partial(_text, key="name"),
    "created": _created,
    "status": _status,
    "message": partial(_get, key="message", kind=str),
    "settings": lambda data: Settings.from_dict(_get(data, "settings", dict)),
    "network": _network,
    "versions": lambda data: {str(key): str(value) for key, value in _get(data, "versions", dict).items()},
    "seconds": partial(_real, key="seconds"),
    "evaluations": partial(_get, key="evaluations", kind=int),
    "full_size_evaluations": partial(_real, key="full_size_evaluations"),
    "width": partial(_get, key="width", kind=int),
    "height": partial(_get, key="height", kind=int),
    "content": lambda data: Input.from_dict(_get(data, "content", dict)),
    "styles": lambda data: tuple(Input.from_dict(style) for style in _get(data, "styles", list)),
    "losses": _losses,
    "transparent": partial(_get, key="transparent", kind=bool),
}
