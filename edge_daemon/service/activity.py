"""What each worker is at, and since when, so that a watchdog can tell a hung one from an idle one.

A worker is at something only while a thread does a piece of work for it: decoding, scoring,
encoding. Waiting for a frame is not work, nor is waiting for a thread, for room in the next queue
or for the uplink: if that takes too long, the one that it waits for is hung, and is named instead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from operator import itemgetter


class Activity:
    """Pieces of work under way. Thread-safe: work is marked by the thread that does it.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def busy(self, worker: str) -> Generator[None]:
        """Marks a worker as being at a piece of work, from here to the end of the block."""
        with self._lock:
            self._begun[worker] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[worker]

    def stalled(self, now: float, limit_s: float) -> list[str]:
        """The workers that have been at one piece of work for longer than this, longest first.

        Args:
            now: By the same clock, in seconds.
            limit_s: Seconds that a piece of work may take.
        """
        with self._lock:
            under_way = list(self._begun.items())
        return [
            name for name, begun in sorted(under_way, key=itemgetter(1)) if now - begun > limit_s
        ]
