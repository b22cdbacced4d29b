"""Frames that share one call of the encoder, and how long the first waits for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from edge_daemon.service.job import Job


class Batcher:
    """The queue before the encoder. To be used on the event loop only.

    Args:
        most: Frames per call, and in the queue.
        wait_s: Seconds that a frame waits for others. It waits only while others are being opened,
            never for what may or may not come.

    Attributes:
        taken: A frame that does not come here has the encoder, and those here wait. Any thread may
            clear it; then `look_again`, on the loop, if there may be any.
    """

    def __init__(self, most: int, wait_s: float) -> None:
        self._most = most
        self.wait_s = wait_s
        self._queue: asyncio.Queue[Job] = asyncio.Queue(most)
        self._coming = 0
        self.taken = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return self._queue.qsize()

    @contextmanager
    def coming(self) -> Generator[None]:
        """While in this block, a frame is on its way here, or may be."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._changed.set()

    @contextmanager
    def encoder_taken(self) -> Generator[None]:
        """While in this block, unless `taken` is cleared before, the encoder is another's."""
        self.taken = True
        try:
            yield
        finally:
            self.taken = False
            self.look_again()

    def look_again(self) -> None:
        """The encoder may be free."""
        self._changed.set()

    async def put(self, job: Job) -> None:
        """Puts a frame in, as soon as there is room."""
        await self._queue.put(job)
        self._changed.set()

    async def gather(self) -> list[Job]:
        """The frames of the next call: at least one, as many as are there, at most `most`."""
        while self._queue.empty() or self.taken:
            self._changed.clear()
            await self._changed.wait()
        batch = [self._queue.get_nowait()]
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.wait_s
        while len(batch) < self._most:
            if not self._queue.empty():
                batch.append(self._queue.get_nowait())
            elif self._coming and loop.time() < ends:
                await self._something_changes(ends)
            else:
                break
        return batch

    async def _something_changes(self, ends: float) -> None:
        """Until a frame comes, one is not coming any more, or the time is up."""
        self._changed.clear()
        alarm = asyncio.get_running_loop().call_at(ends, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()
