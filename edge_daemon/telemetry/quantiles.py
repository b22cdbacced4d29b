"""How long the stages took lately."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW_FRAMES = 512
"""Latest times per stage that quantiles are taken of."""

WINDOW_S = 300.0
"""Seconds after which a time is no longer counted."""


class LatestTimes:
    """Exact quantiles of the latest times per stage. Thread-safe.

    Sorting a few hundred numbers when somebody asks is cheaper than keeping a sketch up to date for
    every frame, and it is exact.

    Args:
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def add(self, stage: str, seconds: float) -> None:
        """A stage took so long."""
        with self._lock:
            times = self._times.setdefault(stage, deque(maxlen=WINDOW_FRAMES))
            times.append((self._clock(), seconds))

    def quantiles_ms(self) -> dict[str, dict[str, float]]:
        """Stage to `p50` and `p95` in milliseconds and `count`; stages idle lately are left out."""
        oldest = self._clock() - WINDOW_S
        with self._lock:
            lately = {
                stage: sorted(seconds for moment, seconds in times if moment >= oldest)
                for stage, times in self._times.items()
            }
        return {
            stage: {
                "p50": round(1000 * quantile(times, 0.50), 3),
                "p95": round(1000 * quantile(times, 0.95), 3),
                "count": len(times),
            }
            for stage, times in lately.items()
            if times
        }


def quantile(ascending: list[float], share: float) -> float:
    """The least value that is not exceeded by this share of all: always one that occurred."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]
