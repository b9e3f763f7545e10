"""How long the gallery takes to list, search, filter and count ten thousand results.

python -m benchmarks.gallery [NUMBER]
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from benchmarks.common import interleaved, table, write
from nst import image
from nst.config import PRESETS
from nst.gallery import Entry, Gallery, Input
from nst.gallery.files import record_bytes
from nst.result import NetworkInfo, Result, Status

NUMBER = 10_000
ROUNDS = 9
WORDS = ("dawn", "harbour", "blue", "night", "storm", "garden", "river", "chalk", "amber", "paper", "winter", "glass")
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery(folder)
        fill(gallery, number)
        begun = time.perf_counter()
        gallery.reconcile()  # takes in all of them, as after an update that changed the index
        indexed = time.perf_counter() - begun
        assert not gallery.notices
        times = interleaved(_questions(gallery), ROUNDS)
    figures = {name: statistics.median(seconds) * 1000 for name, seconds in times.items()}
    table(("question", "milliseconds"), list(figures.items()))
    print(f"index made from {number:,} folders in {indexed:.1f} s")
    write("gallery", {"entries": number, "rounds": ROUNDS, "index_seconds": indexed, "milliseconds": figures})


def fill(gallery: Gallery, number: int) -> None:
    """Entries as small folders, written as plain files: saving syncs each one to the disk, which takes its time."""
    chance = random.Random(0)
    first = _saved(gallery)
    files = {path.name: path.read_bytes() for path in first.folder.iterdir() if path.suffix in (".png", ".csv", ".jpg")}
    for place in range(number - 1):
        entry = _varied(first, place, chance)
        entry.folder.mkdir()
        for name, data in files.items():
            (entry.folder / name).write_bytes(data)
        (entry.folder / "metadata.json").write_bytes(record_bytes(entry.to_dict()))


def _questions(gallery: Gallery) -> dict[str, Callable[[], object]]:
    style = next(iter(gallery.facets().styles))
    asked: dict[str, dict[str, object]] = {
        "newest page": {},
        "last page": {"offset": NUMBER - 24},
        "by name": {"order": "name"},
        "by rating": {"order": "rating"},
        "search": {"text": "harbour"},
        "search without a match": {"text": "no such words"},
        "style": {"style": style},
        "tag and stars": {"tag": "Amber", "rated": 3},
        "dates and sizes": {"since": "2026-02-01", "until": "2026-02-14", "smallest": 512, "largest": 1024},
    }
    return {
        "reconcile": gallery.reconcile,
        **{f"query: {name}": partial(gallery.query, **filters) for name, filters in asked.items()},  # type: ignore[arg-type]
        "ids: all": gallery.ids,
        "ids: search": partial(gallery.ids, text="harbour"),
        "facets": gallery.facets,
        "statistics": gallery.statistics,
    }


def _saved(gallery: Gallery) -> Entry:
    """One real entry, whose files serve for all."""
    picture = np.random.default_rng(0).random((24, 32, 3), np.float32)
    content = gallery.add_input(image.encode_png(picture), "harbour.png")
    result = Result(
        picture=picture,
        status=Status.FINISHED,
        message="Finished.",
        history=(),
        settings=PRESETS["studio"].settings,
        network=NetworkInfo("vgg19", "0" * 64, "benchmark"),
        versions={},
        seconds=1.0,
        evaluations=1,
        full_size_evaluations=1.0,
    )
    return gallery.save(result, name="first", content=content, styles=[content])


def _varied(entry: Entry, place: int, chance: random.Random) -> Entry:
    created = BEGINNING + timedelta(minutes=20 * place)
    side = chance.choice((256, 384, 512, 768, 1024, 2048))
    return replace(
        entry,
        id=f"{created:%Y%m%d-%H%M%S}-{place:06x}",
        name=_words(chance, 4),
        created=created.isoformat(timespec="microseconds"),
        settings=PRESETS[chance.choice(tuple(PRESETS))].settings,
        network=entry.network._replace(name=chance.choice(("vgg19", "builtin"))),
        seconds=chance.uniform(5, 900),
        width=side,
        height=side * 3 // 4,
        content=_input(chance, 300),
        styles=tuple(_input(chance, 100) for _ in range(chance.choice((1, 1, 1, 2)))),
        rating=chance.choice((0, 0, 0, 1, 2, 3, 4, 5)),
        starred=chance.random() < 0.1,
        tags=tuple(dict.fromkeys(chance.choice(WORDS) for _ in range(chance.choice((0, 1, 3))))),
        note=_words(chance, 30) if chance.random() < 0.3 else "",
    )


def _input(chance: random.Random, kinds: int) -> Input:
    number = chance.randrange(kinds)
    return Input(f"{number:064x}", "png", f"{WORDS[number % len(WORDS)]} {number}")


def _words(chance: random.Random, number: int) -> str:
    return " ".join(chance.choices(WORDS, k=number))


if __name__ == "__main__":
    main()
