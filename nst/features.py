"""VGG19 cut at the deepest layer asked for, the extractor of feature maps and Gram matrices, and the style targets.

The network is Simonyan and Zisserman's (2015) without its classifier; which filters it uses is `nst.weights`'
business. Everything here runs on the one TensorFlow thread.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from nst import losses
from nst.config import CONVOLUTIONS, Settings
from nst.convolution import convolution
from nst.errors import SettingsError
from nst.files import write_atomically
from nst.segments import Segments
from nst.tiles import WHOLE, Way, way
from nst.weights import MEAN_BGR, Network

AVERAGE_POOLING_GAIN = 2.0
"""Average pooling passes on about half of what max pooling does; multiplying by this keeps the meaning of weights and
of the deeper filters (the factor of crowsonkb/style-transfer-pytorch; Gatys et al. 2016 suggest average pooling)."""


class EdgePadding(keras.layers.Layer):
    """Repeats the border rows and columns once, (1, h, w, c) to (1, h + 2, w + 2, c): no dark frame at the edges."""

    def call(self, features: tf.Tensor) -> tf.Tensor:
        return tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")


MEAN_RGB = MEAN_BGR[::-1]
POLICIES = {"float32": "float32", "mixed": "mixed_bfloat16"}
"""Of the layers but the first, by precision. The first sees the picture, whose 256 levels bfloat16 can't tell apart."""


def vgg19(
    network: Network,
    layers: Sequence[str],
    *,
    pooling: str = "max",
    padding: str = "zero",
    precision: str = "float32",
) -> keras.Model:
    """A Functional model from a preprocessed picture to the activations of `layers`, in their order.

    Input: (1, h, w, 3) float32, RGB 0..255 minus `MEAN_RGB`, h and w at least 16. Outputs: after the ReLU,
    (1, h', w', c), of the dtype that `precision` makes the layer compute in. No layer deeper than the deepest of
    `layers` exists.
    """
    policy = "float32"
    picture = features = keras.Input((None, None, 3), batch_size=1)
    found = {}
    deepest = max(CONVOLUTIONS.index(layer) for layer in layers)
    for name in CONVOLUTIONS[: deepest + 1]:
        if name.endswith("conv1") and name != CONVOLUTIONS[0]:
            features = _pool(features, pooling, name=f"before_{name}", policy=policy)
        kernel, bias = network.filters[name]
        if name == CONVOLUTIONS[0]:
            kernel = kernel[:, :, ::-1]  # made for BGR: it is turned once, not every picture
        if padding == "edge":
            features = EdgePadding(dtype=policy)(features)
        kept = "same" if padding == "zero" else "valid"
        layer = convolution(kernel.shape[-1], padding=kept, activation="relu", name=name, dtype=policy)
        features = found[name] = layer(features)
        layer.set_weights([kernel, bias])
        policy = POLICIES[precision]
    model = keras.Model(picture, [found[layer] for layer in layers], name=network.info.name)
    model.trainable = False
    return model


def _pool(features: tf.Tensor, pooling: str, *, name: str, policy: str) -> tf.Tensor:
    if pooling == "max":
        return keras.layers.MaxPooling2D(2, name=name, dtype=policy)(features)
    averaged = keras.layers.AveragePooling2D(2, name=name, dtype=policy)(features)
    return keras.layers.Rescaling(AVERAGE_POOLING_GAIN, dtype=policy)(averaged)


class Extractor(keras.Model):
    """From a picture to content feature maps and style Gram matrices.

    Call it with (1, h, w, 3) float32 RGB 0..255. Returns two lists: the activations of `content_layers`, each
    (1, h', w', c), and the position-averaged Gram matrices of `style_layers`, each (c, c).
    """

    def __init__(
        self,
        network: Network,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        *,
        pooling: str,
        padding: str,
        precision: str = "float32",
    ) -> None:
        super().__init__(name="extractor")
        self.content_layers = tuple(content_layers)
        self.style_layers = tuple(style_layers)
        self.key = (network.info.sha256, pooling, padding, precision)
        """What the numbers that come out depend on, besides the picture and the layers."""
        wanted = sorted({*content_layers, *style_layers}, key=CONVOLUTIONS.index)
        self.backbone = vgg19(network, wanted, pooling=pooling, padding=padding, precision=precision)
        self.channels = {name: network.filters[name][0].shape[-1] for name in wanted}
        self.mean = tf.constant(MEAN_RGB, tf.float32)
        self.segments = Segments(self.backbone, self.mean, self.content_layers, self.style_layers)
        self.steps: dict[str, Callable] = {}
        """Compiled steps by name (`nst.evaluation`); they live as long as the filters they run on."""

    def call(self, picture: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        activations = tf.nest.flatten(self.backbone(picture - self.mean))  # Keras unpacks a list of one
        found = dict(zip(self.backbone.output_names, activations, strict=True))
        grams = [losses.gram_matrix(found[layer]) for layer in self.style_layers]
        return [tf.cast(found[layer], tf.float32) for layer in self.content_layers], grams

    def look(
        self, picture: np.ndarray, by: Way | None = None, *, contents: bool = True
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """The same for (h, w, 3) float32 in [0, 1] of any size in bounded memory; maps only if `contents`.

        It is gone through by the way that suits its size, or `by` another (`nst.tiles`).
        """
        by = by or way(picture.shape[0] * picture.shape[1])
        if by == WHOLE:
            found, seen = self(tf.constant(picture[None] * 255.0, tf.float32))
            return found if contents else [], seen
        maps, grams = self.segments.look(picture[None], 255.0, by, contents=contents)
        return [maps[layer] for layer in self.content_layers if contents], [grams[layer] for layer in self.style_layers]


_extractors: OrderedDict[tuple, Extractor] = OrderedDict()
_building = threading.Lock()
MAX_EXTRACTORS = 4


def extractor(network: Network, settings: Settings) -> Extractor:
    """The extractor for these filters, layers, pooling, padding and precision, built once a process.

    Raises `SettingsError` where the precision is still open.
    """
    if settings.precision not in POLICIES:
        raise SettingsError(f"The precision is not settled. Received: {settings.precision!r}. Use float32 or mixed.")
    content = tuple(layer for layer, _ in settings.content_layers)
    style = tuple(layer for layer, _ in settings.style_layers)
    how = {"pooling": settings.pooling, "padding": settings.padding, "precision": settings.precision}
    key = (network.info.sha256, content, style, *how.values())
    with _building:
        if key not in _extractors:
            _extractors[key] = Extractor(network, content, style, **how)
            if len(_extractors) > MAX_EXTRACTORS:
                _extractors.popitem(last=False)
        _extractors.move_to_end(key)
        return _extractors[key]


class Targets(NamedTuple):
    """The Gram matrices of one style picture."""

    grams: list[np.ndarray]
    """One (c, c) float32 a style layer, position-averaged."""
    cached: bool
    """Whether they came from the cache."""


class TargetCache:
    """Style targets by picture, size, layers and network: bounded in memory, and on disk where a folder is given.

    A file that can't be read, or written, only costs the time to compute the targets again. One a process; safe to
    share between threads.
    """

    MEMORY, DISK = 64, 512

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._held: OrderedDict[str, list[np.ndarray]] = OrderedDict()

    def targets(self, extract: Extractor, style: np.ndarray, by: Way | None = None) -> Targets:
        """Of `style`, (h, w, 3) float32 sRGB in [0, 1], already at the size it is to be seen at.

        It is gone through by the way that suits its size, or `by` another: the last digits depend on that.
        """
        by = by or way(style.shape[0] * style.shape[1])
        key = self._key(extract, style, by)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return Targets(self._held[key], cached=True)
        grams = self._read(key, extract)
        if found := grams is not None:
            self._hold(key, grams)
        else:
            _, tensors = extract.look(style, by, contents=False)
            grams = [gram.numpy() for gram in tensors]
            self._hold(key, grams)
            self._write(key, grams, extract)
        return Targets(grams, cached=found)

    def _key(self, extract: Extractor, style: np.ndarray, by: Way) -> str:
        pixels = hashlib.sha256(np.ascontiguousarray(style).tobytes()).hexdigest()
        parts = (pixels, style.shape, extract.style_layers, extract.key, [tuple(stage) for stage in by])
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _hold(self, key: str, grams: list[np.ndarray]) -> None:
        with self._lock:
            self._held[key] = grams
            while len(self._held) > self.MEMORY:
                self._held.popitem(last=False)

    def _read(self, key: str, extract: Extractor) -> list[np.ndarray] | None:
        if self.folder is None:
            return None
        try:
            with np.load(self.folder / f"{key}.npz", allow_pickle=False) as file:
                grams = [file[layer] for layer in extract.style_layers]
            wanted = [(extract.channels[layer],) * 2 for layer in extract.style_layers]
            sound = all(
                gram.shape == shape and gram.dtype == np.float32 and np.isfinite(gram).all()
                for gram, shape in zip(grams, wanted, strict=True)
            )
        except Exception:  # whatever is wrong with a cached file, it can be computed again
            return None
        return grams if sound else None

    def _write(self, key: str, grams: list[np.ndarray], extract: Extractor) -> None:
        if self.folder is None:
            return
        data = io.BytesIO()
        arrays: dict[str, Any] = dict(zip(extract.style_layers, grams, strict=True))
        np.savez(data, **arrays)
        try:
            write_atomically(self.folder / f"{key}.npz", data.getvalue())
            oldest_first = sorted(self.folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)
            for path in oldest_first[: -self.DISK]:
                path.unlink(missing_ok=True)
        except OSError:  # a full disk must not stop a stylisation
            return
