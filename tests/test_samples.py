"""The shelf of samples: the same for the same seed, alike at every size, and with texture worth painting with."""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nst import samples
from nst.errors import NSTError, SettingsError
from nst.image import load, resize, to_uint8

NOTICE = Path(samples.__file__).parents[2] / "NOTICE"
STYLES = tuple(sample.key for sample in samples.styles())
PHOTOGRAPHS = tuple(sample.key for sample in samples.photographs())


@functools.cache
def small(key: str, seed: int = 0) -> np.ndarray:
    array = samples.picture(key, 256, 192, seed)
    array.setflags(write=False)  # shared between tests
    return array


def grey(array: np.ndarray) -> np.ndarray:
    return array @ np.array([0.299, 0.587, 0.114], np.float32)


def bands(array: np.ndarray) -> list[float]:
    """Standard deviation of what is lost by each halving of the luminance: detail of 1, 2, 4, 8, 16, 32 pixels."""
    level = grey(array).astype(np.float32)
    energies = []
    for _ in range(6):
        image = Image.fromarray(level)
        half = image.reduce(2)
        energies.append(float(np.std(level - np.asarray(half.resize(image.size, Image.Resampling.BILINEAR)))))
        level = np.asarray(half)
    return energies


def test_the_shelf_holds_six_styles_and_four_photographs_with_titles_of_their_own():
    assert (len(samples.styles()), len(samples.photographs())) == (6, 4)
    assert {*samples.styles(), *samples.photographs()} == set(samples.SAMPLES.values())
    assert all(key == sample.key for key, sample in samples.SAMPLES.items())
    assert len({sample.title for sample in samples.SAMPLES.values()}) == 10


@pytest.mark.parametrize("key", STYLES)
def test_a_picture_is_float32_in_range_and_uses_the_range(key):
    array = small(key)
    assert array.shape == (192, 256, 3)
    assert array.dtype == np.float32
    assert array.min() >= 0
    assert array.max() <= 1
    assert np.ptp(np.percentile(grey(array), [2, 98])) > 0.4
    assert array.std(axis=(0, 1)).min() > 0.08


@pytest.mark.parametrize("key", STYLES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(key):
    first = hashlib.sha256(small(key).tobytes()).digest()
    np.random.default_rng(1).random(10)  # nothing global may matter
    assert hashlib.sha256(samples.picture(key, 256, 192, 0).tobytes()).digest() == first
    assert np.abs(small(key) - small(key, 1)).mean() > 0.02


@pytest.mark.parametrize("key", STYLES)
def test_the_composition_does_not_depend_on_the_size(key):
    """Both brought to 64 x 48 must agree closely, and far better than two seeds do.

    768 is painted directly and 256 at twice its size and reduced, so this covers that as well.
    """
    size = (64, 48)
    painted = samples.picture(key, 768, 576)
    assert (painted.shape, painted.dtype) == ((576, 768, 3), np.float32)
    here, large = resize(small(key), size, soft=True), resize(painted, size, soft=True)
    apart = resize(small(key, 1), size, soft=True)
    assert np.corrcoef(here.ravel(), large.ravel())[0, 1] > 0.95
    assert np.abs(here - large).mean() < 0.4 * np.abs(here - apart).mean()


@pytest.mark.parametrize("key", STYLES)
def test_a_style_has_contrast_at_many_scales(key):
    energies = bands(small(key))
    assert sum(energy > 0.03 for energy in energies) >= 5, energies


@pytest.mark.parametrize("key", STYLES)
def test_every_picture_has_both_fine_detail_and_large_forms(key):
    energies = bands(small(key))
    assert min(energies[:2]) > 0.012, energies
    assert max(energies[4:]) > 0.04, energies


def test_gradients_and_noise_would_fail_the_test_of_scales():
    ramp = np.broadcast_to(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], (192, 256, 3))
    noise = np.repeat(np.random.default_rng(0).random((192, 256, 1), dtype=np.float32), 3, axis=-1)
    for array in (ramp, noise):
        assert sum(energy > 0.03 for energy in bands(array)) < 5


def test_no_two_samples_look_alike():
    """Compared by histograms of their colours, which is what a style brings along first, and by their forms."""
    histograms = {
        key: np.histogramdd(small(key).reshape(-1, 3), bins=4, range=[(0, 1)] * 3)[0].ravel() / (192 * 256)
        for key in STYLES
    }
    for first, second in itertools.combinations(STYLES, 2):
        assert np.abs(histograms[first] - histograms[second]).sum() > 0.4, (first, second)
        assert np.abs(small(first) - small(second)).mean() > 0.1, (first, second)


@pytest.mark.parametrize(
    ("key", "width", "height"),
    [("stained-glass", 64, 64), ("flowing-brush", 64, 500), ("cut-paper", 500, 64), ("woodcut-waves", 301, 227)],
)
def test_any_format_is_painted_to_its_edges(key, width, height):
    array = samples.picture(key, width, height)
    assert array.shape == (height, width, 3)
    assert np.isfinite(array).all()
    assert len(np.unique(to_uint8(array).reshape(-1, 3), axis=0)) > 500
    for edge in (array[0], array[-1], array[:, 0], array[:, -1]):
        assert edge.std() > 0.01


@pytest.mark.parametrize("key", PHOTOGRAPHS)
def test_a_photograph_is_a_file_of_the_package_with_its_author_named(key):
    rgb = load(samples.file(key)).rgb
    assert max(rgb.shape) >= 400
    assert grey(rgb).std() > 0.1
    sample = samples.SAMPLES[key]
    assert sample.credit
    author = sample.credit.split(",")[0]
    assert re.search(rf"^ +{key}\.jpg +{author}, ", NOTICE.read_text(encoding="utf-8"), re.MULTILINE)
    with pytest.raises(SettingsError, match=f"Only styles are painted. Received: '{key}'"):
        samples.picture(key)


def test_a_photograph_that_is_missing_is_told_with_its_name_and_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "PHOTOGRAPHS", tmp_path)
    with pytest.raises(NSTError, match=r"pagoda\.jpg can't be read: No such file.*Install the program again"):
        samples.file("pagoda")


def test_a_style_as_a_file_is_the_painted_picture():
    found = load(samples.file("stained-glass")).rgb
    assert found.shape == (768, 1024, 3)
    assert np.abs(found - samples.picture("stained-glass", 1024, 768)).max() <= 0.5 / 255 + 1e-6
    with pytest.raises(SettingsError, match="no such sample"):
        samples.file("mona-lisa")


def test_an_unknown_key_is_refused_with_the_keys_there_are():
    with pytest.raises(NSTError, match=r"no such sample.*Received: 'mona-lisa'\. Choose one of pagoda, .*hatching"):
        samples.picture("mona-lisa")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 63}, r"width.*out of range\. Received: 63\. Choose a whole number from 64 to 2048"),
        ({"width": 2049}, r"width.*out of range\. Received: 2049\."),
        ({"height": 63}, r"height.*out of range\. Received: 63\."),
        ({"height": 2049}, r"height.*out of range\. Received: 2049\."),
        ({"width": 200.5}, r"width.*whole number\. Received: 200\.5\."),
        ({"height": "tall"}, r"height.*whole number\. Received: 'tall'\."),
        ({"seed": -1}, r"seed.*out of range\. Received: -1\. Choose a whole number from 0 up"),
        ({"seed": None}, r"seed.*whole number\. Received: None\."),
    ],
)
def test_sizes_and_seeds_out_of_range_are_refused_before_painting(arguments, message):
    with pytest.raises(SettingsError, match=message):
        samples.picture("flowing-brush", **arguments)
