"""Small galleries for tests: results that no engine painted, entries of them, and what the index says."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from pathlib import Path

import numpy as np

from nst import image
from nst.config import preset
from nst.gallery import Entry, Gallery
from nst.result import LossRow, NetworkInfo, Result, Status

PROJECT = Path(__file__).parents[1]
NETWORK = NetworkInfo("vgg19", "a" * 64, "VGG19, from /home/anna/weights.h5")


def noise(width: int = 40, height: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


def rows(count: int) -> tuple[LossRow, ...]:
    return tuple(LossRow(i, 0, 40, 24, i / 7, 1e6 / i, 0.1 * i, 1 / 3, 0.0) for i in range(1, count + 1))


def result(width: int = 40, height: int = 24, *, seed: int = 0, **changes: object) -> Result:
    made = Result(
        picture=noise(width, height, seed),
        status=Status.FINISHED,
        message="Finished.",
        history=rows(5),
        settings=preset("studio").replace(seed=seed),
        network=NETWORK,
        versions={"nst": "0.1.0", "tensorflow": "2.20"},
        seconds=1.25,
        evaluations=5,
        full_size_evaluations=3.5,
    )
    return dataclasses.replace(made, **changes)


def add(gallery: Gallery, name: str = "", made: Result | None = None, **options: object) -> Entry:
    content = gallery.add_input(image.encode_png(noise(seed=1)), "tubingen.png")
    style = gallery.add_input(image.encode_png(noise(seed=2)), "starry_night.png")
    return gallery.save(made or result(), **{"name": name, "content": content, "styles": [style]} | options)


def names(gallery: Gallery, **query: object) -> list[str]:
    return [entry.name for entry in gallery.query(**query).entries]


def indexed(gallery: Gallery) -> list[list[tuple]]:
    """Everything the index holds, in an order of its own."""
    with contextlib.closing(sqlite3.connect(gallery.root / "index.sqlite")) as db:
        return [sorted(db.execute(f"SELECT * FROM {table}")) for table in ("entries", "records", "styles", "tags")]


def change(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps(record | changes))
