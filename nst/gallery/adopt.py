"""Entries that were made elsewhere: which of their files may come in, and what is made anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nst import image
from nst.errors import GalleryError
from nst.gallery.entry import Entry
from nst.gallery.files import record_bytes
from nst.gallery.pictures import previews

_FILE = re.compile(r"[a-z][0-9a-z.-]{0,60}\.(png|tiff|csv|jpg|webp)")
_FRAME = re.compile(r"[0-9A-Za-z_-]{1,60}\.jpg")
"""How files may be named: no path leads out of an entry's folder."""


def adoptable(entry: Entry, files: Mapping[str, bytes], frames: Iterable[str]) -> dict[str, bytes]:
    """The files of the entry's folder besides frames; see `Gallery.adopt`."""
    kept = {name: data for name, data in files.items() if name != "metadata.json"}
    bad = [name for name in kept if not _FILE.fullmatch(name)]
    bad += [name for name in frames if not _FRAME.fullmatch(name)]
    if bad or not {"result.png", "losses.csv"} <= kept.keys():
        raise GalleryError(
            f"These are not the files of a result. Received: {', '.join(map(repr, bad or sorted(kept))):.200}. "
            "Export it again."
        )
    if entry.thumbnail_path.name not in kept:
        picture = image.load(kept["result.png"])
        kept |= previews(entry, (picture.rgb, picture.alpha))
    return kept | {"metadata.json": record_bytes(entry.to_dict())}
