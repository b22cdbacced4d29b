"""What the box itself says: temperatures, and room on a disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import NamedTuple

THERMAL = Path("/sys/class/thermal")

_PATIENCE_S = 1.0


class Temperature(NamedTuple):
    """One sensor's reading."""

    zone: str
    kind: str
    celsius: float


class Thermometer:
    """The kernel's thermal zones. Thread-safe.

    A sensor behind a slow bus may take its time, so `read` belongs into a thread; `latest` is what
    it found last.

    Args:
        directory: Where the zones are.
    """

    def __init__(self, directory: Path = THERMAL) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self.latest: tuple[Temperature, ...] = ()

    def read(self) -> tuple[Temperature, ...]:
        """Reads all sensors; those that are switched off at the moment are left out.

        If a sensor hangs, it costs one thread; the others soon make do with what was found earlier.
        """
        if self._lock.acquire(timeout=_PATIENCE_S):
            try:
                zones = sorted(self._directory.glob("thermal_zone*"), key=_number)
                readings = (_reading(zone) for zone in zones)
                self.latest = tuple(one for one in readings if one is not None)
            finally:
                self._lock.release()
        return self.latest

    def latest_by_kind(self) -> dict[str, float]:
        """The latest readings in degrees Celsius; of several sensors of one kind, the hottest."""
        hottest: dict[str, float] = {}
        for one in self.latest:
            hottest[one.kind] = max(one.celsius, hottest.get(one.kind, one.celsius))
        return hottest


def disk_free_bytes(directory: str) -> int | None:
    """Bytes that may still be written to the disk of a directory; `None` if it cannot be asked."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def _number(zone: Path) -> tuple[int, str]:
    digits = zone.name.removeprefix("thermal_zone")
    return (int(digits) if digits.isdecimal() else 0, zone.name)


def _reading(zone: Path) -> Temperature | None:
    try:
        kind = (zone / "type").read_text(encoding="utf-8", errors="replace").strip()
        return Temperature(zone.name, kind, int((zone / "temp").read_text("ascii")) / 1000)
    except (OSError, ValueError):
        return None
