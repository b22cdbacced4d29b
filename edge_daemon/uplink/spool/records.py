"""What goes into the spool, what is in it, and how a row proves itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_daemon.settings import WhenFull
from edge_daemon.wire import Key

OVERHEAD_BYTES = 1024
"""What a row counts beside its envelope: its fields, and its share of half-filled pages."""

LARGEST_ENTRY_BYTES = 900_000_000
"""SQLite holds rows of up to 10^9 bytes."""

HEAD = (
    "id",
    "client",
    "sequence",
    "live",
    "stored",
    "born",
    "envelope_bytes",
    "spare_bytes",
    "body_check",
    "head_check",
)
"""The small columns of a row, in their order; `envelope` and `spare` follow."""

_HEAD_LAYOUT = struct.Struct("<qqqddqqq")
_NO_SPARE = -1


@dataclass(frozen=True)
class Entry:
    """An envelope to keep.

    Attributes:
        key: (client, sequence).
        envelope: Its bytes.
        spare: The same frame in another form, or `None`.
        when_full: Whether it may give way later: 'drop-oldest' (live) or 'refuse-new'.
    """

    key: Key
    envelope: bytes
    spare: bytes | None
    when_full: WhenFull

    @property
    def size(self) -> int:
        """Bytes of envelope and spare."""
        return len(self.envelope) + len(self.spare or b"")

    @property
    def live(self) -> bool:
        """Whether it may give way later."""
        return self.when_full == "drop-oldest"


@dataclass(frozen=True)
class Record:
    """An envelope that waits, without its bytes.

    Attributes:
        id: Rises with every envelope; never used twice.
        key: (client, sequence).
        size: Bytes of envelope and spare.
        stored: When it was put, in seconds since 1970 by the wall clock of that moment.
        when_full: 'drop-oldest' (live) or 'refuse-new' (must be delivered).
        has_spare: Whether `use_spare` would find one.
    """

    id: int
    key: Key
    size: int
    stored: float
    when_full: WhenFull
    has_spare: bool

    @property
    def live(self) -> bool:
        """Whether it may give way."""
        return self.when_full == "drop-oldest"


@dataclass(frozen=True)
class Content:
    """The bytes of a row.

    Attributes:
        envelope: What to send.
        spare: What to send if the cloud wants something else instead, or `None`.
    """

    envelope: bytes
    spare: bytes | None


@dataclass(frozen=True)
class Stored:
    """What became of a put.

    Attributes:
        record: The new row, or the one that was here under this key.
        fresh: Whether the row is new.
        dropped: Live rows that gave way for it.
    """

    record: Record
    fresh: bool
    dropped: tuple[Record, ...]


@dataclass(frozen=True)
class Facts:
    """The spool at one moment, for status and metrics.

    Attributes:
        durable: Whether it is on a disk.
        bytes: Bytes that count against the bound, overhead included.
        max_bytes: The bound.
        frames: Envelopes that wait.
        live_bytes: Of the bytes, those that could give way.
        live_frames: Of the envelopes, those that could give way.
        oldest_s: Age of the oldest envelope in seconds, by the spool's own clock.
        file_bytes: Size of the database and its WAL.
        commits: Transactions committed since the start.
        quarantined: Times that a damaged database was set aside since the start.
        salvaged: Rows that were saved then.
        set_aside: Rows that failed their check since the start, and were set aside.
        storage_errors: Writes that the disk refused since the start.
        dropped: Rows that left unsent since the start, by reason: full, age, damage.
    """

    durable: bool = False
    bytes: int = 0
    max_bytes: int = 0
    frames: int = 0
    live_bytes: int = 0
    live_frames: int = 0
    oldest_s: float = 0.0
    file_bytes: int = 0
    commits: int = 0
    quarantined: int = 0
    salvaged: int = 0
    set_aside: int = 0
    storage_errors: int = 0
    dropped: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Head:
    """The small fields of a row, as they are in the database.

    Attributes:
        record: What others see of it.
        born: When it was put, by the spool's own clock, in seconds.
        envelope_bytes: Length of the envelope.
        spare_bytes: Length of the spare, -1 without one.
        body_check: CRC-32 of envelope and spare, one after the other.
    """

    record: Record
    born: float
    envelope_bytes: int
    spare_bytes: int
    body_check: int

    @classmethod
    def of(cls, row: int, entry: Entry, *, stored: float, born: float) -> Head:
        """The head of a new row."""
        spare = entry.spare
        record = Record(row, entry.key, entry.size, stored, entry.when_full, spare is not None)
        spare_bytes = _NO_SPARE if spare is None else len(spare)
        check = _body_check(entry.envelope, spare)
        return cls(record, born, len(entry.envelope), spare_bytes, check)

    @classmethod
    def read(cls, columns: Sequence[Any]) -> Head:
        """The head that a row's first columns say.

        Raises:
            ValueError: They contradict their check.
        """
        try:
            row, client, sequence, live, stored, born, envelope, spare, body, check = columns
            stored, born = float(stored), float(born)
            fields = (row, sequence, live, stored, born, envelope, spare, body)
            sound = check == zlib.crc32(client.encode(), zlib.crc32(_HEAD_LAYOUT.pack(*fields)))
        except (TypeError, ValueError, AttributeError, struct.error, OverflowError) as mistake:
            raise ValueError(f"a field is not what it should be: {mistake}") from None
        if not sound:
            raise ValueError("the small fields contradict their check")
        size = envelope + max(0, spare)
        rule: WhenFull = "drop-oldest" if live else "refuse-new"
        record = Record(row, (client, sequence), size, stored, rule, spare != _NO_SPARE)
        return cls(record, born, envelope, spare, body)

    def columns(self) -> tuple[int | str | float, ...]:
        """The row's first columns, in the order of `HEAD`."""
        record = self.record
        client, sequence = record.key
        before = (record.id, sequence, int(record.live), record.stored, self.born)
        after = (self.envelope_bytes, self.spare_bytes, self.body_check)
        check = zlib.crc32(client.encode(), zlib.crc32(_HEAD_LAYOUT.pack(*before, *after)))
        return (record.id, client, *before[1:], *after, check)

    def content(self, envelope: object, spare: object) -> Content:
        """The row's bytes.

        Raises:
            ValueError: They contradict their check.
        """
        if not isinstance(envelope, bytes) or not isinstance(spare, bytes | None):
            raise ValueError("the bytes are of another type")  # noqa: TRY004 -- found on the disk
        lengths = (len(envelope), _NO_SPARE if spare is None else len(spare))
        if lengths != (self.envelope_bytes, self.spare_bytes):
            raise ValueError("the bytes have another length")
        if _body_check(envelope, spare) != self.body_check:
            raise ValueError("the bytes contradict their check")
        return Content(envelope, spare)


def _body_check(envelope: bytes, spare: bytes | None) -> int:
    return zlib.crc32(spare or b"", zlib.crc32(envelope))
