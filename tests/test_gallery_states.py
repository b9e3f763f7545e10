"""Tests of the states from which finished runs go on: kept beside their entries, bounded, never in the way."""

import dataclasses
import io
import logging
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nst.checkpoint import Checkpoint
from nst.errors import CheckpointError, GalleryError
from nst.exchange import export
from nst.gallery import Gallery, new_id
from tests.galleries import PROJECT, add, names, result


def state(number: int = 0, size: int = 1000) -> Checkpoint:
    values = np.random.default_rng(number).random(size, np.float32)
    return Checkpoint({"evaluations": number, "loss": 1 / 3}, {"picture": values})


def test_saving_keeps_the_state_in_which_a_run_ended(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    entry = add(gallery, "", result(checkpoint=lambda: state(7)))
    found = Gallery(tmp_path).state(entry.id)
    assert found.facts == state(7).facts
    np.testing.assert_array_equal(found.arrays["picture"], state(7).arrays["picture"], strict=True)
    assert gallery.has_state(entry.id)
    other = add(gallery)
    assert (gallery.state(other.id), gallery.has_state(other.id)) == (None, False)
    file = io.BytesIO()
    assert export(gallery, [entry.id], file, deep=True).written == (entry.id,)
    with zipfile.ZipFile(file) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".npz")]
    for call in (gallery.state, gallery.has_state):
        with pytest.raises(GalleryError, match="not the id"):
            call("../../x")


def test_the_oldest_states_give_way(tmp_path: Path) -> None:
    size = len(state().to_bytes())
    gallery = Gallery(tmp_path, states_bytes=3 * size + size // 2)
    ids = [new_id() for _ in range(5)]
    for age, entry_id in enumerate(ids):
        gallery.keep_state(entry_id, state(age))
        os.utime(gallery.root / "states" / f"{entry_id}.npz", (age, age))
    assert [gallery.has_state(entry_id) for entry_id in ids] == [False, False, True, True, True]
    gallery.keep_state(ids[4], state(9))  # in place of its own, which makes no other give way
    assert gallery.state(ids[4]).evaluations == 9
    assert [gallery.has_state(entry_id) for entry_id in ids] == [False, False, True, True, True]
    assert not list(gallery.work.iterdir())


def test_a_state_that_is_too_large_drives_no_other_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gallery = Gallery(tmp_path, states_bytes=10_000)
    small, large = new_id(), new_id()
    gallery.keep_state(small, state())
    with caplog.at_level(logging.WARNING):
        gallery.keep_state(large, state(size=10_000))
    assert "too large" in caplog.text
    assert (gallery.has_state(small), gallery.has_state(large)) == (True, False)
    assert not list(gallery.work.iterdir())


@pytest.mark.parametrize("harm", [lambda data: data[:-40], lambda data: b"", lambda data: b"no zip at all" * 9])
def test_a_damaged_state_counts_as_none(tmp_path: Path, harm: object) -> None:
    gallery = Gallery(tmp_path)
    entry_id = new_id()
    gallery.keep_state(entry_id, state())
    path = gallery.root / "states" / f"{entry_id}.npz"
    path.write_bytes(harm(path.read_bytes()))
    assert gallery.state(entry_id) is None


def test_a_save_does_not_fail_with_its_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Checkpoint:
        raise CheckpointError("The run never began.")

    gallery = Gallery(tmp_path)
    with caplog.at_level(logging.WARNING):
        entry = add(gallery, "kept", result(checkpoint=broken))
    assert "The run never began." in caplog.text
    assert names(gallery) == ["kept"]
    assert gallery.state(entry.id) is None


def test_a_save_does_not_fail_where_the_disk_has_no_room_for_the_state(tmp_path: Path) -> None:
    code = """
import resource, sys
from nst.exchange import export
from nst.gallery import Gallery
from tests.galleries import add, result
from tests.test_gallery_states import state
gallery = Gallery(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
entry = add(gallery, "kept", result(checkpoint=lambda: state(size=100_000)))
assert gallery.state(entry.id) is None
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "can't be kept" in done.stderr
    gallery = Gallery(tmp_path)
    assert names(gallery) == ["kept"]
    assert not list(gallery.work.iterdir())
    assert not list((gallery.root / "states").iterdir())


def test_an_entry_without_a_state_is_the_same_entry(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    entry = add(gallery, "", result(checkpoint=state))
    assert dataclasses.replace(entry) == gallery.get(entry.id)
    (gallery.root / "states" / f"{entry.id}.npz").unlink()
    assert gallery.query().entries == (entry,)
