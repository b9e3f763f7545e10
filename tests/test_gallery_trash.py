"""Tests of the trash: what is deleted can be brought back for thirty days, by a clock that the tests set."""

import dataclasses
import json
import resource
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from nst.checkpoint import Checkpoint
from nst.errors import GalleryError
from nst.gallery import RETENTION_DAYS, Gallery, Trashed
from nst.gallery.trash import Trash
from tests.galleries import add, names

START = datetime.now(UTC) + timedelta(hours=1)
"""After what the tests make on disk, whose own times can't be set."""
GONE = "20261121-075541-3fa9c2"
STATE = Checkpoint({"evaluations": 3}, {"x": np.zeros(4, np.float32)})


@dataclasses.dataclass
class Clock:
    time: datetime = START

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **step: float) -> None:
        self.time += timedelta(**step)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gallery(tmp_path: Path, clock: Clock) -> Gallery:
    return Gallery(tmp_path / "gallery", now=clock)


def trashed_names(gallery: Gallery) -> list[str]:
    return [item.name for item in gallery.trashed()]


def test_the_trash_lists_the_last_deleted_first(gallery: Gallery, clock: Clock) -> None:
    entries = {name: add(gallery, name) for name in "abc"}
    for name in "bca":
        gallery.delete(entries[name].id)
        clock.forward(hours=1)
    assert trashed_names(gallery) == ["a", "c", "b"]
    last = gallery.trashed()[-1]
    folder = gallery.root / "trash" / entries["b"].id
    expires = START + timedelta(days=RETENTION_DAYS)
    assert last == Trashed(entries["b"].id, "b", START, expires, folder / "thumbnail.jpg")
    assert last.thumbnail.is_file()


def test_what_is_restored_is_as_it_was(gallery: Gallery) -> None:
    entry = gallery.annotate(add(gallery, "back").id, tags=["a"], note="b", rating=3)
    gallery.keep_state(entry.id, STATE)
    files = {path.name: path.read_bytes() for path in entry.folder.iterdir()}
    gallery.delete(entry.id)
    assert names(gallery) == []
    assert gallery.state(entry.id) is not None
    restored = gallery.restore([entry.id, GONE, "../x"])
    assert restored.restored == (entry.id,)
    assert "not in the trash" in restored.refused[GONE]
    assert "not the id" in restored.refused["../x"]
    assert gallery.query(tag="a").entries == (entry,)
    assert {path.name: path.read_bytes() for path in entry.folder.iterdir()} == files
    assert gallery.trashed() == []
    assert gallery.state(entry.id) is not None


def test_an_entry_is_not_restored_over_another(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    kept = gallery.root.parent / "kept"
    shutil.copytree(entry.folder, kept)
    gallery.delete(entry.id)
    shutil.copytree(kept, entry.folder)
    assert gallery.restore([entry.id]).refused.keys() == {entry.id}
    assert trashed_names(gallery) == names(gallery) == ["one"]
    with pytest.raises(GalleryError, match="in the trash already"):
        gallery.delete(entry.id)


def test_starred_entries_are_kept_when_many_are_deleted(gallery: Gallery) -> None:
    entries = [add(gallery, name) for name in ("a", "star", "b", "damaged")]
    gallery.annotate(entries[1].id, starred=True)
    (entries[3].folder / "metadata.json").write_text("{")
    deleted = gallery.delete_many([*(entry.id for entry in entries), entries[0].id, GONE])
    assert deleted.moved == (entries[0].id, entries[2].id, entries[3].id)
    assert deleted.refused.keys() == {entries[1].id, GONE}
    assert "star" in deleted.refused[entries[1].id]
    assert names(gallery) == ["star"]
    assert gallery.notices == ()
    assert entries[3].id in trashed_names(gallery)  # what is damaged is called by its id
    gallery.delete(entries[1].id)  # one by one nothing is refused
    assert names(gallery) == []


def test_the_trash_is_emptied_by_hand(gallery: Gallery) -> None:
    entries = [add(gallery, name) for name in "ab"]
    for entry in entries:
        gallery.keep_state(entry.id, STATE)
        gallery.delete(entry.id)
    gallery.purge([entries[0].id, GONE])
    assert trashed_names(gallery) == ["b"]
    assert gallery.state(entries[0].id) is None
    assert gallery.state(entries[1].id) is not None
    assert gallery.input_path(entries[0].content).is_file()
    with pytest.raises(GalleryError, match="not the id"):
        gallery.purge(["../results"])


def test_only_what_is_in_the_trash_is_purged(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    gallery.keep_state(entry.id, STATE)
    gallery.purge([entry.id])
    assert names(gallery) == ["one"]
    assert gallery.state(entry.id) is not None


def test_entries_are_removed_for_good_after_thirty_days(gallery: Gallery, clock: Clock) -> None:
    old, young = add(gallery, "old"), add(gallery, "young")
    gallery.keep_state(old.id, STATE)
    gallery.delete(old.id)
    clock.forward(days=2)
    gallery.delete(young.id)
    clock.forward(days=RETENTION_DAYS - 2, seconds=-1)
    assert left(gallery, clock) == ["young", "old"]
    clock.forward(seconds=1)
    assert left(gallery, clock) == ["young", "old"]  # the first look at the clock
    clock.forward(hours=23)
    assert left(gallery, clock) == ["young", "old"]
    clock.forward(hours=1)
    reopened = Gallery(gallery.root, now=clock)
    assert trashed_names(reopened) == ["young"]
    assert reopened.state(old.id) is None
    assert {path.name for path in (gallery.root / "trash").iterdir()} == {young.id, ".clock"}
    assert reopened.input_path(old.content).is_file()


def left(gallery: Gallery, clock: Clock) -> list[str]:
    """What is in the trash after the gallery has been opened anew."""
    return trashed_names(Gallery(gallery.root, now=clock))


def left_after_a_day(gallery: Gallery, clock: Clock) -> list[str]:
    """The same after two openings, by which clocks that run ahead are found out."""
    left(gallery, clock)
    clock.forward(days=1)
    return left(gallery, clock)


def marked(folder: Path) -> datetime:
    return datetime.fromisoformat(json.loads((folder / "trashed.json").read_text())["deleted"])


@pytest.mark.parametrize(
    "mark",
    [
        None,
        "",
        "[]",
        '{"deleted": 7}',
        '{"deleted": "9999-12-31T00:00:00+00:00"}',
        '{"deleted": "1970-01-01T00:00:07+00:00"}',
    ],
)
def test_entries_that_do_not_tell_when_they_were_deleted_count_from_now(
    gallery: Gallery, clock: Clock, mark: str | None
) -> None:
    entry = add(gallery, "from before")
    gallery.delete(entry.id)
    path = gallery.root / "trash" / entry.id / "trashed.json"
    path.unlink()
    if mark is not None:
        path.write_text(mark)
    clock.forward(days=100)
    reopened = Gallery(gallery.root, now=clock)
    assert [item.deleted for item in reopened.trashed()] == [clock.time]
    clock.forward(days=RETENTION_DAYS - 2)
    assert left_after_a_day(gallery, clock) == ["from before"]
    clock.forward(days=1)
    assert left_after_a_day(gallery, clock) == []


def test_a_gallery_opened_while_the_clock_runs_ahead_loses_nothing(gallery: Gallery, clock: Clock) -> None:
    gallery.delete(add(gallery, "one").id)
    clock.forward(days=365)
    assert left(gallery, clock) == left(gallery, clock) == ["one"]
    clock.forward(days=2 - 365)
    assert left_after_a_day(gallery, clock) == ["one"]
    clock.forward(days=RETENTION_DAYS)
    assert left_after_a_day(gallery, clock) == []


def test_an_entry_deleted_while_the_clock_was_wrong_counts_from_when_it_is_right(
    gallery: Gallery, clock: Clock
) -> None:
    ids = {add(gallery, "early").id, add(gallery, "late").id}
    early, late = ids
    for entry_id, wrong in ((early, datetime(1970, 1, 1, tzinfo=UTC)), (late, START + timedelta(days=3000))):
        clock.time = wrong
        gallery.delete(entry_id)
    clock.time = START
    left_after_a_day(gallery, clock)
    assert {item.id for item in gallery.trashed()} == ids
    assert all(START <= item.deleted <= clock.time for item in gallery.trashed())
    clock.forward(days=RETENTION_DAYS)
    assert left_after_a_day(gallery, clock) == []


def test_a_folder_that_was_changed_after_its_mark_counts_from_then(gallery: Gallery, clock: Clock) -> None:
    entry = add(gallery, "one")
    gallery.delete(entry.id)
    folder = gallery.root / "trash" / entry.id
    record = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps(record | {"created": "2001-01-01T00:00:00+00:00"}))
    (folder / "trashed.json").write_text('{"deleted": "2001-02-01T00:00:00+00:00"}')
    assert left_after_a_day(gallery, clock) == ["one"]
    assert gallery.trashed()[0].deleted > START - timedelta(hours=2)


@pytest.mark.parametrize("listed", [True, False])
def test_what_is_brought_back_by_hand_counts_anew_when_it_is_deleted_again(
    gallery: Gallery, clock: Clock, listed: bool
) -> None:
    entry = add(gallery, "one")
    gallery.delete(entry.id)
    shutil.move(gallery.root / "trash" / entry.id, entry.folder)
    clock.forward(days=RETENTION_DAYS)
    if listed:
        assert names(gallery) == ["one"]
        assert not (entry.folder / "trashed.json").exists()
    gallery.delete(entry.id)
    assert marked(gallery.root / "trash" / entry.id) == clock.time
    assert left_after_a_day(gallery, clock) == ["one"]


def test_what_cannot_be_marked_counts_from_when_it_is_first_seen(gallery: Gallery, clock: Clock) -> None:
    entry = add(gallery, "one")
    gallery.delete(entry.id)
    shutil.move(gallery.root / "trash" / entry.id, entry.folder)
    clock.forward(days=RETENTION_DAYS)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as on a full disk
    try:
        Trash(gallery.root, clock).put(entry.folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (gallery.root / "trash" / entry.id / "trashed.json").exists()
    clock.forward(days=RETENTION_DAYS)
    assert left_after_a_day(gallery, clock) == ["one"]


def test_what_another_program_deletes_just_now_is_told_as_deleted(gallery: Gallery) -> None:
    entry = add(gallery, "one")
    trash = Trash(gallery.root, Clock())
    trash.put(entry.folder)
    with pytest.raises(GalleryError, match="was deleted already"):
        trash.put(entry.folder)


def test_strange_things_in_the_trash_are_left_alone(gallery: Gallery, clock: Clock, tmp_path: Path) -> None:
    other = Gallery(tmp_path / "other")
    entry = add(other, "elsewhere")
    trash = gallery.root / "trash"
    (trash / "notes").mkdir()
    (trash / "readme.txt").write_text("mine")
    (trash / entry.id).symlink_to(entry.folder)
    half = trash / f".{GONE}-0.going"
    half.mkdir()
    (half / "result.png").write_bytes(b"x")
    clock.forward(days=1000)
    reopened = Gallery(gallery.root, now=clock)
    assert reopened.trashed() == []
    assert left_after_a_day(gallery, clock) == []
    assert reopened.restore([entry.id]).restored == ()
    reopened.purge([entry.id])
    assert sorted(path.name for path in trash.iterdir()) == sorted(["notes", "readme.txt", entry.id])
    assert names(other) == ["elsewhere"]
    assert not (entry.folder / "trashed.json").exists()


def test_an_entry_deleted_twice_counts_from_the_second_time(gallery: Gallery, clock: Clock) -> None:
    entry = add(gallery, "one")
    gallery.delete(entry.id)
    gallery.restore([entry.id])
    clock.forward(days=20)
    gallery.delete(entry.id)
    assert [item.deleted for item in gallery.trashed()] == [clock.time]
    told = json.loads((gallery.root / "trash" / entry.id / "trashed.json").read_text())
    assert datetime.fromisoformat(told["deleted"]) == clock.time
