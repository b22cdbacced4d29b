"""What can go wrong with the database, and who is to blame."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from edge_daemon.errors import StorageError

RETRY_AFTER_S = 5.0
"""Seconds after which there may be room that there is not now."""

_FAILING = "disk i/o error"
_FULL = "database or disk is full"

_TROUBLES = (
    "unable to open database file",
    "attempt to write a readonly database",
    "database is locked",
    _FULL,
    _FAILING,
)


class DamageError(Exception):
    """The database is not what it should be.

    Args:
        reason: What is wrong.
        release: Closes it. Not done yet: closing may change the files that are to be read.
    """

    def __init__(self, reason: str, release: Callable[[], None] = lambda: None) -> None:
        self.release = release
        super().__init__(reason)


def is_trouble(error: sqlite3.Error) -> bool:
    """Whether the disk is to blame (full, read-only, failing), and not what is written on it."""
    return isinstance(error, sqlite3.OperationalError) and str(error).lower().startswith(_TROUBLES)


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk has no room."""
    return str(error).lower().startswith(_FULL)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the database is broken; what is neither this nor trouble is a defect of ours."""
    return isinstance(error, sqlite3.DatabaseError) and not (
        is_trouble(error) or isinstance(error, sqlite3.ProgrammingError)
    )


def is_read_failure(error: sqlite3.Error) -> bool:
    """Whether the disk failed; of a read it means that part of the file is lost."""
    return str(error).lower().startswith(_FAILING)


def failed(mistake: Exception, where: Path | None) -> StorageError:
    """What the client of a write is told when the disk refused it."""
    return StorageError(
        f"the spool cannot be written: {mistake}",
        value=str(where or "in memory"),
        remedy="make room on its disk, or correct the permissions",
        retry_after_s=RETRY_AFTER_S,
    )
