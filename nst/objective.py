"""The objective of one scale: targets and weights for a pair of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from nst import image, losses
from nst.config import Settings
from nst.evaluation import evaluation, strips
from nst.features import Extractor, TargetCache
from nst.scales import Size
from nst.tiles import WHOLE, Way, way

STRIP = 4_000_000
"""Values of a feature map whose variance is taken in one go, at most, where a picture isn't evaluated whole."""


class Photograph(NamedTuple):
    """What formulas measure the losses by, layer by layer."""

    grams: list[tf.Tensor]
    """The photograph's own Gram matrices."""
    values: list[int]
    """How many values each content target has."""
    variances: list[float]
    """Of each content target over positions, averaged over channels."""
    energies: list[float]
    """Each content target's mean square."""


@dataclass(frozen=True)
class Objective:
    """The weighted losses at one size; `Objective.of` builds it, calling it evaluates it."""

    step: Callable
    arguments: tuple
    """Targets and weights, in the order `step` takes them after the pixels: tensors, but for content targets that were
    looked at in tiles, which are arrays."""
    pixel_range: float
    cached_targets: int
    """How many styles' targets came from the cache."""
    size: Size
    """Width and height of the result."""
    photograph: Photograph
    calibration: tuple[np.ndarray | float, np.ndarray | float] = (1.0, 1.0)
    """Factors on the weights of the content layers and of the style layers (see `like`)."""

    def __call__(self, pixels: tf.Tensor | np.ndarray) -> tuple[np.ndarray, tf.Tensor | np.ndarray]:
        """For pixels (1, h, w, 3) float32 RGB in [0, pixel_range]: losses and gradient.

        The losses are (4 + n,) float32 on the host: total, content, style, variation, then those of the n layers in
        the order of `nst.result.layer_names`, each with its weight in it; the total also holds the penalty for
        pixels out of range. The gradient has the shape of `pixels`; it is an array where they are gone through in
        segments, else a tensor.
        """
        values, gradient = self.step(pixels, *self.arguments)
        return values.numpy(), gradient

    @classmethod
    def of(
        cls,
        content: np.ndarray,
        styles: Sequence[np.ndarray],
        settings: Settings,
        *,
        size: Size,
        extract: Extractor,
        cache: TargetCache,
        last: Size | None = None,
        by: Way | None = None,
    ) -> Objective:
        """For a result of `size` (width, height) from pictures (h, w, 3) float32 in [0, 1] of any size.

        It is evaluated by the way that suits its size in a run whose `last` size is another (`nst.tiles`), or `by` a
        given one.
        """
        formula = losses.FORMULAS[settings.formula]
        last = last or size
        by = by or _way(size, last)
        content_targets, grams = extract.look(image.resize(content, size, soft=True), by)
        photograph = _measured(content_targets, grams, None if by == WHOLE else STRIP)
        style_targets, cached = _blend(styles, settings, extract, cache, size, last)
        arguments = _arguments(settings, content_targets, style_targets, photograph, size)
        step = evaluation(extract, settings.formula, by)
        return cls(step, arguments, formula.pixel_range, cached, size, photograph)

    def reweighted(self, settings: Settings) -> Objective:
        """The same pictures by the weights of other settings, at once: nothing is looked at again."""
        content_targets, _, style_targets, *_ = self.arguments
        arguments = _arguments(settings, content_targets, style_targets, self.photograph, self.size)
        return replace(self, arguments=_calibrated(arguments, *self.calibration))

    def like(self, other: Objective) -> Objective:
        """The same, weighed so that each layer counts as much as it does in `other`, of the same settings.

        Two networks that see alike differ in how large their numbers are. As much means: the content layer of a flat
        picture, and the style layer of the photograph, lose as much as there.
        """
        parts = zip(_weights(other), other._magnitudes(), self._magnitudes(), _weights(self), strict=True)
        content, style = (
            np.where(own, part * there / here / np.where(own, own, 1), 1) for part, there, here, own in parts
        )
        return replace(self, arguments=_calibrated(self.arguments, content, style), calibration=(content, style))

    def _magnitudes(self) -> tuple[np.ndarray, np.ndarray]:
        """How large the losses of content layers and style layers are by nature (see `nst.losses.balance`)."""
        _, _, style_targets, *_ = self.arguments
        flat = zip(self.photograph.variances, self.photograph.energies, strict=True)
        start = zip(_start(self.photograph, style_targets), _energies(style_targets), strict=True)
        return np.array([losses.balance(*pair) for pair in flat]), np.array([losses.balance(*pair) for pair in start])


def _arguments(
    settings: Settings,
    content_targets: list,
    style_targets: list[tf.Tensor],
    photograph: Photograph,
    size: Size,
) -> tuple:
    formula = losses.FORMULAS[settings.formula]
    values = 3 * size[0] * size[1]
    weights = (
        _content_weights(settings, photograph),
        _style_weights(settings, style_targets, photograph, size),
        settings.tv_weight / (values * formula.pixel_range if formula.mean_variation else 1.0),
        formula.out_of_range(values) if settings.bounds == "penalty" else 0.0,
    )
    content_weights, style_weights, tv_weight, bounds_weight = (tf.constant(w, tf.float32) for w in weights)
    return content_targets, content_weights, style_targets, style_weights, tv_weight, bounds_weight


def _weights(objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """Of the content layers and of the style layers."""
    _, content_weights, _, style_weights, *_ = objective.arguments
    return content_weights.numpy(), style_weights.numpy()


def _calibrated(arguments: tuple, content: np.ndarray | float, style: np.ndarray | float) -> tuple:
    content_targets, content_weights, style_targets, style_weights, *others = arguments
    return content_targets, content_weights * content, style_targets, style_weights * style, *others


def _blend(
    styles: Sequence[np.ndarray], settings: Settings, extract: Extractor, cache: TargetCache, size: Size, last: Size
) -> tuple[list[tf.Tensor], int]:
    """A layer's weighted mean of the styles' Gram matrices, for every style layer; and how many were cached."""
    shares = np.array(settings.style_weights or (1.0,) * len(styles))
    shares /= shares.sum()
    found = []
    for style in styles:
        shown = _style_size(style.shape[1], style.shape[0], round(max(size) * settings.style_scale))
        found.append(cache.targets(extract, image.resize(style, shown, soft=True), _way(shown, last)))
    layers = zip(*(targets.grams for targets in found), strict=True)
    blended = [np.tensordot(shares, np.stack(grams), 1) for grams in layers]
    return [tf.constant(gram, tf.float32) for gram in blended], sum(targets.cached for targets in found)


def _way(size: Size, last: Size) -> Way:
    return way(math.prod(size), math.prod(last), card=bool(tf.config.get_visible_devices("GPU")))


def _style_size(width: int, height: int, longest: int) -> Size:
    """The (width, height) to show a style at: as asked, but never so thin that the deepest layer sees nothing."""
    thinnest = math.ceil(image.MIN_SIDE * max(width, height) / min(width, height))
    return image.fitted_size(width, height, max(longest, thinnest))


def _measured(content_targets: list, grams: list[tf.Tensor], strip: int | None) -> Photograph:
    moments = [_moments(target, strip or math.prod(target.shape)) for target in content_targets]
    variances, energies = zip(*moments, strict=True)
    values = [math.prod(target.shape) for target in content_targets]
    return Photograph(grams, values, list(variances), list(energies))


def _moments(features: np.ndarray | tf.Tensor, values: int) -> tuple[float, float]:
    """The variance over positions averaged over channels, and the mean square, of (1, h, w, c).

    In strips of so many values, since either takes copies. The variance of all is that within strips and that of
    their means.
    """
    shares, means, variances, energies = [], [], [], []
    for top, bottom in strips(features, values):
        strip = tf.cast(features[:, top:bottom], tf.float32)
        shares.append((bottom - top) / features.shape[1])
        means.append(tf.reduce_mean(strip, axis=[0, 1, 2]))
        variances.append(tf.math.reduce_variance(strip, axis=[0, 1, 2]))
        energies.append(float(tf.reduce_mean(strip**2)))
    mean = tf.add_n([share * part for share, part in zip(shares, means, strict=True)])
    parts = zip(shares, variances, means, strict=True)
    variance = tf.add_n([share * (within + (part - mean) ** 2) for share, within, part in parts])
    return float(tf.reduce_mean(variance)), float(np.dot(shares, energies))


def _content_weights(settings: Settings, photograph: Photograph) -> np.ndarray:
    """What each layer's `content_loss` is multiplied by."""
    formula = losses.FORMULAS[settings.formula]
    weights = _layer_weights(settings.content_layers, formula)
    weights *= [formula.content(values) for values in photograph.values]
    if settings.formula == "balanced":
        variance, energy = float(weights @ photograph.variances), float(weights @ photograph.energies)
        weights /= losses.balance(variance, energy)
    return settings.content_weight * weights


def _style_weights(settings: Settings, targets: list[tf.Tensor], photograph: Photograph, size: Size) -> np.ndarray:
    """What each layer's `style_loss` is multiplied by."""
    formula = losses.FORMULAS[settings.formula]
    weights = _layer_weights(settings.style_layers, formula)
    for i, (layer, _) in enumerate(settings.style_layers):
        halvings = int(layer[len("block")]) - 1
        positions = (size[0] >> halvings) * (size[1] >> halvings)
        weights[i] *= formula.style(targets[i].shape[0], positions, size[0] * size[1])
    if settings.formula == "balanced":
        start, energy = float(weights @ _start(photograph, targets)), float(weights @ _energies(targets))
        weights /= losses.balance(start, energy)
    return settings.effective_style_weight * weights


def _start(photograph: Photograph, targets: list[tf.Tensor]) -> list[float]:
    """The style losses of the photograph itself."""
    return [float(losses.style_loss(gram, target)) for gram, target in zip(photograph.grams, targets, strict=True)]


def _energies(targets: list[tf.Tensor]) -> list[float]:
    return [float(tf.reduce_mean(target**2)) for target in targets]


def _layer_weights(layers: Sequence[tuple[str, float]], formula: losses.Formula) -> np.ndarray:
    weights = np.array([weight for _, weight in layers])
    return weights / len(weights) if formula.average_layers else weights
