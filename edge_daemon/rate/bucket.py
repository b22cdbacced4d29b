"""A camera's bytes over time: a token bucket that deals out fair shares.

What holds, whatever the order and the pace of calls, and for any stretch of time T: of the bytes
set aside within it, no more than rate T + capacity are ever committed. To that end bytes are set
aside before a frame is encoded, and the bucket holds at most the capacity together with what is set
aside. The bucket's time is that of the latest frame to arrive, so what a frame adds while it is
encoded counts as set aside then: on the wire the stretch is longer by the time that encoding takes.

Within that bound a frame gets about what flows in between two frames, plus a part of what earlier
frames left unused, so that a steady camera's frames get about the same.
"""

from __future__ import annotations

import threading
from typing import Final

_NEWEST: Final = 1 / 8
"""Weight of the latest interval between frames in the mean."""
_LONGEST: Final = 2.0
"""An interval counts as at most so many times the mean: a pause is not a new pace."""
_SHORTEST_S: Final = 1e-3
"""What the mean counts as there, so that frames that came at once do not keep it at zero."""
_CUSHION: Final = 3.0
"""Frames' worth of bytes that are kept back, so that a frame that comes early is not starved."""
_CORRECTION: Final = 1 / 8
"""Share of what is beyond the cushion, or missing from it, that one frame takes or leaves."""
_FIRST: Final = 0.5
"""Share of the bucket that a camera's first frame may take, when its pace is not known."""


class Bucket:
    """Tokens of one camera, in bytes. Safe to use from several threads.

    Times are seconds of a monotonic clock, passed in; one that goes back is taken to stand still.

    Args:
        rate: Bytes per second, above 0.
        burst_s: Seconds of the rate that can be saved up, above 0.
    """

    def __init__(self, rate: float, burst_s: float) -> None:
        self._rate = rate
        self._capacity = rate * burst_s
        self._tokens = self._capacity
        self._reserved = 0
        self._interval_s: float | None = None
        self._latest: float | None = None
        self._lock = threading.Lock()

    def tune(self, rate: float, burst_s: float) -> None:
        """Change the rate and the burst; what has been taken stays taken."""
        with self._lock:
            self._rate, self._capacity = rate, rate * burst_s
            self._tokens = min(self._tokens, self._capacity - self._reserved)

    def reserve(self, now: float, most: int | None = None) -> Reservation:
        """Set aside the allowance of a frame that arrives now.

        Args:
            now: Seconds.
            most: The frame takes no more than this, whatever its share.

        Returns:
            Maybe of 0 bytes. Settle it, or the bytes stay reserved.
        """
        with self._lock:
            self._advance(now)
            allowance = int(max(0.0, min(self._tokens, self._share())))
            if most is not None:
                allowance = min(allowance, most)
            self._tokens -= allowance
            self._reserved += allowance
            return Reservation(self, allowance)

    def take(self, more: int) -> bool:
        """Set aside more for a frame that has a reservation; `False` if there is not so much.

        Counts as set aside when the latest frame arrived.
        """
        with self._lock:
            if more > self._tokens:
                return False
            self._tokens -= more
            self._reserved += more
            return True

    def commit(self, reserved: int, used: int) -> None:
        """Use some of what was set aside, and give back the rest."""
        with self._lock:
            self._reserved -= reserved
            self._tokens += reserved - used

    def wait_s(self, size: int, reserved: int) -> float | None:
        """Seconds until there are `size` bytes with those set aside; `None` if never."""
        with self._lock:
            if size > self._capacity:
                return None
            return max(0.0, size - reserved - self._tokens) / self._rate

    def _advance(self, now: float) -> None:
        """Let tokens flow in, and count the interval."""
        if self._latest is None:
            self._latest = now
            return
        elapsed = max(0.0, now - self._latest)
        self._latest += elapsed
        self._tokens = min(self._tokens + elapsed * self._rate, self._capacity - self._reserved)
        if self._interval_s is None:
            self._interval_s = elapsed
            return
        counted = min(elapsed, _LONGEST * max(self._interval_s, _SHORTEST_S))
        self._interval_s += _NEWEST * (counted - self._interval_s)

    def _share(self) -> float:
        """What is fair for one frame, in bytes."""
        if self._interval_s is None:
            return _FIRST * self._tokens
        inflow = self._interval_s * self._rate
        cushion = min(_CUSHION * inflow, self._capacity / 2)
        return inflow + _CORRECTION * (self._tokens - cushion)


class Reservation:
    """Bytes set aside for one frame, by `Bucket.reserve`. For one thread.

    Args:
        bucket: Where they were taken from.
        allowance: How many.
    """

    def __init__(self, bucket: Bucket, allowance: int) -> None:
        self._bucket = bucket
        self._settled = False
        self.allowance = allowance
        """Bytes that the frame may take."""

    def extend(self, to: int) -> bool:
        """Set aside more, beyond what is fair; `False` if there is not so much."""
        if to > self.allowance:
            if not self._bucket.take(to - self.allowance):
                return False
            self.allowance = to
        return True

    def wait_s(self, size: int) -> float | None:
        """Seconds until the frame could have so much, if no other comes; `None` if never."""
        return self._bucket.wait_s(size, self.allowance)

    def settle(self, used: int) -> None:
        """Commit `used` bytes, at most the allowance, and give back the rest. Counts once.

        Raises:
            ValueError: More than was set aside.
        """
        if not 0 <= used <= self.allowance:
            raise ValueError(f"{used} bytes used of {self.allowance} set aside")
        if not self._settled:
            self._settled = True
            self._bucket.commit(self.allowance, used)
