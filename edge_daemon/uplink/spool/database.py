"""The SQLite database of the spool: how it is opened, checked and written."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool.clock import Note
from edge_daemon.uplink.spool.pages import PAGE_BYTES
from edge_daemon.uplink.spool.records import HEAD, Content, Head
from edge_daemon.uplink.spool.troubles import DamageError, is_full

_log = logging.getLogger(__name__)

VERSION = 1
"""Of the schema; `PRAGMA user_version`, and once more in `meta`."""

_APPLICATION = int.from_bytes(b"EDGE", "big")
_WAL_PAGES = 512
_WAL_BYTES = 4 * 2**20
_HIGHEST_ID = 2**62

_SCHEMA = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "waiting": (
        "CREATE TABLE waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, "
        "sequence INTEGER NOT NULL, live INTEGER NOT NULL, stored REAL NOT NULL, "
        "born REAL NOT NULL, envelope_bytes INTEGER NOT NULL, spare_bytes INTEGER NOT NULL, "
        "body_check INTEGER NOT NULL, head_check INTEGER NOT NULL, envelope BLOB NOT NULL, "
        "spare BLOB)"
    ),
}

# Asked of a database that is there, the second would write, and over frames of a torn WAL.
_NEW = (f"PRAGMA page_size = {PAGE_BYTES}", "PRAGMA auto_vacuum = INCREMENTAL")

_SETUP = (
    # No other process may look in: then SQLite needs no shared memory file, whose pages a full
    # disk could take away under it.
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}",
    f"PRAGMA journal_size_limit = {_WAL_BYTES}",
    # Overwriting deleted rows with zeros, which some builds of SQLite do, doubles the wear.
    "PRAGMA secure_delete = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
)

_WORKING = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")

_BUILDING = ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF")


def wal_of(path: Path) -> Path:
    """Where SQLite keeps the WAL of a database."""
    return path.with_name(path.name + "-wal")


class Database:
    """One connection, with the statements that the spool needs.

    Args:
        path: The file; `None`: in memory.
        building: Whether the file counts only once it is complete and synced by the caller: it is
            then written in place and not synced, which takes no room beside it.

    Raises:
        DamageError: The file is there, and is not a sound database of ours.
        StorageError: A later version made it.
        OSError: It cannot be made.
        sqlite3.Error: Likewise.
    """

    def __init__(self, path: Path | None, *, building: bool = False) -> None:
        self.path = path
        existed = path is not None and _bytes_of(path) > 0
        if path is not None and not existed and _bytes_of(wal_of(path)) > 0:
            raise DamageError(
                "the file is empty or gone, but its log is not"
            )  # SQLite would delete it
        if path is not None and not existed:
            # SQLite gives its other files the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
        # A damaged name must fail its row's check, not the whole statement.
        self._connection.text_factory = _readable
        try:
            new = () if existed else _NEW
            for statement in (*new, *_SETUP, *(_BUILDING if building else _WORKING)):
                self._connection.execute(statement).fetchall()
            if existed:
                self._check()
            else:
                self._make()
        except sqlite3.Error as mistake:
            if existed and not is_full(mistake):
                raise DamageError(str(mistake), self.close) from mistake
            self.close()
            raise
        except DamageError as damage:
            raise DamageError(str(damage), self.close) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Folds the WAL in, if the disk lets it, and closes."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def begin(self) -> None:
        """Begins a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Ends it; all of it is synced when this returns."""
        self._connection.execute("COMMIT")

    def roll_back(self) -> None:
        """Takes it back; SQLite may have done so already."""
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def insert(self, head: Head, content: Content) -> None:
        """Adds a row."""
        values = (*head.columns(), content.envelope, content.spare)
        marks = ", ".join("?" * len(values))
        self._connection.execute(f"INSERT INTO waiting VALUES ({marks})", values)

    def replace(self, head: Head, content: Content) -> None:
        """Gives a row other contents."""
        names = (*HEAD, "envelope", "spare")
        values = (*head.columns(), content.envelope, content.spare, head.record.id)
        changes = ", ".join(f"{name} = ?" for name in names)
        self._connection.execute(f"UPDATE waiting SET {changes} WHERE id = ?", values)

    def delete(self, rows: Iterable[int]) -> None:
        """Removes rows; those that are gone do no harm."""
        self._connection.executemany("DELETE FROM waiting WHERE id = ?", [(row,) for row in rows])

    def heads(self) -> list[tuple[Any, ...]]:
        """The small columns of all rows, unproven, by id."""
        return self._connection.execute(
            f"SELECT {', '.join(HEAD)} FROM waiting ORDER BY id"
        ).fetchall()

    def blobs(self, row: int) -> tuple[Any, Any]:
        """The envelope and the spare of a row that is here, unproven.

        Raises:
            DamageError: It is not.
        """
        found = self._connection.execute(
            "SELECT envelope, spare FROM waiting WHERE id = ?", (row,)
        ).fetchone()
        if found is None:
            raise DamageError(f"row {row} cannot be found")
        return found

    def highest_id(self) -> int:
        """The highest id that was ever given."""
        (highest,) = self._connection.execute(
            "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'waiting'), 0), "
            "ifnull((SELECT max(id) FROM waiting), 0))"
        ).fetchone()
        if not isinstance(highest, int) or not 0 <= highest < _HIGHEST_ID:
            raise DamageError(f"the highest id cannot be {highest!r}")
        return highest

    def note(self) -> Note | None:
        """What the clocks said last, or `None`."""
        found = self._connection.execute(
            "SELECT name, value FROM meta WHERE name IN ('age_s', 'wall_s', 'since_boot_s', 'boot')"
        )
        values = dict(found.fetchall())
        try:
            times = (float(values[name]) for name in ("age_s", "wall_s", "since_boot_s"))
            return Note(*times, boot=str(values["boot"]))
        except (KeyError, TypeError, ValueError):
            return None

    def write_note(self, note: Note) -> None:
        """Keeps what the clocks say."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", list(vars(note).items())
        )

    def fold(self) -> None:
        """Writes the WAL into the database and cuts it to nothing, as far as the disk lets it."""
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def wal_frames(self) -> int:
        """Frames of the WAL that SQLite accepts."""
        (_, frames, _) = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(frames)

    def pages(self) -> tuple[int, int]:
        """Pages of the file, and those of them that are free."""
        (count,) = self._connection.execute("PRAGMA page_count").fetchone()
        (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        return count, free

    def shrink(self, pages: int) -> None:
        """Gives so many free pages back to the file system."""
        # Not `execute`, which stops after the first page.
        self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def probe(self) -> None:
        """A statement that does nothing."""
        self._connection.execute("SELECT id FROM waiting LIMIT 1").fetchone()

    def _make(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.values():
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO meta VALUES ('version', ?)", (VERSION,))
        self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self._connection.execute("COMMIT")

    def _check(self) -> None:
        began = time.monotonic()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        said = self._connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
        # Both must say so: one flipped bit is no later version.
        if version > VERSION and said == (version,):
            raise StorageError(
                "a later version of the daemon made this spool",
                value=f"{self.path}, version {version}",
                remedy="run that version, or choose another directory (spool.directory)",
            )
        if version != VERSION or said != (VERSION,):
            raise DamageError(f"version {version} outside, {said} inside")
        found = self._connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        )
        if dict(found.fetchall()) != _SCHEMA:
            raise DamageError("its tables are others")
        problems = self._connection.execute("PRAGMA quick_check(3)").fetchall()
        if problems != [("ok",)]:
            raise DamageError("; ".join(str(problem) for (problem,) in problems).replace("\n", " "))
        pages, _ = self.pages()
        _log.info(
            "event=spool_checked file_bytes=%d ms=%.0f",
            pages * PAGE_BYTES,
            1000 * (time.monotonic() - began),
        )


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _readable(text: bytes) -> str:
    return text.decode("utf-8", "replace")
