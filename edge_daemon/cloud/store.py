"""Pictures and the log on disk, and the memory of what is there.

1. A picture is written under a temporary name, synced, and renamed: under its own name there is
   never half a picture.
2. Its line is appended to the log after that, and synced. The log is the truth about what is here:
   a picture without a line was not acknowledged and will come again.
3. A line that could not be written whole is taken back; one that a crash tore is cut off at start.
4. Client ids are file names as they stand (the wire admits no others), so no id leads elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections import OrderedDict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from edge_daemon.errors import StorageError
from edge_daemon.wire import Envelope, EnvelopeHeader, Key

_log = logging.getLogger(__name__)

LOG_NAME = "log.jsonl"
_RETRY_AFTER_S = 5.0


class Seen(NamedTuple):
    """What is remembered of a frame: its bitstream's SHA-256, and its fingerprint if it had one."""

    digest: str
    fingerprint: str | None

    def is_same(self, header: EnvelopeHeader) -> bool:
        """Whether it is that frame, if in another encoding: a daemon that crashed encodes anew."""
        return self.digest == header.bitstream_sha256 or (
            self.fingerprint is not None and self.fingerprint == header.fingerprint
        )


class Store:
    """One directory, for this process alone. Thread-safe.

    Args:
        directory: Made if it is not there.
        remembered_frames: Latest frames whose duplicates are recognised.

    Raises:
        StorageError: The directory or its log cannot be used, or another process uses it.
    """

    def __init__(self, directory: Path, remembered_frames: int) -> None:
        self._directory = directory
        self._remembered_frames = remembered_frames
        self._known: OrderedDict[Key, Seen] = OrderedDict()
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # A bare descriptor: a buffered file would keep the rest of a line that did not fit.
            self._log_file = os.open(
                directory / LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644
            )
            fcntl.flock(self._log_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._recall()
        except BlockingIOError:
            raise StorageError(
                "another receiver uses this directory",
                value=str(directory),
                remedy="stop it, or choose another directory (cloud.directory)",
            ) from None
        except OSError as mistake:
            raise _failed(mistake, directory) from mistake

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        """Closes the log."""
        os.close(self._log_file)

    def seen(self, key: Key) -> Seen | None:
        """What is here under this key, or `None`."""
        with self._lock:
            return self._known.get(key)

    def add(self, envelope: Envelope, content: bytes, envelope_bytes: int) -> Path:
        """Writes a picture, or the text in its place, and its line; both are on the disk after it.

        Args:
            envelope: As it came.
            content: PNG, or UTF-8 text in mode "semantic".
            envelope_bytes: Length of the envelope.

        Returns:
            The file's path.

        Raises:
            StorageError: They could not be written; neither counts as here.
        """
        header = envelope.header
        kind, suffix = ("text", "txt") if header.mode == "semantic" else ("picture", "png")
        file = Path(header.client) / f"{header.sequence}.{suffix}"
        line = {
            "received": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            kind: file.as_posix(),
            "envelope_bytes": envelope_bytes,
            **header.model_dump(exclude={"version"}),
        }
        try:
            self._write_file(self._directory / file, content)
            with self._lock:
                self._append(line)
                self._remember(
                    (header.client, header.sequence),
                    Seen(header.bitstream_sha256, header.fingerprint),
                )
        except OSError as mistake:
            raise _failed(mistake, self._directory) from mistake
        return self._directory / file

    def _write_file(self, path: Path, content: bytes) -> None:
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
        _sync_directory(self._directory)

    def _append(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
        log = self._log_file
        end = os.fstat(log).st_size
        try:
            while data:
                data = data[os.write(log, data) :]
            os.fsync(log)
        except OSError:
            os.ftruncate(log, end)
            raise

    def _recall(self) -> None:
        """Reads the log; cuts off a last line without an end."""
        end = 0
        with (self._directory / LOG_NAME).open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    _log.warning("event=torn_line_cut line=%d bytes=%d", number, len(line))
                    os.ftruncate(self._log_file, end)
                    break
                end += len(line)
                try:
                    entry = json.loads(line)
                    seen = Seen(entry["bitstream_sha256"], entry.get("fingerprint"))
                    self._remember((entry["client"], entry["sequence"]), seen)
                except (ValueError, KeyError, TypeError):
                    _log.warning("event=unreadable_line_skipped line=%d", number)

    def _remember(self, key: Key, seen: Seen) -> None:
        self._known[key] = seen
        while len(self._known) > self._remembered_frames:
            self._known.popitem(last=False)


def _sync_directory(path: Path) -> None:
    """Makes a rename in this directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(mistake: OSError, directory: Path) -> StorageError:
    return StorageError(
        f"cannot write there: {mistake.strerror or mistake}",
        value=str(directory),
        remedy="make room or correct the permissions",
        retry_after_s=_RETRY_AFTER_S,
    )
