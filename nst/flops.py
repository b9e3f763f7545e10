"""What an evaluation costs in arithmetic: floating-point operations, the same on every computer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from nst.config import BUILTIN, CONVOLUTIONS, Settings
from nst.weights import CHANNELS

WIDTH = {BUILTIN: 0.5}
"""Channels of a network's layers as a fraction of VGG19's; 1 where it isn't named."""


class Layer(NamedTuple):
    """A convolution of VGG19, or of a narrower network of its form."""

    block: int
    weights: int
    """Of its kernel."""
    channels: int
    share: float
    """Its positions as a share of the picture's pixels."""


def layers(settings: Settings, network: str) -> Iterator[Layer]:
    """Every convolution down to the deepest that is asked for."""
    width, received = WIDTH.get(network, 1.0), 3
    asked = (CONVOLUTIONS.index(layer) for layer, _ in (*settings.content_layers, *settings.style_layers))
    for name in CONVOLUTIONS[: max(asked) + 1]:
        channels = round(CHANNELS[name] * width)
        block = int(name[len("block")])
        yield Layer(block, 9 * received * channels, channels, 0.25 ** (block - 1))
        received = channels


def evaluation_flops(settings: Settings, pixels: float, *, network: str) -> float:
    """FLOP of one evaluation, loss and gradient, of a picture of so many pixels: its convolutions.

    A multiplication and an addition for every weight and position, and the same again for the gradient of the
    pixels: the weights have none.
    """
    return 2 * 2 * sum(layer.weights * pixels * layer.share for layer in layers(settings, network))
