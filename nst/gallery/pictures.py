"""The pictures of an entry as they are shown and handed out: with its look, in any format, at any size."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import ExifTags, Image

from nst import colour, image
from nst.colour import Look
from nst.errors import GalleryError, ImageError
from nst.gallery.entry import Entry, read_bytes
from nst.gallery.files import JPEG_QUALITY, PNG_TEXT_KEY, PREVIEW_SIDE, THUMBNAIL_SIDE, load
from nst.tiff import encode_tiff16, read_tiff16

Format = Literal["png", "jpeg", "webp", "tiff"]
Pixels = tuple[np.ndarray, np.ndarray | None]
"""(h, w, 3) and (h, w), float32 sRGB in [0, 1]; None where every pixel is opaque."""


def encoded(entry: Entry, format_: Format, look: Look) -> bytes:
    """See `Gallery.picture`."""
    if format_ not in get_args(Format):
        known = ", ".join(get_args(Format))
        raise GalleryError(f"Unknown format of a picture. Received: {format_!r:.40}. Choose one of: {known}.")
    if look.plain and format_ == "png":
        return read_bytes(entry.picture_path)
    if look.plain and format_ == "tiff" and entry.deep_path.is_file():
        return read_bytes(entry.deep_path)
    rgb, alpha = looked(entry, look)
    if format_ == "png":
        return image.encode_png(rgb, alpha, text={PNG_TEXT_KEY: entry.png_text()})
    encode: dict[str, Callable[..., bytes]] = {"webp": image.encode_webp, "tiff": encode_tiff16}
    if format_ == "jpeg":
        return image.encode_jpeg(rgb, alpha, quality=JPEG_QUALITY)
    return encode[format_](rgb, alpha)


def previews(entry: Entry, painted: Pixels | None = None) -> dict[str, bytes]:
    """The thumbnail and, where it is needed, the preview of an entry with the look it has, by file name.

    `painted` is the picture where its files are not in their place yet.
    """
    rgb, alpha = looked(entry, entry.look, painted)
    files = {entry.thumbnail_path.name: image.thumbnail(rgb, alpha, THUMBNAIL_SIDE)}
    if needs_preview(entry):
        files[entry.preview_path.name] = image.thumbnail(rgb, alpha, PREVIEW_SIDE)
    return files


def needs_preview(entry: Entry) -> bool:
    """Whether the screen can't be given `result.png` itself: it is too large, or without the look chosen."""
    return max(entry.width, entry.height) > PREVIEW_SIDE or not entry.look.plain


def looked(entry: Entry, look: Look, painted: Pixels | None = None) -> Pixels:
    """The picture with a look; raises `GalleryError` where it, or a photograph that is needed, is not intact."""
    rgb, alpha = painted or _stored(entry)
    if alpha is None and entry.transparent:
        alpha = np.ones(rgb.shape[:2], np.float32)  # `image.load` leaves out what hides nothing
    if not look.plain:
        rgb = colour.apply(rgb, load(entry.content_path).rgb, look)
    return rgb, alpha


def _stored(entry: Entry) -> Pixels:
    """The picture as it was painted: with 16 bits a channel where they were kept, else with 8."""
    if not entry.deep_path.is_file():
        picture = load(entry.picture_path)
        return picture.rgb, picture.alpha
    try:
        shape = (entry.height, entry.width, 4 if entry.transparent else 3)
        values = read_tiff16(read_bytes(entry.deep_path), shape)
    except ImageError as error:
        raise GalleryError(
            f"A picture of the gallery is damaged. Received: {entry.deep_path}. "
            "Restore it, or remove that file: result.png takes its place, with 8 bits a channel."
        ) from error
    return values[..., :3], values[..., 3] if entry.transparent else None


@lru_cache(maxsize=4096)
def upright_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of an input as `image.load` sees it, from the file's first bytes alone.

    Inputs never change, so that each is asked once. Raises `GalleryError` where the file is missing or damaged.
    """
    try:
        with Image.open(path, formats=image.FORMATS) as opened:
            lying = opened.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
            turned = lying and opened.format != "TIFF"  # whose size Pillow tells upright
            return opened.size[::-1] if turned else opened.size
    except Exception as error:  # whatever a damaged file makes a decoder raise, it means the same
        raise GalleryError(f"A picture of the gallery is missing or damaged. Received: {path}. Restore it.") from error
