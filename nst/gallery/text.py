"""Texts and ids of the gallery: what may stand in a name, a tag or a note, and how texts are compared.

All of them may come from anywhere: a form, an uploaded file's name, a copied folder.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from nst.errors import GalleryError

MAX_TEXT = 200
"""Characters of a name or a label."""
MAX_TAGS, MAX_TAG = 20, 40
"""Tags of an entry, and characters of each."""
MAX_NOTE = 5000
"""Characters of a note."""

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_PICTURE_SUFFIX = re.compile(r"\.(jpe?g|png|webp|tiff?|avif)$", re.IGNORECASE)
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|[\r\x85\u2028\u2029]")


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


def one_line(text: str) -> str:
    """A text without line breaks, control characters and what no file can hold; single blanks between words.

    Nor has it characters that turn the direction of what follows them: a name could look like another.
    """
    visible = (" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in _TURNS.sub("", text))
    return " ".join("".join(visible).split())


def writable(text: str) -> str:
    """A text without halves of surrogate pairs, which no file and no page can hold."""
    return _SURROGATE.sub("", text)


def clean_text(text: str) -> str:
    """One line of at most `MAX_TEXT` characters, without control characters and what no file can hold."""
    return one_line(text)[:MAX_TEXT].rstrip()


def clean_note(text: str) -> str:
    """Lines without control characters and what no file can hold; raises `GalleryError` above `MAX_NOTE` characters."""
    lines = _LINE_END.sub("\n", text).replace("\t", " ")
    kept = "".join(char for char in lines if char == "\n" or unicodedata.category(char) not in ("Cc", "Cs")).strip()
    if len(kept) > MAX_NOTE:
        raise GalleryError(
            f"A note may have {MAX_NOTE:,} characters at most. Received: {len(kept):,} characters. Shorten it."
        )
    return kept


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as one line each, in the order given, each once whatever its case; empty ones are left out.

    Raises `GalleryError` where one has more than `MAX_TAG` characters or there are more than `MAX_TAGS`.
    """
    kept: dict[str, str] = {}
    for tag in map(one_line, tags):
        if len(tag) > MAX_TAG:
            raise GalleryError(f"A tag may have {MAX_TAG} characters at most. Received: {tag!r:.80}. Shorten it.")
        if tag:
            kept.setdefault(fold(tag), tag)
        if len(kept) > MAX_TAGS:
            raise GalleryError(f"A result may have {MAX_TAGS} tags at most. Received: more than that. Remove some.")
    return tuple(kept.values())


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
