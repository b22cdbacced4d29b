"""The peers that may talk, as files that are read again when they change.

1. Files are told apart by inode, times and size, so one that was replaced is always seen.
2. A file that cannot be read or says nonsense admits nobody and is named in the log once.
3. A directory that is gone admits nobody. One that cannot be listed keeps what was known, since a
   full table of open files must not turn every camera away.
4. Of two files with one key the first by name counts.
"""

from __future__ import annotations

import logging
import os
import re
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edge_daemon.errors import ForbiddenError, KeysError
from edge_daemon.keys.certificate import read_certificate

_log = logging.getLogger(__name__)

PEERS_DIRECTORY = "peers"
SUFFIX = ".public"
RETRY_AFTER_S = 60.0
"""What a refused peer is told to wait. People change keys: nothing is thrown away for want of
one."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PATTERN = re.compile(r"[A-Za-z0-9_.*?\[\]!-]{1,64}")
_MOST_LISTED = 5

Mark = tuple[int, int, int, int]
"""Inode, times of change in nanoseconds, and size: another one, another file."""


@dataclass(frozen=True)
class Peer:
    """One that may talk.

    Attributes:
        name: Its name; empty where anyone may talk.
        key: Its public key, in Z85; empty where anyone may talk.
        clients: Client ids that it may speak for, as in file names.
        added: When it was let in, as its file says it; may be empty.
    """

    name: str
    key: str
    clients: tuple[str, ...]
    added: str = ""

    def check_client(self, client_id: str) -> None:
        """Lets it speak for a client, or not.

        Raises:
            ForbiddenError: It may not.
        """
        if not any(fnmatchcase(client_id, pattern) for pattern in self.clients):
            raise ForbiddenError(
                f"the key of {self.name} may not speak for this client",
                value=client_id,
                remedy=f"send as {' '.join(self.clients)}, or have the operator allow this id",
                retry_after_s=RETRY_AFTER_S,
            )


ANYONE = Peer("", "", ("*",))
"""Who talks where no keys are asked for: anybody, for anybody."""


def check_name(name: str) -> str:
    """A peer's name, if it is one; the rules are those of client ids.

    Raises:
        KeysError: It is not.
    """
    if not _NAME.fullmatch(name):
        raise KeysError(
            "not a name for a peer",
            value=name,
            remedy="use 1 to 64 of A-Z a-z 0-9 _ . - and do not begin with . or -",
        )
    return name


def patterns_of(text: str) -> tuple[str, ...]:
    """The client ids in a text, as in file names, separated by spaces.

    Raises:
        KeysError: There is none, or one that matches no client id.
    """
    patterns = tuple(text.split())
    if not patterns or not all(map(_PATTERN.fullmatch, patterns)):
        raise KeysError(
            "not client ids, nor patterns of them",
            value=text,
            remedy="write e.g. gate-3, or 'gate-* yard-?'",
        )
    return patterns


def read_peer(file: Path) -> Peer:
    """The peer of one file.

    Raises:
        KeysError: It cannot be read, or says nonsense.
    """
    name = check_name(file.name.removesuffix(SUFFIX))
    certificate = read_certificate(file)
    clients = certificate.metadata.get("clients")
    return Peer(
        name,
        certificate.public,
        (name,) if clients is None else patterns_of(clients),
        certificate.metadata.get("added", ""),
    )


class AllowList:
    """The peers of one directory.

    Args:
        directory: Their files; it may be missing, which admits nobody.
        fresh_s: Seconds for which what was read is believed.
    """

    def __init__(self, directory: Path, *, fresh_s: float = 1.0) -> None:
        self._directory = directory
        self._fresh_s = fresh_s
        self._read: dict[str, tuple[Mark, Peer | None]] = {}
        self._by_key: dict[str, Peer] = {}
        self._readable = True
        self._looked = time.monotonic()
        self._look()

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: str, *, within_s: float | None = None) -> Peer | None:
        """The peer of a public key, or `None` if it may not talk.

        Args:
            key: In Z85.
            within_s: Look at the directory again unless that was done in the last so many seconds;
                `None`: `fresh_s`.
        """
        now = time.monotonic()
        if now - self._looked >= min(self._fresh_s, within_s or self._fresh_s):
            self._looked = now
            self._look()
        return self._by_key.get(key)

    def _look(self) -> None:
        """Brings what is known up to date with the directory."""
        try:
            marks = _marks(self._directory)
        except OSError as mistake:
            if self._readable:
                _log.error(
                    "event=peers_unreadable directory=%r error=%r",
                    str(self._directory),
                    mistake.strerror,
                )
            self._readable = False
            return
        self._readable = True
        if marks == {name: mark for name, (mark, _) in self._read.items()}:
            return
        before = set(self._by_key.values())
        self._read = {name: self._kept(name, mark) for name, mark in marks.items()}
        self._by_key = {}
        for _, peer in self._read.values():
            if peer is not None and self._by_key.setdefault(peer.key, peer) is not peer:
                _log.warning(
                    "event=peer_twice name=%s same_key_as=%s",
                    peer.name,
                    self._by_key[peer.key].name,
                )
        after = set(self._by_key.values())
        _log.info(
            "event=peers peers=%d added=%r removed=%r",
            len(after),
            _names(after - before),
            _names(before - after),
        )

    def _kept(self, name: str, mark: Mark) -> tuple[Mark, Peer | None]:
        known = self._read.get(name)
        if known is not None and known[0] == mark:
            return known
        try:
            return mark, read_peer(self._directory / name)
        except KeysError as mistake:
            _log.warning("event=peer_file_bad file=%r error=%r", name, str(mistake))
            return mark, None


def _marks(directory: Path) -> dict[str, Mark]:
    """The files of a directory, by name in order, and by what a change in them is seen."""
    marks: dict[str, Mark] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX) or entry.name.startswith("."):
                    continue
                try:
                    facts = entry.stat()
                except FileNotFoundError:
                    continue  # revoked at this moment
                marks[entry.name] = (
                    facts.st_ino,
                    facts.st_mtime_ns,
                    facts.st_ctime_ns,
                    facts.st_size,
                )
    except FileNotFoundError:
        return {}
    return dict(sorted(marks.items()))


def _names(peers: set[Peer]) -> str:
    names = sorted(peer.name for peer in peers)
    more = len(names) - _MOST_LISTED
    return " ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
