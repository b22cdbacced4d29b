"""What bundles and checkpoints need of a disk: room, hashes of large files, names that last."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from models.errors import BundleError
from models.manifest import FileFacts

BLOCK = 1 << 20
"""Bytes that are read at a time."""


def facts_of(path: Path) -> FileFacts:
    """The facts of a file that need not fit into memory.

    Raises:
        OSError: It cannot be read.
        pydantic.ValidationError: It is empty.
    """
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            length += len(block)
    return FileFacts(sha256=digest.hexdigest(), bytes=length)


def check_room(directory: Path, needed: int, what: str) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        directory: Exists; anything on its file system will do.
        needed: Bytes that will be written.
        what: What needs them, for the message.

    Raises:
        BundleError: Fewer bytes are free.
    """
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise no_room(directory, f"{what} needs {megabytes(needed)}, {megabytes(free)} are free")


def no_room(directory: Path, problem: str) -> BundleError:
    """The error for a disk that is full."""
    return BundleError(
        problem,
        file=directory,
        remedy="free space there, or set $EDGE_DAEMON_BUNDLES to a directory on a larger disk",
    )


def megabytes(count: int) -> str:
    """A number of bytes as people read it, in millions."""
    return f"{count / 1e6:.1f} MB"


def sync_directory(directory: Path) -> None:
    """Make names in a directory outlive a power cut, where the file system can."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Network file systems have no such thing for directories.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
