"""How long a whole draft takes with VGG19 and with the built-in filters: why the preset prefers the latter.

python -m benchmarks.drafts
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

from benchmarks.common import CONTENT, STYLES, VGG19, interleaved, ratio, table, write
from nst import image, weights
from nst.config import preset
from nst.engine import stylize
from nst.features import TargetCache

ROUNDS = 3


def main() -> None:
    networks = {"vgg19": weights.read(VGG19), "builtin": weights.builtin()}
    figures = [_measured(style, networks) for style in STYLES]
    columns = ("style", "vgg19_seconds", "builtin_seconds", "times_faster")
    table(columns, [[row[column] for column in columns] for row in figures])
    write("drafts", figures)


def _measured(style: str, networks: dict[str, weights.Network]) -> dict[str, str | float | int]:
    seconds = interleaved({name: _draft(network, style) for name, network in networks.items()}, ROUNDS)
    return {
        "style": style,
        "rounds": ROUNDS,
        **{f"{name}_seconds": statistics.median(times) for name, times in seconds.items()},
        "times_faster": ratio(seconds, "vgg19", "builtin"),
    }


def _draft(network: weights.Network, style: str) -> Callable[[], object]:
    """A draft from cold targets; the compiled step is warm after the first round, which is not counted."""
    content, painting = (image.load(path).rgb for path in (CONTENT, STYLES[style]))
    return lambda: stylize(content, [painting], preset("draft"), network=network, cache=TargetCache())


if __name__ == "__main__":
    main()
