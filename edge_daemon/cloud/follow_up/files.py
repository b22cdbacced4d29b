"""Reading back what was kept."""

from __future__ import annotations

from pathlib import Path

from edge_daemon.errors import StorageError


def read_file(directory: Path, name: str) -> bytes:
    """A frame's file.

    Args:
        directory: The cloud's.
        name: Its path relative to that.

    Raises:
        StorageError: It cannot be read, and that is for good: somebody took it away.
    """
    try:
        return (directory / name).read_bytes()
    except OSError as mistake:
        raise StorageError(
            f"cannot read what was kept: {mistake.strerror or mistake}",
            value=name,
            remedy="leave files of the cloud in place until they were followed up",
        ) from mistake
