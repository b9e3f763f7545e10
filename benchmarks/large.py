"""Peak memory and time a pixel of large pictures, which are painted in tiles, beside 1024 pixels untiled.

python -m benchmarks.large

Studio's layers at one scale with VGG19, long enough for L-BFGS to remember all that it may. Each case is a process of
its own, and the untiled evaluations it is compared with are measured just before, in another. Seconds are those of the
processor, all cores together, since for so long nothing else can be kept from running. An hour.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.common import CONTENT, ROOT, STYLES, VGG19, table, write
from nst import image, weights
from nst.config import Settings, preset
from nst.estimate import process_peak

REFERENCE = 1024
CASES = ((1024, "float32", 7), (2048, "float32", 5), (4096, "float32", 3),
         (1024, "mixed", 7), (2048, "mixed", 7), (4096, "mixed", 6))  # fmt: skip
"""Longest side, precision, evaluations."""


def main() -> None:
    rows = [_case(*case) for case in CASES]
    table(list(rows[0]), [list(row.values()) for row in rows])
    write("large", {"reference": "1024 px untiled, float32", "evaluations": rows})


def _case(size: int, precision: str, evaluations: int) -> dict[str, Any]:
    reference = _in_a_process_of_its_own("untiled", REFERENCE, "float32", 4)
    found = _in_a_process_of_its_own("painted", size, precision, evaluations)
    return found | {"times": found["seconds"] / found["pixels"] / (reference["seconds"] / reference["pixels"])}


def _in_a_process_of_its_own(*case: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{case}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(how: str, size: int, precision: str, evaluations: int) -> dict[str, Any]:
    settings = preset("studio").replace(size=size, precision=precision, early_iterations=0, scales=1, plateau=0.0)
    content, style = (image.load(path).rgb for path in (CONTENT, STYLES["starry_night"]))
    full = image.fitted_size(content.shape[1], content.shape[0], size)
    measured = _untiled if how == "untiled" else _painted
    seconds = measured(content, style, settings.replace(iterations=evaluations), full)
    return {
        "width": full[0],
        "height": full[1],
        "pixels": full[0] * full[1],
        "precision": precision,
        "evaluations": evaluations,
        "seconds": statistics.median(seconds),
        "peak_bytes": process_peak(),
    }


def _untiled(content: np.ndarray, style: np.ndarray, settings: Settings, full: tuple[int, int]) -> list[float]:
    """Seconds of each evaluation but the first, which also prepares."""
    import tensorflow as tf

    from nst.features import TargetCache, extractor
    from nst.objective import Objective
    from nst.tiles import WHOLE

    extract = extractor(weights.read(VGG19), settings)
    objective = Objective.of(content, [style], settings, size=full, extract=extract, cache=TargetCache(), by=WHOLE)
    pixels, ends = tf.constant(image.resize(content, full)[None] * 255), []
    for _ in range(settings.iterations):
        objective(pixels)
        ends.append(time.process_time())
    return [b - a for a, b in pairwise(ends)]


def _painted(content: np.ndarray, style: np.ndarray, settings: Settings, full: tuple[int, int]) -> list[float]:
    """The same for a run, its optimiser's work included."""
    from nst.engine import stylize

    ends: list[float] = []
    network = weights.read(VGG19)
    stylize(content, [style], settings, network=network, on_step=lambda step: ends.append(time.process_time()))
    return [b - a for a, b in pairwise(ends)]


if __name__ == "__main__":
    print(json.dumps(_measure(*json.loads(sys.argv[1])))) if len(sys.argv) > 1 else main()
