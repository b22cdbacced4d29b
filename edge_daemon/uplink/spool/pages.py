"""The spool's rows, read from the bytes of its files where SQLite can or will not.

This follows https://sqlite.org/fileformat2.html as far as a table of ours needs it: leaf pages with
their cells, overflow chains, the free list, and the WAL's frames. Nothing in the files is trusted:
a page, cell or chain that makes no sense is passed over, and a row counts only if it passes its own
checks (`records.Head`). Checksums of the WAL's frames are not asked; the rows' own are.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from edge_daemon.uplink.spool.records import HEAD, Content, Head

PAGE_BYTES = 4096
"""The page size of every spool."""

_LEAF = 0x0D
_COLUMNS = len(HEAD) + 2
_LOCAL_MOST = PAGE_BYTES - 35
_LOCAL_LEAST = (PAGE_BYTES - 12) * 32 // 255 - 23
_CHAINED = PAGE_BYTES - 4
_WAL_HEAD = struct.Struct(">16x2I8x")
_FRAME_HEAD = struct.Struct(">4I8x")
_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass(frozen=True)
class Found:
    """A row whose small fields proved themselves, and where it lies."""

    head: Head
    page: int
    cell: int


class Pages:
    """A database file and its WAL, read only. Use it as a context.

    Args:
        path: The database; its WAL is beside it. What is missing is taken as empty.
    """

    def __init__(self, path: Path) -> None:
        self._file = _Reader(path)
        self._wal = _Reader(path.with_name(path.name + "-wal"))
        self._frames: dict[int, int] = {}
        self._committed: list[int] = []
        self._read_wal()
        self.count = max(self._file.size // PAGE_BYTES, max(self._frames, default=0))
        self.unreadable = 0

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()
        self._wal.close()

    @property
    def committed_frames(self) -> int:
        """Frames of the WAL up to its last commit, damaged ones included."""
        return len(self._committed)

    def behind(self, frame: int) -> list[int]:
        """The pages that were written after so many frames of the WAL."""
        return sorted(set(self._committed[frame:]) - {0})

    def find(self, pages: Iterable[int] | None = None) -> Iterator[Found]:
        """Rows whose small fields are sound, in no order, stale copies included.

        Args:
            pages: Where to look; `None`: everywhere but on free pages.
        """
        if pages is None:
            free = self._free()
            pages = (number for number in range(1, self.count + 1) if number not in free)
        for number in pages:
            for cell in self._cells(self._page(number)):
                found = self._head(number, cell)
                if found is not None:
                    yield found

    def content(self, found: Found) -> Content | None:
        """The bytes of a row, or `None` if they are damaged."""
        page = self._page(found.page)
        try:
            payload_bytes, at = _varint(page, found.cell)
            _, at = _varint(page, at)
            kinds, values = _columns(page, at)
            envelope_bytes, spare_bytes = _width(kinds[-2]), _width(kinds[-1])
            head = found.head
            if (envelope_bytes, spare_bytes) != (head.envelope_bytes, max(0, head.spare_bytes)):
                return None
            if sum(map(_width, kinds)) + values - at != payload_bytes:
                return None
            payload = self._payload(page, at, payload_bytes)
            spare_at = len(payload) - spare_bytes
            spare = None if kinds[-1] == 0 else payload[spare_at:]
            return head.content(payload[spare_at - envelope_bytes : spare_at], spare)
        except (IndexError, ValueError):
            return None

    def _cells(self, page: bytes) -> list[int]:
        if len(page) < PAGE_BYTES or page[0] != _LEAF:
            return []
        count = int.from_bytes(page[3:5], "big")
        if 8 + 2 * count > PAGE_BYTES:
            return []
        return [at for at in struct.unpack_from(f">{count}H", page, 8) if 8 <= at < PAGE_BYTES]

    def _head(self, number: int, cell: int) -> Found | None:
        page = self._page(number)
        try:
            _, at = _varint(page, cell)
            row, at = _varint(page, at)
            kinds, at = _columns(page, at)
        except (IndexError, ValueError):
            return None
        values: list[object] = []
        for kind in kinds[: len(HEAD)]:
            end = at + _width(kind)
            values.append(_value(kind, page[at:end]))
            at = end
        try:
            return Found(Head.read([row, *values[1:]]), number, cell)
        except ValueError:
            self.unreadable += 1
            return None

    def _payload(self, page: bytes, at: int, size: int) -> bytes:
        """A row's record: what is in its cell, and behind that a chain of whole pages."""
        if size <= _LOCAL_MOST:
            return page[at : at + size]
        local = _LOCAL_LEAST + (size - _LOCAL_LEAST) % _CHAINED
        if local > _LOCAL_MOST:
            local = _LOCAL_LEAST
        parts = [page[at : at + local]]
        follows = page[at + local : at + local + 4]
        for left in range(size - local, 0, -_CHAINED):
            page = self._page(int.from_bytes(follows, "big"))
            if len(page) < PAGE_BYTES:
                raise ValueError("the chain ends early")
            follows = page[:4]
            parts.append(page[4 : 4 + min(left, _CHAINED)])
        return b"".join(parts)

    def _free(self) -> set[int]:
        """The pages on the free list; empty if the list contradicts itself."""
        first, announced = struct.unpack_from(">2I", self._page(1).ljust(PAGE_BYTES, b"\0"), 32)
        free: set[int] = set()
        while first and first not in free:
            page = self._page(first)
            if len(page) < PAGE_BYTES:
                return set()
            free.add(first)
            first, count = struct.unpack_from(">2I", page)
            if count > PAGE_BYTES // 4 - 2:
                return set()
            free.update(struct.unpack_from(f">{count}I", page, 8))
        return free if len(free) == announced and first == 0 else set()

    def _page(self, number: int) -> bytes:
        """A page as the last commit left it; short or empty if it is not there."""
        frame = self._frames.get(number)
        if frame is not None:
            at = _WAL_HEAD.size + frame * (_FRAME_HEAD.size + PAGE_BYTES) + _FRAME_HEAD.size
            return self._wal.read(at, PAGE_BYTES)
        return self._file.read((number - 1) * PAGE_BYTES, PAGE_BYTES) if number > 0 else b""

    def _read_wal(self) -> None:
        """Finds the newest copy of each page that was committed to the WAL.

        Frames of an earlier use of the file lie behind the newest; their salts differ. The salts in
        the header may be what is damaged, so the first frames have a say too.
        """
        step = _FRAME_HEAD.size + PAGE_BYTES
        starts = range(_WAL_HEAD.size, self._wal.size - step + 1, step)
        heads = [_FRAME_HEAD.unpack(self._wal.read(at, _FRAME_HEAD.size)) for at in starts]
        if not heads:
            return
        header = _WAL_HEAD.unpack(self._wal.read(0, _WAL_HEAD.size))
        votes = Counter([header, *(head[2:] for head in heads[:3])])
        (salts, _), *_ = votes.most_common(1)
        numbers = [head[0] if head[2:] == salts else 0 for head in heads]
        commits = [at for at, head in enumerate(heads) if numbers[at] and head[1]]
        self._committed = numbers[: max(commits, default=-1) + 1]
        self._frames = {number: at for at, number in enumerate(self._committed) if number}


class _Reader:
    """A file that may be missing or fail; what cannot be read is read as zeros."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.size = os.fstat(self._file).st_size
        except OSError:
            self._file, self.size = None, 0

    def read(self, at: int, size: int) -> bytes:
        if self._file is None:
            return b""
        try:
            return os.pread(self._file, size, at)
        except OSError:
            return bytes(size)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for end in range(at, at + 8):
        value = value << 7 | page[end] & 0x7F
        if page[end] < 0x80:
            return value, end + 1
    return value << 8 | page[at + 8], at + 9


def _columns(page: bytes, at: int) -> tuple[list[int], int]:
    """The kinds of a record's columns, and where its values begin."""
    head_bytes, here = _varint(page, at)
    end = at + head_bytes
    if not here < end <= PAGE_BYTES:
        raise ValueError("no record of ours")
    kinds: list[int] = []
    while here < end and len(kinds) <= _COLUMNS:
        kind, here = _varint(page, here)
        kinds.append(kind)
    if here != end or len(kinds) != _COLUMNS:
        raise ValueError("no record of ours")
    return kinds, end


def _width(kind: int) -> int:
    """Bytes of a value of this kind."""
    return (kind - 12) // 2 if kind >= 12 else {**_WIDTHS, 7: 8}.get(kind, 0)


def _value(kind: int, data: bytes) -> object:
    """A value of one of the small columns."""
    if kind in _WIDTHS:
        return int.from_bytes(data, "big", signed=True)
    if kind == 7:
        return struct.unpack(">d", data.ljust(8, b"\0")[:8])[0]
    if kind in (8, 9):
        return kind - 8
    if kind >= 13 and kind % 2:
        return data.decode("utf-8", "replace")
    return None
