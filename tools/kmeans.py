"""Learn filters without any pretrained network: k-means on whitened patches, layer upon layer.

Coates and Ng (2012), "Learning feature representations with k-means", in the shape of VGG19. For each layer, from the
picture up:

1. take patches of 3 x 3 positions of the layer's input, centre them and whiten their leading principal components;
2. cluster them by spherical k-means: each centroid becomes one filter, with whitening and centring folded into it;
3. set each bias so that the filter stays silent for the same share of patches, and scale all filters to one energy.

Run it with OPENBLAS_NUM_THREADS=1: the eigenvectors come many times faster where several programs share few cores.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.random import Generator

from nst.config import CONVOLUTIONS
from nst.weights import CHANNELS, Filters
from tools.pictures import Crops, preprocessed

CROP, CROPS, BATCH = 128, 240, 12
PATCHES_A_CROP = 100
COMPONENTS = 128
"""Principal components kept, at most. From 64 to 512 the pictures score alike; fewer are faster."""
REGULARISER = 0.1
"""Added to the components' variances before whitening, as a fraction of their mean: keeps noise from being blown up."""
SILENT = 0.3
"""Share of patches that a filter doesn't respond to. The median, 0.5, keeps less of the photograph, and so does 0.7."""
ROUNDS = 10
ENERGY = 200.0
"""Root mean square of every filter's activations: about what VGG19's are on photographs, so that the classic
formulas, whose weights depend on it, keep their balance. The balanced formula doesn't see it."""

Report = Callable[[str], None]


def learn(
    pictures: list[np.ndarray],
    *,
    width: float = 0.5,
    crops: int = CROPS,
    seed: int = 0,
    report: Report = lambda line: None,
) -> Filters:
    """Filters of a network with `width` times VGG19's channels, learned from `crops` crops of `pictures`.

    `pictures` are (h, w, 3) float32 sRGB in [0, 1]; `width` is in (0, 1]. Returns for each of the 16 `CONVOLUTIONS` a
    kernel (3, 3, in, out) and a bias (out,), both float32, for `preprocessed` pictures. The same arguments give
    the same bytes on the same machine and with the same number of threads.
    """
    rng = np.random.default_rng(seed)
    features = _shown(Crops(pictures, CROP, seed), crops)
    filters: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for layer in CONVOLUTIONS:
        if layer.endswith("conv1") and layer != CONVOLUTIONS[0]:
            features = [tf.nn.max_pool2d(batch, 2, 2, "VALID") for batch in features]
        patches = np.concatenate([_patches(batch.numpy(), rng) for batch in features])
        kernel, bias = filters[layer] = _layer(patches, max(1, round(CHANNELS[layer] * width)), rng)
        features = [tf.nn.relu(tf.nn.conv2d(batch, kernel, 1, "SAME") + bias) for batch in features]
        report(f"{layer}: {len(bias)} filters from {len(patches)} patches")
    return filters


def whitening(patches: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """The matrix (d, k) float32 that whitens centred `patches`, (n, d) float32, in their k <= `components` leading
    principal components.
    """
    covariance = tf.matmul(patches, patches, transpose_a=True).numpy() / np.float32(len(patches))
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = np.maximum(variances[-components:], 0), directions[:, -components:]
    return directions / np.sqrt(variances + REGULARISER * variances.mean() + 1e-12)


def spherical_kmeans(points: np.ndarray, count: int, rng: Generator) -> np.ndarray:
    """`count` centroids of length 1, (count, k) float32, of the directions of `points`, (n, k) float32, n >= `count`.

    A centroid that attracts at most one point begins anew at a random point.
    """
    unit = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    centroids = unit[rng.choice(len(unit), count, replace=False)]
    for _ in range(ROUNDS):
        nearest = (unit @ centroids.T).argmax(1)
        members = (nearest == np.arange(count)[:, None]).astype(np.float32)  # (count, n)
        sums = members @ unit
        dead = (members.sum(1) < 2) | (np.linalg.norm(sums, axis=1) < 1e-6)
        sums[dead] = unit[rng.choice(len(unit), int(dead.sum()), replace=False)]
        centroids = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return centroids


def _shown(supply: Crops, crops: int) -> list[tf.Tensor]:
    """What the first layer sees, in batches (b, 128, 128, 3)."""
    sizes = [min(BATCH, crops - start) for start in range(0, crops, BATCH)]
    return [tf.constant(preprocessed(supply.batch(size))) for size in sizes]


def _patches(features: np.ndarray, rng: Generator) -> np.ndarray:
    """Random neighbourhoods of 3 x 3 in `features`, (b, h, w, c), as rows (n, 9 c); none reaches over the border."""
    batch, height, width, _ = features.shape
    count = batch * PATCHES_A_CROP
    which = rng.integers(batch, size=count)[:, None, None]
    top = rng.integers(height - 2, size=count)[:, None, None] + np.arange(3)[:, None]
    left = rng.integers(width - 2, size=count)[:, None, None] + np.arange(3)
    return features[which, top, left].reshape(count, -1)


def _layer(patches: np.ndarray, count: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """One layer's kernel (3, 3, c, count) and bias (count,) from rows (n, 9 c) of its input."""
    mean = patches.mean(0)
    centred = patches - mean
    white = whitening(centred)
    kernel = white @ spherical_kmeans(centred @ white, count, rng).T
    responses = centred @ kernel
    threshold = np.quantile(responses, SILENT, axis=0)
    energy = np.sqrt(np.mean(np.maximum(responses - threshold, 0) ** 2, axis=0))
    scale = ENERGY / np.maximum(energy, 1e-9)
    bias = -(mean @ kernel + threshold) * scale
    return (kernel * scale).reshape(3, 3, -1, count).astype(np.float32), bias.astype(np.float32)
