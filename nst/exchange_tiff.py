"""Reading a TIFF file with 16 bits a channel that should be one of ours, and unpacking no more than it should have."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

from nst.errors import ImageError

_DEFLATE = (8, 32946)
_DIFFERENCES = 2


def read_tiff16(data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The pixels of a file that `nst.image.encode_tiff16` wrote: float32 in [0, 1] of `shape`, which is (h, w, 3 or 4).

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
