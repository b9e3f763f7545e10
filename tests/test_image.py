"""Tests of nst.image on real files, made here with Pillow in every format and mode, and on hostile ones."""

import contextlib
import hashlib
import io
import math
import os
import struct
import threading
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from nst import image as nst_image
from nst.config import MAX_SIZE
from nst.errors import ImageError
from nst.image import (
    MAX_PIXELS,
    MIN_SIDE,
    encode_jpeg,
    encode_png,
    encode_webp,
    fitted_size,
    load,
    read_png_text,
    resize,
    thumbnail,
    to_uint8,
)
from nst.tiff import encode_tiff16

# Pillow warns of some kinds of damage and goes on.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

SHARED = Path(os.environ.get("NST_SHARED", Path(__file__).parents[2] / "shared"))
LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
LOSSY = {"JPEG": {"quality": 98, "subsampling": 0}, "AVIF": {"quality": 98, "subsampling": "4:4:4", "speed": 10}}


def picture(width: int = 40, height: int = 24) -> Image.Image:
    """Smooth and unlike itself under every rotation and mirroring."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((255 * np.stack([x, y, (x + y) ** 2 / 4], axis=-1)).astype(np.uint8))


def file_of(image: Image.Image, format_: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def floats(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.float32) / 255


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def grey_tiff(values: np.ndarray, *, bits: int, white_is_zero: bool = False) -> bytes:
    """A one-strip greyscale TIFF of the kinds Pillow doesn't write: 12 bits, or 16 with zero as white."""
    height, width = values.shape
    data = values.astype("<u2").tobytes()
    if bits == 12:
        pairs = values.reshape(-1, 2).astype(int)
        packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=-1)
        data = packed.astype(np.uint8).tobytes()
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 0 if white_is_zero else 1, 273: 8, 277: 1, 278: height}
    tags[279] = len(data)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


# Profiles --------------------------------------------------------------------------------------------------------


def icc_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal version 2 ICC profile."""
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"lcms", 0x02400000, b"mntr", space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + xyz(0.9642, 1.0, 0.8249)[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def wide_profile() -> bytes:
    """Adobe RGB (1998): its green lies far outside sRGB."""
    tags = {b"rXYZ": xyz(0.60974, 0.31111, 0.01947), b"gXYZ": xyz(0.20528, 0.62567, 0.06087)}
    tags |= {b"bXYZ": xyz(0.14919, 0.06322, 0.74457), b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    return icc_profile(b"RGB ", b"XYZ ", tags | {name: gamma(2.19921875) for name in (b"rTRC", b"gTRC", b"bTRC")})


def linear_grey_profile() -> bytes:
    return icc_profile(b"GRAY", b"XYZ ", {b"wtpt": xyz(0.9642, 1.0, 0.8249), b"kTRC": gamma(1.0)})


def cmyk_profile() -> bytes:
    """A table of the 16 corners in which, unlike on paper, cyan ink alone changes anything: it darkens to black."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([0 if cyan else 255, 128, 128]) for cyan in (0, 1) for _ in range(8))
    matrix = b"".join(struct.pack(">i", 65536 * one) for one in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + corners + ramp * 3
    return icc_profile(b"CMYK", b"Lab ", {b"A2B0": table, b"wtpt": xyz(0.9642, 1.0, 0.8249)})


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
def test_wide_colours_are_converted_to_srgb(format_: str) -> None:
    image = Image.new("RGB", (32, 32), (100, 150, 100))
    data = file_of(image, format_, icc_profile=wide_profile(), **(LOSSLESS | LOSSY)[format_])
    adobe = (np.array([100, 150, 100]) / 255) ** 2.19921875
    to_linear_srgb = np.array([[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]])
    np.testing.assert_allclose(load(data).rgb[16, 16], srgb_curve(to_linear_srgb @ adobe), atol=0.02)
    assert load(data).rgb[16, 16, 0] < 80 / 255, "unconverted it would be 100"


def test_grey_profile_is_converted_at_8_and_at_16_bits() -> None:
    levels = np.linspace(0, 1, 64)[None].repeat(16, axis=0)
    shallow = Image.fromarray(np.rint(levels * 255).astype(np.uint8))
    deep = Image.fromarray(np.rint(levels * 65535).astype(np.uint16))
    with_alpha = shallow.copy()
    with_alpha.putalpha(255)
    for image in (shallow, deep, with_alpha):
        rgb = load(file_of(image, icc_profile=linear_grey_profile())).rgb
        np.testing.assert_allclose(rgb[0, :, 1], srgb_curve(levels[0]), atol=0.012)


def test_cmyk_profile_is_used() -> None:
    data = file_of(Image.new("CMYK", (20, 20), (0, 255, 255, 255)), "TIFF", icc_profile=cmyk_profile())
    assert load(data).rgb.min() > 0.9, "without the profile it would be black"
    data = file_of(Image.new("CMYK", (20, 20), (255, 0, 0, 0)), "TIFF", icc_profile=cmyk_profile())
    assert load(data).rgb.max() < 0.1


NO_ASCII = icc_profile(b"\x80GB ", b"XYZ ", {})


@pytest.mark.parametrize(
    "profile", [b"no profile", wide_profile()[:200], linear_grey_profile(), cmyk_profile(), NO_ASCII]
)
def test_unusable_profile_counts_as_absent(profile: bytes) -> None:
    np.testing.assert_array_equal(load(file_of(picture(), icc_profile=profile)).rgb, floats(picture()))


def test_profile_of_another_tiff_type_counts_as_absent() -> None:
    data = file_of(picture(), "TIFF", icc_profile=wide_profile())
    tag = struct.pack("<HH", 34675, 7)
    assert data.count(tag) == 1
    np.testing.assert_array_equal(load(data.replace(tag, struct.pack("<HH", 34675, 2))).rgb, floats(picture()))


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_allclose(load(file_of(picture(), icc_profile=profile)).rgb, floats(picture()), atol=1.01 / 255)


# Formats and modes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_", LOSSLESS)
def test_lossless_formats_are_read_exactly(format_: str) -> None:
    loaded = load(file_of(picture(), format_, **LOSSLESS[format_]))
    assert loaded.rgb.dtype == np.float32
    assert (loaded.width, loaded.height, loaded.alpha) == (40, 24, None)
    np.testing.assert_array_equal(loaded.rgb, floats(picture()))


@pytest.mark.parametrize("format_", LOSSY)
def test_lossy_formats_are_read_closely(format_: str) -> None:
    loaded = load(file_of(picture(), format_, **LOSSY[format_]))
    np.testing.assert_allclose(loaded.rgb, floats(picture()), atol=8 / 255)


def test_path_str_and_bytes_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "painting.gif"  # the content decides, not the name
    path.write_bytes(file_of(picture()))
    for source in (path, str(path), path.read_bytes()):
        assert load(source).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        np.testing.assert_array_equal(load(source).rgb, floats(picture()))


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        *((mode, "PNG") for mode in ("1", "L", "P")),
        *((mode, "TIFF") for mode in ("1", "L", "P", "CMYK", "YCbCr")),
        *((mode, "JPEG") for mode in ("L", "CMYK", "YCbCr")),
        *(("L", format_) for format_ in ("WEBP", "AVIF")),
    ],
)
def test_modes_without_alpha(mode: str, format_: str) -> None:
    image = picture().convert(mode)
    loaded = load(file_of(image, format_, **(LOSSLESS | LOSSY)[format_]))
    assert loaded.alpha is None
    assert loaded.rgb.shape == (24, 40, 3)
    np.testing.assert_allclose(loaded.rgb, floats(image.convert("RGB")), atol=10 / 255)


def test_lab_tiff() -> None:
    lab = ImageCms.profileToProfile(
        picture(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    difference = np.abs(load(file_of(lab, "TIFF")).rgb - floats(picture()))
    assert difference.mean() < 2 / 255
    assert difference.max() < 40 / 255, "8-bit Lab is coarse where blue is dark"


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_precision(format_: str) -> None:
    ramp = np.arange(2048, dtype=np.uint16).reshape(32, 64) * 32
    rgb = load(file_of(Image.fromarray(ramp), format_)).rgb
    assert len(np.unique(rgb[..., 0])) == 2048
    np.testing.assert_allclose(rgb, (ramp / 65535)[..., None].repeat(3, axis=2), atol=1e-6)


def test_big_endian_16_bit_tiff() -> None:
    ramp = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64
    image = Image.frombytes("I;16B", (32, 32), ramp.astype(">u2").tobytes())
    np.testing.assert_allclose(load(file_of(image, "TIFF")).rgb[..., 0], ramp / 65535, atol=1e-6)


@pytest.mark.parametrize(("bits", "white_is_zero"), [(12, False), (16, True), (16, False)])
def test_rare_grey_tiffs(bits: int, white_is_zero: bool) -> None:
    ramp = np.linspace(0, 2**bits - 1, 1024).round().reshape(32, 32)
    rgb = load(grey_tiff(ramp, bits=bits, white_is_zero=white_is_zero)).rgb
    expected = ramp / (2**bits - 1)
    np.testing.assert_allclose(rgb[..., 2], 1 - expected if white_is_zero else expected, atol=1e-6)


def test_16_bit_colour_is_reduced_to_8() -> None:
    row = b"\0" + struct.pack(">3H", 0x1234, 0xFFFF, 0x0080) * 16
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(row * 16)) + chunk(b"IEND", b"")
    np.testing.assert_allclose(load(data).rgb[5, 5], [0x1234 / 65535, 1, 0x80 / 65535], atol=1 / 255)


def test_32_bit_integers_and_floats() -> None:
    whole = np.arange(1024, dtype=np.int32).reshape(32, 32) * 64
    np.testing.assert_allclose(load(file_of(Image.fromarray(whole), "TIFF")).rgb[..., 0], whole / 65535, atol=1e-6)
    real = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    np.testing.assert_allclose(load(file_of(Image.fromarray(real), "TIFF")).rgb[..., 0], real, atol=1e-6)


@pytest.mark.parametrize("bad", [-0.1, 1.5, math.nan, math.inf])
def test_floats_outside_the_range_are_refused(bad: float) -> None:
    real = np.full((20, 20), 0.5, np.float32)
    real[3, 3] = bad
    with pytest.raises(ImageError, match="outside 0 to 1"):
        load(file_of(Image.fromarray(real), "TIFF"))


@pytest.mark.parametrize("bad", [-1, 65536])
def test_integers_outside_the_range_are_refused(bad: int) -> None:
    with pytest.raises(ImageError, match="outside 0 to 65535"):
        load(file_of(Image.fromarray(np.full((20, 20), bad, np.int32)), "TIFF"))


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    for format_ in ("PNG", "WEBP", "TIFF", "AVIF"):
        data = file_of(frames[0], format_, save_all=True, append_images=frames[1:])
        np.testing.assert_allclose(load(data).rgb[10, 10], [1, 0, 0], atol=0.05)


# Transparency ----------------------------------------------------------------------------------------------------


def see_through(mode: str = "RGBA") -> Image.Image:
    """Left quarter hidden (with a loud colour under it), then half transparent, right half opaque."""
    image = picture().convert("RGBA")
    alpha = np.full((24, 40), 255, np.uint8)
    alpha[:, :10], alpha[:, 10:20] = 0, 128
    image.paste((255, 0, 255), (0, 0, 10, 24))
    image.putalpha(Image.fromarray(alpha))
    return image.convert(mode)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "WEBP", "AVIF"])
def test_alpha_is_kept_and_hidden_colours_are_not(format_: str) -> None:
    loaded = load(file_of(see_through(), format_, **(LOSSLESS | LOSSY)[format_]))
    assert loaded.alpha is not None
    assert loaded.alpha.dtype == np.float32
    np.testing.assert_allclose(loaded.alpha[0, [5, 15, 30]], [0, 128 / 255, 1], atol=2 / 255)
    hidden = loaded.alpha == 0
    visible_mean = np.average(loaded.rgb[~hidden], axis=0, weights=loaded.alpha[~hidden])
    np.testing.assert_allclose(loaded.rgb[hidden], np.broadcast_to(visible_mean, (240, 3)), atol=2e-3)
    np.testing.assert_allclose(loaded.rgb[:, 10:], floats(picture())[:, 10:], atol=10 / 255)


@pytest.mark.parametrize(("mode", "format_"), [("LA", "PNG"), ("LA", "TIFF"), ("PA", "TIFF")])
def test_grey_and_palette_alpha(mode: str, format_: str) -> None:
    image = see_through("LA")
    stored = image
    if mode == "PA":
        stored = image.convert("L").convert("P")
        stored.putalpha(image.getchannel("A"))
        assert stored.mode == "PA"
    loaded = load(file_of(stored, format_))
    np.testing.assert_array_equal(loaded.alpha, floats(image.getchannel("A")))
    np.testing.assert_allclose(loaded.rgb[:, 10:, 0], floats(image.getchannel("L"))[:, 10:], atol=2 / 255)


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_alpha(mode: str) -> None:
    straight = "LA" if mode == "La" else "RGBA"
    premultiplied = see_through(straight).convert(mode)
    raw = Image.frombytes(straight, premultiplied.size, premultiplied.tobytes())
    data = file_of(raw, "TIFF")  # Pillow writes no such file: tell it so by its tag ExtraSamples (338), 2 -> 1
    old, new = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert data.count(old) == 1
    data = data.replace(old, new)
    loaded = load(data)
    assert loaded.alpha is not None
    assert set(np.unique(loaded.alpha)) == {0, np.float32(128 / 255), 1}
    expected = floats(see_through(straight).convert("RGB"))
    np.testing.assert_allclose(loaded.rgb[:, 10:], expected[:, 10:], atol=3 / 255)


def test_transparent_colour_of_palette_grey_and_rgb_files() -> None:
    grey = np.full((20, 20), 200, np.uint8)
    grey[:, :5] = 7
    palette = Image.fromarray(grey).convert("P")
    mixed = bytes([255] * 7 + [0] + [255] * 192 + [64])
    deep = Image.fromarray(grey.astype(np.uint16))
    cases = [(Image.fromarray(grey), 7), (Image.fromarray(grey).convert("RGB"), (7, 7, 7)), (palette, 7), (deep, 7)]
    for image, key in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = load(file_of(image, transparency=key))
        np.testing.assert_array_equal(loaded.alpha, grey != 7)
        np.testing.assert_allclose(loaded.rgb, loaded.rgb[10, 10, 0], atol=1e-6, err_msg="hidden takes visible colour")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load(file_of(palette, transparency=mixed))
    assert set(np.unique(loaded.alpha)) == {0, np.float32(64 / 255)}


def test_opaque_alpha_is_none() -> None:
    assert load(file_of(picture().convert("RGBA"))).alpha is None


def test_fully_transparent_is_refused() -> None:
    with pytest.raises(ImageError, match="fully transparent"):
        load(file_of(Image.new("RGBA", (20, 20), (9, 9, 9, 0))))


def test_alpha_round_trip() -> None:
    loaded = load(file_of(see_through()))
    again = load(encode_png(loaded.rgb, loaded.alpha))
    np.testing.assert_array_equal(again.alpha, loaded.alpha)
    np.testing.assert_allclose(again.rgb, loaded.rgb, atol=0.51 / 255)


def test_alpha_is_resized_to_the_result() -> None:
    alpha = load(file_of(see_through())).alpha
    for encode in (encode_png, encode_webp):
        made = Image.open(io.BytesIO(encode(np.full((48, 80, 3), 0.5, np.float32), alpha)))
        assert (made.mode, made.size) == ("RGBA", (80, 48))
        np.testing.assert_allclose(floats(made.getchannel("A"))[24, [5, 30, 70]], [0, 128 / 255, 1], atol=0.02)


# Orientation and metadata ----------------------------------------------------------------------------------------


TURN = Image.Transpose
STORED = {1: None, 2: TURN.FLIP_LEFT_RIGHT, 3: TURN.ROTATE_180, 4: TURN.FLIP_TOP_BOTTOM}
STORED |= {5: TURN.TRANSPOSE, 6: TURN.ROTATE_90, 7: TURN.TRANSVERSE, 8: TURN.ROTATE_270}
"""By orientation: how to turn the upright picture for storing, so that the orientation undoes it."""


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation_is_applied(format_: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn = STORED[orientation]
    stored = picture() if turn is None else picture().transpose(turn)
    loaded = load(file_of(stored, format_, exif=exif, **(LOSSLESS | LOSSY)[format_]))
    assert (loaded.width, loaded.height) == (40, 24)
    np.testing.assert_allclose(loaded.rgb, floats(picture()), atol=8 / 255)


def test_orientation_turns_alpha_and_16_bits_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = load(file_of(see_through())).alpha
    turned = load(file_of(see_through().transpose(Image.Transpose.ROTATE_90), exif=exif)).alpha
    np.testing.assert_array_equal(turned, upright)
    ramp = np.arange(800, dtype=np.uint16).reshape(20, 40)
    deep = load(file_of(Image.fromarray(np.rot90(ramp).copy()), exif=exif)).rgb
    np.testing.assert_allclose(deep[..., 0], ramp / 65535, atol=1e-6)


def test_broken_exif_leaves_the_picture_as_stored() -> None:
    loaded = load(file_of(picture(), exif=b"Exif\0\0no such thing"))
    np.testing.assert_array_equal(loaded.rgb, floats(picture()))


def test_no_personal_metadata_in_outputs() -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825).update({1: "N", 2: (51.0, 30.0, 12.0)})
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "SecretAuthor")
    uploads = [
        file_of(picture(), "JPEG", exif=exif, comment=b"SecretComment"),
        file_of(see_through(), "PNG", exif=exif),
    ]
    uploads.append(file_of(picture(), "PNG", exif=exif, pnginfo=info))
    assert Image.open(io.BytesIO(uploads[0])).getexif().get_ifd(0x8825), "the upload does hold a position"
    for upload in uploads:
        p = load(upload)
        outputs = [encode(p.rgb, p.alpha) for encode in (encode_png, encode_jpeg, encode_webp, thumbnail)]
        for output in outputs:
            made = Image.open(io.BytesIO(output))
            made.load()
            assert not made.getexif()
            assert b"Secret" not in output
            assert not {"exif", "xmp", "comment", "icc_profile", "Author", "dpi"} & set(made.info)


# Files that are no pictures --------------------------------------------------------------------------------------


def ftyp(brand: bytes, *compatible: bytes) -> bytes:
    body = brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + bytes(64)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"Dear diary", "not a picture"),
        (ftyp(b"heic", b"mif1", b"heic"), "iPhone HEIC isn't supported"),
        (ftyp(b"mif1", b"mif1", b"heic"), "iPhone HEIC isn't supported"),
        (file_of(picture(), "GIF"), "GIF"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (file_of(picture(), "BMP"), "not a picture in a format"),
        (file_of(picture(), "ICO"), "not a picture in a format"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (ftyp(b"avif"), "damaged"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=message):
        load(data)
    path = tmp_path / "upload.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=f"upload.jpg.*{message}"):
        load(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no file called lost"):
        load(tmp_path / "lost.png")
    with pytest.raises(ImageError, match="is a folder"):
        load(str(tmp_path))
    with pytest.raises(ImageError, match="is a folder"):
        load("")
    with pytest.raises(ImageError, match="can't be read"):
        load(tmp_path / ("x" * 5000))
    with pytest.raises(ImageError, match="no file called"):
        load("a\0b")
    with pytest.raises(ImageError, match="no file called zero"):
        load("/dev/zero")


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(file_of(picture()))

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match=r"locked.png can't be read: Permission denied"):
        load(path)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_prefix_loads_or_is_an_image_error(format_: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file_of(picture(20, 16), format_, exif=exif)
    refused = 0
    for length in range(len(data)):
        try:
            assert load(data[:length]).rgb.shape == (20, 16, 3)
        except ImageError:
            refused += 1
    assert refused > len(data) * 0.7


MAGIC = [b"", b"\xff\xd8\xff", png_header(20, 20), b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", ftyp(b"avif")[:20]]
MAGIC += [b"RIFF\x40\0\0\0WEBPVP8 ", b"RIFF\x40\0\0\0WEBPVP8X", file_of(picture(), "TIFF")[:200]]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(MAGIC), st.binary(max_size=200))
def test_random_bytes_give_only_image_errors(magic: bytes, rest: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        load(magic + rest)
    assert not isinstance(caught.value, UnicodeError)


SAMPLES = [file_of(see_through(), f) for f in ("PNG", "TIFF", "WEBP")] + [file_of(picture(20, 20), "JPEG")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6))
def test_changed_bytes_load_or_give_image_errors(sample: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(sample)
    for place, value in changes:
        data[place % len(data)] = value
    try:
        rgb = load(bytes(data)).rgb
    except ImageError:
        return
    assert rgb.min() >= 0
    assert rgb.max() <= 1


# The limits on size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60_000, 60_000), (100_001, 1000), (2**31 - 1, 2**31 - 1), (11_000, 9_100)])
def test_bombs_are_refused_before_decoding(size: tuple[int, int]) -> None:
    bomb = png_header(*size) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    load(file_of(picture()))  # let Pillow's plugins be imported first
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ImageError, match=f"{size[0]} x {size[1]}.*100,000,000 pixels"):
        load(bomb)
    assert time.perf_counter() - start < 0.2
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_other_bombs_are_refused() -> None:
    huge = struct.pack("<I", 16_382)[:3] * 2  # VP8X keeps width - 1 and height - 1
    webp = file_of(see_through(), "WEBP", lossless=True, exif=b"Exif\0\0x")
    assert webp[12:16] == b"VP8X"
    with pytest.raises(ImageError, match="100,000,000 pixels"):
        load(webp[:24] + huge + webp[30:])
    tiff = bytearray(grey_tiff(np.zeros((32, 32)), bits=16))
    for tag in (256, 257):
        place = bytes(tiff).index(struct.pack("<HHII", tag, 4, 1, 32))
        tiff[place : place + 12] = struct.pack("<HHII", tag, 4, 1, 20_000)
    with pytest.raises(ImageError, match=r"20000 x 20000.*100,000,000 pixels"):
        load(bytes(tiff))


def test_allowed_sizes_neither_warn_nor_touch_pillows_limit() -> None:
    """From 89 megapixels Pillow would warn, which strict warning filters turn into an error."""
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="damaged"):  # the header passes, the pixels are missing
            load(png_header(1000, MAX_PIXELS // 1000) + chunk(b"IEND", b""))
    assert before == Image.MAX_IMAGE_PIXELS


def test_the_limit_holds_in_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nst_image, "MAX_PIXELS", 40 * 24)
    good, bad = file_of(picture(40, 24)), file_of(picture(41, 24))
    expected, outcomes = floats(picture()), []

    def work(index: int) -> None:
        for _ in range(20):
            try:
                outcomes.append((index % 2, np.array_equal(load(bad if index % 2 else good).rgb, expected)))
            except ImageError:
                outcomes.append((index % 2, None))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == sorted([(0, True)] * 80 + [(1, None)] * 80, key=str)


def test_small_pictures_are_refused() -> None:
    assert load(file_of(picture(MIN_SIDE, MIN_SIDE))).width == MIN_SIDE
    with pytest.raises(ImageError, match=r"40 x 15.*at least 16"):
        load(file_of(picture(40, MIN_SIDE - 1)))


# Sizes and resampling --------------------------------------------------------------------------------------------


def test_fitted_size_of_known_pictures() -> None:
    assert fitted_size(1024, 768, 256) == (256, 192)
    assert fitted_size(768, 1024, 256) == (192, 256)
    assert fitted_size(1024, 768, 400, "height") == (533, 400)
    assert fitted_size(1000, 1000, 512) == (512, 512)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(16, 8192), st.sampled_from(["longest", "height"]))
def test_fitted_size_keeps_the_aspect_ratio(width: int, height: int, size: int, side: str) -> None:
    try:
        new_width, new_height = fitted_size(width, height, size, side)
    except ImageError:
        scale = size / (height if side == "height" else max(width, height))
        assert min(width, height) * scale < MIN_SIDE or width * height * scale**2 > MAX_PIXELS * 0.99
        return
    assert size == (new_height if side == "height" else max(new_width, new_height))
    assert min(new_width, new_height) >= MIN_SIDE
    # At most half a pixel off on the side that isn't given.
    assert abs(new_width - width * new_height / height) <= 0.5 * max(1, width / height) + 1e-9


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(16, 512), st.sampled_from(["longest", "height"]))
def test_the_advised_size_is_the_smallest_that_works(width: int, height: int, size: int, side: str) -> None:
    try:
        fitted_size(width, height, size, side)
    except ImageError as error:
        message = str(error)
        if "Choose at least size" not in message:
            assert "Crop" in message or "smaller" in message
            return
        advised = int(message.rsplit("size ", 1)[1].rstrip("."))
        assert size < advised <= MAX_SIZE
        assert min(fitted_size(width, height, advised, side)) == MIN_SIDE
        with pytest.raises(ImageError, match="too thin"):
            fitted_size(width, height, advised - 1, side)


def test_fitted_size_refuses_what_would_not_fit_in_memory() -> None:
    with pytest.raises(ImageError, match="too large"):
        fitted_size(20_000, 100, 8192, "height")


def test_resize_shapes_and_identity() -> None:
    rgb = floats(picture())
    assert resize(rgb, (40, 24)) is rgb
    for array, shape in ((rgb, (12, 20, 3)), (rgb[..., 0], (12, 20)), (rgb[..., :1], (12, 20, 1))):
        small = resize(array, (20, 12))
        assert (small.shape, small.dtype) == (shape, np.float32)
    np.testing.assert_allclose(resize(rgb, (80, 48)).mean(), rgb.mean(), atol=5e-3)


def test_resize_is_antialiased_and_clipped() -> None:
    stripes = np.zeros((64, 64), np.float32)
    stripes[:, ::2] = 1
    np.testing.assert_allclose(resize(stripes, (16, 16)), 0.5, atol=0.05)
    edge = np.zeros((32, 32, 3), np.float32)
    edge[:, 16:] = 1
    big = resize(edge, (128, 128))
    assert (big.min(), big.max()) == (0, 1)


def test_resize_keeps_more_than_8_bits() -> None:
    faint = np.linspace(0.5, 0.501, 64, dtype=np.float32)[None].repeat(32, axis=0)
    assert len(np.unique(resize(faint, (48, 32)))) > 40


def test_to_uint8_rounds_clips_and_refuses_nan() -> None:
    values = np.array([-1, 0, 0.4 / 255, 0.6 / 255, 127.4 / 255, 127.6 / 255, 1, 2], np.float32)
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 127, 128, 255, 255]
    assert to_uint8(values).dtype == np.uint8
    with pytest.raises(ImageError, match="NaN"):
        to_uint8(np.array([0.5, math.nan]))


# Writing ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(16, 40), st.integers(16, 40), st.booleans())
def test_png_round_trip_is_exact(seed: int, width: int, height: int, with_alpha: bool) -> None:
    random = np.random.default_rng(seed)
    rgb = random.integers(0, 256, (height, width, 3)).astype(np.float32) / 255
    alpha = random.integers(1, 255, (height, width)).astype(np.float32) / 255 if with_alpha else None
    again = load(encode_png(rgb, alpha))
    np.testing.assert_array_equal(again.rgb, rgb)
    if alpha is None:
        assert again.alpha is None
    else:
        np.testing.assert_array_equal(again.alpha, alpha)


def test_outputs_are_of_their_format_and_reproducible() -> None:
    rgb = floats(picture())
    encoders = {encode_png: "PNG", encode_jpeg: "JPEG", encode_webp: "WEBP", encode_tiff16: "TIFF"}
    for encode, format_ in encoders.items():
        data = encode(rgb)
        made = Image.open(io.BytesIO(data))
        assert (made.format, made.mode, made.size) == (format_, "RGB", (40, 24))
        assert encode(rgb) == data
        np.testing.assert_allclose(load(data).rgb, rgb, atol=0.1)
    assert Image.open(io.BytesIO(encode_png(rgb))).info["srgb"] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(16, 40), st.integers(16, 40), st.booleans())
def test_tiff16_keeps_every_value(seed: int, width: int, height: int, with_alpha: bool) -> None:
    levels = np.random.default_rng(seed).integers(0, 65536, (height, width, 4 if with_alpha else 3), np.uint16)
    values = levels.astype(np.float32) / 65535
    data = encode_tiff16(values[..., :3], values[..., 3] if with_alpha else None)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        assert (page.compression, page.predictor) == (tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.PREDICTOR.HORIZONTAL)
        assert page.extrasamples == ((tifffile.EXTRASAMPLE.UNASSALPHA,) if with_alpha else ())
        np.testing.assert_array_equal(page.asarray(), levels)


@pytest.mark.parametrize("with_alpha", [False, True])
def test_tiff16_is_read_by_load_and_by_pillow(with_alpha: bool) -> None:
    rgb = np.random.default_rng(0).random((33, 47, 3), np.float32)
    alpha = np.linspace(0.2, 1, 33 * 47, dtype=np.float32).reshape(33, 47) if with_alpha else None
    data = encode_tiff16(rgb, alpha)
    loaded = load(data)
    np.testing.assert_allclose(loaded.rgb, rgb, atol=1 / 255)  # Pillow drops the lower eight bits
    assert (loaded.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_allclose(loaded.alpha, alpha, atol=1 / 255)
    opened = Image.open(io.BytesIO(data))
    assert opened.mode == ("RGBA" if with_alpha else "RGB")
    np.testing.assert_allclose(floats(opened)[..., :3], rgb, atol=1 / 255)


def test_tiff16_resizes_alpha_to_the_picture() -> None:
    rgb = np.full((40, 60, 3), 0.5, np.float32)
    alpha = np.full((20, 30), 0.25, np.float32)
    levels = tifffile.imread(io.BytesIO(encode_tiff16(rgb, alpha)))
    np.testing.assert_array_equal(levels[..., 3], np.full((40, 60), 16384))


def test_tiff16_states_srgb_and_holds_no_date() -> None:
    rgb = np.random.default_rng(0).random((20, 20, 3), np.float32)
    data = encode_tiff16(rgb)
    icc = Image.open(io.BytesIO(data)).info["icc_profile"]
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    assert profile.profile.profile_description == "sRGB built-in"
    assert icc[24:36] == bytes(12), "the date in an ICC header"
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert not {"DateTime", "Software", "ImageDescription"} & {tag.name for tag in file.pages.first.tags}
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    colours = Image.fromarray(to_uint8(rgb))
    converted = ImageCms.profileToProfile(colours, profile, srgb)
    np.testing.assert_allclose(np.asarray(converted, int), np.asarray(colours, int), atol=1)


def test_jpeg_has_full_chroma_and_its_quality() -> None:
    rgb = np.zeros((32, 32, 3), np.float32)
    rgb[:, ::2, 0] = rgb[:, 1::2, 2] = 1  # red and blue columns, which subsampling would mix to purple
    np.testing.assert_allclose(load(encode_jpeg(rgb, quality=100)).rgb, rgb, atol=0.05)
    assert len(encode_jpeg(floats(picture()), quality=20)) < len(encode_jpeg(floats(picture()), quality=95))


def test_jpeg_composites_on_white() -> None:
    black = np.zeros((48, 80, 3), np.float32)
    made = load(encode_jpeg(black, load(file_of(see_through())).alpha, quality=100)).rgb
    np.testing.assert_allclose(made[24, [5, 30, 70], 0], [1, 127 / 255, 0], atol=0.03)


def test_sizes_a_format_cannot_hold_are_refused() -> None:
    wide = np.zeros((1, 16_384, 3), np.float32)
    with pytest.raises(ImageError, match="can't be saved as WEBP"):
        encode_webp(wide)
    with pytest.raises(ImageError, match="can't be saved as JPEG"):
        encode_jpeg(np.zeros((1, 70_000, 3), np.float32))


def test_nan_is_never_saved() -> None:
    bad = floats(picture())
    bad[3, 3, 1] = np.nan
    for encode in (encode_png, encode_jpeg, encode_tiff16, encode_webp, thumbnail):
        with pytest.raises(ImageError, match="NaN"):
            encode(bad)


@pytest.mark.parametrize(("width", "height"), [(400, 100), (100, 400), (399, 200), (40, 24), (1600, 16)])
def test_thumbnail_keeps_the_aspect_ratio_and_does_not_enlarge(width: int, height: int) -> None:
    made = Image.open(io.BytesIO(thumbnail(floats(picture(width, height)), longest=80)))
    scale = min(1, 80 / max(width, height))
    assert made.format == "JPEG"
    assert abs(made.width - width * scale) <= 0.5
    assert abs(made.height - height * scale) <= 0.5


def test_thumbnail_with_alpha_is_webp() -> None:
    loaded = load(file_of(see_through()))
    made = Image.open(io.BytesIO(thumbnail(loaded.rgb, loaded.alpha, 20)))
    assert (made.format, made.mode, made.size) == ("WEBP", "RGBA", (20, 12))


# Text ------------------------------------------------------------------------------------------------------------

RGB = np.zeros((16, 16, 3), np.float32)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\0"), min_size=1, max_size=79)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(LATIN, ANY_TEXT, max_size=4))
def test_png_text_round_trip(texts: dict[str, str]) -> None:
    assert read_png_text(encode_png(RGB, text=texts)) == texts


def test_png_text_from_a_path_and_other_writers(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("zTXt", "packed " * 50, zip=True)
    info.add_itxt("iTXt", "星月夜 " * 50, zip=True)
    path = tmp_path / "a.png"
    path.write_bytes(file_of(picture(), pnginfo=info))
    assert read_png_text(path) == {"zTXt": "packed " * 50, "iTXt": "星月夜 " * 50}
    with pytest.raises(ImageError, match="no file called"):
        read_png_text(tmp_path / "b.png")


def test_pillow_finds_the_text_too() -> None:
    made = Image.open(io.BytesIO(encode_png(RGB, text={"settings": '{"style": "Ночь"}'})))
    assert made.text == {"settings": '{"style": "Ночь"}'}


@pytest.mark.parametrize("texts", [{"": "x"}, {"k" * 80: "x"}, {"星": "x"}, {"a\0b": "x"}, {"k": "\ud800"}])
def test_text_that_png_cannot_hold_is_refused(texts: dict[str, str]) -> None:
    with pytest.raises(ImageError, match="can't be embedded"):
        encode_png(RGB, text=texts)


@pytest.mark.parametrize("packed", [False, True])
def test_png_text_is_bounded(packed: bool) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * 50, zip=packed)
    info.add_text("b", "x" * 50, zip=packed)
    data = file_of(picture(), pnginfo=info)
    assert len(read_png_text(data, limit=102)) == 2
    with pytest.raises(ImageError, match="too much text"):
        read_png_text(data, limit=101)
    with pytest.raises(ImageError, match="too much text"):
        read_png_text(data, limit=51)


def test_png_text_bomb_is_not_unpacked() -> None:
    bomb = png_header(16, 16) + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(50_000_000), 9)) + chunk(b"IEND", b"")
    tracemalloc.start()
    with pytest.raises(ImageError, match="too much text"):
        read_png_text(bomb, limit=10_000)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_damaged_png_text_is_refused() -> None:
    cut = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(range(200)))[:-9])
    with pytest.raises(ImageError, match="no intact PNG"):
        read_png_text(png_header(16, 16) + cut + chunk(b"IEND", b""))
    data = encode_png(RGB, text={"settings": "x" * 30, "title": "星"})
    for length in range(len(data)):
        with pytest.raises(ImageError, match="no intact PNG"):
            read_png_text(data[:length])
    with pytest.raises(ImageError, match="no intact PNG"):
        read_png_text(data.replace(b"xxx", b"xyx", 1))
    with pytest.raises(ImageError, match="no intact PNG"):
        read_png_text(file_of(picture(), "JPEG"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]), st.binary(max_size=60))
def test_random_text_chunks_give_only_image_errors(kind: bytes, body: bytes) -> None:
    with contextlib.suppress(ImageError):
        assert len(read_png_text(png_header(16, 16) + chunk(kind, body) + chunk(b"IEND", b""))) == 1


# Real pictures ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (SHARED / "images" / "tubingen.jpg").exists(), reason="needs ../shared/images")
def test_a_real_photograph() -> None:
    photograph = load(SHARED / "images" / "tubingen.jpg")
    assert (photograph.width, photograph.height, photograph.alpha) == (1024, 768, None)
    small = resize(photograph.rgb, fitted_size(photograph.width, photograph.height, 256))
    assert small.shape == (192, 256, 3)
    np.testing.assert_allclose(small.mean(axis=(0, 1)), photograph.rgb.mean(axis=(0, 1)), atol=1e-3)
