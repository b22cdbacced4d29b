"""Pictures, texts and the log on disk, and the memory of what is there.

1. A frame's files are written whole and synced: under its own name there is never half a picture.
2. Its line is appended to the log after that, and synced. The log is the truth about what is here:
   a picture without a line was not acknowledged and will come again.
3. A line that could not be written whole is taken back; one that a crash tore is cut off at start.
4. Client ids are file names as they stand (the wire admits no others), so no id leads elsewhere.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from edge_daemon.cloud.durable import Journal, write_file, writing_to
from edge_daemon.cloud.kept import SUFFIXES, Kept, Kind
from edge_daemon.errors import StorageError
from edge_daemon.wire import Envelope, EnvelopeHeader, Key

LOG_NAME = "log.jsonl"


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
            with writing_to(directory):
                directory.mkdir(parents=True, exist_ok=True)
                self._log = Journal(directory / LOG_NAME)
                for key, seen in self._log.read(_remembered):
                    self._remember(key, seen)
        except StorageError as error:
            if isinstance(error.__cause__, BlockingIOError):
                raise StorageError(
                    "another receiver uses this directory",
                    value=str(directory),
                    remedy="stop it, or choose another directory (cloud.directory)",
                ) from None
            raise

    def __len__(self) -> int:
        return len(self._known)

    def close(self) -> None:
        """Closes the log."""
        self._log.close()

    def seen(self, key: Key) -> Seen | None:
        """What is here under this key, or `None`."""
        with self._lock:
            return self._known.get(key)

    def add(
        self,
        envelope: Envelope,
        contents: Mapping[Kind, bytes],
        envelope_bytes: int,
        follow_up: Sequence[str] = (),
    ) -> Kept:
        """Writes a frame's files and its line; all are on the disk after it.

        Args:
            envelope: As it came.
            contents: What its files hold: PNG, and UTF-8 for "text".
            envelope_bytes: Length of the envelope.
            follow_up: What is to be done with it now.

        Raises:
            StorageError: They could not be written; none counts as here.
        """
        header = envelope.header
        files: dict[Kind, str] = {
            kind: f"{header.client}/{header.sequence}{SUFFIXES[kind]}" for kind in contents
        }
        kept = Kept(header, files, tuple(follow_up))
        line = {
            "received": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "envelope_bytes": envelope_bytes,
            **kept.to_line(),
        }
        with writing_to(self._directory):
            for kind, content in contents.items():
                write_file(self._directory / files[kind], content)
            with self._lock:
                self._log.append(line)
                self._remember(kept.key, Seen(header.bitstream_sha256, header.fingerprint))
        return kept

    def to_follow(self) -> Iterator[Kept]:
        """Those of the remembered frames with which something was to be done, the oldest first."""
        for kept in self._log.read(_to_follow):
            if kept is not None and self.seen(kept.key) is not None:
                yield kept

    def _remember(self, key: Key, seen: Seen) -> None:
        self._known[key] = seen
        while len(self._known) > self._remembered_frames:
            self._known.popitem(last=False)


def _remembered(line: dict[str, Any]) -> tuple[Key, Seen]:
    seen = Seen(line["bitstream_sha256"], line.get("fingerprint"))
    return (str(line["client"]), int(line["sequence"])), seen


def _to_follow(line: dict[str, Any]) -> Kept | None:
    return Kept.of_line(line) if line.get("follow_up") else None
