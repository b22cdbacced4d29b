"""For log lines that a peer can cause at will."""

from __future__ import annotations


class Seldom:
    """Lets one through now and then, and counts the others.

    Args:
        every_s: Least seconds between two that are let through.
    """

    def __init__(self, every_s: float = 10.0) -> None:
        self._every_s = every_s
        self._last: float | None = None
        self._left_out = 0

    def admit(self, now: float) -> int | None:
        """How many were left out since the last that was let through; `None`: leave this out too.

        Args:
            now: A monotonic clock's reading, in seconds.
        """
        if self._last is not None and now - self._last < self._every_s:
            self._left_out += 1
            return None
        left_out, self._left_out, self._last = self._left_out, 0, now
        return left_out
