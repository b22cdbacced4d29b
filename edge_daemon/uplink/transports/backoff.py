"""How long to wait before the next attempt. No clock here: time goes in, pauses come out."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_PAUSE_S = 0.25
"""Longest pause after the first failure, in seconds."""


class BackOff:
    """Exponential pauses with full jitter.

    Pauses are drawn evenly between 0 and a bound that doubles with each failure, so that a fleet
    that lost its cloud at one moment does not come back at one moment. The bound falls back to the
    first only after something has worked for a while: what works for a second at a time stays rare.

    Args:
        longest_s: The bound's own bound, in seconds.
        good_after_s: Seconds that something must have worked for the failures before to be
            forgotten.
        first_s: The first bound, in seconds.
        draw: A number from 0 to 1, evenly distributed.
    """

    def __init__(
        self,
        longest_s: float,
        good_after_s: float,
        *,
        first_s: float = FIRST_PAUSE_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._longest_s = longest_s
        self._good_after_s = good_after_s
        self._first_s = min(first_s, longest_s)
        self._draw = draw
        self._bound_s = self._first_s
        self._works_since: float | None = None

    def works(self, now: float) -> None:
        """It works from now on."""
        self._works_since = now

    def failed(self, now: float) -> None:
        """It works no longer. Failures to get it working need no report."""
        if self._works_since is not None and now - self._works_since >= self._good_after_s:
            self._bound_s = self._first_s
        self._works_since = None

    def pause_s(self) -> float:
        """Seconds to wait now; the next pause may be twice as long."""
        pause = self._draw() * self._bound_s
        self._bound_s = min(2.0 * self._bound_s, self._longest_s)
        return pause
