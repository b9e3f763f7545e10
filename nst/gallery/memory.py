"""An index in memory, for a gallery whose disk is full or read-only: its results can be looked at all the same."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nst.gallery.index import Index, prepare


class MemoryIndex(Index):
    """An index that is gone with the program. One call at a time: there is but one connection."""

    def __init__(self) -> None:
        super().__init__(Path(":memory:"))
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        prepare(self._db)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            finally:
                if self._db.in_transaction:  # of a reader: a writer has ended its own
                    self._db.rollback()
