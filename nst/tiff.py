"""TIFF files with 16 bits a channel, which Pillow has no colour mode for: writing them, and reading back our own.

A file that is read may come from anywhere, so no more is unpacked than it should have.
"""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
from PIL import ImageCms

from nst import image
from nst.errors import ImageError

_DEFLATE = (8, 32946)
_DIFFERENCES = 2


def encode_tiff16(rgb: np.ndarray, alpha: np.ndarray | None = None) -> bytes:
    """A TIFF file with 16 bits a channel of (H, W, 3) float sRGB in [0, 1], for programs that edit further.

    `alpha`, (h, w) float in [0, 1], is resized to the picture and makes the file RGBA, not premultiplied. Compressed
    without loss (deflate on differences along the rows); an ICC profile states sRGB; no other metadata is written,
    and the same picture gives the same bytes. Raises `ImageError` on NaN.
    """
    import tifffile  # only here: it would slow down every start

    channels = rgb if alpha is None else np.dstack([rgb, image.resize(alpha, rgb.shape[1::-1])])
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        image.levels(channels, 65535).astype(np.uint16),
        photometric="rgb",
        extrasamples=() if alpha is None else ("unassalpha",),
        compression="zlib",
        predictor=True,
        iccprofile=_srgb_profile(),
        metadata=None,
        software=False,
    )
    return file.getvalue()


def _srgb_profile() -> bytes:
    """An ICC profile of sRGB, without the moment at which it was made."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # date and time in the header (ICC.1:2022, 7.2.1)
    return bytes(profile)


def read_tiff16(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of a file that `encode_tiff16` wrote: float32 in [0, 1] of `shape`, which is (h, w, 3 or 4).

    Raises `ImageError` where it is none, is damaged, or has another shape.
    """
    import tifffile  # only here: it would slow down every start

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            levels = _levels(file.pages[0], data, shape)
    except Exception as error:  # whatever a damaged file makes the decoder raise, it means the same
        raise ImageError(
            f"result.tiff is not the picture with 16 bits that it should be. Received: {len(data):,} bytes. "
            "Export the result again, or without 16 bits."
        ) from error
    return np.divide(levels, 65535, dtype=np.float32)


def _levels(page: Any, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """(h, w, c) uint16; `ValueError` where the page is of another variety than ours.

    Strips are unpacked here and not by tifffile, which would unpack whatever they hold, however much that is.
    """
    if page.shape != shape or page.dtype != np.uint16 or page.is_tiled or page.planarconfig != 1:
        raise ValueError("another variety")
    if page.compression not in _DEFLATE or page.predictor != _DIFFERENCES:
        raise ValueError("another compression")
    row = shape[1] * shape[2] * 2
    left = shape[0] * row
    strips = []
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        size = min(left, page.rowsperstrip * row)
        strip = zlib.decompressobj().decompress(data[offset : offset + count], size + 1)
        if len(strip) != size or size == 0:
            raise ValueError("another size")
        strips.append(strip)
        left -= size
    if left:
        raise ValueError("strips are missing")
    order = page.parent.byteorder
    differences = np.frombuffer(b"".join(strips), f"{order}u2").reshape(shape)
    return np.cumsum(differences, axis=1, dtype=np.uint16)
