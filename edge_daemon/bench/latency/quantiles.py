"""Many times of the same thing in three numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_daemon.telemetry.quantiles import quantile


@dataclass(frozen=True)
class Quantiles:
    """Milliseconds that are not exceeded by 50, 95 and 99 of 100; each is one that was measured.

    Of fewer than 100 times the 99th is the longest, of fewer than 20 the 95th is too.

    Attributes:
        p50: Median.
        p95: See the class.
        p99: See the class.
        count: How many times these are of.
    """

    p50: float
    p95: float
    p99: float
    count: int

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Quantiles:
        """Of at least one time in milliseconds.

        Raises:
            ValueError: There is none.
        """
        if not times_ms:
            raise ValueError("there are no quantiles of no times")
        ascending = sorted(times_ms)
        p50, p95, p99 = (quantile(ascending, share) for share in (0.50, 0.95, 0.99))
        return cls(p50, p95, p99, len(ascending))
