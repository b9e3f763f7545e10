"""How much sooner than the classic program in PyTorch the same score is reached, and how long an evaluation takes.

NST_TORCH_PYTHON=/path/to/python python -m benchmarks.baseline [pictures] [evaluations]

That Python has torch, h5py and pillow, which this project does not need; it runs bench/torch_baseline.py. Our program,
in both precisions, and that one take turns in every round, each in a process of its own. Named, only one of the two
parts is measured anew.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.common import CONTENT, RESULTS, ROOT, SHARED, STYLES, VGG19, processor, score, table, write

PYTHON = os.environ.get("NST_TORCH_PYTHON", "")
STYLE = STYLES["starry_night"]
PICTURES = {256: 500, 512: 300}
"""Evaluations of the classic program by size; ours aims at the score that its picture has then."""
ROUNDS = {256: 3, 512: 1}
EVALUATIONS = {256: 11, 512: 5, 1024: 5}
"""Rounds in which single evaluations are compared, by size: the smaller, the more their times stray."""
SHORT = 9
"""Evaluations of a round."""
PRECISIONS = ("float32", "mixed")


def main(parts: list[str]) -> None:
    if not PYTHON:
        raise SystemExit("Name a Python that has torch, h5py and pillow in NST_TORCH_PYTHON.")
    if strange := set(parts) - {"pictures", "evaluations"}:
        raise SystemExit(f"Only pictures and evaluations can be measured. Received: {', '.join(sorted(strange))}.")
    found = json.loads((RESULTS / "baseline.json").read_text())["figures"] if parts else {}
    with tempfile.TemporaryDirectory() as folder:
        for part, sizes, measured in (("evaluations", EVALUATIONS, _evaluations), ("pictures", PICTURES, _pictures)):
            if not parts or part in parts:
                found[part] = [row for size in sizes for row in measured(size, Path(folder))]
                found[f"{part}_on"] = f"{processor()}, {date.today()}"
    for part in ("pictures", "evaluations"):
        table(list(found[part][0]), [list(row.values()) for row in found[part]])
    write("baseline", found)


def _pictures(size: int, folder: Path) -> list[dict[str, Any]]:
    """Whole pictures: seconds of both programs, and the scores of what they saved."""
    theirs, seconds, told = list[float](), {name: list[float]() for name in PRECISIONS}, {}
    for _ in range(ROUNDS[size]):
        theirs.append(_torch(size, PICTURES[size], folder / "torch.png")[-1])
        for name in PRECISIONS:
            told[name] = _ours(size, name, folder / f"{name}.png")
            seconds[name].append(told[name]["seconds"])
    classic, *ours = score(STYLE, [folder / f"{name}.png" for name in ("torch", *PRECISIONS)])
    return [
        {
            "size": size,
            "precision": name,
            "rounds": ROUNDS[size],
            "torch_evaluations": PICTURES[size],
            "nst_full_size_evaluations": told[name]["full_size_evaluations"],
            "torch_score": classic["content"] + classic["style"],
            "nst_score": found["content"] + found["style"],
            "torch_seconds": statistics.median(theirs),
            "nst_seconds": statistics.median(seconds[name]),
            "times_faster": statistics.median(a / b for a, b in zip(theirs, seconds[name], strict=True)),
        }
        for name, found in zip(PRECISIONS, ours, strict=True)
    ]


def _evaluations(size: int, folder: Path) -> list[dict[str, Any]]:
    """Single evaluations: the median seconds of each program's, round by round."""
    theirs, ours = list[float](), {name: list[float]() for name in PRECISIONS}
    for _ in range(EVALUATIONS[size]):
        theirs.append(statistics.median(_paces(_torch(size, SHORT, folder / "torch.png"))))
        for name in PRECISIONS:
            printed = _output([sys.executable, "-m", "benchmarks.baseline", size, name]).splitlines()[-1]
            ours[name].append(statistics.median(json.loads(printed)))
    return [
        {
            "size": size,
            "precision": name,
            "rounds": EVALUATIONS[size],
            "torch_seconds": statistics.median(theirs),
            "nst_seconds": statistics.median(ours[name]),
            "nst_share": statistics.median(b / a for a, b in zip(theirs, ours[name], strict=True)),
        }
        for name in PRECISIONS
    ]


def _torch(size: int, evaluations: int, out: Path) -> list[float]:
    """Seconds since the first evaluation's start at the end of every one."""
    command = [PYTHON, SHARED / "bench" / "torch_baseline.py", CONTENT, STYLE, out, "--weights", VGG19]
    lines = _output([*command, "--size", size, "--evaluations", evaluations]).splitlines()
    return [row["seconds"] for row in map(json.loads, lines) if "evaluation" in row]


def _ours(size: int, precision: str, out: Path) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "nst",
        "stylize",
        CONTENT,
        STYLE,
        "-o",
        out,
        "--weights",
        VGG19,
        "--no-gallery",
        "--json",
    ]
    return json.loads(_output([*command, "--preset", "neural-style-fast", "--size", size, "--precision", precision]))


def _output(command: list[Any]) -> str:
    """What a program prints; its own messages are shown where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    return done.stdout


def _paces(ends: list[float]) -> list[float]:
    """Of every evaluation but the first, which also prepares."""
    return [b - a for a, b in pairwise(ends)]


def _run_ours(size: int, precision: str) -> None:
    """Print the seconds of a few evaluations of a run, the optimiser's work included, as torch's are."""
    from nst import image, weights
    from nst.config import preset
    from nst.engine import stylize

    content, style = (image.load(path).rgb for path in (CONTENT, STYLE))
    settings = preset("neural-style").replace(size=size, iterations=SHORT, precision=precision)
    result = stylize(content, [style], settings, network=weights.read(VGG19))
    print(json.dumps(_paces([row.seconds for row in result.history])))


if __name__ == "__main__":
    _run_ours(int(sys.argv[1]), sys.argv[2]) if sys.argv[1:2] and sys.argv[1].isdigit() else main(sys.argv[1:])
