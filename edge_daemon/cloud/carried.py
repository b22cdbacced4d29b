"""Files that were carried here, `CLIENT/SEQUENCE.edge` below one directory.

1. They are taken in the order of client and number. Other names, links and the temporary names of
   whoever writes here are left alone.
2. A file that is damaged may still be on its way: it is refused only if it stays as it is for a
   while. It goes to `refused/CLIENT/` then, with a text beside it that says why. That is one level
   deeper than what is looked at, so a client may be called `refused`.
3. What cannot be moved or removed (a medium that is read-only) stays, and is not looked at again
   unless it changes.

Everything here waits for the disk; call it in a thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from edge_daemon.errors import EdgeError

_log = logging.getLogger(__name__)

SUFFIX = ".edge"
REFUSED = "refused"


class File(NamedTuple):
    """A file as it was when it was seen."""

    path: Path
    size: int
    changed_ns: int


class Carried:
    """The directory, and what is remembered of the files in it.

    Args:
        directory: Where files arrive; need not be there.
        settle_s: Seconds that a damaged file must stay as it is before it is refused.
        clock: A monotonic clock, in seconds.
    """

    def __init__(self, directory: Path, *, settle_s: float, clock: Callable[[], float]) -> None:
        self._directory = directory
        self._settle_s = settle_s
        self._clock = clock
        self._stuck: dict[Path, File] = {}
        self._doubtful: dict[Path, tuple[File, float]] = {}

    def waiting(self) -> list[File]:
        """What is to be taken now, in order.

        Raises:
            OSError: The directory is missing or cannot be read.
        """
        try:
            files = {file.path: file for file in self._scan()}
        except OSError:
            # Another medium may come in its place.
            self._stuck.clear()
            self._doubtful.clear()
            raise
        for memory in (self._stuck, self._doubtful):
            for path in memory.keys() - files.keys():
                del memory[path]
        return sorted((file for file in files.values() if self._due(file)), key=_order)

    def done(self, file: File) -> None:
        """It is kept: removes it."""
        try:
            file.path.unlink(missing_ok=True)
        except OSError as mistake:
            self._leave(file, mistake)

    def skip(self, file: File) -> None:
        """It is not looked at again unless it changes."""
        self._stuck[file.path] = file

    def refuse(self, file: File, error: EdgeError) -> bool:
        """Sets it aside if it has not changed for a while; whether it did."""
        doubted, _ = self._doubtful.get(file.path, (None, 0.0))
        if doubted != file:
            self._doubtful[file.path] = file, self._clock()
            return False
        folder = self._directory / REFUSED / file.path.parent.name
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file.path.name).with_suffix(".txt").write_text(
                f"refused {now}\n{error}\n", encoding="utf-8", errors="backslashreplace"
            )
            file.path.replace(folder / file.path.name)
        except OSError as mistake:
            self._leave(file, mistake)
        return True

    def _scan(self) -> list[File]:
        files: list[File] = []
        with os.scandir(self._directory) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for folder in folders:
            # One that is closed to us, such as lost+found, must not hide the others.
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or not entry.name.endswith(SUFFIX):
                        continue
                    if entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        files.append(File(Path(entry.path), facts.st_size, facts.st_mtime_ns))
        return files

    def _due(self, file: File) -> bool:
        if self._stuck.get(file.path) == file:
            return False
        doubted, since = self._doubtful.get(file.path, (None, 0.0))
        return doubted != file or self._clock() - since >= self._settle_s

    def _leave(self, file: File, mistake: OSError) -> None:
        self.skip(file)
        _log.warning(
            "event=file_left file=%r problem=%r",
            str(file.path),
            f"it cannot be taken away: {mistake.strerror}",
        )


def _order(file: File) -> tuple[str, bool, int, str]:
    """Client, then number; names that are no number come last."""
    name = file.path.stem
    number = name.isascii() and name.isdigit() and len(name) <= 16
    return file.path.parent.name, not number, int(name) if number else 0, name
