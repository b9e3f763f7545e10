"""Open, orient, colour-manage, resize, save: everything between a file and an array.

Inside the program a picture is float32 sRGB in [0, 1]. Only Pillow and NumPy are needed here.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from nst.config import MAX_SIZE, Side
from nst.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
"""What `load` reads, by Pillow's names; the content of a file decides, never its name."""

MAX_PIXELS = 100_000_000
MIN_SIDE = 16

_READABLE = "Choose a JPEG, PNG, WebP, TIFF or AVIF file."
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I", "F")
_TIFF_BITS_PER_SAMPLE, _TIFF_PHOTOMETRIC = 258, 262
_NO_TEXT: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so pictures compare by identity
class Picture:
    """A picture as the engine takes it, and the fingerprint of the file it came from."""

    rgb: np.ndarray
    """(H, W, 3) float32 sRGB in [0, 1]."""
    alpha: np.ndarray | None
    """(H, W) float32 in [0, 1], 0 is transparent; None where every pixel is opaque."""
    sha256: str
    """Of the file's bytes, in hexadecimal."""

    @property
    def height(self) -> int:
        return self.rgb.shape[0]

    @property
    def width(self) -> int:
        return self.rgb.shape[1]


# Reading ---------------------------------------------------------------------------------------------------------


def load(source: str | Path | bytes) -> Picture:
    """Read a JPEG, PNG, WebP, TIFF or AVIF file, given by its path or as its bytes.

    EXIF orientation is applied and colours are converted from the embedded ICC profile to sRGB (see `_to_srgb` for
    profiles that can't be used). Of animations and multi-page files the first frame is taken. 16-bit greyscale keeps
    its 16 bits; Pillow reduces 16-bit colour to 8 bits a channel. 32-bit integers count as 16-bit values and must lie
    in 0 to 65535, floating-point pixels in 0 to 1. Fully transparent pixels take the mean visible colour, since what
    a file keeps under them is arbitrary and would otherwise be painted with.

    Raises `ImageError` when the file is missing, unreadable, of another kind, damaged or fully transparent, when a
    side is below `MIN_SIDE` pixels or when there are more than `MAX_PIXELS`, which is known before decoding.
    """
    name, data = _read(source)
    image = _decode(data, name)
    rgb, alpha = _deep_arrays(image, name) if image.mode in _DEEP_MODES else _arrays(image)
    if alpha is not None and alpha.min() == 1:
        alpha = None
    if alpha is not None:
        _fill_hidden(rgb, alpha, name)
    return Picture(rgb, alpha, hashlib.sha256(data).hexdigest())


def _read(source: str | Path | bytes) -> tuple[str, bytes]:
    """What to call the file in messages, and its bytes."""
    if isinstance(source, bytes):
        return "The picture", source
    path = Path(source)
    try:
        if path.is_file():  # not a device or a pipe, which might never end
            return path.name, path.read_bytes()
        if path.is_dir():
            raise ImageError(f"{path.name or path} is a folder, not a picture. {_READABLE}")
    except OSError as error:
        raise ImageError(f"{path.name} can't be read: {error.strerror}. Check its permissions.") from error
    raise ImageError(f"There is no file called {path.name}. Check the path, or choose the file again.")


def _decode(data: bytes, name: str) -> Image.Image:
    """The first frame, decoded and upright; its size is checked before any pixel is."""
    reader = _reader(data, name)
    # Whatever a damaged file makes a decoder raise, from struct.error to AssertionError, means the same to the reader.
    try:
        image = reader(io.BytesIO(data), "")
    except Image.DecompressionBombError:  # WebP only: its plugin checks by itself
        raise ImageError(f"{name} has more than {MAX_PIXELS:,} pixels. Make it smaller first.") from None
    except Exception as error:
        raise ImageError(_damaged(data, name)) from error
    _check_size(image.size, name)
    try:
        image.load()
    except Exception as error:
        raise ImageError(_damaged(data, name)) from error
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        # EXIF that can't be parsed states no orientation: the pixels stand as stored, as in any viewer. Where only
        # rewriting the EXIF failed, the pixels are upright already.
        return image
    return image


def _reader(data: bytes, name: str) -> Any:
    """Pillow's reader for the format the content shows.

    Taken from Pillow's registry because `Image.open` would apply the limit that Pillow keeps in a global variable:
    it can't be changed for one of several threads, its warning (from 89 megapixels, which we allow) goes through the
    equally global warning filters, and its error doesn't tell the size. `MAX_PIXELS` is checked here instead.
    """
    Image.init()
    prefix = data[:16]
    if not _is_heic(data):
        for format_ in FORMATS:
            factory, accept = Image.OPEN[format_]
            if accept is not None and accept(prefix) is True:
                return factory
    raise ImageError(_unknown(data, name))


def _is_heic(data: bytes) -> bool:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return data[4:8] == b"ftyp" and any(brand in brands for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis"))


def _unknown(data: bytes, name: str) -> str:
    if not data:
        return f"{name} is empty. Received: 0 bytes. {_READABLE}"
    if _is_heic(data):
        return f"{name} is a HEIC picture: iPhone HEIC isn't supported. Export it as JPEG and choose that file."
    if data.startswith((b"GIF87a", b"GIF89a")):
        return f"{name} is a GIF, which isn't supported. Export it as PNG and choose that file."
    if b"<svg" in data[:1024].lower():
        return f"{name} is an SVG drawing, which has no pixels. Export it as PNG and choose that file."
    return f"{name} is not a picture in a format we can read. Received: {len(data):,} bytes. {_READABLE}"


def _damaged(data: bytes, name: str) -> str:
    return (
        f"{name} is damaged, incomplete or of an unusual variety. Received: {len(data):,} bytes. "
        "Download it again, or open it in another program and export it as PNG."
    )


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name} has too many pixels. Received: {width} x {height}, the most is {MAX_PIXELS:,} pixels. "
            "Make it smaller first."
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is too small. Received: {width} x {height}, each side must have at least {MIN_SIDE} pixels. "
            "Choose a larger picture."
        )


# Pixels to arrays ------------------------------------------------------------------------------------------------


def _arrays(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """rgb and alpha of a picture with 8 bits a channel."""
    icc = image.info.get("icc_profile")
    if not image.has_transparency_data:
        return _unit(_to_srgb(image, icc)), None
    if image.mode == "La":  # Pillow converts premultiplied grey only in two steps
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    colour = image.convert("L") if image.mode in ("L", "LA") else rgba.convert("RGB")
    return _unit(_to_srgb(colour, icc)), _unit(rgba.getchannel("A"))


def _unit(image: Image.Image) -> np.ndarray:
    return np.divide(np.asarray(image), 255, dtype=np.float32)


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An RGB image in sRGB.

    A profile that is broken or made for another kind of colour (left behind by a conversion, say) counts as absent,
    and the numbers are taken as they stand. Nothing is made up by that: without a usable profile they have no other
    meaning, and every browser shows them so; the preview and the engine see the same picture.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        described = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}[profile.profile.xcolor_space]
        if described == "RGB" and image.mode not in ("CMYK", "LAB"):
            image = image.convert("RGB")
        if image.mode != described:
            return image.convert("RGB")
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        if described == "L":  # the shortcut that lcms takes for grey is up to ten levels off in the shadows
            flags |= ImageCms.Flags.NOOPTIMIZE
        converted = ImageCms.profileToProfile(
            image,
            profile,
            ImageCms.createProfile("sRGB"),
            # Colours that sRGB can show stay as they are, and black stays black.
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=flags,
        )
    except (ImageCms.PyCMSError, OSError, KeyError, TypeError, ValueError):
        return image.convert("RGB")
    assert converted is not None  # only in-place conversions return None
    return converted


def _deep_arrays(image: Image.Image, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """rgb and alpha of greyscale with more than 8 bits, keeping the precision."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})  # TIFF
    bits = tags.get(_TIFF_BITS_PER_SAMPLE, (16,))[0] if image.mode.startswith("I;16") else 16
    most = 1 if image.mode == "F" else 2**bits - 1
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= most):  # also when NaN
        raise ImageError(
            f"{name} has pixel values outside 0 to {most}. Received: {low:g} to {high:g}. "
            "Export it as 8-bit or 16-bit PNG."
        )
    key = image.info.get("transparency")
    alpha = None if key is None else (values != key).astype(np.float32)
    values = np.divide(values, most, dtype=np.float32)
    if tags.get(_TIFF_PHOTOMETRIC) == 0:  # white is zero, which Pillow heeds up to 8 bits only
        values = 1 - values
    # Pillow's colour management has 8 bits: let it convert 256 greys, and interpolate between them.
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    table = _unit(_to_srgb(ramp, image.info.get("icc_profile")))[0]  # (256, 3)
    greys = np.linspace(0, 1, 256)
    return np.stack([np.interp(values, greys, column).astype(np.float32) for column in table.T], axis=-1), alpha


def _fill_hidden(rgb: np.ndarray, alpha: np.ndarray, name: str) -> None:
    if alpha.max() == 0:
        raise ImageError(f"{name} is fully transparent: nothing of it can be seen. Choose another picture.")
    hidden = alpha == 0
    if hidden.any():
        rows = np.einsum("hw,hwc->hc", alpha, rgb)  # summed by rows, because float32 loses count over a whole picture
        rgb[hidden] = rows.sum(axis=0, dtype=np.float64) / alpha.sum(dtype=np.float64)


# Sizes -----------------------------------------------------------------------------------------------------------


def fitted_size(width: int, height: int, size: int, side: Side = "longest") -> tuple[int, int]:
    """The (width, height) in pixels with the side that `side` names equal to `size` and the aspect ratio kept.

    Raises `ImageError` when the other side falls below `MIN_SIDE` or the whole exceeds `MAX_PIXELS`.
    """
    named = height if side == "height" else max(width, height)
    fitted_width, fitted_height = ((2 * length * size + named) // (2 * named) for length in (width, height))
    if min(fitted_width, fitted_height) < MIN_SIDE:
        short = min(width, height)
        enough = -(-(2 * MIN_SIDE - 1) * named // (2 * short))
        advice = f"Choose at least size {enough}" if enough <= MAX_SIZE else "Crop the picture"
        raise ImageError(
            f"The picture would be too thin. Received: {width} x {height} at size {size}, which gives "
            f"{fitted_width} x {fitted_height}; each side must have at least {MIN_SIDE} pixels. {advice}."
        )
    if fitted_width * fitted_height > MAX_PIXELS:
        raise ImageError(
            f"The picture would be too large. Received: {width} x {height} at size {size}, which gives "
            f"{fitted_width} x {fitted_height}; the most is {MAX_PIXELS:,} pixels. Choose a smaller size."
        )
    return fitted_width, fitted_height


def resize(array: np.ndarray, size: tuple[int, int], *, soft: bool = False) -> np.ndarray:
    """Resample (H, W) or (H, W, C) float in [0, 1] to `size`, a (width, height), antialiased.

    By Lanczos, which is crisp and made for people; `soft` takes the triangle filter instead, which is what the
    classic programs show their networks: Lanczos' overshoot would raise a style's Gram matrices by a third.
    Returns float32 in [0, 1], clipped where Lanczos overshoots; the very same array where the size is right already.
    """
    if array.shape[1::-1] == size:
        return array
    if array.ndim == 3:
        return np.stack([resize(array[..., channel], size, soft=soft) for channel in range(array.shape[2])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(array, np.float32))
    resampling = Image.Resampling.BILINEAR if soft else Image.Resampling.LANCZOS
    return np.clip(np.asarray(image.resize(size, resampling)), 0, 1)


# Writing ---------------------------------------------------------------------------------------------------------


def to_uint8(array: np.ndarray) -> np.ndarray:
    """Floats as uint8 of the same shape: [0, 1] to [0, 255] rounded to nearest, clipped outside.

    Raises `ImageError` when a value is NaN.
    """
    return levels(array, 255).astype(np.uint8)


def levels(array: np.ndarray, most: int) -> np.ndarray:
    if np.isnan(array).any():
        raise ImageError("The picture contains values that are no numbers (NaN). Lower the learning rate or strength.")
    return np.rint(np.clip(array, 0, 1) * most)


def encode_png(rgb: np.ndarray, alpha: np.ndarray | None = None, text: Mapping[str, str] = _NO_TEXT) -> bytes:
    """A PNG file of (H, W, 3) float sRGB in [0, 1], with `text` embedded where `read_png_text` finds it.

    `alpha`, (h, w) float in [0, 1], is resized to the picture and makes the file RGBA. An sRGB chunk states the
    colour space; no other metadata is written. Raises `ImageError` on NaN, and when a key of `text` isn't 1 to 79
    Latin-1 characters or a value isn't valid Unicode.
    """
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")  # a profile made by Pillow would hold the date, and no two files would be equal
    for key, value in text.items():
        _check_text(key, value)
        info.add_text(key, value)  # tEXt where Latin-1 suffices, else iTXt
    return _encoded(_image(rgb, alpha), "PNG", pnginfo=info)


def encode_jpeg(rgb: np.ndarray, alpha: np.ndarray | None = None, *, quality: int = 95) -> bytes:
    """A JPEG file of (H, W, 3) float sRGB in [0, 1], without chroma subsampling and without any metadata.

    JPEG knows no transparency: where there is an `alpha`, the picture is composited on white. Raises `ImageError` on
    NaN, and when a side exceeds what JPEG can hold.
    """
    if alpha is not None:
        opacity = resize(alpha, rgb.shape[1::-1])[..., None]  # (h, w, 1)
        rgb = rgb * opacity + (1 - opacity)
    return _encoded(_image(rgb, None), "JPEG", quality=quality, subsampling="4:4:4", optimize=True)


def encode_webp(rgb: np.ndarray, alpha: np.ndarray | None = None, *, quality: int = 95) -> bytes:
    """A lossy WebP file of (H, W, 3) float sRGB in [0, 1], RGBA where there is an `alpha`, without any metadata.

    Raises `ImageError` on NaN, and when a side exceeds what WebP can hold (16383 pixels).
    """
    return _encoded(_image(rgb, alpha), "WEBP", quality=quality)


def thumbnail(rgb: np.ndarray, alpha: np.ndarray | None = None, longest: int = 320) -> bytes:
    """A small preview whose longest side has at most `longest` pixels: a JPEG file, or WebP where there is an `alpha`.

    Takes (H, W, 3) and (H, W) float sRGB in [0, 1]. Small pictures are not enlarged. Raises `ImageError` on NaN.
    """
    height, width = rgb.shape[:2]
    scale = min(1, longest / max(width, height))
    small = resize(rgb, (max(1, round(width * scale)), max(1, round(height * scale))))
    return encode_jpeg(small, quality=85) if alpha is None else encode_webp(small, alpha, quality=85)


def _image(rgb: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    """A Pillow image made from the pixels alone, so that nothing of an upload's metadata can come along."""
    if alpha is None:
        return Image.fromarray(to_uint8(rgb))
    return Image.fromarray(np.dstack([to_uint8(rgb), to_uint8(resize(alpha, rgb.shape[1::-1]))]))


def _encoded(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    try:
        image.save(file, format_, **options)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"The picture can't be saved as {format_}. Received: {image.width} x {image.height} pixels. "
            "Save it as PNG, or at a smaller size."
        ) from error
    return file.getvalue()


# Text inside PNG files -------------------------------------------------------------------------------------------


def _check_text(key: str, value: str) -> None:
    try:
        value.encode("utf-8")
        fits = 1 <= len(key.encode("latin-1")) <= 79 and "\0" not in key
    except UnicodeError:
        fits = False
    if not fits:
        raise ImageError(
            f"A text can't be embedded in a PNG file. Received: the key {key[:99]!r}. "
            "Keys must be 1 to 79 Latin-1 characters, values valid Unicode."
        )


def read_png_text(data: bytes | Path, *, limit: int = 1_000_000) -> dict[str, str]:
    """The texts embedded in a PNG file, such as one made by `encode_png`, given by its bytes or its path.

    No pixel is decoded, and never more than `limit` bytes of compressed text are unpacked. Raises `ImageError` when
    the file can't be read, is no PNG, is damaged, or when keys and texts together exceed `limit` bytes.
    """
    name, content = _read(data)
    texts: dict[str, str] = {}
    room = limit
    try:
        for kind, body in _png_chunks(content):
            if kind not in (b"tEXt", b"zTXt", b"iTXt"):
                continue
            key, text = _png_text(kind, body, room)
            room -= len(key) + len(text)
            if room < 0:
                raise ImageError(f"{name} contains too much text. Received: more than {limit:,} bytes. Choose another.")
            texts[key.decode("latin-1")] = text.decode("utf-8" if kind == b"iTXt" else "latin-1")
    except ImageError:
        raise
    except (ValueError, IndexError, zlib.error) as error:
        raise ImageError(f"{name} is no intact PNG file. Received: {len(content):,} bytes. Choose another.") from error
    return texts


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each chunk up to IEND; `ValueError` where one is cut short or its checksum is wrong."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("no PNG signature")
    start = 8
    while True:
        length = int.from_bytes(content[start : start + 4], "big")
        end = start + 8 + length
        kind, body, crc = content[start + 4 : start + 8], content[start + 8 : end], content[end : end + 4]
        if len(crc) < 4 or zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(crc, "big"):
            raise ValueError("damaged chunk")
        if kind == b"IEND":
            return
        yield kind, body
        start = end + 4


def _png_text(kind: bytes, body: bytes, room: int) -> tuple[bytes, bytes]:
    """Key and text of a chunk as bytes; of a compressed text at most one byte more than `room`."""
    key, text = body.split(b"\0", 1)
    packed = kind == b"zTXt"
    if kind == b"zTXt":
        text = text[1:]  # the compression method, of which there is one
    if kind == b"iTXt":
        packed = text[0] == 1
        _language, _translated_key, text = text[2:].split(b"\0", 2)
    if not packed:
        return key, text
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(text, room + 1)
    if not unpacker.eof and len(text) <= room:
        raise ValueError("compressed text is cut short")
    return key, text
