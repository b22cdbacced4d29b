"""A directory that envelopes are handed over in, as files.

1. An envelope is `CLIENT/SEQUENCE.edge` below the directory. It is written under a temporary name,
   synced and renamed, and the folders are synced: under its own name there is never half of one,
   whatever a power cut leaves.
2. The directory itself is never made here: where nothing is mounted, files would land beneath the
   mount point, and nobody would ever carry them. So name a folder *on* the medium.
3. Others may take files away at any time, and several daemons may hand over into one directory.

Everything here waits for the disk; call it in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from edge_daemon.errors import (
    DecodeError,
    PayloadTooLargeError,
    SequenceError,
    StorageError,
    Verbatim,
)
from edge_daemon.wire import Key, unpack_envelope

SUFFIX = ".edge"
"""Of an envelope's file."""

_UNFINISHED = ".part"
_ABANDONED_S = 3600.0
_MEASURE_EVERY_S = 60.0


class Outbox:
    """The directory and what lies in it.

    Args:
        directory: On the medium; need not be there now.
        max_bytes: Bytes of files that may lie there.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, directory: Path, max_bytes: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._clock = clock
        self._bytes = 0
        self._measured: float | None = None

    def check(self, room: int) -> None:
        """Finds out by trying whether so many bytes could be written now.

        Raises:
            StorageError: The directory is missing, read-only or full.
        """
        scratch = self._directory / f".room-{os.getpid()}{_UNFINISHED}"
        with self._worded():
            self._measure()
            self._make_room(room)
            try:
                _write(scratch, bytes(max(1, room)))
            finally:
                scratch.unlink(missing_ok=True)

    def put(self, key: Key, envelope: bytes) -> None:
        """Hands an envelope over; it is on the disk when this returns.

        Raises:
            StorageError: The directory is missing, read-only or full; it may do later.
            SequenceError: Another picture is here under this number.
            PayloadTooLargeError: It alone is more than may lie there.
        """
        if len(envelope) > self._max_bytes:
            raise PayloadTooLargeError(
                f"more than the {self._max_bytes} bytes that may lie in the outbox",
                value=Verbatim(f"{len(envelope)} bytes"),
                remedy="raise uplink.directory.max_bytes",
            )
        client, sequence = key
        folder = self._directory / client
        path = folder / f"{sequence}{SUFFIX}"
        unfinished = folder / f".{sequence}{_UNFINISHED}"
        with self._worded():
            if path.exists() and _same(path.read_bytes(), envelope, key):
                return
            self._make_room(len(envelope))
            if not folder.exists():
                folder.mkdir()
                _sync(self._directory)
            try:
                _write(unfinished, envelope)
                unfinished.replace(path)
            except OSError:
                # What cannot be removed either is removed when it is old; the first error counts.
                with contextlib.suppress(OSError):
                    unfinished.unlink(missing_ok=True)
                raise
            _sync(folder)
            self._bytes += len(envelope)

    def _make_room(self, wanted: int) -> None:
        now = self._clock()
        stale = self._measured is None or now - self._measured >= _MEASURE_EVERY_S
        if stale or self._bytes + wanted > self._max_bytes:
            self._measure()
        if self._bytes + wanted > self._max_bytes:
            raise StorageError(
                f"full: no more than {self._max_bytes} bytes may lie there",
                value=Verbatim(f"{self._bytes} bytes"),
                remedy="carry files away, or raise uplink.directory.max_bytes",
            )

    def _measure(self) -> None:
        """Counts what lies there, and removes what a power cut left half-written long ago."""
        total, now = 0, time.time()
        for entry in _files(self._directory):
            with contextlib.suppress(FileNotFoundError):  # taken away in this moment
                facts = entry.stat(follow_symlinks=False)
                if entry.name.endswith(_UNFINISHED) and now - facts.st_mtime > _ABANDONED_S:
                    Path(entry.path).unlink()
                else:
                    total += facts.st_size
        self._bytes, self._measured = total, self._clock()

    @contextlib.contextmanager
    def _worded(self) -> Generator[None]:
        try:
            yield
        except OSError as mistake:
            missing = mistake.errno in (errno.ENOENT, errno.ENOTDIR)
            raise StorageError(
                f"cannot hand over there: {mistake.strerror or mistake}",
                value=str(self._directory),
                remedy=(
                    "mount the medium, and make this directory on it"
                    if missing and not self._directory.is_dir()
                    else "mount it for writing, make room, or correct the permissions"
                ),
            ) from mistake


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Files in the directory and in its folders."""
    folders: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry
    for folder in folders:
        # One that is closed to us, such as lost+found, holds nothing that we count.
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _same(here: bytes, envelope: bytes, key: Key) -> bool:
    """Whether this file is the envelope's picture; `False` if it is no whole envelope at all.

    Raises:
        SequenceError: It is another picture.
    """
    if here == envelope:
        return True
    try:
        there = unpack_envelope(here).header
    except DecodeError:
        # A medium that was pulled out may hold anything under the name; it is written anew.
        return False
    with contextlib.suppress(DecodeError):
        header = unpack_envelope(envelope).header
        if header.bitstream_sha256 == there.bitstream_sha256:
            return True
        if header.fingerprint is not None and header.fingerprint == there.fingerprint:
            return True
    client, sequence = key
    raise SequenceError(
        "another picture lies in the outbox under this number",
        value=Verbatim(f"{client} {sequence}"),
        remedy="give every frame of a client its own number, also after a restart",
    )


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Makes a rename in this folder survive a power cut, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as mistake:
        # Network file systems have no such thing for folders.
        if mistake.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
