"""One file from the web: resumed where it was cut, and held against what is known of it."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from models.disk import BLOCK, megabytes, no_room, sync_directory
from models.manifest import FileFacts
from models.zoo.errors import ContentError, CutOffError, ServerError, refused, shown
from models.zoo.hub import TIMEOUT_S, Hub

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here, and all of them if the server says."""

_OK, _PARTIAL, _OUT_OF_RANGE = 200, 206, 416


class Voucher(Enum):
    """Whose word is taken for what a file has to be."""

    CATALOGUE = "the catalogue"
    RECORD = "the record of the first pull"
    HUB = "the hub"


_REMEDIES = {
    Voucher.CATALOGUE: "pull again, from another --mirror; if its publisher has replaced it, "
    "update edge-daemon",
    Voucher.RECORD: "pull again, from another --mirror; if its publisher has replaced it "
    "knowingly, accept it with --repin",
    Voucher.HUB: "pull again, from another --mirror",
}


@dataclass(frozen=True)
class Wanted:
    """A file to have.

    Attributes:
        name: Its name here.
        url: Where it is.
        voucher: Whose word the following three are.
        bytes: Its size, if known.
        sha256: Its SHA-256, if known.
        git_sha1: The SHA-1 of its git blob, where that is all that is known.
        headers: What the request has to carry; may hold a token.
    """

    name: str
    url: str
    voucher: Voucher
    bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def fetch(hub: Hub, wanted: Wanted, directory: Path, progress: Progress) -> FileFacts:
    """Download a file into a directory, unless it is there, and check it.

    While it is incomplete it lies beside its place as `NAME.part`, with the server's tag of its
    content in `NAME.tag`: a later call asks for the rest, and begins anew if the content changed.

    Raises:
        DownloadError: It cannot be had, or is not what was wanted. What is wrong is removed; after
            any other error, a later call resumes.
        BundleError: There is no room for it.
        OSError: It cannot be written.
    """
    target = directory / wanted.name
    if target.exists():
        try:
            facts = _checked(target, wanted)
        except ContentError:
            # Of an earlier pull, which had to bring something else.
            return fetch(hub, wanted, directory, progress)
        # What nobody vouches for may have changed since.
        if wanted.sha256 or wanted.git_sha1:
            progress(wanted.name, facts.bytes, facts.bytes)
            return facts
    partial = _partial(target)
    if wanted.bytes is None or _size(partial) != wanted.bytes:
        _receive(hub, wanted, partial, progress)
    facts = _checked(partial, wanted)
    partial.replace(target)
    _tag(partial).unlink(missing_ok=True)
    sync_directory(directory)
    return facts


def missing_bytes(wanted: Wanted, directory: Path) -> int:
    """Bytes of a file that are still to come, as far as its size is known."""
    target = directory / wanted.name
    if wanted.bytes is None or target.exists():
        return 0
    return max(0, wanted.bytes - _size(_partial(target)))


def _receive(hub: Hub, wanted: Wanted, partial: Path, progress: Progress) -> None:
    """Bring the partial file to its full length."""
    here = _resumable(wanted, partial)
    with (
        hub.trouble(wanted.url),
        hub.client.stream(
            "GET", wanted.url, headers=_headers(wanted, partial, here), timeout=TIMEOUT_S
        ) as response,
    ):
        if response.status_code != _OUT_OF_RANGE or not here:
            start, total = _extent(response, wanted, here)
            _tag(partial).write_text(response.headers.get("ETag", ""), encoding="utf-8")
            _append(hub, response, wanted, partial, (start, total), progress)
            return
    # What is here is no beginning of what is there.
    partial.unlink()
    _receive(hub, wanted, partial, progress)


def _headers(wanted: Wanted, partial: Path, here: int) -> dict[str, str]:
    # Compressed in transit, a file has neither its own length nor ranges.
    headers = {**wanted.headers, "Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
        if tag := _read_tag(partial):
            headers["If-Range"] = tag
    return headers


def _resumable(wanted: Wanted, partial: Path) -> int:
    """Bytes that are here and may be gone on from."""
    here = _size(partial)
    if wanted.bytes is not None and here > wanted.bytes:
        return 0
    # Halves of two files are told by a hash at the end, or by the server's tag beforehand.
    vouched = wanted.sha256 or wanted.git_sha1 or _read_tag(partial)
    return here if vouched else 0


def _extent(response: Any, wanted: Wanted, here: int) -> tuple[int, int | None]:
    """Where in the file the answer begins, and the length of the file if it is told."""
    if response.status_code == _OK:
        length = response.headers.get("Content-Length", "")
        start, total = 0, int(length) if length.isdigit() else None
    elif response.status_code == _PARTIAL and here:
        span, _, length = response.headers.get("Content-Range", "").partition("/")
        start, total = here, int(length) if length.isdigit() else None
        if not span.startswith(f"bytes {here}-"):
            raise ServerError(
                f"{shown(wanted.url)} sent {span!r} instead of what follows byte {here}",
                remedy="pull again, from another --mirror",
            )
    else:
        raise refused(response.status_code, wanted.url)
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ServerError(
            f"{shown(wanted.url)} sent a web page instead of {wanted.name}",
            remedy="check --mirror, and whether this network wants a login first",
        )
    if wanted.bytes is not None and total not in (None, wanted.bytes):
        raise ContentError(
            f"{shown(wanted.url)} has {total} bytes, but {wanted.voucher.value} says "
            f"{wanted.bytes}",
            remedy=_REMEDIES[wanted.voucher],
        )
    return start, total


def _append(
    hub: Hub,
    response: Any,
    wanted: Wanted,
    partial: Path,
    extent: tuple[int, int | None],
    progress: Progress,
) -> None:
    arrived, total = extent
    cause: Exception | None = None
    with partial.open("r+b" if arrived else "wb") as file:
        file.seek(arrived)
        progress(wanted.name, arrived, total)
        try:
            # As they come: larger pieces would be lost where the connection breaks.
            for block in response.iter_bytes():
                arrived += file.write(block)
                progress(wanted.name, arrived, total)
        except hub.broken as error:
            cause = error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise no_room(
                partial.parent, f"full after {megabytes(arrived)} of {wanted.name}"
            ) from error
        file.flush()
        os.fsync(file.fileno())
    if cause is not None or total not in (None, arrived):
        whole = "" if total is None else f" of {megabytes(total)}"
        raise CutOffError(
            f"{shown(wanted.url)} broke off after {megabytes(arrived)}{whole}",
            remedy="give the same command again: it goes on from there",
        ) from cause


def _checked(path: Path, wanted: Wanted) -> FileFacts:
    """The facts of a file that is what was wanted; any other is removed."""
    sha256, git = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
    length = _size(path)
    git.update(f"blob {length}\0".encode())
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
            git.update(block)
    for kind, found, expected in (
        ("bytes", length, wanted.bytes),
        ("SHA-256", sha256.hexdigest(), wanted.sha256),
        ("git SHA-1", git.hexdigest(), wanted.git_sha1),
    ):
        if expected not in (None, found):
            path.unlink()
            raise ContentError(
                f"{wanted.name} came with {kind} {found}, but {wanted.voucher.value} says "
                f"{expected}; it was removed",
                remedy=_REMEDIES[wanted.voucher],
            )
    if not length:
        path.unlink()
        raise ContentError(f"{shown(wanted.url)} is empty", remedy=_REMEDIES[wanted.voucher])
    return FileFacts(sha256=sha256.hexdigest(), bytes=length)


def _partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _tag(partial: Path) -> Path:
    return partial.with_suffix(".tag")


def _read_tag(partial: Path) -> str:
    return _tag(partial).read_text(encoding="utf-8") if _tag(partial).exists() else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
