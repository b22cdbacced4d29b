"""What was asked and answered lately, so that a repeated frame is not done twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from edge_daemon.service.job import Outcome
from edge_daemon.wire import Bytes, FrameHeader, Key

MOST_RESULTS = 1024
"""Results that are remembered."""

MOST_BYTES = 64 * 2**20
"""Bytes of envelopes that are remembered with them."""

_NOT_THE_FRAME = {"ack", "deadline_s", "return_bitstream"}

Mark = Future[int]
"""A frame's fingerprint, as soon as somebody has looked at all of its bytes."""


@dataclass
class Entry:
    """A frame that is in work or done.

    Attributes:
        mark: Tells it from another frame under the same number.
        outcome: Its result or its error.
        waiting: Copies of the frame that wait for their answer.
    """

    mark: Mark
    outcome: asyncio.Future[Outcome]
    waiting: int = 0


def fingerprint(header: FrameHeader, payload: Bytes) -> int:
    """Equal for copies of one frame; whom to answer, and when, is not part of a frame.

    A checksum and not a cryptographic hash: it finds mistakes of honest clients.
    """
    facts = json.dumps(header.model_dump(exclude=_NOT_THE_FRAME), sort_keys=True)
    return zlib.crc32(payload, zlib.crc32(facts.encode("utf-8"))) | len(payload) << 32


class Memory:
    """Frames in work, and the latest that are done. Errors are not remembered."""

    def __init__(self, most_results: int = MOST_RESULTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_results = most_results
        self._most_bytes = most_bytes
        self._in_work: dict[Key, Entry] = {}
        self._done: OrderedDict[Key, Entry] = OrderedDict()
        self._bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_work(self) -> int:
        """Frames that have no outcome yet."""
        return len(self._in_work)

    def find(self, key: Key) -> Entry | None:
        """The entry of the frame that has this number; `None` if none had it lately."""
        return self._in_work.get(key) or self._done.get(key)

    def begin(self, key: Key, mark: Mark) -> Entry:
        """Remembers a frame that is now in work."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        # Its client may have gone: an error that nobody waits for is no defect.
        outcome.add_done_callback(asyncio.Future[Outcome].exception)
        entry = self._in_work[key] = Entry(mark, outcome)
        self._idle.clear()
        return entry

    def succeed(self, key: Key, outcome: Outcome) -> None:
        """The frame is done."""
        entry = self._take_out(key)
        entry.outcome.set_result(outcome)
        self._done[key] = entry
        self._bytes += len(outcome.envelope)
        while len(self._done) > self._most_results or self._bytes > self._most_bytes:
            _, oldest = self._done.popitem(last=False)
            self._bytes -= len(oldest.outcome.result().envelope)

    def fail(self, key: Key, error: Exception) -> None:
        """The frame failed; a repeat is done anew."""
        self._take_out(key).outcome.set_exception(error)

    async def idle(self, patience_s: float) -> None:
        """Waits a bounded time until no frame is in work."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), patience_s)

    def abandon(self, error: Exception) -> int:
        """Fails all that is still in work; returns how many frames that is."""
        keys = list(self._in_work)
        for key in keys:
            self.fail(key, error)
        return len(keys)

    def _take_out(self, key: Key) -> Entry:
        entry = self._in_work.pop(key)
        if not self._in_work:
            self._idle.set()
        return entry
