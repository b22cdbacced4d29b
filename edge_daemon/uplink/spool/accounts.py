"""What waits, whose it is, and who gives way."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Container, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from edge_daemon.errors import EdgeError, SpoolFullError, StorageError
from edge_daemon.uplink.spool.records import LARGEST_ENTRY_BYTES, OVERHEAD_BYTES, Head, Record
from edge_daemon.uplink.spool.troubles import RETRY_AFTER_S
from edge_daemon.wire import Key

_STALE_IDS = 64


def cost(size: int) -> int:
    """Bytes that an envelope of this size counts against the bound."""
    return size + OVERHEAD_BYTES


class _Queue:
    """Ids, the least first. Those of rows that left stay until they come up, or are too many."""

    def __init__(self) -> None:
        self._heap: list[int] = []

    def push(self, row: int) -> None:
        heapq.heappush(self._heap, row)

    def least(self, here: Container[int], but: Container[int] = ()) -> int | None:
        """The least id that is here, but for some; `None` if there is none."""
        passed_over: list[int] = []
        found: int | None = None
        while self._heap and found is None:
            row = self._heap[0]
            if row in here and row not in but:
                found = row
            else:
                heapq.heappop(self._heap)
                if row in here:
                    passed_over.append(row)
        for row in passed_over:
            heapq.heappush(self._heap, row)
        return found

    def tidy(self, here: Container[int], count: int) -> None:
        """Forgets ids that left when they are more than the `count` that are here."""
        if len(self._heap) > 2 * count + _STALE_IDS:
            self._heap = sorted({row for row in self._heap if row in here})


@dataclass
class _Share:
    """One client's live rows."""

    bytes: int = 0
    frames: int = 0
    ids: _Queue = field(default_factory=_Queue)


class Accounts:
    """The list of all rows, kept in memory.

    Args:
        max_bytes: Most bytes that may wait, overhead included.
        max_frames: Most envelopes that may wait; `None`: no such bound.
    """

    def __init__(self, max_bytes: int, max_frames: int | None) -> None:
        self.max_bytes = max_bytes
        self._max_frames = max_frames
        self._undo: list[tuple[Head, bool]] | None = None
        self.rebuild(())

    def rebuild(self, heads: Iterable[Head]) -> None:
        """Begins anew with these rows."""
        self._heads: dict[int, Head] = {}
        self._by_key: dict[Key, int] = {}
        self._shares: dict[str, _Share] = {}
        self._order = _Queue()
        self.bytes = self.live_bytes = self.live_frames = 0
        for head in heads:
            self.add(head)

    def __len__(self) -> int:
        return len(self._heads)

    def __contains__(self, row: int) -> bool:
        return row in self._heads

    def heads(self) -> list[Head]:
        """All rows, by id."""
        return [self._heads[row] for row in sorted(self._heads)]

    def get(self, row: int) -> Head | None:
        """The row of this id."""
        return self._heads.get(row)

    def find(self, key: Key) -> Head | None:
        """The row of this key."""
        row = self._by_key.get(key)
        return None if row is None else self._heads[row]

    def oldest(self) -> Head | None:
        """The row that is here longest."""
        row = self._order.least(self._heads)
        return None if row is None else self._heads[row]

    def add(self, head: Head) -> None:
        """A row came.

        Raises:
            ValueError: Its id or its key is here already.
        """
        record = head.record
        if record.id in self._heads or record.key in self._by_key:
            raise ValueError("another row has its id or its key")
        self._heads[record.id] = head
        self._by_key[record.key] = record.id
        self._order.push(record.id)
        self.bytes += cost(record.size)
        if record.live:
            share = self._shares.setdefault(record.key[0], _Share())
            share.ids.push(record.id)
            self._count_live(share, record, 1)
        if self._undo is not None:
            self._undo.append((head, True))

    def remove(self, row: int) -> Record:
        """A row left; it must be here."""
        head = self._heads.pop(row)
        record = head.record
        del self._by_key[record.key]
        self.bytes -= cost(record.size)
        self._order.tidy(self._heads, len(self))
        if record.live:
            share = self._shares[record.key[0]]
            self._count_live(share, record, -1)
            share.ids.tidy(self._heads, share.frames)
            if not share.frames:
                del self._shares[record.key[0]]
        if self._undo is not None:
            self._undo.append((head, False))
        return record

    @contextmanager
    def tentative(self) -> Generator[None]:
        """What is added and removed inside is taken back if the block fails."""
        undo: list[tuple[Head, bool]] = []
        self._undo = undo
        try:
            yield
        except BaseException:
            self._undo = None
            for head, added in reversed(undo):
                if added:
                    self.remove(head.record.id)
                else:
                    self.add(head)
            raise
        finally:
            self._undo = None

    def room(self, size: int, under_way: Collection[int] = ()) -> bool:
        """Whether an envelope of this size fits, if all gives way that may."""
        kept = [self._heads[row].record for row in under_way if row in self._heads]
        kept_live = [record for record in kept if record.live]
        fixed_bytes = self.bytes - self.live_bytes + sum(cost(record.size) for record in kept_live)
        fixed_frames = len(self) - self.live_frames + len(kept_live)
        return self._fits(fixed_bytes, fixed_frames, size)

    def refusal(self, size: int, under_way: Collection[int]) -> EdgeError | None:
        """Why an envelope of this size cannot be taken now; `None` if it can."""
        most = min(LARGEST_ENTRY_BYTES, self.max_bytes - OVERHEAD_BYTES)
        if size > most:
            return StorageError(
                f"the envelope is larger than the spool, which takes up to {most} bytes",
                value=size,
                remedy="send a smaller picture, or allow more (spool.max_bytes)",
            )
        if not self.room(size, under_way):
            return SpoolFullError(
                "the spool is full, and nothing in it may give way",
                value=self.bytes,
                remedy="send the frame again when the cloud has taken some",
                retry_after_s=RETRY_AFTER_S,
            )
        return None

    def giving_way(self, size: int, under_way: Collection[int]) -> Iterator[Record]:
        """The rows to remove, one after the other, until an envelope of this size fits.

        Ask `refusal` before; each row must be removed before the next is asked for.
        """
        while not self._fits(self.bytes, len(self), size):
            yield self._next(under_way)

    def _fits(self, taken_bytes: int, taken_frames: int, size: int) -> bool:
        few_enough = self._max_frames is None or taken_frames < self._max_frames
        return few_enough and taken_bytes + cost(size) <= self.max_bytes

    def _next(self, under_way: Collection[int]) -> Record:
        oldest = (
            (-share.bytes, share.ids.least(self._heads, under_way))
            for share in self._shares.values()
        )
        _, row = min((bytes_, row) for bytes_, row in oldest if row is not None)
        return self._heads[row].record

    def _count_live(self, share: _Share, record: Record, sign: int) -> None:
        share.bytes += sign * cost(record.size)
        share.frames += sign
        self.live_bytes += sign * cost(record.size)
        self.live_frames += sign
