"""The spool for an event loop: a thread of its own, and one commit for whatever waits."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from edge_daemon.errors import StorageError
from edge_daemon.settings import SpoolSettings
from edge_daemon.uplink.spool.accounts import cost
from edge_daemon.uplink.spool.clock import Clocks
from edge_daemon.uplink.spool.records import Content, Entry, Facts, Record, Stored
from edge_daemon.uplink.spool.store import Spool

_log = logging.getLogger(__name__)

FLUSH_S = 0.1
"""Longest time, in seconds, that a delete waits for a commit to ride along with."""

_COMMIT_BYTES = 4 * 2**20

T = TypeVar("T")


@dataclass
class _Call(Generic[T]):
    """Something to do in the thread, and who waits for it."""

    work: Callable[[Spool], T]
    outcome: asyncio.Future[T]

    def run(self, spool: Spool) -> Callable[[], None]:
        """Does it; returns what tells the one who waits."""
        try:
            return partial(_settle, self.outcome, self.work(spool))
        except Exception as mistake:
            return partial(_fail, self.outcome, mistake)


@dataclass
class _Put:
    """An envelope to keep, and who waits for it."""

    entry: Entry
    under_way: Collection[int]
    outcome: asyncio.Future[Stored]


class SpoolThread:
    """A `Spool` for coroutines, with the same arguments. Call it on one event loop only.

    Things are done in the order in which they were asked for, except that puts which wait together
    go first, in one commit. A caller that is cancelled does not undo what it asked for.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        *,
        max_frames: int | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        self._make = partial(Spool, settings, max_frames=max_frames, clocks=clocks)
        self._max_frames = max_frames
        self._condition = threading.Condition()
        self._puts: deque[_Put] = deque()
        self._calls: deque[Callable[[Spool], Callable[[], None]]] = deque()
        self._deletes: set[int] = set()
        self._flush_at: float | None = None
        self._closing = False
        self._entering: dict[int, Entry] = {}
        self._thread: threading.Thread | None = None
        self._facts = Facts(max_bytes=settings.max_bytes)

    async def open(self) -> list[Record]:
        """Opens the spool.

        Returns:
            What was left in it, by id.

        Raises:
            StorageError: As `Spool` says.
        """
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[list[Record]] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="spool", daemon=True)
        self._thread.start()
        return await opened

    async def close(self) -> None:
        """Does what was asked for, writes the deletes, closes, and ends the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def put(self, entry: Entry, *, under_way: Collection[int] = ()) -> Stored:
        """Keeps an envelope; it is on the disk when this returns.

        Args:
            entry: What to keep.
            under_way: Ids of rows that must not give way now.

        Raises:
            SpoolFullError: There is no room, and nothing may give way.
            StorageError: The disk refused it, or it can never fit.
        """
        put = _Put(entry, frozenset(under_way), asyncio.get_running_loop().create_future())
        with self._asking():
            self._puts.append(put)
        self._entering[id(put)] = entry
        try:
            return await put.outcome
        finally:
            del self._entering[id(put)]

    def delete(self, row: int) -> None:
        """Removes a row: with the next commit, or after a tenth of a second."""
        with self._asking():
            self._deletes.add(row)

    async def read(self, row: int) -> Content | None:
        """A row's bytes, proven; `None` if it is gone, or was damaged and is now set aside.

        Raises:
            StorageError: The disk cannot be read.
        """
        return await self._do(lambda spool: spool.read(row))

    async def use_spare(self, row: int) -> Record | None:
        """Puts the spare in the envelope's place, on the disk.

        Returns:
            The row as it is now; `None` if it is gone or has no spare.

        Raises:
            StorageError: The disk refused it; the row is as it was.
        """
        return await self._do(lambda spool: spool.use_spare(row))

    async def expire(self, *, under_way: Collection[int] = ()) -> list[Record]:
        """Drops live rows that are too old, and does what can wait for a quiet moment.

        Returns:
            Those rows.
        """
        kept = frozenset(under_way)

        def work(spool: Spool) -> list[Record]:
            expired = spool.expire(under_way=kept)
            spool.tidy()
            return expired

        return await self._do(work)

    async def records(self) -> list[Record]:
        """All rows, by id."""
        return await self._do(Spool.records)

    async def probe(self) -> None:
        """Returns when the thread has asked the database something trivial: both are alive.

        Raises:
            StorageError: The database does not answer.
        """
        await self._do(Spool.probe)

    def facts(self) -> Facts:
        """The spool as it was after the last thing that the thread did; does not wait for it."""
        return self._facts

    def room_for(self, size: int = 1, *, under_way: Iterable[Record] = ()) -> bool:
        """Whether an envelope of so many bytes would find room; does not wait for the thread.

        Must-deliver envelopes whose `put` has not returned are counted. The last word is `put`'s.

        Args:
            size: Its bytes.
            under_way: Rows that must not give way now.
        """
        facts = self._facts
        fixed = [record.size for record in under_way if record.live]
        fixed += [entry.size for entry in self._entering.values() if not entry.live]
        taken_bytes = facts.bytes - facts.live_bytes + sum(map(cost, fixed))
        taken_frames = facts.frames - facts.live_frames + len(fixed)
        few_enough = self._max_frames is None or taken_frames < self._max_frames
        return few_enough and taken_bytes + cost(size) <= facts.max_bytes

    @contextmanager
    def _asking(self) -> Generator[None]:
        with self._condition:
            if self._closing:
                raise StorageError(
                    "the spool is closed", remedy="send the frame again when the daemon is back"
                )
            yield
            self._condition.notify()

    async def _do(self, work: Callable[[Spool], T]) -> T:
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._asking():
            self._calls.append(_Call(work, outcome).run)
        return await outcome

    def _run(self, opened: asyncio.Future[list[Record]]) -> None:
        """The thread."""
        try:
            spool = self._make()
        except Exception as mistake:
            self._answer(partial(_fail, opened, mistake))
            return
        self._facts = spool.facts()
        self._answer(partial(_settle, opened, spool.records()))
        while self._wait():
            try:
                self._turn(spool)
            except Exception:
                _log.exception("event=spool_defect")
        spool.forget(self._deletes)
        spool.close()

    def _wait(self) -> bool:
        """Waits until there is something to do; False if there will never be."""
        with self._condition:
            while not (self._puts or self._calls or self._closing):
                if self._deletes and self._flush_at is None:
                    self._flush_at = time.monotonic() + FLUSH_S
                patience_s = None if self._flush_at is None else self._flush_at - time.monotonic()
                if patience_s is not None and patience_s <= 0:
                    return True
                self._condition.wait(patience_s)
            return bool(self._puts or self._calls or not self._closing)

    def _turn(self, spool: Spool) -> None:
        with self._condition:
            puts = self._next_puts()
            calls, self._calls = self._calls, deque()
            deletes, self._deletes = self._deletes, set()
        spool.forget(deletes)
        if deletes and self._flush_at is None:
            self._flush_at = time.monotonic() + FLUSH_S
        if puts:
            self._commit(spool, puts)
        for call in calls:
            settle = call(spool)
            self._facts = spool.facts()
            self._answer(settle)
        if self._flush_at is not None and time.monotonic() >= self._flush_at:
            self._flush_at = None
            spool.flush()
            self._facts = spool.facts()

    def _next_puts(self) -> list[_Put]:
        """As many as one commit takes."""
        puts: list[_Put] = []
        size = 0
        while self._puts and (not puts or size + self._puts[0].entry.size <= _COMMIT_BYTES):
            puts.append(self._puts.popleft())
            size += puts[-1].entry.size
        return puts

    def _commit(self, spool: Spool, puts: list[_Put]) -> None:
        under_way = {row for put in puts for row in put.under_way}
        try:
            results = spool.put([put.entry for put in puts], under_way=under_way)
        except Exception as mistake:
            results = [mistake] * len(puts)
        self._facts = spool.facts()
        for put, result in zip(puts, results, strict=True):
            if isinstance(result, Stored):
                self._answer(partial(_settle, put.outcome, result))
            else:
                self._answer(partial(_fail, put.outcome, result))

    def _answer(self, settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(settle)


def _settle(outcome: asyncio.Future[T], result: T) -> None:
    if not outcome.done():
        outcome.set_result(result)


def _fail(outcome: asyncio.Future[T], mistake: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(mistake)
