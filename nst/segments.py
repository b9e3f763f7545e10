"""Feature maps, losses and gradients of a picture of any size, exactly and in bounded memory: segment by segment.

In mixed precision "exactly" is as far as rounding goes, by about a per cent: other tiles are rounded otherwise.

The network is cut into segments of a few blocks, each of which is worked through tile by tile (`nst.tiles`); only the
maps between segments are held whole. For the gradient every tile is computed once more, from the last segment to the
first (gradient checkpointing: Chen et al. 2016, arXiv:1604.06174). A Gram matrix is a mean over positions: the first
look at the tiles sums it up, and when they are computed again, each adds its part of the gradient at the Gram matrix
of the whole picture.

Maps are NumPy arrays, because slices of an array can be added to in place, and because their memory goes back to the
system: TensorFlow copies the whole of a variable that is both read and assigned to in slices, and keeps the memory
that it once had (measured with 2.21). What is copied to and fro is little beside the convolutions. They are held in
the type that they were computed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from nst import losses
from nst.striped import by_strips
from nst.tiles import Tile, Way, tiles

Map = Any
"""(1, h, w, c), an array or a tensor; float32, or what a layer computes in."""
ByLayer = dict[str, Any]
Wanted = Mapping[str, tuple[Any, tf.Tensor]]
"""A target and the weight of its loss, for each layer."""
_POOLING = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D, keras.layers.Rescaling)


class Segments:
    """A VGG19 to be gone through segment by segment; each is compiled once, when first used.

    Pictures are (1, h, w, 3) float32 RGB, each side at least 16; `scale` is what takes their values to 0..255.
    """

    def __init__(
        self, backbone: keras.Model, mean: tf.Tensor, content_layers: Sequence[str], style_layers: Sequence[str]
    ) -> None:
        groups = groupby(backbone.layers[1:], lambda layer: isinstance(layer, _POOLING))
        found = [list(layers) for _, layers in groups]
        self.blocks, self.poolings = found[::2], found[1::2]
        self.mean = mean
        self.content_layers, self.style_layers = content_layers, style_layers
        self.segment = cache(lambda first, last, strips: _Segment(self, first, last, strips))

    def look(self, picture: Map, scale: float, way: Way, *, contents: bool = True) -> tuple[ByLayer, ByLayer]:
        """Forward only: the content layers' maps as arrays, if wanted, and the style layers' Gram matrices."""
        size = _size(picture)
        maps, grams = dict[str, Any](), dict[str, Any]()
        for segment, parts in self._cut(way, size):
            found = {name: segment.blank(name, size) for name in segment.contents} if contents else {}
            picture, known = segment.look_through(picture, scale, parts, size, found)
            maps |= found
            grams |= known
        return maps, grams

    def pull_back(
        self, pixels: Map, scale: float, way: Way, contents: Wanted, styles: Wanted, gradient: np.ndarray
    ) -> tuple[ByLayer, ByLayer]:
        """Content and style losses by layer; the gradient of their weighted sum is added to `gradient`.

        `gradient` has the shape of `pixels`.
        """
        cut = self._cut(way, _size(pixels))
        maps, grams = _looked(pixels, scale, cut)
        slope, content_losses, style_losses = None, dict[str, Any](), dict[str, Any]()
        while cut:
            (segment, parts), source = cut.pop(), maps.pop()
            into = np.zeros(source.shape, np.float32) if maps else gradient
            found = segment.pull_through(source, scale, parts, contents, styles, grams, slope, into)
            content_losses |= found[0]
            style_losses |= found[1]
            slope = into
        return content_losses, style_losses

    def _cut(self, way: Way, size: tuple[int, int]) -> list[tuple[_Segment, list[Tile]]]:
        """The segments, as far as the network goes, and their tiles."""
        found, first = [], 1
        for stage in way:
            last = min(stage.last, len(self.blocks))
            if first <= last:
                segment = self.segment(first, last, stage.strips)
                found.append((segment, tiles(size, first, segment.convolutions, stage.core)))
            first = last + 1
        return found


class _Segment:
    """Blocks `first` to `last`; what is compiled serves tiles of any size and pictures of any pair."""

    def __init__(self, network: Segments, first: int, last: int, strips: int) -> None:
        self.first, self.last = first, last
        self.blocks, self.poolings = network.blocks[first - 1 : last], network.poolings[first - 1 : last]
        self.deepest = last == len(network.blocks)
        self.mean = network.mean
        self.index = {layer.name: i for i, block in enumerate(self.blocks) for layer in block}
        """Of a layer's block in this segment."""
        self.contents = [layer for layer in network.content_layers if layer in self.index]
        self.styles = [layer for layer in network.style_layers if layer in self.index]
        convolutions = [[layer for layer in block if isinstance(layer, keras.layers.Conv2D)] for block in self.blocks]
        self.convolutions = [len(block) for block in convolutions]
        self.striped = {i for i, block in enumerate(self.blocks[:-1][:strips]) if not self._is_wanted(block)}
        """Blocks whose gradient is taken strip by strip; content targets' maps are held anyway."""
        self.given = {layer.name: _spec(layer) for block in convolutions for layer in block}
        """What each layer gives."""
        self.output = _spec(self.blocks[-1][-1])
        """What is handed on to the next segment, but that it is pooled."""
        self._compile(_spec(network.blocks[first - 2][-1]) if first > 1 else tf.TensorSpec((1, None, None, 3)))

    def _is_wanted(self, block: Sequence[keras.layers.Layer]) -> bool:
        """Whether one of its maps is a content target."""
        return any(layer.name in self.contents for layer in block)

    def _compile(self, source: tf.TensorSpec) -> None:
        where = [
            source,
            tf.TensorSpec((len(self.blocks), 2, 2, 2), tf.int32),
            tf.TensorSpec((len(self.blocks),)),
            tf.TensorSpec(()),
        ]
        square = {name: tf.TensorSpec((self.given[name].shape[-1],) * 2) for name in self.styles}
        wanted = [
            {name: (self.given[name], tf.TensorSpec(())) for name in self.contents},
            {name: (spec, tf.TensorSpec(())) for name, spec in square.items()},
            square,
            [] if self.deepest else [tf.TensorSpec(self.output.shape)],
        ]
        self.look = tf.function(self._look, input_signature=where, autograph=False)
        self.pull = tf.function(self._pull, input_signature=where + wanted, autograph=False)

    def _look(self, tile, cuts, shares, scale):  # type: ignore[no-untyped-def]
        """A tile's output, its content maps, and its part of the Gram matrices."""
        features = tile * scale - self.mean if self.first == 1 else tile
        contents, grams = dict[str, Any](), dict[str, Any]()
        for i, block in enumerate(self.blocks):
            if i in self.striped:
                styles = [layer.name for layer in block if layer.name in self.styles]
                features, found = by_strips(block, self.poolings[i], styles, features)
                grams |= dict(zip(styles, found, strict=True))
                continue  # a picture that is one tile has nothing to cut away
            for layer in block:
                features = layer(features)
                if layer.name in self.contents:
                    contents[layer.name] = _core(features, cuts[i, 0])
                if layer.name in self.styles:
                    features, gram = _with_gram(features, cuts[i, 0])
                    grams[layer.name] = shares[i] * gram
            if i < len(self.poolings):
                for layer in self.poolings[i]:
                    features = layer(features)
                features = _core(features, cuts[i, 1])
        return [] if self.deepest else [features], contents, grams

    def _pull(self, tile, cuts, shares, scale, contents, styles, grams, slope):  # type: ignore[no-untyped-def]
        """A tile's gradient and its content losses' parts, and the style losses of the whole picture.

        `grams` are the whole picture's; a tile that is the whole picture has no need of them.
        """
        with tf.GradientTape() as tape:
            tape.watch(tile)
            output, maps, parts = self._look(tile, cuts, shares, scale)
            content_losses, style_losses, total = {}, {}, tf.zeros([])
            for name, (target, weight) in contents.items():
                found, target = tf.cast(maps[name], tf.float32), tf.cast(target, tf.float32)
                content_losses[name] = shares[self.index[name]] * losses.content_loss(found, target)
                total += weight * content_losses[name]
            for name, (target, weight) in styles.items():
                part = parts[name]
                others = tf.where(shares[self.index[name]] < 1, grams[name] - part, 0.0)
                style_losses[name] = losses.style_loss(part + tf.stop_gradient(others), target)
                total += weight * style_losses[name]
        above = [tf.cast(part, self.output.dtype) for part in slope]
        gradient = tape.gradient([total, *output], tile, [tf.ones([]), *above])
        return tf.cast(gradient, tf.float32), content_losses, style_losses

    def look_through(
        self, source: Map, scale: float, parts: list[Tile], size: tuple[int, int], contents: ByLayer
    ) -> tuple[np.ndarray | None, ByLayer]:
        """The output, None after the last block, and Gram matrices; `contents` are filled in.

        `size` is the picture's.
        """
        output = None if self.deepest else _blank(size, self.last, self.output)
        grams: ByLayer = {}
        for part in parts:
            found, maps, shares = self.look(source[part.region], part.cuts, part.shares, scale)
            for name in contents:
                contents[name][part.cores[self.index[name]]] = maps[name].numpy()
            for name in grams or shares:
                grams[name] = grams[name] + shares[name] if name in grams else shares[name]
            if output is not None:
                output[part.cores[-1]] = found[0].numpy()
        return output, grams

    def pull_through(
        self,
        source: Map,
        scale: float,
        parts: list[Tile],
        contents: Wanted,
        styles: Wanted,
        grams: ByLayer,
        slope: np.ndarray | None,
        gradient: np.ndarray,
    ) -> tuple[ByLayer, ByLayer]:
        """Content and style losses; to `gradient` is added that of their weighted sum, and of `slope` · output."""
        wanted = {name: styles[name] for name in self.styles}
        known = {name: grams.get(name, tf.zeros_like(styles[name][0])) for name in self.styles}
        content_losses = dict.fromkeys(self.contents, tf.zeros([]))
        style_losses: ByLayer = {}
        for part in parts:
            targets = {
                name: (contents[name][0][part.cores[self.index[name]]], contents[name][1]) for name in self.contents
            }
            above = [] if slope is None else [slope[part.cores[-1]]]
            found, content_parts, style_losses = self.pull(
                source[part.region], part.cuts, part.shares, scale, targets, wanted, known, above
            )
            gradient[part.region] += found.numpy()
            content_losses = {name: content_losses[name] + loss for name, loss in content_parts.items()}
        return content_losses, style_losses

    def blank(self, name: str, size: tuple[int, int]) -> np.ndarray:
        """For the map of one of its layers of a picture of `size`."""
        return _blank(size, self.first - 1 + self.index[name], self.given[name])


def _looked(pixels: Map, scale: float, cut: list[tuple[_Segment, list[Tile]]]) -> tuple[list[Map], ByLayer]:
    """What each segment begins with, held by nobody else, and the Gram matrices of those that go tile by tile."""
    maps, grams = [pixels], dict[str, Any]()
    for segment, parts in cut:
        if segment.deepest and len(parts) == 1:
            break  # nothing beyond this tile adds to its Gram matrices
        output, known = segment.look_through(maps[-1], scale, parts, _size(pixels), {})
        grams |= known
        maps += [] if output is None else [output]
    return maps, grams


def _spec(layer: keras.layers.Conv2D) -> tf.TensorSpec:
    """Of a layer's map, in the type that it is computed in."""
    return tf.TensorSpec((1, None, None, layer.filters), layer.compute_dtype)


def _blank(size: tuple[int, int], halvings: int, spec: tf.TensorSpec) -> np.ndarray:
    """For a map of a picture of `size`."""
    return np.empty((1, size[1] >> halvings, size[0] >> halvings, spec.shape[-1]), spec.dtype.as_numpy_dtype)


def _size(picture: Map) -> tuple[int, int]:
    return picture.shape[2], picture.shape[1]


@tf.custom_gradient
def _with_gram(features: tf.Tensor, cut: tf.Tensor) -> tuple:
    """A feature map as it is, and the Gram matrix of its core.

    Left alone, TensorFlow computes the gradient of the Gram matrix as soon as it can, still on the way forward, and
    holds it until the one from above is there: half as much memory again as all feature maps. Here it waits for that.
    """

    def back(above: tf.Tensor, slope: tf.Tensor) -> tuple[tf.Tensor, None]:
        with tf.control_dependencies([above]), tf.GradientTape() as tape:
            late = tf.identity(features)
            tape.watch(late)
            own = tape.gradient(gram(late), late, slope)
        return above + own, None

    def gram(features: tf.Tensor) -> tf.Tensor:
        return losses.gram_matrix(_core(features, cut))

    return (tf.identity(features), gram(features)), back


def _core(features: tf.Tensor, cut: tf.Tensor) -> tf.Tensor:
    (top, bottom), (left, right) = (tf.unstack(axis) for axis in tf.unstack(cut))
    return features[:, top:bottom, left:right]
