"""Whether a directory can really be written to."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edge_daemon.telemetry.machine import disk_free_bytes

_PROBE = b"edge" * 1024
_PATIENCE_S = 1.0
_KEPT_S = 5.0


class WritableDirectory:
    """Writes a nameless file and lets it go: a full, read-only, missing or hanging disk is found.

    The write is done in a thread of its own and never a second one beside it, so that a disk that
    hangs costs one thread. Answers are kept for a few seconds, to spare flash memory.

    Args:
        directory: Where to write.
        least_free_bytes: With less room than that on its disk, it counts as full.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        directory: str,
        *,
        least_free_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._least_free_bytes = least_free_bytes
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "writable")
        self._answer: asyncio.Future[str | None] | None = None
        self._begun = 0.0

    async def check(self) -> str | None:
        """For `Health.add`: why nothing can be written there, if so."""
        now = self._clock()
        if self._answer is None or (self._answer.done() and now - self._begun >= _KEPT_S):
            self._answer = asyncio.wrap_future(self._thread.submit(self._attempt))
            self._begun = now
        await asyncio.wait({self._answer}, timeout=_PATIENCE_S)
        if self._answer.done():
            return self._answer.result()
        waited_s = self._clock() - self._begun
        return f"a write to {self._directory} has not come back for {waited_s:.0f} s"

    def close(self) -> None:
        """Lets the thread go; one that hangs is left to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _attempt(self) -> str | None:
        try:
            with tempfile.TemporaryFile(dir=self._directory, buffering=0) as file:
                file.write(_PROBE)
        except OSError as mistake:
            return f"cannot write to {self._directory}: {mistake.strerror or mistake}"
        free = disk_free_bytes(self._directory)
        if free is not None and free < self._least_free_bytes:
            return (
                f"the disk of {self._directory} has {free:,} bytes left, "
                f"less than {self._least_free_bytes:,}"
            )
        return None
