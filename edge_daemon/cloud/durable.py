"""Files and lines that are whole and on the disk when the call returns."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from edge_daemon.errors import StorageError

_log = logging.getLogger(__name__)

_RETRY_AFTER_S: Final = 5.0
_BLOCK: Final = 65_536

_Read = TypeVar("_Read")


@contextmanager
def writing_to(place: Path) -> Generator[None]:
    """Words what the system says of a disk.

    Raises:
        StorageError: In the place of an `OSError` from within; it may be tried again later.
    """
    try:
        yield
    except OSError as mistake:
        raise StorageError(
            f"cannot write there: {mistake.strerror or mistake}",
            value=str(place),
            remedy="make room or correct the permissions",
            retry_after_s=_RETRY_AFTER_S,
        ) from mistake


def write_file(path: Path, content: bytes) -> None:
    """Writes a file under a temporary name, syncs and renames it: there is never half of one.

    Args:
        path: Where to; the directory is made, the one above it has to be there.
        content: All of it.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)
    _sync_directory(path.parent.parent)


class Journal:
    """A file of JSON lines, for this process alone; a last line that a crash tore is cut off.

    Not thread-safe.

    Args:
        path: Made if it is not there.

    Raises:
        BlockingIOError: Another process uses it.
        OSError: It cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # A bare descriptor: a buffered file would keep the rest of a line that did not fit.
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._cut_torn_line()
        except OSError:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Lets another process have it."""
        os.close(self._file)

    def append(self, line: dict[str, Any]) -> None:
        """Adds a line.

        Raises:
            OSError: It could not be written, and was taken back.
        """
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
        end = os.fstat(self._file).st_size
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def read(self, convert: Callable[[dict[str, Any]], _Read]) -> Iterator[_Read]:
        """All lines, in order; those that are unreadable are logged and passed over.

        Args:
            convert: What to make of one; whatever it misses or dislikes makes that line unreadable.
        """
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    read = convert(json.loads(line))
                except (ValueError, KeyError, TypeError):
                    _log.warning(
                        "event=unreadable_line_skipped file=%s line=%d", self._path.name, number
                    )
                    continue
                yield read

    def _cut_torn_line(self) -> None:
        size = end = os.fstat(self._file).st_size
        while end:
            start = max(0, end - _BLOCK)
            last = os.pread(self._file, end - start, start).rfind(b"\n")
            end = start if last < 0 else start + last + 1
            if last >= 0:
                break
        if end < size:
            _log.warning("event=torn_line_cut file=%s bytes=%d", self._path.name, size - end)
            os.ftruncate(self._file, end)


def _sync_directory(path: Path) -> None:
    """Makes a rename in this directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
