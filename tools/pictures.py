"""What the built-in filters learn from: free photographs that come inside scikit-image, and styles painted by us.

Crops are drawn at random places, scales, flips, mixtures and colours, so that the few pictures show the filters
something of everything that a style may bring.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage
from numpy.random import Generator

from nst import image, samples
from nst.weights import MEAN_BGR

PHOTOGRAPHS = {
    "astronaut.png": "NASA, public domain",
    "chelsea.png": "Stefan van der Walt, CC0",
    "coffee.png": "Rachel Michetti, CC0",
    "rocket.jpg": "SpaceX, public domain",
    "hubble_deep_field.jpg": "NASA, public domain",
    "brick.png": "CC0Textures, CC0",
    "grass.png": "linolafett, CC0",
    "gravel.png": "CC0Textures, CC0",
}
"""Files of scikit-image's data folder, with their authors and licences as its documentation gives them."""

SCALES = (1.0, 0.75, 0.5, 0.35)
STYLE_SIZE, STYLE_SEEDS = (640, 480), (0, 1)


def training_pictures() -> list[np.ndarray]:
    """Every picture to learn from, (h, w, 3) float32 sRGB in [0, 1]."""
    folder = Path(skimage.__file__).parent / "data"
    photographs = [image.load(folder / name).rgb for name in PHOTOGRAPHS]
    painted = [samples.picture(s.key, *STYLE_SIZE, seed) for s in samples.styles() for seed in STYLE_SEEDS]
    return photographs + painted


class Crops:
    """An endless, seeded supply of square crops."""

    def __init__(self, pictures: list[np.ndarray], size: int, seed: int = 0) -> None:
        self.size = size
        self.pyramids = [[_reduced(picture, scale, size) for scale in SCALES] for picture in pictures]
        self.rng = np.random.default_rng(seed)

    def batch(self, count: int) -> np.ndarray:
        """(count, size, size, 3) float32 sRGB in [0, 1]."""
        return np.stack([self._crop() for _ in range(count)])

    def _crop(self) -> np.ndarray:
        crop = self._plain()
        if self.rng.random() < 0.4:  # a picture in the middle of its stylisation is a mixture, too
            share = self.rng.random()
            crop = share * crop + (1 - share) * self._plain()
        if self.rng.random() < 0.7:
            crop = _recoloured(crop, self.rng)
        if self.rng.random() < 0.3:
            crop = crop + self.rng.uniform(0, 0.12) * self.rng.standard_normal(crop.shape)
        return np.clip(crop, 0, 1).astype(np.float32)

    def _plain(self) -> np.ndarray:
        pyramid = self.pyramids[self.rng.integers(len(self.pyramids))]
        picture = pyramid[self.rng.integers(len(pyramid))]
        top, left = (int(self.rng.integers(side - self.size + 1)) for side in picture.shape[:2])
        crop = picture[top : top + self.size, left : left + self.size]
        for axis in (0, 1):
            if self.rng.random() < 0.5:
                crop = np.flip(crop, axis)
        return crop.transpose(1, 0, 2) if self.rng.random() < 0.5 else crop


def preprocessed(crops: np.ndarray) -> np.ndarray:
    """Crops (b, h, w, 3) in [0, 1] as the filters are made for: float32, BGR 0..255 minus the ImageNet mean."""
    return (crops[..., ::-1] * 255 - MEAN_BGR).astype(np.float32)


def _reduced(picture: np.ndarray, scale: float, at_least: int) -> np.ndarray:
    height, width = (max(at_least, round(side * scale)) for side in picture.shape[:2])
    return image.resize(picture, (width, height), soft=True)


def _recoloured(crop: np.ndarray, rng: Generator) -> np.ndarray:
    """Colours turned, stretched and shifted by a random linear map around their mean."""
    mean = crop.mean((0, 1))
    turned = (crop - mean) @ (np.eye(3) + 0.35 * rng.standard_normal((3, 3)))
    return (turned + mean + 0.15 * rng.standard_normal(3)) * rng.uniform(0.6, 1.3)
