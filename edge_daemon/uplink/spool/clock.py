"""How old envelopes are, on boxes whose clock jumps.

A box without a battery for its clock wakes in 1970 and is told the date later. So age is counted
on a clock of the spool's own, in seconds since the spool was made. While the box is up it advances
with the time since boot, which nobody sets. What it cannot measure is the time without power; see
`_gap_s`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeError):
        return ""


@dataclass(frozen=True)
class Clocks:
    """Where time comes from.

    Attributes:
        wall: Seconds since 1970, as well as this box knows them.
        since_boot: Seconds since boot, suspension included.
        boot: Names this boot; empty if the system does not say.
    """

    wall: Callable[[], float] = time.time
    since_boot: Callable[[], float] = _since_boot
    boot: str = field(default_factory=_boot)


@dataclass(frozen=True)
class Note:
    """What the clocks said at one moment; kept in the database.

    Attributes:
        age_s: The spool's own clock.
        wall_s: The wall clock.
        since_boot_s: The time since boot.
        boot: Which boot.
    """

    age_s: float
    wall_s: float
    since_boot_s: float
    boot: str


class AgeClock:
    """The spool's own clock: never goes back, never jumps.

    Args:
        clocks: Where time comes from.
        last: The latest note of an earlier run, or `None`.
        longest_gap_s: Most seconds without power that the wall clock is believed.
    """

    def __init__(self, clocks: Clocks, last: Note | None, longest_gap_s: float) -> None:
        self._clocks = clocks
        self._began = clocks.since_boot()
        self._offset = 0.0 if last is None else last.age_s + self._gap_s(last, longest_gap_s)

    def now(self) -> float:
        """Seconds since the spool was made, as far as they could be measured."""
        return self._offset + max(0.0, self._clocks.since_boot() - self._began)

    def reach(self, moment: float) -> None:
        """It was this late already, in the clock's own seconds; known from what was kept then."""
        self._offset += max(0.0, moment - self.now())

    def note(self) -> Note:
        """What to keep, so that a later run can go on from here."""
        clocks = self._clocks
        return Note(self.now(), clocks.wall(), clocks.since_boot(), clocks.boot)

    def _gap_s(self, last: Note, longest_gap_s: float) -> float:
        """How long nobody looked, in seconds.

        Within one boot that is known. Else the wall clock is asked, and not believed if it went
        back, or forward by so much that every envelope would be too old: it is rather wrong.
        """
        if last.boot and last.boot == self._clocks.boot:
            return max(0.0, self._began - last.since_boot_s)
        gap = self._clocks.wall() - last.wall_s
        return gap if 0.0 <= gap <= longest_gap_s else 0.0
