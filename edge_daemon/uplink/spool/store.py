"""The spool itself: synchronous, for one thread."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from edge_daemon.errors import EdgeError, StorageError
from edge_daemon.settings import SpoolSettings
from edge_daemon.uplink.spool.accounts import Accounts
from edge_daemon.uplink.spool.clock import Clocks
from edge_daemon.uplink.spool.database import Database
from edge_daemon.uplink.spool.keeper import Keeper
from edge_daemon.uplink.spool.records import (
    Content,
    Entry,
    Facts,
    Head,
    Record,
    Stored,
)
from edge_daemon.uplink.spool.writer import Writer

_log = logging.getLogger(__name__)


class Spool:
    """What waits for the cloud. Open when made; all in the thread that made it.

    Args:
        settings: Where, how much, and for how long.
        max_frames: Most envelopes that may wait; `None`: only the bytes are bounded.
        clocks: Where time comes from.

    Raises:
        StorageError: The directory cannot be used, another daemon uses it, or a later version made
            what is in it. Never because of damage.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        *,
        max_frames: int | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        self._settings = settings
        self._clocks = clocks or Clocks()
        self._accounts = Accounts(settings.max_bytes, max_frames)
        self._dropped = {"full": 0, "age": 0, "damage": 0}
        self._next_id = 1
        self._keeper = Keeper(settings, self._clocks, self._load)
        self._writer = Writer(self._keeper, self._accounts)
        try:
            self._keeper.read(self._load)
            self.tidy()
        except BaseException:
            self._keeper.close()
            raise

    def __len__(self) -> int:
        return len(self._accounts)

    def __contains__(self, row: int) -> bool:
        return row in self._accounts

    @property
    def bytes(self) -> int:
        """Bytes that count against the bound, overhead included."""
        return self._accounts.bytes

    @property
    def frames(self) -> int:
        """Envelopes that wait."""
        return len(self._accounts)

    @property
    def durable(self) -> bool:
        """Whether it is on a disk."""
        return self._keeper.durable

    def close(self) -> None:
        """Writes what is due, closes, and lets others use the directory."""
        try:
            self._writer.flush(last=True)
        finally:
            self._keeper.close()

    def put(
        self, entries: Sequence[Entry], *, under_way: Collection[int] = ()
    ) -> list[Stored | EdgeError]:
        """Keeps envelopes, all in one commit.

        Args:
            entries: What to keep.
            under_way: Ids of rows that must not give way now.

        Returns:
            For each entry what became of it, in order: `Stored`, `SpoolFullError` if there is no
            room for it, or `StorageError` if the disk refused the commit or it can never fit.
        """

        def work(database: Database) -> list[Stored | EdgeError]:
            return [self._put(database, entry, under_way) for entry in entries]

        try:
            results = self._writer.commit(work, sum(entry.size for entry in entries))
        except StorageError as error:
            return [error] * len(entries)
        for result in results:
            if isinstance(result, Stored) and result.dropped:
                self._dropped["full"] += len(result.dropped)
                _log.warning(
                    "event=spool_dropped reason=full for=%s dropped=%s",
                    _keys([result.record]),
                    _keys(result.dropped),
                )
        return results

    def room_for(self, size: int = 1, *, under_way: Collection[int] = ()) -> bool:
        """Whether an envelope of so many bytes would find room, if all gives way that may."""
        return self._accounts.room(size, under_way)

    def records(self) -> list[Record]:
        """All rows, by id."""
        return [head.record for head in self._accounts.heads()]

    def read(self, row: int) -> Content | None:
        """A row's bytes, proven; `None` if it is gone, or was damaged and is now set aside.

        Raises:
            StorageError: The disk cannot be read.
        """

        def work(database: Database) -> tuple[Head, tuple[Any, Any]] | None:
            head = self._accounts.get(row)  # not before: there may be another database by now
            return None if head is None else (head, database.blobs(row))

        found = self._keeper.read(work)
        if found is None:
            return None
        head, blobs = found
        try:
            return head.content(*blobs)
        except ValueError as mistake:
            self._set_aside(row, blobs, str(mistake))
            return None

    def delete(self, ids: Iterable[int]) -> None:
        """Removes rows; they are gone at once, and from the disk as soon as it lets us."""
        self.forget(ids)
        self.flush()

    def forget(self, ids: Iterable[int]) -> None:
        """As `delete`, but goes to the disk with the next commit or `flush`."""
        for row in ids:
            if row in self._accounts:
                self._accounts.remove(row)
                self._writer.deletes.add(row)

    def flush(self) -> None:
        """Writes the deletes that are due; a disk that refuses them is asked again."""
        self._writer.flush()

    def use_spare(self, row: int) -> Record | None:
        """Puts the spare in the envelope's place, synced.

        Returns:
            The row as it is now; `None` if it is gone or has no spare.

        Raises:
            StorageError: The disk refused it; the row is as it was.
        """
        head, content = self._accounts.get(row), self.read(row)
        if head is None or content is None or content.spare is None:
            return None
        record = head.record
        entry = Entry(record.key, content.spare, None, record.when_full)
        changed = Head.of(row, entry, stored=record.stored, born=head.born)

        def work(database: Database) -> Record | None:
            if row not in self._accounts:
                return None
            database.replace(changed, Content(entry.envelope, None))
            self._accounts.remove(row)
            self._accounts.add(changed)
            return changed.record

        return self._writer.commit(work, entry.size)

    def expire(self, *, under_way: Collection[int] = ()) -> list[Record]:
        """Drops live rows that are too old.

        Returns:
            Those rows.
        """
        oldest = self._keeper.age.now() - self._settings.max_age_s
        old = [
            head.record
            for head in self._accounts.heads()
            if head.record.live and head.born < oldest and head.record.id not in under_way
        ]
        if old:
            self._dropped["age"] += len(old)
            _log.warning("event=spool_dropped reason=age dropped=%s", _keys(old))
        self.delete(record.id for record in old)
        return old

    def tidy(self) -> None:
        """Does what can wait for a quiet moment: notes the clocks, gives file space back."""
        self.flush()
        try:
            self._keeper.tidy()
        except StorageError as error:
            _log.warning("event=spool_not_tidied error=%r", str(error))

    def probe(self) -> None:
        """Asks the database something trivial.

        Raises:
            StorageError: It does not answer.
        """
        self._keeper.read(Database.probe)

    def facts(self) -> Facts:
        """The spool as it is now."""
        accounts, oldest = self._accounts, self._accounts.oldest()
        return Facts(
            durable=self.durable,
            bytes=accounts.bytes,
            max_bytes=accounts.max_bytes,
            frames=len(accounts),
            live_bytes=accounts.live_bytes,
            live_frames=accounts.live_frames,
            oldest_s=0.0 if oldest is None else self._keeper.age.now() - oldest.born,
            file_bytes=self._keeper.file_bytes,
            **vars(self._keeper.events),
            dropped=dict(self._dropped),
        )

    def _put(
        self, database: Database, entry: Entry, under_way: Collection[int]
    ) -> Stored | EdgeError:
        known = self._accounts.find(entry.key)
        if known is not None:
            return Stored(known.record, fresh=False, dropped=())
        refusal = self._accounts.refusal(entry.size, under_way)
        if refusal is not None:
            return refusal
        dropped: list[Record] = []
        for record in self._accounts.giving_way(entry.size, under_way):
            dropped.append(self._accounts.remove(record.id))
        database.delete(record.id for record in dropped)
        stored, born = self._clocks.wall(), self._keeper.age.now()
        head = Head.of(self._next_id, entry, stored=stored, born=born)
        self._next_id += 1
        database.insert(head, Content(entry.envelope, entry.spare))
        self._accounts.add(head)
        return Stored(head.record, fresh=True, dropped=tuple(dropped))

    def _load(self, database: Database) -> None:
        """Reads the list of rows, and sets aside those that contradict their check."""
        before = len(self._accounts)
        self._next_id = max(self._next_id, database.highest_id() + 1)
        self._accounts.rebuild(())
        for columns in database.heads():
            row = int(columns[0])
            if row in self._writer.deletes:
                continue
            try:
                head = Head.read(columns)
                self._accounts.add(head)
                self._keeper.age.reach(head.born)
            except ValueError as mistake:
                self._writer.deletes.add(row)
                self._keeper.set_aside(row, database.blobs(row), str(mistake))
        self._dropped["damage"] += max(0, before - len(self._accounts))

    def _set_aside(self, row: int, blobs: tuple[Any, Any], reason: str) -> None:
        self._keeper.set_aside(row, blobs, reason)
        self._dropped["damage"] += 1
        self.delete([row])


def _keys(records: Iterable[Record]) -> str:
    return ",".join(f"{record.key[0]}/{record.key[1]}" for record in records)
