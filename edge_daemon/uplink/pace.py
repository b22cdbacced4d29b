"""How fast what has waited may be sent."""

from __future__ import annotations

import math


class Pace:
    """A token bucket that may be overdrawn by one envelope, since envelopes are not divided.

    Args:
        bytes_per_s: The rate, above 0; `None`: no limit.
    """

    BURST_S = 1.0
    """Seconds of the rate that can be saved up."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._rate = math.inf if bytes_per_s is None else bytes_per_s
        self._tokens = 0.0
        self._latest: float | None = None

    def tune(self, bytes_per_s: float | None) -> None:
        """Change the rate; what is overdrawn stays so."""
        self._rate = math.inf if bytes_per_s is None else bytes_per_s

    def wait_s(self, now: float) -> float:
        """Seconds until the next envelope may leave; 0: now."""
        if math.isinf(self._rate):
            return 0.0
        if self._latest is not None:
            inflow = max(0.0, now - self._latest) * self._rate
            self._tokens = min(self._tokens + inflow, self._rate * self.BURST_S)
        self._latest = now
        return max(0.0, -self._tokens) / self._rate

    def take(self, size: int) -> None:
        """An envelope of so many bytes left; `wait_s` was asked just before."""
        if not math.isinf(self._rate):
            self._tokens -= size
