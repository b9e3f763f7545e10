"""How well the built-in filters paint, as VGG19 sees it: bench/score.py on the pictures that `nst stylize` saves.

python -m benchmarks.filters [--also NAME=FILE.npz ...]

`--also` judges other filters beside them, such as the ones that `tools/learn_filters.py kmeans` makes. `none` is the
photograph itself.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import CONTENT, STYLES, VGG19, score, table, write
from nst import image, weights
from nst.config import preset
from nst.engine import stylize

SIZE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--also", metavar="NAME=FILE", action="append", default=[])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the pictures shall stay, to be looked at")
    options = parser.parse_args()
    networks = {"vgg19": weights.read(VGG19), "builtin": weights.builtin()}
    for name, path in (also.split("=", 1) for also in options.also):
        networks[name] = weights.make(name, path, weights.unpack(Path(path).read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        figures = [row for style in STYLES for row in _judged(style, networks, options.keep or Path(folder))]
    columns = ("style", "network", "content_score", "style_score", "percent_off")
    table(columns, [[row[column] for column in columns] for row in figures])
    write("filters", figures)


def _judged(style: str, networks: dict[str, weights.Network], folder: Path) -> list[dict[str, Any]]:
    """Scores of the photograph itself and of one picture a network, for one style."""
    paths = {name: folder / f"{style}-{name}.png" for name in ("none", *networks)}
    content, painting = (image.load(path).rgb for path in (CONTENT, STYLES[style]))
    size = image.fitted_size(content.shape[1], content.shape[0], SIZE)
    paths["none"].write_bytes(image.encode_png(image.resize(content, size, soft=True)))
    for name, network in networks.items():
        result = stylize(content, [painting], preset("studio").replace(size=SIZE), network=network)
        paths[name].write_bytes(image.encode_png(result.picture))
    scores = score(STYLES[style], list(paths.values()))
    start = scores[0]["style"]
    return [
        {
            "style": style,
            "network": name,
            "content_score": found["content"],
            "style_score": found["style"],
            "percent_off": round(100 * (1 - found["style"] / start), 1),
        }
        for name, found in zip(paths, scores, strict=True)
    ]


if __name__ == "__main__":
    main()
