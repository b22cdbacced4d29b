"""What one frame may take while it is being made to fit, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from edge_daemon.errors import OverBudgetError
from edge_daemon.rate.bucket import Bucket, Reservation
from edge_daemon.rate.budget import Budget, over_budget


class Allowance:
    """The bytes of one frame.

    Args:
        budget: What the frame may take by itself.
        reservation: What was set aside for it of its camera's rate; `None` without a rate.

    Attributes:
        limit: Most bytes, as things stand.
        used: Bytes that were made use of; the rest of the reservation goes back.
    """

    def __init__(self, budget: Budget, reservation: Reservation | None) -> None:
        self._budget = budget
        self._reservation = reservation
        self.limit = (budget.frame_bytes or 0) if reservation is None else reservation.allowance
        self.used = 0

    def stretch(self, size: int) -> bool:
        """Take so many bytes after all, beyond what is fair; `False` if there are not so many."""
        if self._reservation is None or not self._possible(size):
            return False
        if not self._reservation.extend(size):
            return False
        self.limit = max(self.limit, size)
        return True

    def refusal(self, least: int) -> OverBudgetError:
        """The error for a frame that takes `least` bytes at least, which is more than it may."""
        wait_s = None
        if self._reservation is not None and self._possible(least):
            wait_s = self._reservation.wait_s(least)
        return over_budget(least, self.limit, wait_s)

    def _possible(self, size: int) -> bool:
        return size <= (self._budget.frame_bytes or size)


@contextmanager
def allowing(budget: Budget, bucket: Bucket | None, now: float) -> Generator[Allowance]:
    """Bytes for a frame that arrives now; what it does not use is given back at the end.

    Args:
        budget: What the frame may take by itself.
        bucket: Of its camera; `None` without a rate.
        now: Seconds of a monotonic clock.
    """
    reservation = None if bucket is None else bucket.reserve(now, budget.frame_bytes)
    allowance = Allowance(budget, reservation)
    try:
        yield allowance
    finally:
        if reservation is not None:
            reservation.settle(allowance.used)
