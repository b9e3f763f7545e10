"""Saved states of finished runs, from which "100 more steps" go on: one file an entry, all together bounded."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from nst.checkpoint import Checkpoint
from nst.errors import CheckpointError, NSTError
from nst.gallery.text import check_id

STATES_BYTES = 2_000_000_000
"""Of all states together. With 20 steps remembered, L-BFGS takes some 500 bytes a pixel."""

log = logging.getLogger(__name__)


class States:
    """The states in `folder`; half-written ones are under `work`. The oldest give way where `most` bytes are full."""

    def __init__(self, folder: Path, work: Path, *, most: int = STATES_BYTES) -> None:
        self._folder, self._work, self._most = folder, work, most

    def keep(self, entry_id: str, state: Callable[[], Checkpoint]) -> None:
        """Write a state down. Where that can't be done, the log tells: the picture matters more."""
        path = self._path(entry_id)
        draft = self._work / f"{entry_id}-{uuid.uuid4().hex}.npz"
        try:
            state().save(draft)
            size = draft.stat().st_size
            if size > self._most:
                log.warning("The state of %s is too large to be kept: %s bytes", entry_id, f"{size:,}")
                return
            self._make_room(size, besides=path)
            os.replace(draft, path)
        except (OSError, MemoryError, NSTError) as error:
            log.warning("The state of %s can't be kept: %s", entry_id, error)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def has(self, entry_id: str) -> bool:
        """Whether there is a state of an entry, damaged or not."""
        return self._path(entry_id).is_file()

    def get(self, entry_id: str) -> Checkpoint | None:
        """The state of an entry; None where there is none, any more, or it is damaged."""
        if not self.has(entry_id):
            return None
        try:
            return Checkpoint.load(self._path(entry_id))
        except (MemoryError, CheckpointError) as error:
            log.warning("The state of %s can't be used: %s", entry_id, error)
            return None

    def remove(self, entry_id: str) -> None:
        """Forget the state of an entry, where it has one; raises OSError."""
        self._path(entry_id).unlink(missing_ok=True)

    def _path(self, entry_id: str) -> Path:
        return self._folder / f"{check_id(entry_id)}.npz"

    def _make_room(self, size: int, *, besides: Path) -> None:
        kept = []
        for path in self._folder.glob("*.npz"):
            if path != besides:
                kept.append((path.stat().st_mtime_ns, path.name, path.stat().st_size))
        room = self._most - size - sum(taken for *_, taken in kept)
        for _, name, taken in sorted(kept):
            if room >= 0:
                return
            (self._folder / name).unlink(missing_ok=True)
            room += taken
