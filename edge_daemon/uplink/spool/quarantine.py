"""What is damaged and set aside: kept for people to look at, bounded in bytes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path

from edge_daemon.uplink.spool.directory import sync_directory

_log = logging.getLogger(__name__)

_UNSALVAGED = "-unsalvaged"


class Quarantine:
    """A directory of what was set aside. Names are UTC time, running number, and what it is.

    Args:
        path: Made when something comes.
        max_bytes: Bytes that may lie there; beyond, the oldest goes. The latest always stays.
        wall: The wall clock, in seconds since 1970.
    """

    def __init__(self, path: Path, max_bytes: int, wall: Callable[[], float]) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._wall = wall

    def take_files(self, files: Iterable[Path], *, salvaged: bool) -> Path:
        """Moves files into a new directory.

        Args:
            files: Those that are not there are passed over.
            salvaged: Whether all that was good in them is elsewhere.

        Returns:
            The new directory.

        Raises:
            OSError: They could not be moved.
        """
        place = self._new("" if salvaged else _UNSALVAGED)
        place.mkdir(mode=0o700, parents=True)
        for file in files:
            if file.exists():
                file.rename(place / file.name)
                # One after the other, also on the disk: see `salvage.renew`.
                sync_directory(place)
                sync_directory(file.parent)
        self._bound()
        return place

    def take_row(self, row: int, content: bytes) -> None:
        """Writes down what a damaged row holds; a disk that refuses it is only logged."""
        place = self._new(f"-row-{row}")
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
            place.write_bytes(content)
        except OSError as mistake:
            place.unlink(missing_ok=True)
            _log.warning("event=spool_row_not_kept id=%d error=%r", row, str(mistake))
        self._bound()

    def drop_oldest(self) -> bool:
        """Removes the oldest whose good rows are elsewhere; False if there is none."""
        for entry in self._entries():
            if not entry.name.endswith(_UNSALVAGED):
                _remove(entry)
                return True
        return False

    def _new(self, what: str) -> Path:
        """A name that was not used; the number tells the order, for clocks jump."""
        moment = datetime.fromtimestamp(self._wall(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        number = max((_number(entry) for entry in self._entries()), default=0) + 1
        return self._path / f"{moment}-{number:06d}{what}"

    def _entries(self) -> list[Path]:
        """What is here, the oldest first."""
        try:
            return sorted(self._path.iterdir(), key=_number)
        except OSError:
            return []

    def _bound(self) -> None:
        entries = self._entries()
        sizes = [_bytes_of(entry) for entry in entries]
        for entry, size in zip(entries[:-1], sizes, strict=False):
            if sum(sizes) <= self._max_bytes:
                return
            _remove(entry)
            sizes.remove(size)


def _number(entry: Path) -> int:
    parts = entry.name.split("-")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


def _bytes_of(entry: Path) -> int:
    files = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(file.stat().st_size for file in files)


def _remove(entry: Path) -> None:
    _log.warning("event=spool_quarantine_removed entry=%s", entry.name)
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
