"""What a PNG that was made here offers: the settings and the hashes inside it, so that it can be painted again.

The text may come from anywhere: nothing in it is believed before it has been checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nst import image
from nst.config import MAX_STYLES, Settings
from nst.errors import GalleryError, SettingsError
from nst.exchange.documents import read_json
from nst.gallery import Gallery, Input, StyleUse
from nst.gallery.entry import EXTENSIONS, changes_of, clean_text
from nst.gallery.files import PNG_TEXT_KEY
from nst.result import Change, NetworkInfo

MAX_TEXT = 256 * 2**10
"""Bytes of the texts in a picture; ours have a few thousand."""


@dataclass(frozen=True)
class Offer:
    """How a picture was made, as far as it tells."""

    settings: Settings
    """Those at the end of the run."""
    changes: tuple[Change, ...]
    """Of the settings while the run went on."""
    content: Input | None
    """The photograph, without its label; None where the picture doesn't tell, as those of the command line."""
    styles: tuple[Input, ...]
    """The style pictures with their weights, without labels; empty where the picture doesn't tell."""
    initial: Input | None
    """What painting started from, where that was a picture."""
    network: NetworkInfo | None
    """Which network looked at the pictures; its `source` is empty."""


def offered(data: bytes) -> Offer | None:
    """What the PNG file `data` says about how it was made; None where it says nothing or is of another format.

    Raises `ImageError` where the file is damaged or has too much text, and `SettingsError` where the text can't be
    used.
    """
    if not data.startswith(b"\x89PNG"):
        return None
    text = image.read_png_text(data, limit=MAX_TEXT).get(PNG_TEXT_KEY)
    if text is None:
        return None
    told = read_json(text, "What this picture says about its making", SettingsError)
    try:
        return _offer(told)
    except (GalleryError, SettingsError) as error:
        reason = str(error).replace("metadata.json", "The text")[:300]
        raise SettingsError(
            f"What this picture says about its making can't be used. Received: {reason} "
            "Choose another picture, or set the settings by hand."
        ) from error


def matching(gallery: Gallery, offer: Offer) -> tuple[Input | None, list[Input | None]]:
    """The content and the styles of an offer that this gallery has, with the labels they have here; else None."""
    facets = gallery.facets()
    content = offer.content and _kept(gallery, offer.content, facets.contents)
    return content, [_kept(gallery, style, facets.styles) for style in offer.styles]


def kept(gallery: Gallery, picture: Input) -> Input | None:
    """The picture as this gallery keeps it, whatever its format is said to be; None where it has none of this hash."""
    for ext in (picture.ext, *EXTENSIONS):
        here = replace(picture, ext=ext)
        if gallery.input_path(here).is_file():
            return here
    return None


def _kept(gallery: Gallery, picture: Input, uses: Mapping[str, StyleUse]) -> Input | None:
    here = kept(gallery, picture)
    return replace(here, label=uses[here.sha256].label) if here and here.sha256 in uses else here


def _offer(told: Any) -> Offer:
    if not isinstance(told, dict):
        raise SettingsError("A text that is no table of names and values.")
    styles = told.get("styles", [])
    if not isinstance(styles, list) or len(styles) > MAX_STYLES:
        raise SettingsError(f"Styles that are no list of at most {MAX_STYLES}.")
    return Offer(
        settings=Settings.from_dict(told.get("settings")),
        changes=changes_of(told),
        content=_input(told.get("content")),
        styles=tuple(style for style in map(_input, styles) if style is not None),
        initial=_input(told.get("initial")),
        network=_network(told.get("network")),
    )


def _input(told: Any) -> Input | None:
    if told is None:
        return None
    if not isinstance(told, dict):
        raise SettingsError("A picture that is no table of names and values.")
    return Input.from_dict({"label": "picture"} | told)


def _network(told: Any) -> NetworkInfo | None:
    if told is None:
        return None
    if not isinstance(told, dict) or not all(isinstance(told.get(key), str) for key in ("name", "sha256")):
        raise SettingsError("A network without name or hash.")
    return NetworkInfo(clean_text(told["name"]), clean_text(told["sha256"]), "")
