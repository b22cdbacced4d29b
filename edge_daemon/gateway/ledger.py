"""A file with a line for every picture that went through, for studies and for accounts.

Lines are JSON objects with the names that `edge-daemon study bdrate` has for its columns. What was
asked is not in them, nor any picture.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edge_daemon.errors import StorageError

_log = logging.getLogger(__name__)


class Ledger:
    """Appends lines, in a thread of its own.

    A line that cannot be written is lost, and the log says so: requests do not wait for a disk.

    Args:
        path: Made if it is not there, and readable by its owner only.

    Raises:
        StorageError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as mistake:
            raise StorageError(
                f"cannot write the ledger: {mistake.strerror}",
                value=str(path),
                remedy="make its directory, correct the permissions, or name another file",
            ) from mistake
        self._thread = ThreadPoolExecutor(1, "ledger")

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Adds lines soon, in order."""
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        self._thread.submit(self._write, text.encode("ascii"))

    def close(self) -> None:
        """Writes what is left; blocks until it is written."""
        self._thread.shutdown()
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as mistake:
            _log.error("event=ledger_failed file=%s error=%r", self._path, str(mistake))
