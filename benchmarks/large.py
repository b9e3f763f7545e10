"""Peak memory and time a pixel of large pictures, which are painted in tiles, beside 1024 pixels untiled.

python -m benchmarks.large [SIZE ...]

VGG19 with Studio's layers; pictures of 1024 pixels are Studio's own, finished, and the largest is a finished one too,
from coarse to fine, shown in docs/large.jpg. Each case is a process of its own, and the untiled evaluations it is
compared with, in the same precision, are measured just before, in another. Seconds are those of the processor, all
cores together, since for so long nothing else can be kept from running. With sizes, only their cases are measured anew.
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

from benchmarks.common import CONTENT, RESULTS, ROOT, STYLES, VGG19, table, write
from nst import image, weights
from nst.config import Settings, preset
from nst.estimate import process_peak

REFERENCE = 1024
PLAIN = {"scales": 1, "early_iterations": 0, "plateau": 0.0}
FINISHED = {"scales": 5, "coarse_iterations": 12, "early_iterations": 6, "iterations": 4}
"""Of the largest picture: from 256 pixels, so that there are large forms, with a sixth of Studio's evaluations."""
CASES = (
    {"size": 1024, "precision": "float32"},
    {"size": 1024, "precision": "mixed"},
    PLAIN | {"size": 2048, "precision": "float32", "iterations": 3},
    PLAIN | {"size": 2048, "precision": "mixed", "iterations": 3},
    FINISHED | {"size": 4096, "precision": "mixed"},
    PLAIN | {"size": 4096, "precision": "float32", "iterations": 5},
)
SHOWN = (600, 450)
"""Pixels of the whole picture in docs/large.jpg, and of the detail beside it."""


def main(sizes: list[int]) -> None:
    before = json.loads((RESULTS / "large.json").read_text())["figures"]["evaluations"] if sizes else []
    rows = [row for row in before if row["width"] not in sizes]
    for case in CASES:
        if not sizes or case["size"] in sizes:
            rows = sorted([*rows, _case(case)], key=lambda row: row["pixels"])
            write("large", {"reference": f"{REFERENCE} px untiled", "evaluations": rows})
    table(list(rows[0]), [list(row.values()) for row in rows])


def _case(changes: dict[str, Any]) -> dict[str, Any]:
    reference = _in_a_process_of_its_own("untiled", PLAIN | changes | {"size": REFERENCE, "iterations": 4})
    found = _in_a_process_of_its_own("painted", changes)
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
    result = stylize(
        content,
        [style],
        settings,
        network=weights.read(VGG19),
        on_step=lambda step: ends.append((step.losses.scale, time.process_time())),
    )
    if settings.size == CASES[-1]["size"] and settings.scales > 1:
        (RESULTS / "large.jpg").write_bytes(image.encode_jpeg(result.picture))  # too big for the repository
        (ROOT / "docs" / "large.jpg").write_bytes(_shown(result.picture))
    return [end for scale, end in ends if scale == ends[-1][0]]


def _shown(picture: np.ndarray) -> bytes:
    """A JPEG file of the whole picture, and beside it a piece of its middle as it is, pixel by pixel."""
    (width, height), (down, right) = SHOWN, picture.shape[:2]
    top, left = (down - height) // 2, (right - width) // 2
    detail = picture[top : top + height, left : left + width]
    return image.encode_jpeg(np.hstack([image.resize(picture, SHOWN), detail]), quality=90)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].startswith("["):
        print(json.dumps(_measure(*json.loads(sys.argv[1]))))
    else:
        main([int(size) for size in sys.argv[1:]])
