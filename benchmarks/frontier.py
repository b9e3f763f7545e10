"""Content against style from photograph to painting, beside the examples that two well-known programs publish.

python -m benchmarks.frontier

The preset Studio as it is, at 512 pixels, at several strengths; scores are the independent judge's, of the saved
pictures. Pictures of three pairs are painted: half an hour.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import CONTENT, SHARED, STYLES, VGG19, score, table, write
from nst import image, weights
from nst.config import preset
from nst.engine import TargetCache, stylize

STRENGTHS = (40, 50, 55, 60, 63, 65, 70)
PUBLISHED = SHARED / "reference" / "published_outputs.json"


def main() -> None:
    figures = [_pair(name, path) for name, path in STYLES.items()]
    for pair in figures:
        rows = [(f"strength {point['strength']:g}", point) for point in pair["ours"]] + list(pair["published"].items())
        columns = ("content", "style", "full_size_evaluations")
        print(pair["style"])
        table(("", *columns), [[name, *(point.get(column, "") for column in columns)] for name, point in rows])
        print("better than both at strengths", *pair["better_than_both"])
    write("frontier", figures)


def _pair(name: str, path: Path) -> dict[str, Any]:
    published = _published(path.name)
    ours = _painted(path)
    best = {kind: min(point[kind] for point in published.values()) for kind in ("content", "style")}
    better = [point["strength"] for point in ours if all(point[kind] < best[kind] for kind in best)]
    return {"style": name, "published": published, "ours": ours, "better_than_both": better}


def _published(style: str) -> dict[str, dict[str, float]]:
    """Scores by program."""
    pairs = json.loads(PUBLISHED.read_text())["pairs"]
    (pair,) = (pair for pair in pairs if pair["style"] == style)
    return {name: scores for name, scores in pair.items() if "/" in name}


def _painted(path: Path) -> list[dict[str, float]]:
    content, style, network = image.load(CONTENT).rgb, image.load(path).rgb, weights.read(VGG19)
    cache, points = TargetCache(), []
    with tempfile.TemporaryDirectory() as folder:
        for strength in STRENGTHS:
            settings = preset("studio").replace(strength=float(strength))
            result = stylize(content, [style], settings, network=network, cache=cache)
            out = Path(folder, f"{strength}.png")
            out.write_bytes(image.encode_png(result.picture))
            (found,) = score(path, [out])
            points.append(
                {
                    "strength": settings.strength,
                    "content": found["content"],
                    "style": found["style"],
                    "full_size_evaluations": result.full_size_evaluations,
                    "precision": result.settings.precision,
                }
            )
    return points


if __name__ == "__main__":
    main()
