"""How much memory a run takes, and how long its evaluations: each case in a process of its own, from a cold start.

python -m benchmarks.memory

`nst/estimate.py` takes its constants from these figures, and `tests/test_estimate.py` holds it to them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

from benchmarks.common import CONTENT, ROOT, STYLES, VGG19, table, write
from nst import image, weights
from nst.config import Settings, preset
from nst.estimate import arithmetic_rate, process_peak

SIZES, EVALUATIONS = (256, 384, 512, 768, 1024, 1536), 6
WHOLE = {"scales": 3, "early_iterations": 24, "coarse_iterations": 24, "iterations": 8}
"""As Studio goes about a picture, until L-BFGS's memory is full and the network has changed."""
STYLE = "starry_night"


def main() -> None:
    figures = [_in_a_process_of_its_own(case) for case in _cases()]
    columns = ("network", "size", "precision", "optimizer", "history", "evaluations", "base_mib", "peak_mib", "seconds")
    table(columns, [[_cell(row, column) for column in columns] for row in figures])
    write("memory", figures)


def _cases() -> list[dict[str, Any]]:
    """What is measured; settings that are not named are those of the preset Studio, at one scale."""
    networks = ("vgg19", "builtin")
    cases: list[dict[str, Any]] = [{"network": network, "size": size} for network in networks for size in SIZES]
    cases += [{"network": network, "size": 512, "optimizer": "adam"} for network in networks]
    cases += [{"network": "builtin", "size": 384, "history": history, "iterations": 105} for history in (1, 100)]
    cases += [{"network": "builtin", "size": 384, "style_scale": 2.0}, {"network": "builtin", "size": 512, "scales": 3}]
    cases += [{"network": "vgg19", "size": size, "precision": "mixed"} for size in (512, 1024, 1536)]
    cases += [
        {"network": "vgg19", "size": size, "precision": precision} | WHOLE
        for size in (512, 1024)
        for precision in ("float32", "mixed")
    ]
    cases += [{"network": "vgg19", "size": 512, "style_layers": [["block1_conv1", 1.0], ["block2_conv1", 1.0]]}]
    return cases


def _in_a_process_of_its_own(case: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{case}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _measure(case: dict[str, Any]) -> dict[str, Any]:
    """Paint a little and tell what it took; `case` holds the network's name and settings."""
    rate, begun = arithmetic_rate(), time.perf_counter()
    from nst.engine import stylize  # only here, so that its seconds can be told

    import_seconds = time.perf_counter() - begun
    settings = _settings(preset("studio"), case)
    network = weights.read(VGG19) if case["network"] == "vgg19" else weights.builtin()
    content, style = image.load(CONTENT).rgb, image.load(STYLES[STYLE]).rgb
    base = process_peak()
    begun = time.perf_counter()
    result = stylize(content, [style], settings, network=network)
    took = time.perf_counter() - begun
    full_size = [row.seconds for row in result.history if row.scale == result.history[-1].scale]
    return {
        "network": case["network"],
        "settings": settings.to_dict(),
        "content": [content.shape[1], content.shape[0]],
        "evaluations": result.evaluations,
        "base_bytes": base,
        "peak_bytes": process_peak(),
        "import_seconds": import_seconds,
        "first_seconds": result.history[0].seconds,
        "evaluation_seconds": min(b - a for a, b in pairwise(full_size)),
        "seconds": took,
        "rate": rate,
    }


def _settings(studio: Settings, case: dict[str, Any]) -> Settings:
    changes = {name: value for name, value in case.items() if name != "network"}
    if changes.get("optimizer"):
        studio = studio.with_optimizer(changes["optimizer"])
    plain = {
        "scales": 1,
        "early_iterations": 0,
        "precision": "float32",
        "coarse_iterations": EVALUATIONS,
        "iterations": EVALUATIONS,
        "plateau": 0.0,
    }
    return studio.replace(**plain | changes)


def _cell(row: dict[str, Any], column: str) -> Any:
    if column.endswith("_mib"):
        return round(row[column.replace("_mib", "_bytes")] / 2**20)
    if column == "seconds":
        return row["evaluation_seconds"]
    return row[column] if column in row else row["settings"][column]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(_measure(json.loads(sys.argv[1]))))
    else:
        main()
