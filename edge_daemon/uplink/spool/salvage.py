"""What is done about a damaged database, so that its good rows stay."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.uplink.spool.clock import Clocks, Note
from edge_daemon.uplink.spool.database import Database, wal_of
from edge_daemon.uplink.spool.directory import Directory, sync_directory
from edge_daemon.uplink.spool.pages import Found, Pages
from edge_daemon.uplink.spool.quarantine import Quarantine
from edge_daemon.uplink.spool.records import Content, Head
from edge_daemon.uplink.spool.troubles import is_trouble
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_BATCH_BYTES = 2**20
_MARGIN_BYTES = 2**20


@dataclass(frozen=True)
class Salvaged:
    """What became of a damaged database.

    Attributes:
        rows: Rows that were copied into the new one.
        damaged: Rows that were found and did not prove themselves.
        left: Good rows for which the disk had no room.
    """

    rows: int
    damaged: int
    left: int


def renew(
    directory: Directory,
    quarantine: Quarantine,
    clocks: Clocks,
    reason: str,
    *,
    note: Note | None = None,
    release: Callable[[], None] = lambda: None,
) -> Salvaged:
    """Puts a new database with the good rows in the place of a damaged one.

    The new one is complete and synced before the damaged one moves. A crash before the move leaves
    the damaged one, one after it is put right by `finish`.

    Args:
        directory: Where both are.
        quarantine: Where the damaged one goes.
        clocks: Where time comes from.
        reason: What is wrong, for the log.
        note: What the spool's own clock says; `None`: as much as the youngest row's.
        release: Closes the damaged database; called when all was read from it.

    Raises:
        OSError: The directory cannot be written.
        sqlite3.Error: It cannot be written.
    """
    _clear(directory.unfinished)

    def room() -> bool:
        """Whether there is some left beside the copy, after giving up what can be."""
        while directory.free_bytes() < _MARGIN_BYTES + _BATCH_BYTES:
            if not (directory.give_ballast() or quarantine.drop_oldest()):
                return False
        return True

    with Pages(directory.database) as pages:
        salvaged = _copy(pages, directory.unfinished, clocks, note, room)
    release()
    _sync(directory.unfinished)
    sync_directory(directory.path)
    place = quarantine.take_files([directory.database], salvaged=not salvaged.left)
    _move_strays(directory, place)
    directory.unfinished.rename(directory.database)
    sync_directory(directory.path)
    _log.error(
        "event=spool_quarantined reason=%r salvaged=%d damaged=%d left=%d kept_at=%s",
        reason,
        salvaged.rows,
        salvaged.damaged,
        salvaged.left,
        place,
    )
    return salvaged


def finish(directory: Directory, quarantine: Quarantine) -> None:
    """Ends what a crash interrupted.

    Raises:
        OSError: The directory cannot be written.
    """
    if directory.unfinished.exists() and not directory.database.exists():
        if wal_of(directory.database).exists():
            _move_strays(directory, quarantine.take_files([], salvaged=True))
        directory.unfinished.rename(directory.database)
        sync_directory(directory.path)
    _clear(directory.unfinished)


def recover_tail(database: Database, directory: Directory) -> int:
    """Puts back the rows behind a damaged frame of the WAL, where SQLite ends.

    Call it before the first write, which would overwrite them. On a disk too full even for that,
    they are lost.

    Returns:
        How many rows were put back.

    Raises:
        DamageError: The database is damaged in other ways.
        sqlite3.Error: Likewise.
    """
    with Pages(directory.database) as pages:
        if not pages.committed_frames:
            return 0
        for _ in range(2):
            try:
                return _insert_behind(database, pages, database.wal_frames())
            except sqlite3.Error as mistake:
                if not is_trouble(mistake):
                    raise
                _log.warning("event=spool_log_not_searched error=%r", str(mistake))
                directory.give_ballast()
    return 0


def _insert_behind(database: Database, pages: Pages, frame: int) -> int:
    """Inserts the rows that are in the WAL behind this frame and not in the database."""
    highest = database.highest_id()
    found = [row for row in pages.find(pages.behind(frame)) if row.head.record.id > highest]
    proven = [_proven(pages, copies) for copies in _latest(found)]
    rows = [row for row in proven if row is not None]
    if rows:
        database.begin()
        try:
            for row in rows:
                database.insert(*row)
            database.commit()
        except BaseException:
            database.roll_back()
            raise
        _log.error("event=spool_log_torn rows_put_back=%d", len(rows))
    return len(rows)


def _copy(
    pages: Pages, target: Path, clocks: Clocks, note: Note | None, room: Callable[[], bool]
) -> Salvaged:
    """Copies the rows that prove themselves, must-deliver rows first."""
    found = list(pages.find())
    unsound_heads = pages.unreadable
    rows = sorted(_latest(found), key=_must_deliver_first)
    if note is None:
        youngest = max((row.head.born for row in found), default=0.0)
        note = Note(youngest, clocks.wall(), clocks.since_boot(), clocks.boot)
    copied = damaged = done = 0
    database = Database(target, building=True)
    try:
        database.begin()
        database.write_note(note)
        database.commit()
        while done < len(rows) and room():
            batch, end = _batch(pages, rows, done)
            if not _insert(database, batch):
                break
            copied += len(batch)
            damaged += end - done - len(batch)
            done = end
    finally:
        database.close()
    return Salvaged(copied, unsound_heads + damaged, len(rows) - done)


def _must_deliver_first(copies: list[Found]) -> tuple[bool, int]:
    record = copies[0].head.record
    return record.live, record.id


def _latest(rows: Iterable[Found]) -> list[list[Found]]:
    """Of each key the row with the highest id, in all its copies: a stale one may be the sound."""
    latest: dict[Key, list[Found]] = {}
    for row in rows:
        copies = latest.setdefault(row.head.record.key, [])
        if copies and copies[0].head.record.id < row.head.record.id:
            copies.clear()
        if not copies or copies[0].head.record.id == row.head.record.id:
            copies.append(row)
    return list(latest.values())


def _proven(pages: Pages, copies: list[Found]) -> tuple[Head, Content] | None:
    """A row with its bytes, from the first copy whose bytes are sound."""
    for copy in copies:
        content = pages.content(copy)
        if content is not None:
            return copy.head, content
    return None


def _batch(
    pages: Pages, rows: list[list[Found]], start: int
) -> tuple[list[tuple[Head, Content]], int]:
    """The next rows for one transaction, as far as they are sound, and where it ends."""
    batch: list[tuple[Head, Content]] = []
    size, end = 0, start
    while end < len(rows) and size < _BATCH_BYTES:
        row = _proven(pages, rows[end])
        if row is not None:
            batch.append(row)
            size += row[0].record.size
        end += 1
    return batch, end


def _insert(database: Database, batch: list[tuple[Head, Content]]) -> bool:
    """Whether the disk had room for these rows."""
    database.begin()
    try:
        for row in batch:
            database.insert(*row)
        database.commit()
    except sqlite3.Error as mistake:
        database.roll_back()
        if is_trouble(mistake):
            return False
        raise
    return True


def _clear(path: Path) -> None:
    for leftover in (path, wal_of(path), path.with_name(path.name + "-journal")):
        leftover.unlink(missing_ok=True)


def _move_strays(directory: Directory, place: Path) -> None:
    """The damaged database's log must not lie beside the new one."""
    wal = wal_of(directory.database)
    if wal.exists():
        wal.rename(place / wal.name)
        sync_directory(directory.path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
