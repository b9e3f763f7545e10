"""The independent judge of pictures, ../shared/bench/score.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def judged(shared, vgg19_path, style: str, *results) -> list[dict]:
    """What the independent scorer says of pictures of Tübingen."""
    images = [shared / "images" / f"{name}.jpg" for name in ("tubingen", style)]
    command = [sys.executable, shared / "bench" / "score.py", *images, *results, "--weights", vgg19_path]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    output = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=True, env=environment
    )
    return [json.loads(line) for line in output.stdout.splitlines()]
