"""What every benchmark shares: where the development files lie, interleaved timing, a table on screen, JSON on disk."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
SHARED = Path(os.environ.get("NST_SHARED") or ROOT.parent / "shared")
VGG19 = Path(os.environ.get("NST_TEST_WEIGHTS") or SHARED / "weights" / "vgg19_notop.h5")
CONTENT = SHARED / "images" / "tubingen.jpg"
STYLES = {name: SHARED / "images" / f"{name}.jpg" for name in ("starry_night", "the_scream", "shipwreck")}


def interleaved(candidates: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each candidate in every round, all candidates one after the other in each; the first is thrown away.

    A machine that is busy for a while slows all of them alike, so that ratios within a round can be trusted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, run in candidates.items():
            begun = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]], of: str, to: str) -> float:
    """The median over rounds of how many times longer `of` took than `to`."""
    return statistics.median(a / b for a, b in zip(seconds[of], seconds[to], strict=True))


def score(style: Path, results: Sequence[Path]) -> list[dict[str, Any]]:
    """What the independent judge, bench/score.py, says of pictures painted from `CONTENT`."""
    command = [sys.executable, SHARED / "bench" / "score.py", CONTENT, style, *results, "--weights", VGG19]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def processor() -> str:
    """What Linux calls it; elsewhere its kind."""
    try:
        found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a head, columns aligned."""
    cells = [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def write(name: str, figures: Any) -> None:
    """Keep figures as results/NAME.json, with the date and the kind of machine they were measured on."""
    import tensorflow as tf

    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "tensorflow": tf.__version__}
    content = {"date": date.today().isoformat(), "machine": machine, "figures": figures}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path.relative_to(ROOT)}")
