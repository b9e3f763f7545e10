"""The gallery's index: SQLite over what the folders say, for quick lists. It can always be made again from them.

A connection is opened for every call, so that any thread of any process may ask at any time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from nst.config import PRESETS
from nst.errors import GalleryError
from nst.gallery.entry import Entry
from nst.gallery.query import ORDERS, Facets, Filters, StyleUse, conditions
from nst.gallery.text import clean_text, fold

T = TypeVar("T")

Stamp = tuple[int, int]
"""When a record's file was changed, in nanoseconds, and how many bytes it has: another stamp, another record."""
Stamped = tuple[Entry, Stamp | None]
"""An entry, and the stamp of the record it was read from, where that is known."""

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
    (  # Rows are made from the folders, so that new columns cost no conversion: the next list fills them all.
        "DROP TABLE entries",
        "DROP TABLE records",
        "DROP TABLE styles",
        """CREATE TABLE entries (
            id TEXT PRIMARY KEY, created TEXT NOT NULL, title TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
            preset TEXT NOT NULL, network TEXT NOT NULL, optimizer TEXT NOT NULL,
            content TEXT NOT NULL, content_label TEXT NOT NULL,
            width INTEGER NOT NULL, height INTEGER NOT NULL, longest INTEGER NOT NULL, pixels INTEGER NOT NULL,
            seconds REAL NOT NULL, evaluations INTEGER NOT NULL, strength REAL, style_scale REAL NOT NULL,
            rating INTEGER NOT NULL, starred INTEGER NOT NULL, search TEXT NOT NULL
        )""",
        "CREATE TABLE records (id TEXT PRIMARY KEY, record TEXT NOT NULL)",
        "CREATE TABLE styles (id TEXT NOT NULL, created TEXT NOT NULL, sha256 TEXT NOT NULL, label TEXT NOT NULL)",
        "CREATE TABLE tags (id TEXT NOT NULL, created TEXT NOT NULL, folded TEXT NOT NULL, tag TEXT NOT NULL)",
        "CREATE INDEX entries_by_age ON entries (created, id)",
        "CREATE INDEX entries_by_title ON entries (title, created, id)",
        "CREATE INDEX entries_by_pixels ON entries (pixels, created, id)",
        "CREATE INDEX entries_by_seconds ON entries (seconds, created, id)",
        "CREATE INDEX entries_by_rating ON entries (rating, created, id)",
        "CREATE INDEX entries_by_preset ON entries (preset, created, id)",
        "CREATE INDEX entries_by_network ON entries (network, created, id)",
        "CREATE INDEX entries_by_content ON entries (content, content_label, created)",
        "CREATE INDEX entries_by_side ON entries (longest)",
        "CREATE INDEX styles_by_id ON styles (id, sha256)",
        "CREATE INDEX styles_by_picture ON styles (sha256, id, created, label)",
        "CREATE INDEX styles_by_label ON styles (label, id)",
        "CREATE INDEX tags_by_id ON tags (id)",
        "CREATE INDEX tags_by_text ON tags (folded, id, created, tag)",
    ),
    ("CREATE TABLE stamps (id TEXT PRIMARY KEY, changed INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID",),
)
"""What takes the index from version i to i + 1, where version is SQLite's user_version. Only ever append."""

_TABLES = ("entries", "records", "styles", "tags", "stamps")
_UNUSABLE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""No such table, malformed, not a database: what only another index cures."""
_REFUSED = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN),
)


_CHARTED = (
    *("id", "name", "created", "status", "preset", "network", "width", "height", "seconds", "evaluations"),
    *("strength", "style_scale", "optimizer", "rating", "starred"),
)
"""The columns that charts are drawn from."""

_FACETS = {  # beside max(), SQLite takes the other columns from the row of the maximum
    "presets": "SELECT preset, count(*) FROM entries GROUP BY preset ORDER BY count(*) DESC, preset",
    "networks": "SELECT network, count(*) FROM entries GROUP BY network ORDER BY count(*) DESC, network",
    "sizes": "SELECT longest, count(*) FROM entries GROUP BY longest ORDER BY longest",
    "contents": "SELECT content, content_label, count(*), max(created) FROM entries GROUP BY content",
    "styles": "SELECT sha256, label, count(DISTINCT id), max(created) FROM styles GROUP BY sha256",
    "tags": "SELECT folded, tag, count(*), max(created) FROM tags GROUP BY folded",
}


class IndexUnusableError(Exception):
    """The file is no index of ours; `inode` tells which file that was."""

    def __init__(self, reason: str, inode: int) -> None:
        super().__init__(reason)
        self.inode = inode


class IndexRefusedError(GalleryError):
    """The disk is full, can't be written or fails: there can be no index on it now."""


class Index:
    """The index at `path`, made where there is none.

    Any method raises `IndexUnusableError` where the file is damaged, `IndexRefusedError` where the disk is full
    or read-only, and `GalleryError` where another process writes for longer than `BUSY_SECONDS`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamps(self) -> dict[str, Stamp | None]:
        """The ids of all entries, each with the stamp of the record it was read from, where that is known."""
        with self._connection() as db:
            db.execute("BEGIN")
            found = {entry_id: (changed, size) for entry_id, changed, size in db.execute("SELECT * FROM stamps")}
            return {entry_id: found.get(entry_id) for (entry_id,) in db.execute("SELECT id FROM entries")}

    def put(self, entries: Iterable[Stamped], *, remove: Iterable[str] = ()) -> None:
        """Take entries in, in place of rows they had."""
        with self._writing() as db:
            for entry_id in remove:
                _remove(db, entry_id)
            for entry, stamp in entries:
                _remove(db, entry.id)
                _insert(db, entry, stamp)

    def replace(self, entries: Iterable[Stamped]) -> None:
        """Forget everything and take in `entries`."""
        with self._writing() as db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")
            for entry, stamp in entries:
                _insert(db, entry, stamp)

    def alone(self, work: Callable[[], T]) -> T:
        """Run `work` while nobody else changes anything by the index."""
        with self._writing():
            return work()

    def change(self, write: Callable[[], Entry]) -> Entry:
        """Run `write`, which changes an entry's folder, while nobody else can, and take in what it returns."""
        with self._writing() as db:
            entry = write()
            _remove(db, entry.id)
            _insert(db, entry)
            return entry

    def select(self, filters: Filters, *, order: str, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
        """The records of a page, and how many entries match in all."""
        where, values = conditions(filters)
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

    def matching(self, filters: Filters, order: str) -> list[str]:
        """The ids of all entries that match, in order."""
        where, values = conditions(filters)
        with self._connection() as db:
            found = db.execute(f"SELECT id FROM entries WHERE {where} ORDER BY {ORDERS[order]}", values)
            return [entry_id for (entry_id,) in found]

    def facets(self) -> Facets:
        """What there is to filter by."""
        with self._connection() as db:
            db.execute("BEGIN")
            used = {name: db.execute(statement).fetchall() for name, statement in _FACETS.items()}
        titles = {name: StyleUse(PRESETS[name].title if name in PRESETS else name, n) for name, n in used["presets"]}
        return Facets(
            presets=titles,
            styles=_by_label(used["styles"]),
            contents=_by_label(used["contents"]),
            networks={name: StyleUse(name, number) for name, number in used["networks"]},
            tags={use.label: use for use in _by_label(used["tags"]).values()},
            sizes={side: StyleUse(f"{side} px", number) for side, number in used["sizes"]},
        )

    def statistics(self) -> list[dict[str, Any]]:
        """A light row an entry, the oldest first."""
        with self._connection() as db:
            db.execute("BEGIN")
            found = db.execute(f"SELECT {', '.join(_CHARTED)} FROM entries ORDER BY created, id").fetchall()
            labels: dict[str, list[str]] = {}
            for entry_id, label in db.execute("SELECT id, label FROM styles ORDER BY rowid"):
                labels.setdefault(entry_id, []).append(label)
        rows = [dict(zip(_CHARTED, row, strict=True)) for row in found]
        for row in rows:
            row |= {"starred": bool(row["starred"]), "styles": labels.get(row["id"], [])}
        return rows

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
            raise IndexRefusedError(
                f"The gallery's index is damaged and can't be renamed: {error.strerror}. Received: {self.path}. "
                "Check the folder's permissions."
            ) from error
        return aside

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        inode = _inode(self.path)
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
                prepare(db)
                yield db
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte; the rest are details
            if code in _UNUSABLE:
                raise IndexUnusableError(str(error), inode) from error
            raise (IndexRefusedError if code in _REFUSED else GalleryError)(
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


def prepare(db: sqlite3.Connection) -> None:
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


def _insert(db: sqlite3.Connection, entry: Entry, stamp: Stamp | None = None) -> None:
    row = _row(entry)
    statement = f"INSERT OR IGNORE INTO entries ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    if db.execute(statement, tuple(row.values())).rowcount:
        db.execute("INSERT INTO records VALUES (?, ?)", (entry.id, json.dumps(entry.to_dict())))
        styles = [(entry.id, entry.created, style.sha256, style.label) for style in entry.styles]
        db.executemany("INSERT INTO styles VALUES (?, ?, ?, ?)", styles)
        tags = [(entry.id, entry.created, fold(tag), tag) for tag in entry.tags]
        db.executemany("INSERT INTO tags VALUES (?, ?, ?, ?)", tags)
        if stamp:
            db.execute("INSERT INTO stamps VALUES (?, ?, ?)", (entry.id, *stamp))


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "created": entry.created,
        "title": fold(entry.name),
        "name": entry.name,
        "status": str(entry.status),
        "preset": clean_text(entry.preset),
        "network": clean_text(entry.network.name),
        "optimizer": entry.settings.optimizer,
        "content": entry.content.sha256,
        "content_label": entry.content.label,
        "width": entry.width,
        "height": entry.height,
        "longest": max(entry.width, entry.height),
        "pixels": entry.width * entry.height,
        "seconds": float(entry.seconds),
        "evaluations": entry.evaluations,
        "strength": entry.settings.strength,
        "style_scale": entry.settings.style_scale,
        "rating": entry.rating,
        "starred": int(entry.starred),
        "search": "\n".join(fold(text) for text in _texts(entry)),  # no text has a line break: none matches across
    }


def _texts(entry: Entry) -> Iterator[str]:
    """What a search looks in, line by line."""
    yield entry.name
    yield from (picture.label for picture in entry.inputs)
    yield from entry.tags
    yield from (" ".join(line.split()) for line in entry.note.splitlines())


def _by_label(found: Iterable[tuple[str, str, int, str]]) -> dict[str, StyleUse]:
    """Value and use of what `_FACETS` found, in the order of the labels."""
    uses = {value: StyleUse(label, number) for value, label, number, _ in found}
    return dict(sorted(uses.items(), key=lambda item: (fold(item[1].label), item[0])))


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
