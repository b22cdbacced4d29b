"""Taking bundles into the store, checking them and removing them.

A bundle in the store is whole or not there: it is written under a hidden name, synced, loaded once
and then renamed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.disk import BLOCK, check_room, facts_of, sync_directory
from models.errors import BundleError
from models.loading import load_bundle, packaged_bundles
from models.manifest import MANIFEST_FILE, FileFacts, Manifest, read_manifest
from models.place import STORE_VARIABLE, store_directory, stored_bundles


def import_bundle(source: Path, *, force: bool = False) -> Manifest:
    """Copy a bundle into the store, under the name in its manifest.

    Only the manifest and the files that it lists are copied, checked against its hashes on the way;
    whatever else lies in `source` stays there, and links are not followed.

    Args:
        source: A bundle's directory, such as one on a USB stick.
        force: Replace a bundle of this name, and the engines that were built from it.

    Raises:
        BundleError: It is no bundle, it is damaged, its name is taken, or it cannot be written.
    """
    store = make_store()
    with _writing(store), tempfile.TemporaryDirectory(prefix=".import-", dir=store) as scratch:
        # One level down: the scratch directory is private, the bundle is not.
        staged = Path(scratch) / "bundle"
        staged.mkdir()
        _copy(source / MANIFEST_FILE, staged / MANIFEST_FILE, None)
        manifest = read_manifest(staged)
        place = store / manifest.name
        _check_place(place, force=force)
        needed = sum(facts.bytes for facts in manifest.files.values())
        check_room(store, needed, f"the bundle {manifest.name}")
        for name, facts in manifest.files.items():
            _copy(source / name, staged / name, facts)
        sync_directory(staged)
        load_bundle(staged, backend="cpu")
        if place.exists():
            place.rename(Path(scratch) / "previous")
        staged.rename(place)
        sync_directory(store)
    return manifest


def verify_bundle(directory: Path) -> Manifest:
    """Hash every file of a bundle and load it once.

    Raises:
        BundleError: Something is wrong with it; names the file.
    """
    manifest = read_manifest(directory)
    for name, facts in manifest.files.items():
        path = directory / name
        try:
            size = path.stat().st_size
            # The size first: a wrong file may be large, and an empty one has no facts.
            found = facts_of(path) if size == facts.bytes else None
        except OSError as error:
            raise _unreadable(path, error) from error
        if found != facts:
            seen = f"{size} bytes" if found is None else f"SHA-256 {found.sha256}"
            raise _differs(path, seen, facts)
    load_bundle(directory, backend="cpu")
    return manifest


def remove_bundle(name: str) -> int:
    """Remove a bundle from the store, with the engines that were built from it.

    Returns:
        The bytes that its files had.

    Raises:
        BundleError: It ships with this package, is not in the store, or cannot be removed.
    """
    if name in packaged_bundles():
        raise BundleError(
            f"the bundle {name!r} ships with edge-daemon",
            remedy="remove only what is in the store (`edge-daemon models list`)",
        )
    stored = stored_bundles()
    if name not in stored:
        raise BundleError(
            f"no bundle {name!r} in the store",
            file=store_directory(),
            remedy=f"name one of those that are: {', '.join(stored) or 'there is none'}",
        )
    store = store_directory()
    freed = bytes_of(stored[name])
    with _writing(store), tempfile.TemporaryDirectory(prefix=".remove-", dir=store) as scratch:
        # Gone at once for whoever loads it, not file by file.
        stored[name].rename(Path(scratch) / "bundle")
        sync_directory(store)
    return freed


def bytes_of(directory: Path) -> int:
    """The bytes of all files in a directory and below; links are not followed."""
    return sum(
        (Path(folder) / file).lstat().st_size
        for folder, _, files in os.walk(directory)
        for file in files
    )


def make_store() -> Path:
    """The store's directory, made if need be.

    Raises:
        BundleError: It cannot be made.
    """
    store = store_directory()
    with _writing(store):
        store.mkdir(parents=True, exist_ok=True)
    return store


def _check_place(place: Path, *, force: bool) -> None:
    if place.name in packaged_bundles():
        raise BundleError(
            f"a bundle named {place.name!r} ships with edge-daemon, and would be found first",
            remedy="export the bundle again under another --name",
        )
    if not place.exists() and not place.is_symlink():
        return
    if place.name not in stored_bundles():
        raise BundleError(
            "something that is no bundle stands there",
            file=place,
            remedy="move it away; it is not replaced, with --force or without",
        )
    if not force:
        raise BundleError(
            "a bundle of this name is in the store already",
            file=place,
            remedy=f"give --force to replace it, or `edge-daemon models remove {place.name}` first",
        )


def _copy(source: Path, target: Path, facts: FileFacts | None) -> None:
    """Copy and sync one file, which must have these facts where they are known."""
    digest, length = hashlib.sha256(), 0
    with target.open("wb") as copy:
        for block in _blocks(source):
            length += len(block)
            if facts is not None and length > facts.bytes:
                raise _differs(source, f"more than {facts.bytes} bytes", facts)
            digest.update(block)
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())
    if facts is None:
        return
    if length != facts.bytes:
        raise _differs(source, f"{length} bytes", facts)
    if digest.hexdigest() != facts.sha256:
        raise _differs(source, f"SHA-256 {digest.hexdigest()}", facts)


def _blocks(path: Path) -> Iterator[bytes]:
    """The content of a regular file in pieces."""
    try:
        # Without waiting: a stranger's directory may hold a pipe under this name.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BundleError(
                    "is no regular file",
                    file=path,
                    remedy="name a bundle made by `python -m export`",
                )
            while block := os.read(descriptor, BLOCK):
                yield block
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BundleError(
                "is a symbolic link, which is not followed",
                file=path,
                remedy="copy the bundle with its files instead of links to them",
            ) from error
        raise _unreadable(path, error) from error


@contextmanager
def _writing(store: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"cannot write to the store of bundles ({error.strerror})",
            file=store,
            remedy=f"run this as the store's owner (the service's is edge-daemon), free space, "
            f"or set ${STORE_VARIABLE} to another directory",
        ) from error


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(
        f"cannot read the file ({error.strerror})",
        file=path,
        remedy="name a complete bundle directory, or copy the bundle again",
    )


def _differs(path: Path, seen: str, facts: FileFacts) -> BundleError:
    return BundleError(
        f"{seen}, but the manifest says {facts.bytes} bytes with SHA-256 {facts.sha256}",
        file=path,
        remedy="copy or export the bundle again; the file was changed or damaged",
    )
