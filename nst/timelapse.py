"""A film of a picture being painted: its frames as MP4, GIF or WebP, ending on the finished picture.

Frames are decoded one at a time, so that a film of many takes no more memory than one of a few.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from nst import image
from nst.errors import GalleryError, ImageError, SettingsError

LONGEST, GIF_LONGEST, WEBP_LONGEST = 1080, 480, 720
"""Pixels of a film's longest side, at most; GIF and WebP grow too heavy beyond theirs."""
GIF_PICTURES, WEBP_PICTURES = 30, 60
"""How many frames they show, at most: every one adds to the file, and Pillow holds them all while writing."""
FPS = 25
"""Pictures a second of the MP4."""
HOLD = 1.0
"""Seconds that the finished picture stays."""
MIN_SECONDS, MAX_SECONDS = 0.5, 60.0

_PALETTE_SIDE = 240  # of the pictures that the GIF's palette is chosen from


def mp4(frames: Sequence[Path], final: np.ndarray, *, seconds: float = 6.0) -> bytes:
    """An MP4 file (H.264) of `seconds` of painting and `HOLD` seconds of the finished picture, at `FPS`.

    `frames` are picture files in their order, of any sizes; `final` is (h, w, 3) float sRGB in [0, 1]. Everything is
    shown at `final`'s size, made even as H.264 asks and at most `LONGEST`. Frames are repeated or left out evenly.

    Raises `GalleryError` when there are no frames, when one is missing or damaged and when ffmpeg is missing or fails,
    `SettingsError` when `seconds` is not between `MIN_SECONDS` and `MAX_SECONDS`.
    """
    _check(frames, seconds)
    shown = _even_size(final)
    painting = _decoded(frames, round(seconds * FPS), shown)
    ending = itertools.repeat(_final(final, shown), round(HOLD * FPS))
    return _encoded(itertools.chain(painting, ending), shown)


def gif(frames: Sequence[Path], final: np.ndarray, *, seconds: float = 6.0) -> bytes:
    """An endless GIF file, at most `GIF_LONGEST` pixels wide and high and with one palette, dithered; else as `mp4`."""
    _check(frames, seconds)
    size = _even_size(final, GIF_LONGEST)
    last = _final(final, size)
    palette = _palette([*(_frame(frames[index], size) for index in (0, len(frames) // 2)), last, last])
    shown = _animated(frames, final, size, GIF_PICTURES)
    pictures = (picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in shown)
    return _saved(pictures, "GIF", _times(len(frames), seconds, GIF_PICTURES), optimize=False, disposal=1)


def webp(frames: Sequence[Path], final: np.ndarray, *, seconds: float = 6.0) -> bytes:
    """An endless animated WebP file, at most `WEBP_LONGEST` pixels wide and high; else as `mp4`."""
    _check(frames, seconds)
    pictures = _animated(frames, final, _even_size(final, WEBP_LONGEST), WEBP_PICTURES)
    return _saved(pictures, "WEBP", _times(len(frames), seconds, WEBP_PICTURES), quality=80)


def _check(frames: Sequence[Path], seconds: float) -> None:
    if not frames:
        raise GalleryError(
            "There is nothing to make a film from. Received: a result without frames. "
            "Paint it again and keep the picture every few steps."
        )
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:  # which also refuses NaN
        raise SettingsError(
            f"seconds must be a number from {MIN_SECONDS:g} to {MAX_SECONDS:g}. Received: {seconds!r:.200}."
        )


# Pictures --------------------------------------------------------------------------------------------------------


def _even_size(final: np.ndarray, longest: int = LONGEST) -> tuple[int, int]:
    """The (width, height) of the film: even, because H.264 stores colours for blocks of 2 x 2 pixels."""
    height, width = final.shape[:2]
    scale = min(1, longest / max(width, height))
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def _final(final: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(image.to_uint8(final)).resize(size, Image.Resampling.LANCZOS)


def _decoded(frames: Sequence[Path], count: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """`count` pictures taken evenly from the frames, each decoded only when its turn comes."""
    turns = (index * len(frames) // count for index in range(count))
    for index, repeats in itertools.groupby(turns):
        picture = _frame(frames[index], size)
        yield from (picture for _ in repeats)


def _frame(path: Path, size: tuple[int, int]) -> Image.Image:
    try:
        picture = image.load(path).rgb
    except ImageError as error:
        raise GalleryError(
            f"A frame of the film is missing or damaged. Received: {path.name}. "
            "Paint the picture again, or make the film of another one."
        ) from error
    return Image.fromarray(image.to_uint8(picture)).resize(size, Image.Resampling.LANCZOS)


# MP4 -------------------------------------------------------------------------------------------------------------


def _encoded(pictures: Iterator[Image.Image], size: tuple[int, int]) -> bytes:
    """The pictures as an MP4 file, by way of a folder of our own: its index can only be put in front afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix="nst-film-") as folder:
            target = Path(folder) / "film.mp4"
            with open(Path(folder) / "errors.txt", "w+b") as errors:  # a pipe that nobody empties could fill up
                _feed(_command(size, target), pictures, errors)
            return target.read_bytes()
    except OSError as error:
        raise _failed(error.strerror or type(error).__name__) from error


def _failed(received: str) -> GalleryError:
    return GalleryError(
        f"The film could not be made. Received: {received}. "
        "Check that there is room on the disk, or save the film as GIF or WebP."
    )


def _command(size: tuple[int, int], target: Path) -> list[str]:
    # Untagged films are taken for BT.601 or BT.709 by their size, and half of the players would show other colours.
    tags = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    convert = ["-vf", f"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,{tags}"]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "pipe:0"]
    h264 = ["-c:v", "libx264", "-preset", "fast", "-crf", "20", "-threads", "2"]
    quiet = ["-nostdin", "-loglevel", "error", "-y"]
    return [_ffmpeg(), *quiet, *raw, "-an", *convert, *h264, "-movflags", "+faststart", str(target)]


def _ffmpeg() -> str:
    try:
        import imageio_ffmpeg  # only here: the rest works without it

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise _no_ffmpeg("nothing of that name") from error


def _no_ffmpeg(received: str) -> GalleryError:
    return GalleryError(
        f"ffmpeg, which makes MP4 films, can't be started. Received: {received}. "
        "Install imageio-ffmpeg again, or save the film as GIF or WebP."
    )


def _feed(command: list[str], pictures: Iterator[Image.Image], errors: IO[bytes]) -> None:
    """Run ffmpeg over the pictures; it never outlives this call."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
    except OSError as error:
        raise _no_ffmpeg(error.strerror or type(error).__name__) from error
    assert process.stdin is not None
    try:
        for picture in pictures:
            process.stdin.write(picture.tobytes())
        process.stdin.close()
        process.wait()
    except BrokenPipeError:
        process.wait()  # it gave up, and tells why below
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        errors.seek(0)
        told = errors.read(300).decode("utf-8", "replace").replace(command[-1], "the film")
        raise _failed(" ".join(told.split()) or f"code {process.returncode} from ffmpeg")


# GIF and WebP ----------------------------------------------------------------------------------------------------


def _animated(frames: Sequence[Path], final: np.ndarray, size: tuple[int, int], most: int) -> Iterator[Image.Image]:
    yield from _decoded(frames, min(len(frames), most), size)
    yield _final(final, size)


def _times(frames: int, seconds: float, most: int) -> list[int]:
    """Milliseconds that each picture is shown, in whole hundredths of a second: a GIF has no others."""
    count = min(frames, most)
    ends = [round(100 * seconds * index / count) for index in range(count + 1)]
    return [*(10 * (end - start) for start, end in itertools.pairwise(ends)), round(1000 * HOLD)]


def _palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """256 colours: 192 that suit these pictures, and 64 all over sRGB, so that dithering can mix any other one."""
    small = [np.asarray(picture.resize((_PALETTE_SIDE, _PALETTE_SIDE))) for picture in pictures]
    chosen = Image.fromarray(np.concatenate(small)).quantize(192, method=Image.Quantize.MEDIANCUT, kmeans=1)
    cube = [level for colour in itertools.product((0, 85, 170, 255), repeat=3) for level in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette(cube + (chosen.getpalette() or [])[: 3 * 192])
    return palette


def _saved(pictures: Iterator[Image.Image], format_: str, times: list[int], **options: Any) -> bytes:
    file = io.BytesIO()
    next(pictures).save(file, format_, save_all=True, append_images=pictures, duration=times, loop=0, **options)
    return file.getvalue()
