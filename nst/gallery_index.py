"""The gallery's index: SQLite over what the folders say, for quick lists. It can always be made again from them.

A connection is opened for every call, so that any thread of any process may ask at any time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nst.errors import GalleryError
from nst.gallery_entry import Entry, clean_text, fold

BUSY_SECONDS = 15.0
"""How long to wait for another process that is writing."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE entries (
            id TEXT PRIMARY KEY, created TEXT NOT NULL, title TEXT NOT NULL, preset TEXT NOT NULL, search TEXT NOT NULL
        )""",
        # Apart, so that a search reads a short table and not ten times as much.
        "CREATE TABLE records (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
        "CREATE TABLE styles (id TEXT NOT NULL, sha256 TEXT NOT NULL, label TEXT NOT NULL)",
        "CREATE INDEX entries_by_age ON entries (created, id)",
        "CREATE INDEX entries_by_title ON entries (title, created, id)",
        "CREATE INDEX entries_by_preset ON entries (preset, created, id)",
        "CREATE INDEX styles_by_id ON styles (id)",
        "CREATE INDEX styles_by_picture ON styles (sha256, label, id)",
        "CREATE INDEX styles_by_label ON styles (label, id)",
    ),
)
"""What takes the index from version i to i + 1, where version is SQLite's user_version. Only ever append."""

ORDERS = {
    "newest": "created DESC, id DESC",
    "oldest": "created, id",
    "name": "title, created, id",
}
_TABLES = ("entries", "records", "styles")
_UNUSABLE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""No such table, malformed, not a database: what only another index cures."""


@dataclass(frozen=True)
class StyleUse:
    """A style picture that entries were made with."""

    label: str
    """What its newest entry calls it."""
    count: int
    """Of entries."""


class IndexUnusableError(Exception):
    """The file is no index of ours; `inode` tells which file that was."""

    def __init__(self, reason: str, inode: int) -> None:
        super().__init__(reason)
        self.inode = inode


class Index:
    """The index at `path`, made where there is none.

    Any method raises `IndexUnusableError` where the file is damaged, and `GalleryError` where SQLite can't work: the
    disk is full, the folder is read-only, or another process writes for longer than `BUSY_SECONDS`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def ids(self) -> set[str]:
        with self._connection() as db:
            return {row[0] for row in db.execute("SELECT id FROM entries")}

    def put(self, entries: Iterable[Entry], *, remove: Iterable[str] = (), overwrite: bool = True) -> None:
        """Take entries in, in place of rows they had; with `overwrite` off, rows that are there stay."""
        with self._writing() as db:
            for entry_id in remove:
                _remove(db, entry_id)
            for entry in entries:
                if overwrite:
                    _remove(db, entry.id)
                _insert(db, entry)

    def replace(self, entries: Iterable[Entry]) -> None:
        """Forget everything and take in `entries`."""
        with self._writing() as db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")
            for entry in entries:
                _insert(db, entry)

    def select(
        self, *, text: str, preset: str | None, style: str | None, order: str, limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], int]:
        """The records of a page, and how many entries match in all."""
        where, values = _conditions(text, preset, style)
        with self._connection() as db:
            db.execute("BEGIN")  # so that both numbers are of the same moment
            total = db.execute(f"SELECT count(*) FROM entries WHERE {where}", values).fetchone()[0]
            page = f"SELECT id FROM entries WHERE {where} ORDER BY {ORDERS[order]} LIMIT ? OFFSET ?"
            ids = db.execute(page, (*values, limit, offset)).fetchall()
            records = [db.execute("SELECT record FROM records WHERE id = ?", row).fetchone() for row in ids]
        try:
            return [json.loads(record) for (record,) in records], total
        except (TypeError, ValueError) as error:  # a row without its record: rows were lost, as a repair may do
            raise IndexUnusableError("an entry has no record", _inode(self.path)) from error

    def presets(self) -> dict[str, int]:
        """The presets in use and how many entries each has, the most used first."""
        with self._connection() as db:
            return dict(
                db.execute("SELECT preset, count(*) FROM entries GROUP BY preset ORDER BY count(*) DESC, preset")
            )

    def styles(self) -> dict[str, StyleUse]:
        """The style pictures in use, by sha256, in the order of their labels."""
        newest = (  # beside max(), SQLite takes the other columns from the row of the maximum
            "SELECT sha256, label, count(DISTINCT id), max(created) FROM styles JOIN entries USING (id) GROUP BY sha256"
        )
        with self._connection() as db:
            found = {sha256: StyleUse(label, count) for sha256, label, count, _ in db.execute(newest)}
        return dict(sorted(found.items(), key=lambda item: (fold(item[1].label), item[0])))

    def set_aside(self, inode: int) -> Path | None:
        """Rename an unusable file out of the way, and tell its new name; None where another process did so before."""
        if _inode(self.path) != inode:
            return None
        aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        try:
            os.replace(self.path, aside)
            for companion in ("-wal", "-shm"):  # they belong to that file, never to the one that follows
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{companion}", f"{aside}{companion}")
        except OSError as error:
            raise GalleryError(
                f"The gallery's index is damaged and can't be renamed: {error.strerror}. Received: {self.path}. "
                "Check the folder's permissions."
            ) from error
        return aside

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        inode = _inode(self.path)
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                _prepare(db)
                yield db
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest are details
            if code in _UNUSABLE:
                raise IndexUnusableError(str(error), inode) from error
            raise GalleryError(
                f"The gallery's index can't be used: {error}. Received: {self.path}. "
                "Check the folder's permissions and the free space, or wait for the other program to finish."
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()


def _prepare(db: sqlite3.Connection) -> None:
    """Bring a connection, and where needed the file, up to date."""
    db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost rows, never the folders they come from
    if _version(db) == len(MIGRATIONS):
        return
    # Readers and a writer need not wait for each other with a write-ahead log. It can only be switched on while
    # nobody else is connected: where another process is, that one or the next does it.
    with suppress(sqlite3.OperationalError):
        db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(db), len(MIGRATIONS)):  # asked again, now that nobody else can migrate
            for statement in MIGRATIONS[number]:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")
    except BaseException:
        db.rollback()
        raise
    db.commit()


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= version <= len(MIGRATIONS):
        error = sqlite3.DatabaseError("it was written by a newer version of this program")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB  # another index cures that too
        raise error
    return version


def _remove(db: sqlite3.Connection, entry_id: str) -> None:
    for table in _TABLES:
        db.execute(f"DELETE FROM {table} WHERE id = ?", (entry_id,))


def _insert(db: sqlite3.Connection, entry: Entry) -> None:
    labels = [entry.content.label, *(style.label for style in entry.styles)]
    search = "\n".join(fold(text) for text in (entry.name, *labels))  # no text has a line break: none matches across
    row = (entry.id, entry.created, fold(entry.name), clean_text(entry.preset), search)
    if db.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?)", row).rowcount:
        db.execute("INSERT INTO records VALUES (?, ?)", (entry.id, json.dumps(entry.to_dict())))
        db.executemany("INSERT INTO styles VALUES (?, ?, ?)", [(entry.id, s.sha256, s.label) for s in entry.styles])


def _conditions(text: str, preset: str | None, style: str | None) -> tuple[str, tuple[str, ...]]:
    """A WHERE clause and its values. Text is found by instr, which knows no wildcards that would need escaping."""
    where: list[str] = ["1"]
    values: list[str] = []
    if text:
        where.append("instr(search, ?)")
        values.append(fold(text))
    if preset is not None:
        where.append("preset = ?")
        values.append(preset)
    if style is not None:
        where.append("id IN (SELECT id FROM styles WHERE sha256 = ? UNION SELECT id FROM styles WHERE label = ?)")
        values += [style, style]
    return " AND ".join(where), tuple(values)


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
