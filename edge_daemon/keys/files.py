"""Small files that are whole or not there, and that others cannot look into."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from edge_daemon.errors import KeysError, Verbatim
from edge_daemon.keys.secret import Secret

PUBLIC_MODE = 0o644
SECRET_MODE = 0o600
DIRECTORY_MODE = 0o700
PEERS_MODE = 0o755

_LARGEST_BYTES = 16_384
_OTHERS_ANY = 0o077
_OTHERS_WRITE = 0o022


def read_small(path: Path, *, private: bool) -> Secret:
    """A small file's bytes.

    Args:
        path: Of a regular file of at most 16 KiB.
        private: Refuse it if other users can read or write it.

    Raises:
        KeysError: It cannot be read, is too large, or is open to other users.
    """
    try:
        # Not blocking: somebody may have put a pipe there.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as mistake:
        raise unreadable(path, mistake) from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise KeysError("a key file is a regular file", value=str(path), remedy="replace it")
        if private and facts.st_mode & _OTHERS_ANY:
            raise KeysError(
                f"other users can get at this secret key (mode {_octal(facts.st_mode)})",
                value=str(path),
                remedy="chmod 600 it, and make a new one if somebody may have read it",
            )
        if facts.st_size > _LARGEST_BYTES:
            raise KeysError("too large for a key file", value=str(path), remedy="replace it")
        return Secret(os.read(descriptor, _LARGEST_BYTES))
    except OSError as mistake:
        raise unreadable(path, mistake) from None
    finally:
        os.close(descriptor)


def check_closed(directory: Path, *, readable: bool) -> None:
    """Refuses a key directory that is open to other users.

    Args:
        directory: That must be there.
        readable: Others may look into it, because no secret is in it; never write.

    Raises:
        KeysError: It is open, no directory, or not there.
    """
    try:
        facts = directory.stat()
    except OSError as mistake:
        raise unreadable(directory, mistake) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise KeysError(
            "a key directory is a directory", value=str(directory), remedy="name another path"
        )
    if facts.st_mode & (_OTHERS_WRITE if readable else _OTHERS_ANY):
        raise KeysError(
            f"other users can {'write to' if readable else 'get into'} this key directory "
            f"(mode {_octal(facts.st_mode)})",
            value=str(directory),
            remedy=f"chmod {'go-w' if readable else '700'} it",
        )


def make_directory(directory: Path, mode: int) -> None:
    """Makes a directory of exactly this mode, whatever the umask; one that is there stays.

    Raises:
        KeysError: It cannot be made.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir(mode=DIRECTORY_MODE)
        except FileExistsError:
            if directory.is_dir():
                return
            raise
        directory.chmod(mode)
    except OSError as mistake:
        raise unwritable(directory, mistake) from None


def write_whole(path: Path, content: Secret, *, mode: int, replace: bool) -> None:
    """Writes a file under another name, syncs it, and gives it its own name.

    Args:
        path: In a directory that is there.
        content: Its bytes.
        mode: Its permissions, whatever the umask.
        replace: A file that is there is replaced; else it is an error.

    Raises:
        KeysError: It cannot be written, or is there already.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.draft")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(draft, flags, SECRET_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content.reveal())
                file.flush()
                os.fsync(descriptor)
            if replace:
                draft.replace(path)
            else:
                # Unlike a rename, a link never takes the place of a file that is there.
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(path.parent)
    except FileExistsError:
        raise KeysError(
            "this is there already, and is not overwritten",
            value=str(path),
            remedy="choose another place, or --force to replace it",
        ) from None
    except OSError as mistake:
        raise unwritable(path, mistake) from None


def sync_directory(directory: Path) -> None:
    """Makes sure that names in a directory outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unreadable(path: Path, mistake: OSError) -> KeysError:
    """The error for a file or directory that cannot be read."""
    return KeysError(
        "cannot read a key",
        value=Verbatim(f"{path}: {mistake.strerror}"),
        remedy="make one there (edge-daemon keys new), or correct the path or its owner",
    )


def unwritable(path: Path, mistake: OSError) -> KeysError:
    """The error for a file or directory that cannot be written."""
    return KeysError(
        "cannot write a key",
        value=Verbatim(f"{path}: {mistake.strerror}"),
        remedy="choose a directory that you own, on a file system with permissions",
    )


def _octal(mode: int) -> str:
    return f"{stat.S_IMODE(mode):04o}"
