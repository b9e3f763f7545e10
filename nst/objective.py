"""The objective of one scale: targets and weights for a pair of pictures, and the compiled loss and gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from nst import image, losses
from nst.config import Settings
from nst.features import Extractor, TargetCache


@dataclass(frozen=True)
class Objective:
    """The weighted losses at one size; `Objective.of` builds it, calling it evaluates it."""

    step: Callable
    arguments: tuple
    """Targets and weights as tensors, in the order `step` takes them after the pixels."""
    pixel_range: float
    cached_targets: int
    """How many styles' targets came from the cache."""
    size: tuple[int, int]
    """Width and height of the result."""
    photograph_grams: list[tf.Tensor]
    """The photograph's own Gram matrices, which the balanced formula measures the style loss by."""

    def __call__(self, pixels: tf.Tensor) -> tuple[np.ndarray, tf.Tensor]:
        """For pixels (1, h, w, 3) float32 RGB in [0, pixel_range]: losses and gradient.

        The losses are (4 + n,) float32 on the host: total, content, style, variation, then those of the n layers in
        the order of `nst.result.layer_names`, each with its weight in it; the total also holds the penalty for
        pixels out of range. The gradient has the shape of `pixels`.
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
        size: tuple[int, int],
        extract: Extractor,
        cache: TargetCache,
    ) -> Objective:
        """For a result of `size` (width, height) from pictures (h, w, 3) float32 in [0, 1] of any size."""
        formula = losses.FORMULAS[settings.formula]
        photograph = tf.constant(image.resize(content, size, soft=True)[None] * 255.0, tf.float32)
        content_targets, photograph_grams = extract(photograph)
        style_targets, cached = _blend(styles, settings, extract, cache, longest=max(size))
        arguments = _arguments(settings, content_targets, style_targets, photograph_grams, size)
        step = compiled_step(extract, settings.formula)
        return cls(step, arguments, formula.pixel_range, cached, size, photograph_grams)

    def reweighted(self, settings: Settings) -> Objective:
        """The same pictures by the weights of other settings, at once: nothing is looked at again."""
        content_targets, _, style_targets, *_ = self.arguments
        arguments = _arguments(settings, content_targets, style_targets, self.photograph_grams, self.size)
        return replace(self, arguments=arguments)


def _arguments(
    settings: Settings,
    content_targets: list[tf.Tensor],
    style_targets: list[tf.Tensor],
    photograph_grams: list[tf.Tensor],
    size: tuple[int, int],
) -> tuple:
    formula = losses.FORMULAS[settings.formula]
    variation_scale = 3 * size[0] * size[1] * formula.pixel_range if formula.mean_variation else 1.0
    weights = (
        _content_weights(settings, content_targets),
        _style_weights(settings, style_targets, photograph_grams, size),
        settings.tv_weight / variation_scale,
        losses.OUT_OF_RANGE_WEIGHT if settings.bounds == "penalty" else 0.0,
    )
    content_weights, style_weights, tv_weight, bounds_weight = (tf.constant(w, tf.float32) for w in weights)
    return content_targets, content_weights, style_targets, style_weights, tv_weight, bounds_weight


def compiled_step(extract: Extractor, formula_name: str) -> Callable:
    """The compiled loss and gradient for this extractor and formula, traced once for pictures of any size.

    Targets and weights are arguments, so another pair, strength or size reuses the trace.
    """
    if formula_name not in extract.steps:
        extract.steps[formula_name] = _compile(extract, losses.FORMULAS[formula_name])
    return extract.steps[formula_name]


def _compile(extract: Extractor, formula: losses.Formula) -> Callable:
    def spec(*shape: int | None) -> tf.TensorSpec:
        return tf.TensorSpec(shape, tf.float32)

    signature = [
        spec(1, None, None, 3),
        [spec(1, None, None, extract.channels[layer]) for layer in extract.content_layers],
        spec(len(extract.content_layers)),
        [spec(extract.channels[layer], extract.channels[layer]) for layer in extract.style_layers],
        spec(len(extract.style_layers)),
        spec(),
        spec(),
    ]

    @tf.function(input_signature=signature)
    def step(pixels, content_targets, content_weights, style_targets, style_weights, tv_weight, bounds_weight):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            contents, grams = extract(pixels * (255.0 / formula.pixel_range))
            content_layers = _by_layer(losses.content_loss, contents, content_targets)
            style_layers = _by_layer(losses.style_loss, grams, style_targets)
            content = tf.tensordot(content_weights, content_layers, 1)
            style = tf.tensordot(style_weights, style_layers, 1)
            variation = tv_weight * formula.variation(pixels)
            outside = bounds_weight * losses.out_of_range(pixels, formula.pixel_range)
            total = content + style + variation + outside
        by_layer = [content_weights * content_layers, style_weights * style_layers]
        values = tf.concat([tf.stack([total, content, style, variation]), *by_layer], 0)
        return values, tape.gradient(total, pixels)

    return step


def _by_layer(loss: Callable, found: list[tf.Tensor], wanted: list[tf.Tensor]) -> tf.Tensor:
    return tf.stack([loss(a, b) for a, b in zip(found, wanted, strict=True)])


def _blend(
    styles: Sequence[np.ndarray], settings: Settings, extract: Extractor, cache: TargetCache, *, longest: int
) -> tuple[list[tf.Tensor], int]:
    """A layer's weighted mean of the styles' Gram matrices, for every style layer; and how many were cached."""
    shares = np.array(settings.style_weights or (1.0,) * len(styles))
    shares /= shares.sum()
    found = []
    for style in styles:
        size = _style_size(style.shape[1], style.shape[0], round(longest * settings.style_scale))
        found.append(cache.targets(extract, image.resize(style, size, soft=True)))
    layers = zip(*(targets.grams for targets in found), strict=True)
    blended = [np.tensordot(shares, np.stack(grams), 1) for grams in layers]
    return [tf.constant(gram, tf.float32) for gram in blended], sum(targets.cached for targets in found)


def _style_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """The (width, height) to show a style at: as asked, but never so thin that the deepest layer sees nothing."""
    thinnest = math.ceil(image.MIN_SIDE * max(width, height) / min(width, height))
    return image.fitted_size(width, height, max(longest, thinnest))


def _content_weights(settings: Settings, targets: list[tf.Tensor]) -> np.ndarray:
    """What each layer's `content_loss` is multiplied by."""
    formula = losses.FORMULAS[settings.formula]
    weights = _layer_weights(settings.content_layers, formula)
    weights *= [formula.content(int(tf.size(target))) for target in targets]
    if settings.formula == "balanced":
        flat = [float(tf.reduce_mean(tf.math.reduce_variance(target, axis=[0, 1, 2]))) for target in targets]
        weights /= losses.balance(float(weights @ flat), float(weights @ _energy(targets)))
    return settings.content_weight * weights


def _style_weights(
    settings: Settings, targets: list[tf.Tensor], photograph: list[tf.Tensor], size: tuple[int, int]
) -> np.ndarray:
    """What each layer's `style_loss` is multiplied by; `photograph` holds the content picture's Gram matrices."""
    formula = losses.FORMULAS[settings.formula]
    weights = _layer_weights(settings.style_layers, formula)
    for i, (layer, _) in enumerate(settings.style_layers):
        halvings = int(layer[len("block")]) - 1
        positions = (size[0] >> halvings) * (size[1] >> halvings)
        weights[i] *= formula.style(targets[i].shape[0], positions, size[0] * size[1])
    if settings.formula == "balanced":
        start = [float(losses.style_loss(gram, target)) for gram, target in zip(photograph, targets, strict=True)]
        weights /= losses.balance(float(weights @ start), float(weights @ _energy(targets)))
    return settings.effective_style_weight * weights


def _layer_weights(layers: Sequence[tuple[str, float]], formula: losses.Formula) -> np.ndarray:
    weights = np.array([weight for _, weight in layers])
    return weights / len(weights) if formula.average_layers else weights


def _energy(targets: list[tf.Tensor]) -> list[float]:
    return [float(tf.reduce_mean(target**2)) for target in targets]
