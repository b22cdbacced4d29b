"""The spool's directory: one daemon's alone, with some room kept back for when the disk is full."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from pathlib import Path

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool.database import wal_of
from edge_daemon.uplink.spool.troubles import failed

_log = logging.getLogger(__name__)

_LEAST_BALLAST_BYTES = 2**20
_MOST_BALLAST_BYTES = 16 * 2**20


class Directory:
    """A directory that this process has locked.

    Args:
        path: Made with mode 0700 if it is not there.
        max_bytes: The spool's bound, from which the size of the ballast follows.

    Raises:
        StorageError: It cannot be used, or another process uses it.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.database = path / "spool.sqlite"
        self.unfinished = path / "salvage.sqlite"
        self.quarantine = path / "quarantine"
        self._ballast = path / "ballast"
        self._ballast_bytes = min(_MOST_BALLAST_BYTES, max_bytes // 4 + _LEAST_BALLAST_BYTES)
        self._lock: int | None = None
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(path / "spool.lock", flags, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.database.exists():
                # What SQLite would only call damage.
                os.close(os.open(self.database, os.O_RDWR | os.O_CLOEXEC))
            sync_directory(path.parent)
        except BlockingIOError:
            self.close()
            raise StorageError(
                "another daemon uses this spool",
                value=str(path),
                remedy="stop it, or choose another directory (spool.directory)",
            ) from None
        except OSError as mistake:
            self.close()
            raise failed(mistake, path) from mistake

    def close(self) -> None:
        """Lets others use it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def file_bytes(self) -> int:
        """Size of the database and its WAL."""
        total = 0
        for path in (self.database, wal_of(self.database)):
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def free_bytes(self) -> int:
        """Room on the disk."""
        try:
            return shutil.disk_usage(self.path).free
        except OSError:
            return 0

    def full(self) -> bool:
        """Whether there is less room on the disk than is kept back."""
        return self.free_bytes() < self._ballast_bytes

    def give_ballast(self) -> bool:
        """Gives up the room that was kept back; False if there is none."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        return True

    def lay_ballast(self) -> None:
        """Keeps room back if none is: what is wanted, or on a small disk half of what is free."""
        try:
            size = min(self._ballast_bytes, self.free_bytes() // 2)
            if self._ballast.exists() or size < _LEAST_BALLAST_BYTES:
                return
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            file = os.open(self._ballast, flags, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
        except OSError as mistake:
            _log.warning("event=spool_ballast_missing error=%r", str(mistake))
            self.give_ballast()


def sync_directory(path: Path) -> None:
    """Makes what was made, renamed and removed in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
