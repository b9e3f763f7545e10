"""Tests of nst.timelapse: real films of small pictures, decoded again by ffmpeg and Pillow."""

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from nst import image, timelapse
from nst.errors import GalleryError, SettingsError
from nst.timelapse import FPS, GIF_LONGEST, GIF_PICTURES, HOLD, LONGEST, WEBP_LONGEST, WEBP_PICTURES, gif, mp4, webp
from tests.conftest import draw

WIDTH, HEIGHT = 96, 64
FINAL = draw(WIDTH, HEIGHT, 5)
MAKERS = [mp4, gif, webp]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; there are none afterwards, however a test ends."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


def flat(red: float, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    return np.broadcast_to(np.array([red, 0.3, 0.6], np.float32), (height, width, 3))


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    """Eight frames, ever redder; the first four at half the size, as a coarser scale gives them."""
    paths = []
    for index in range(8):
        size = (WIDTH // 2, HEIGHT // 2) if index < 4 else (WIDTH, HEIGHT)
        paths.append(tmp_path / f"{index:06d}.jpg")
        paths[-1].write_bytes(image.encode_jpeg(flat(index / 8, *size)))
    return paths


def decoded(data: bytes, folder: Path) -> tuple[dict, list[np.ndarray]]:
    """What ffmpeg says of a film, and its pictures, (h, w, 3) in [0, 1]."""
    path = folder / "again.mp4"
    path.write_bytes(data)
    film = imageio_ffmpeg.read_frames(str(path))
    told = next(film)
    width, height = told["size"]
    return told, [np.frombuffer(each, np.uint8).reshape(height, width, 3) / 255 for each in film]


def animated(data: bytes) -> tuple[list[Image.Image], list[int]]:
    """Pictures and milliseconds of an animation."""
    film = Image.open(io.BytesIO(data))
    pictures, times = [], []
    for index in range(film.n_frames):
        film.seek(index)
        film.load()
        pictures.append(film.convert("RGB"))
        times.append(film.info["duration"])
    return pictures, times


def reds(pictures: list) -> list[float]:
    return [float(np.asarray(each)[HEIGHT // 2, WIDTH // 2, 0]) for each in pictures]


# MP4 -------------------------------------------------------------------------------------------------------------


def test_an_mp4_shows_every_frame_and_holds_the_final_picture(frames: list[Path], tmp_path: Path) -> None:
    told, pictures = decoded(mp4(frames, FINAL, seconds=2), tmp_path)
    assert (told["codec"], told["size"], told["fps"]) == ("h264", (WIDTH, HEIGHT), FPS)
    assert told["pix_fmt"] == "yuv420p(tv, bt709, progressive)"
    assert len(pictures) == 2 * FPS + HOLD * FPS
    expected = [index * 8 // (2 * FPS) / 8 for index in range(2 * FPS)]
    np.testing.assert_allclose(reds(pictures[: 2 * FPS]), expected, atol=0.03)
    small = (WIDTH // 2, HEIGHT // 2)  # 4:2:0 keeps colours at half the size
    for held in pictures[2 * FPS + 2 :]:
        np.testing.assert_allclose(image.resize(held, small), image.resize(FINAL, small), atol=0.12)
        np.testing.assert_allclose(held.mean(axis=(0, 1)), FINAL.mean(axis=(0, 1)), atol=0.01)
        assert np.abs(held - FINAL).mean() < 0.04


def test_an_mp4_starts_playing_before_it_is_all_there(frames: list[Path]) -> None:
    data = mp4(frames, FINAL, seconds=0.5)
    assert data[4:8] == b"ftyp"
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_the_same_frames_give_the_same_mp4(frames: list[Path]) -> None:
    assert mp4(frames, FINAL, seconds=0.5) == mp4(frames, FINAL, seconds=0.5)


@pytest.mark.parametrize(
    ("size", "shown"),
    [((97, 63), (96, 64)), ((17, 16), (16, 16)), ((2160, 540), (1080, 270)), ((301, 1500), (216, 1080))],
)
def test_the_size_is_even_and_not_too_large(
    size: tuple[int, int], shown: tuple[int, int], frames: list[Path], tmp_path: Path
) -> None:
    told, _ = decoded(mp4(frames[:1], flat(0.5, *size), seconds=0.5), tmp_path)
    assert told["size"] == shown
    assert max(shown) <= LONGEST


def test_more_frames_than_fit_are_left_out_evenly(frames: list[Path], tmp_path: Path) -> None:
    many = [path for path in frames for _ in range(10)]  # 80 for 13 places
    _, pictures = decoded(mp4(many, FINAL, seconds=0.52), tmp_path)
    assert len(pictures) == 13 + FPS
    np.testing.assert_allclose(reds(pictures[:13]), [(index * 80 // 13) // 10 / 8 for index in range(13)], atol=0.03)


def test_frames_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    missing = tmp_path / "missing.jpg"
    first = tmp_path / "000000.jpg"
    first.write_bytes(image.encode_jpeg(FINAL))
    pictures = timelapse._decoded([first, missing], 2, (WIDTH, HEIGHT))
    assert next(pictures).size == (WIDTH, HEIGHT)
    with pytest.raises(GalleryError, match=r"missing.jpg"):
        next(pictures)


# GIF and WebP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "atol"), [(gif, 0.05), (webp, 0.05)])
def test_an_animation_shows_every_frame_and_holds_the_final_picture(
    make: Callable[..., bytes], atol: float, frames: list[Path]
) -> None:
    data = make(frames, FINAL, seconds=3)
    pictures, times = animated(data)
    assert Image.open(io.BytesIO(data)).info["loop"] == 0
    assert sum(times[:-1]) == 3000
    assert set(times[:-1]) <= {370, 380}
    assert times[-1] == 1000 * HOLD
    assert {each.size for each in pictures} == {(WIDTH, HEIGHT)}
    means = [np.asarray(each)[..., 0].mean() / 255 for each in pictures[:-1]]  # dithering keeps them
    np.testing.assert_allclose(means, np.arange(8) / 8, atol=atol)
    assert np.abs(np.asarray(pictures[-1]) / 255 - FINAL).mean() < atol


@pytest.mark.parametrize(
    ("make", "longest", "most"), [(gif, GIF_LONGEST, GIF_PICTURES), (webp, WEBP_LONGEST, WEBP_PICTURES)]
)
def test_an_animation_stays_small(
    make: Callable[..., bytes], longest: int, most: int, frames: list[Path], tmp_path: Path
) -> None:
    large = image.resize(FINAL, (960, 640))
    pictures, _ = animated(make(frames[:2], large))
    assert pictures[-1].size == (longest, longest * 2 // 3)
    many = [tmp_path / f"many{index}.jpg" for index in range(70)]
    for index, path in enumerate(many):
        path.write_bytes(image.encode_jpeg(flat(index * 37 % 70 / 70, 24, 16)))
    pictures, times = animated(make(many, draw(24, 16)))
    assert len(pictures) == most + 1
    assert sum(times) == 7000


def test_a_gif_has_one_palette(frames: list[Path]) -> None:
    film = Image.open(io.BytesIO(gif(frames, FINAL)))
    assert film.global_palette is not None
    for index in range(film.n_frames):
        film.seek(index)
        assert film._frame_palette.palette == film.global_palette.palette, "palettes that change flicker"


# What can go wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_without_frames_there_is_no_film(make: Callable[..., bytes]) -> None:
    with pytest.raises(GalleryError, match="without frames"):
        make([], FINAL)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("index", [0, 5])
def test_a_damaged_frame_is_told_by_its_name(make: Callable[..., bytes], index: int, frames: list[Path]) -> None:
    frames[index].write_bytes(frames[index].read_bytes()[:200])
    with pytest.raises(GalleryError, match=f"missing or damaged.*{frames[index].name}") as caught:
        make(frames, FINAL)
    assert str(frames[index].parent) not in str(caught.value)
    frames[index].unlink()
    with pytest.raises(GalleryError, match=f"missing or damaged.*{frames[index].name}"):
        make(frames, FINAL)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("seconds", [0.49, 61, -1, float("nan"), float("inf")])
def test_lengths_that_make_no_sense_are_refused(make: Callable[..., bytes], seconds: float, frames: list[Path]) -> None:
    with pytest.raises(SettingsError, match=r"from 0.5 to 60"):
        make(frames, FINAL, seconds=seconds)


def test_without_ffmpeg_the_other_formats_are_named(frames: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(GalleryError, match=r"can't be started.*GIF or WebP"):
        mp4(frames, FINAL)
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as if it were not installed
    with pytest.raises(GalleryError, match=r"can't be started.*GIF or WebP"):
        mp4(frames, FINAL)
    assert gif(frames, FINAL)


def fake_ffmpeg(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))


def test_an_ffmpeg_that_gives_up_is_quoted(frames: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ffmpeg(tmp_path, 'for last; do :; done; echo "Unknown encoder of $last" >&2; exit 3', monkeypatch)
    with pytest.raises(GalleryError, match=r"could not be made.*Unknown encoder") as caught:
        mp4(frames, image.resize(FINAL, (1080, 720)))  # more than fits into a pipe
    assert str(tmp_path) not in str(caught.value)


def test_no_ffmpeg_outlives_a_damaged_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "pid"
    note.touch()
    fake_ffmpeg(tmp_path, f"echo $$ > {note}; exec sleep 60", monkeypatch)

    def pictures() -> Iterator[Image.Image]:
        while not note.read_text().endswith("\n"):
            time.sleep(0.01)
        yield from timelapse._decoded([tmp_path / "missing.jpg"], 1, (WIDTH, HEIGHT))

    with pytest.raises(GalleryError, match="missing or damaged"):
        timelapse._encoded(pictures(), (WIDTH, HEIGHT))
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_a_full_or_closed_disk_is_told_in_words(
    frames: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(GalleryError, match=r"could not be made.*No such file"):
        mp4(frames, FINAL)
