"""How soon a picture begins: a server's first job and a second one with the same style, before and after a restart.

python -m benchmarks.start

Each round is a server of its own, as the dashboard has it: one queue, one thread. Seconds count from the order.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import CONTENT, ROOT, STYLES, VGG19, table, write
from nst.config import preset
from nst.gallery import Gallery
from nst.jobs import JobManager, Order, State

SIZE, ROUNDS = 512, 5
EVALUATIONS = 3
"""Of each job, from the coarsest size on: enough to see it begin."""


def main() -> None:
    rounds = [_round() for _ in range(ROUNDS)]
    figures = [
        {"job": job, "rounds": ROUNDS}
        | {name: statistics.median(found[job][name] for found in rounds) for name in rounds[0][job]}
        for job in rounds[0]
    ]
    table(list(figures[0]), [list(row.values()) for row in figures])
    write("start", figures)


def _round() -> dict[str, dict[str, float]]:
    """Two servers on one gallery, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = (_server(folder) for _ in range(2))
    return {
        "first of a server": first[0],
        "second, same style": first[1],
        "first after a restart, same style": second[0],
        "second after a restart, same style": second[1],
    }


def _server(folder: str) -> list[dict[str, float]]:
    command = [sys.executable, "-m", "benchmarks.start", folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _serve(folder: Path) -> None:
    gallery = Gallery(folder)
    manager = JobManager(gallery, preferred=lambda: str(VGG19))
    content, style = (gallery.add_input(path.read_bytes(), path.name) for path in (CONTENT, STYLES["starry_night"]))
    changes = {"size": SIZE, "coarse_iterations": EVALUATIONS, "early_iterations": EVALUATIONS, "iterations": 1}
    found = []
    for seed in (1, 2):
        settings = preset("studio").replace(seed=seed, **changes)
        order = Order(content, (style,), settings, network=str(VGG19))
        found.append(_watched(manager, order))
    print(json.dumps(found))
    manager.close()


def _watched(manager: JobManager, order: Order) -> dict[str, Any]:
    """Seconds until a job's first evaluation is behind it, its first preview and its first evaluation at full size."""
    begun = time.perf_counter()
    job = manager.submit(order)
    seen: dict[str, float] = {}
    while True:
        snapshot = manager.get(job)
        assert snapshot
        now = time.perf_counter() - begun
        if snapshot.step:
            seen.setdefault("first_evaluation_seconds", now)
            if snapshot.step.losses.width == SIZE:
                seen.setdefault("first_at_full_size_seconds", now)
        if snapshot.preview:
            seen.setdefault("preview_seconds", now)
        if snapshot.state == State.FINISHED:
            return seen
        if snapshot.state in (State.FAILED, State.CANCELLED):
            raise SystemExit(snapshot.message)
        time.sleep(0.005)


if __name__ == "__main__":
    _serve(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
