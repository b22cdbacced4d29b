"""Keeps one sound database open, whatever the disk does."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_daemon.settings import SpoolSettings
from edge_daemon.uplink.spool.clock import AgeClock, Clocks
from edge_daemon.uplink.spool.database import Database
from edge_daemon.uplink.spool.directory import Directory
from edge_daemon.uplink.spool.pages import PAGE_BYTES
from edge_daemon.uplink.spool.quarantine import Quarantine
from edge_daemon.uplink.spool.salvage import finish, recover_tail, renew
from edge_daemon.uplink.spool.troubles import DamageError, failed, is_damage, is_read_failure

_log = logging.getLogger(__name__)

_SHRINK_FROM_PAGES = 1024
_SHRINK_PAGES = 2048
_SPARE_BYTES = 64 * 2**10

T = TypeVar("T")


@dataclass
class Events:
    """What happened since the start; see `records.Facts`."""

    commits: int = 0
    quarantined: int = 0
    salvaged: int = 0
    set_aside: int = 0
    storage_errors: int = 0


class Keeper:
    """One database, on a disk or in memory.

    Args:
        settings: Where, how much, and for how long.
        clocks: Where time comes from.
        renewed: Called when the database was opened anew, and may hold other rows.

    Raises:
        StorageError: The directory cannot be used, another daemon uses it, or a later version made
            what is in it.
    """

    def __init__(
        self, settings: SpoolSettings, clocks: Clocks, renewed: Callable[[Database], None]
    ) -> None:
        self.events = Events()
        self._clocks = clocks
        self._renewed = renewed
        self._directory: Directory | None = None
        self._quarantine: Quarantine | None = None
        self._database: Database | None = None
        self._age: AgeClock | None = None
        if settings.directory is not None:
            self._directory = Directory(Path(settings.directory), settings.max_bytes)
            place = self._directory.quarantine
            self._quarantine = Quarantine(place, settings.max_bytes, clocks.wall)
        try:
            note = self.read(Database.note)
        except BaseException:
            self.close()
            raise
        self._age = self.age = AgeClock(clocks, note, settings.max_age_s)

    @property
    def durable(self) -> bool:
        """Whether it is on a disk."""
        return self._directory is not None

    @property
    def file_bytes(self) -> int:
        """Size of the database and its WAL."""
        return 0 if self._directory is None else self._directory.file_bytes()

    def write(
        self,
        work: Callable[[Database], T],
        tentative: Callable[[], AbstractContextManager[None]],
    ) -> T:
        """Runs one transaction; it is synced when this returns.

        Args:
            work: What to do in it; done again on a new database if the first proves damaged.
            tentative: Takes back in memory what `work` did, if the transaction fails.

        Raises:
            StorageError: The disk refused it; nothing happened.
        """
        return self._guarded(lambda: self._transaction(work, tentative), is_damage)

    def read(self, work: Callable[[Database], T]) -> T:
        """Runs a query.

        Raises:
            StorageError: The disk refused it.
        """
        return self._guarded(
            lambda: work(self._opened()), lambda error: is_damage(error) or is_read_failure(error)
        )

    @contextmanager
    def relieved(self) -> Generator[None]:
        """Inside the block there is more room on a disk that has refused a write.

        The log can only be written from its beginning again once it is folded into the database,
        and that may need more room than there is. So the ballast is given up for as long as it
        takes; folding makes more room than it needs.
        """
        directory, quarantine = self._directory, self._quarantine
        if directory is None or quarantine is None:
            yield
            return
        if directory.full():
            _log.warning("event=spool_disk_full file_bytes=%d", self.file_bytes)
            quarantine.drop_oldest()
        directory.give_ballast()
        self._fold()
        try:
            yield
        finally:
            self._fold()
            directory.lay_ballast()

    def fits(self, size: int) -> bool:
        """Whether the file has free pages for so many bytes, so that it need not grow."""
        if self._database is None:
            return False
        try:
            _, free = self._database.pages()
        except sqlite3.Error:
            return False
        return free * PAGE_BYTES >= size + size // 16 + _SPARE_BYTES

    def _fold(self) -> None:
        if self._database is not None:
            self._database.fold()

    def tidy(self) -> None:
        """Keeps room back again, and gives the file system what the database does not need."""
        if self._directory is None:
            return
        pages, free = self.read(Database.pages)
        if pages >= _SHRINK_FROM_PAGES and free > pages // 2:
            self._guarded(lambda: self._opened().shrink(_SHRINK_PAGES), is_damage)
        self._directory.lay_ballast()

    def set_aside(self, row: int, blobs: tuple[Any, Any], reason: str) -> None:
        """Keeps what a damaged row holds; deleting it is the caller's."""
        content = b"".join(blob for blob in blobs if isinstance(blob, bytes))
        self.events.set_aside += 1
        if self._quarantine is not None:
            self._quarantine.take_row(row, content)
        _log.error("event=spool_row_set_aside id=%d bytes=%d reason=%r", row, len(content), reason)

    def close(self) -> None:
        """Closes the database and lets others use the directory."""
        self._drop()
        if self._directory is not None:
            self._directory.close()

    @property
    def _path(self) -> Path | None:
        return None if self._directory is None else self._directory.path

    def _guarded(self, work: Callable[[], T], broken: Callable[[sqlite3.Error], bool]) -> T:
        try:
            try:
                return work()
            except DamageError as damage:
                self._renew(str(damage), self._drop)
            except sqlite3.Error as mistake:
                if not broken(mistake):
                    raise
                self._renew(str(mistake), self._drop)
            return work()
        except (OSError, sqlite3.Error, DamageError) as mistake:
            if isinstance(mistake, sqlite3.ProgrammingError):
                raise  # a defect of ours
            self.events.storage_errors += 1
            raise failed(mistake, self._path) from mistake

    def _transaction(
        self,
        work: Callable[[Database], T],
        tentative: Callable[[], AbstractContextManager[None]],
    ) -> T:
        database = self._opened()
        try:
            with tentative():
                database.begin()
                result = work(database)
                database.commit()
        except BaseException:
            database.roll_back()
            raise
        self.events.commits += 1
        return result

    def _opened(self) -> Database:
        """The database; opened, and put right if need be."""
        if self._database is not None:
            return self._database
        if self._directory is None or self._quarantine is None:
            return self._take(Database(None))
        try:
            finish(self._directory, self._quarantine)
            database = Database(self._directory.database)
        except DamageError as damage:
            return self._renew(str(damage), damage.release)
        except (OSError, sqlite3.Error) as mistake:
            raise failed(mistake, self._path) from mistake
        try:
            recover_tail(database, self._directory)
        except (OSError, sqlite3.Error, DamageError) as mistake:
            return self._renew(str(mistake), database.close)
        return self._take(database)

    def _renew(self, reason: str, release: Callable[[], None]) -> Database:
        """Puts a new database with the good rows in the place of the damaged one.

        Raises:
            StorageError: The disk refused it; the next use tries again.
        """
        if self._directory is None or self._quarantine is None:
            _log.error("event=spool_lost reason=%r", reason)
            release()
            return self._take(Database(None))
        try:
            salvaged = renew(
                self._directory,
                self._quarantine,
                self._clocks,
                reason,
                note=None if self._age is None else self._age.note(),
                release=release,
            )
            database = Database(self._directory.database)
        except (OSError, sqlite3.Error, DamageError) as mistake:
            release()
            raise failed(mistake, self._path) from mistake
        self.events.quarantined += 1
        self.events.salvaged += salvaged.rows
        return self._take(database)

    def _take(self, database: Database) -> Database:
        self._database = database
        if self._age is not None:
            self._renewed(database)
        return database

    def _drop(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
