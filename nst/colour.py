"""Whose colours a finished picture wears, chosen after the fact: its own, the photograph's, or its own matched to them.

After Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural Artistic Style Transfer" (2016), applied to
the result instead of to the style, so that it can be changed at any time without painting anew. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from nst import image
from nst.errors import SettingsError

Colours = Literal["own", "photograph", "matched"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in Y of YIQ and YUV (ITU-R BT.601), as in the paper."""

LEVEL = 1 / 255
"""A spread of colour smaller than this, one level of 8 bits, is taken for noise and not amplified without bound."""

_CHUNK = 1 << 18  # pixels summed at a time, so that large pictures are never held in double precision


@dataclass(frozen=True)
class Look:
    """How a result is shown and saved. Raises `SettingsError` when a value is none of those allowed."""

    colours: Colours = "own"
    """The picture's own; "photograph": the photograph's, with the picture's luminance; "matched": the picture's, moved
    and stretched until their mean and covariance are the photograph's."""
    blend: float = 1.0
    """0 is the photograph, 1 the picture."""

    def __post_init__(self) -> None:
        known = get_args(Colours)
        if self.colours not in known:
            raise SettingsError(
                f"colours is not known. Received: {self.colours!r:.200}. Choose one of: {', '.join(known)}."
            )
        number = isinstance(self.blend, (int, float)) and not isinstance(self.blend, bool)
        if not number or not 0 <= self.blend <= 1:  # which also refuses NaN
            raise SettingsError(f"blend must be a number from 0 to 1. Received: {self.blend!r:.200}.")
        object.__setattr__(self, "blend", float(self.blend))

    @property
    def plain(self) -> bool:
        """Whether this look leaves the picture as it is."""
        return self == Look()

    def to_dict(self) -> dict[str, Any]:
        """The look as JSON types."""
        return {"colours": self.colours, "blend": self.blend}

    @classmethod
    def from_dict(cls, data: Any) -> Look:
        """The reverse of `to_dict`, for data that may come from anywhere; what is missing takes its default.

        Raises `SettingsError` on anything that is no look.
        """
        if not isinstance(data, dict):
            raise SettingsError(f"A look must be a table of names and values. Received: {type(data).__name__}.")
        if unknown := sorted(str(name) for name in data if name not in ("colours", "blend")):
            raise SettingsError(f"Unknown parts of a look. Received: {', '.join(unknown):.200}. Known: colours, blend.")
        return cls(**data)


def apply(picture: np.ndarray, photograph: np.ndarray, look: Look) -> np.ndarray:
    """`picture` as `look` wants it: (h, w, 3) float32 sRGB in [0, 1], the very same array where nothing changes.

    Both are (h, w, 3) float32 sRGB in [0, 1]; the photograph is resized to the picture.
    """
    if look.plain:
        return picture
    photograph = image.resize(photograph, picture.shape[1::-1])
    if look.blend == 0:
        return photograph
    share = np.float32(look.blend)
    return np.clip((1 - share) * photograph + share * _coloured(picture, photograph, look.colours), 0, 1)


def _coloured(picture: np.ndarray, photograph: np.ndarray, colours: Colours) -> np.ndarray:
    if colours == "own":
        return picture
    if colours == "photograph":
        return _into_range(picture @ LUMA, photograph - (photograph @ LUMA)[..., None])
    matched = _matched(picture, photograph)
    luminance = matched @ LUMA
    return _into_range(luminance, matched - luminance[..., None])


def _into_range(luminance: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(h, w) luminance plus (h, w, 3) chroma, a colour less its luminance, as sRGB in [0, 1].

    Where no such colour exists, chroma gives way until it does: clipping the channels would change the luminance,
    which carries the strokes, and the hue. To add a colour less its luminance is to replace I and Q of YIQ.
    """
    luminance = np.clip(luminance, 0, 1)
    red, green, blue = chroma[..., 0], chroma[..., 1], chroma[..., 2]  # three times as quick as along the last axis
    above = np.maximum(np.maximum(red, green), blue)
    below = -np.minimum(np.minimum(red, green), blue)
    tiny = np.float32(1e-12)
    share = np.minimum((1 - luminance) / np.maximum(above, tiny), luminance / np.maximum(below, tiny))
    return np.clip(luminance[..., None] + np.minimum(share, 1)[..., None] * chroma, 0, 1)


# Mean and covariance ---------------------------------------------------------------------------------------------


def _matched(picture: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """`picture` with the photograph's mean colour and covariance; float32, values may lie outside [0, 1]."""
    mean, covariance = _moments(picture)
    wanted_mean, wanted_covariance = _moments(photograph)
    transport = _transport(covariance, wanted_covariance)
    offset = wanted_mean - transport @ mean
    return picture @ transport.T.astype(np.float32) + offset.astype(np.float32)


def _moments(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and covariance (3, 3) of the colours, in double precision."""
    pixels = picture.reshape(-1, 3)  # (h * w, 3)
    total, squares = np.zeros(3), np.zeros((3, 3))
    for start in range(0, len(pixels), _CHUNK):
        centred = pixels[start : start + _CHUNK].astype(np.float64) - 0.5  # smaller numbers, fewer digits lost
        total += centred.sum(axis=0)
        squares += centred.T @ centred
    mean = total / len(pixels)
    return mean + 0.5, squares / len(pixels) - np.outer(mean, mean)


def _transport(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The symmetric matrix T with T source T = target: of all that match, the one that moves colours least.

    The Monge-Kantorovich map, source^-1/2 (source^1/2 target source^1/2)^1/2 source^-1/2. The paper takes the
    Cholesky or the plain square root instead, which turn hues more. Directions in which the source hardly varies
    (greyscale, one flat colour) count as varying by one `LEVEL`: a grey picture is toned as the photograph is.
    """
    values, vectors = np.linalg.eigh(source)
    spreads = np.sqrt(np.maximum(values, LEVEL**2))
    root, inverse = (vectors * spreads) @ vectors.T, (vectors / spreads) @ vectors.T
    values, vectors = np.linalg.eigh(root @ target @ root)
    middle = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # rounding makes zeros slightly negative
    return inverse @ middle @ inverse
