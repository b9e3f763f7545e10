"""Peak memory and time a pixel of large pictures, which are painted in tiles, beside 1024 pixels untiled.

python -m benchmarks.large

VGG19 with Studio's layers; the largest picture is a finished one, from coarse to fine. Each case is a process of its
own, and the untiled evaluations it is compared with, in the same precision, are measured just before, in another.
Seconds are those of the processor, all cores together, since for so long nothing else can be kept from running.
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
PLAIN = {"scales": 1, "early_iterations": 0, "plateau": 0.0}
FINISHED = {"coarse_iterations": 12, "early_iterations": 8, "iterations": 5}
"""Of the largest picture: Studio's way, with a fifth of its evaluations."""
CASES = (
    {"size": 1024, "precision": "float32", "iterations": 4},
    {"size": 1024, "precision": "mixed", "iterations": 4},
    {"size": 2048, "precision": "float32", "iterations": 3},
    {"size": 2048, "precision": "mixed", "iterations": 3},
    {"size": 4096, "precision": "mixed"},
)


def main() -> None:
    rows = [_case(case if case["size"] == 4096 else PLAIN | case) for case in CASES]
    table(list(rows[0]), [list(row.values()) for row in rows])
    write("large", {"reference": f"{REFERENCE} px untiled", "evaluations": rows})


def _case(changes: dict[str, Any]) -> dict[str, Any]:
    reference = _in_a_process_of_its_own("untiled", PLAIN | changes | {"size": REFERENCE, "iterations": 4})
    found = _in_a_process_of_its_own("painted", changes if "iterations" in changes else FINISHED | changes)
    return found | {"times": found["seconds"] / found["pixels"] / (reference["seconds"] / reference["pixels"])}


def _in_a_process_of_its_own(*case: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.large", json.dumps(case)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{case}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure(how: str, changes: dict[str, Any]) -> dict[str, Any]:
    settings = preset("studio").replace(**changes)
    content, style = (image.load(path).rgb for path in (CONTENT, STYLES["starry_night"]))
    full = image.fitted_size(content.shape[1], content.shape[0], settings.size)
    ends = (_untiled if how == "untiled" else _painted)(content, style, settings, full)
    return {
        "width": full[0],
        "height": full[1],
        "pixels": full[0] * full[1],
        "precision": settings.precision,
        "evaluations": len(ends),
        "seconds": statistics.median(b - a for a, b in pairwise(ends)),
        "peak_bytes": process_peak(),
    }


def _untiled(content: np.ndarray, style: np.ndarray, settings: Settings, full: tuple[int, int]) -> list[float]:
    """At what second each evaluation ended."""
    import tensorflow as tf

    from nst.engine import prepare_tensorflow
    from nst.features import TargetCache, extractor
    from nst.objective import Objective
    from nst.tiles import WHOLE

    prepare_tensorflow()
    extract = extractor(weights.read(VGG19), settings)
    objective = Objective.of(content, [style], settings, size=full, extract=extract, cache=TargetCache(), by=WHOLE)
    pixels, ends = tf.constant(image.resize(content, full)[None] * 255), []
    for _ in range(settings.iterations):
        objective(pixels)
        ends.append(time.process_time())
    return ends


def _painted(content: np.ndarray, style: np.ndarray, settings: Settings, full: tuple[int, int]) -> list[float]:
    """The same for those of a run at full size with the network itself, the optimiser's work included."""
    from nst.engine import stylize

    ends: list[tuple[int, float]] = []
    network = weights.read(VGG19)
    stylize(
        content,
        [style],
        settings,
        network=network,
        on_step=lambda step: ends.append((step.losses.scale, time.process_time())),
    )
    return [end for scale, end in ends if scale == ends[-1][0]]


if __name__ == "__main__":
    print(json.dumps(_measure(*json.loads(sys.argv[1])))) if len(sys.argv) > 1 else main()
