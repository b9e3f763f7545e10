"""Fixtures that several test files share: a narrow network, small pictures, and where the files outside lie.

TensorFlow is not imported here, so that files that must work without it can be tested alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nst.weights import Network
from tests.networks import seeded

SHARED = Path(os.environ.get("NST_SHARED") or Path(__file__).parents[2] / "shared")
VGG19 = Path(os.environ.get("NST_TEST_WEIGHTS") or SHARED / "weights" / "vgg19_notop.h5")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("weights") and not VGG19.is_file():
        pytest.skip(f"{VGG19} is not there; name the file in NST_TEST_WEIGHTS")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures, reference values and the scorer; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there; name the folder in NST_SHARED")
    return SHARED


@pytest.fixture(scope="session")
def vgg19_path() -> Path:
    return VGG19


@pytest.fixture(scope="session")
def narrow() -> Network:
    """VGG19's shape with an eighth of its channels: 8 at the top, 64 at the bottom."""
    return seeded()


@pytest.fixture(scope="session")
def other_narrow() -> Network:
    return seeded(seed=1)


def draw(width: int, height: int, seed: int = 0) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]: a few slanted waves of random colour and a little noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(width, height)
    canvas = np.full((height, width, 3), 0.5)
    for frequency in (2, 5, 11):
        angle, phase = random.uniform(0, 2 * np.pi, 2)
        wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase)
        canvas += 0.15 * wave[..., None] * random.uniform(-1, 1, 3)
    return np.clip(canvas + 0.03 * random.standard_normal(canvas.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="session")
def picture() -> Callable[..., np.ndarray]:
    """`picture(width, height, seed)`: see `draw`."""
    return draw
