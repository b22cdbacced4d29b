"""What goes into a commit beside what was asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TypeVar

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool.accounts import Accounts
from edge_daemon.uplink.spool.database import Database
from edge_daemon.uplink.spool.keeper import Keeper

_log = logging.getLogger(__name__)

_SECONDS_BETWEEN_NOTES = 60.0

T = TypeVar("T")


class Writer:
    """Commits: each takes the deletes that are due along, and from time to time the clocks' note.

    Args:
        keeper: Has the database.
        accounts: What waits; taken back to where they were if a commit fails.

    Attributes:
        deletes: Ids of rows that are still in the database and count as gone.
    """

    def __init__(self, keeper: Keeper, accounts: Accounts) -> None:
        self._keeper = keeper
        self._accounts = accounts
        self._noted_at = -_SECONDS_BETWEEN_NOTES
        self.deletes: set[int] = set()

    def commit(self, work: Callable[[Database], T], size: int = 0) -> T:
        """Does this in one transaction; it is synced when this returns.

        Args:
            work: What to do.
            size: How many bytes it adds.

        Raises:
            StorageError: The disk refused it; nothing of it happened.
        """

        def whole(database: Database) -> T:
            database.delete(self.deletes)
            if self._note_due():
                database.write_note(self._keeper.age.note())
            return work(database)

        try:
            result = self._keeper.write(whole, self._accounts.tentative)
        except StorageError:
            with self._keeper.relieved():
                self._rescue_deletes()
                if not self._keeper.fits(size):
                    raise
                result = self._keeper.write(whole, self._accounts.tentative)
        self.deletes.clear()
        if self._note_due():
            self._noted_at = self._keeper.age.now()
        return result

    def flush(self, *, last: bool = False) -> None:
        """Commits what is due; a disk that refuses it is asked again with the next commit.

        Args:
            last: Whether the spool is about to be closed: then the clocks' note is due.
        """
        if last:
            self._noted_at = -_SECONDS_BETWEEN_NOTES
        if self.deletes or self._note_due():
            try:
                self.commit(_nothing)
            except StorageError as error:
                _log.warning(
                    "event=spool_deletes_wait count=%d error=%r", len(self.deletes), str(error)
                )

    def _rescue_deletes(self) -> None:
        """What found no room together with a put may go through alone, and makes room."""
        if not self.deletes:
            return
        with suppress(StorageError):
            self._keeper.write(lambda database: database.delete(self.deletes), nullcontext)
            self.deletes.clear()

    def _note_due(self) -> bool:
        """Whether what the clocks say must be kept; without rows nobody's age depends on it."""
        since = self._keeper.age.now() - self._noted_at
        return bool(len(self._accounts)) and since >= _SECONDS_BETWEEN_NOTES


def _nothing(_: Database) -> None:
    """Only what is due."""
