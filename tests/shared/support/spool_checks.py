"""What the tests of the spool share: entries, settings, clocks and crashes."""

from __future__ import annotations

import random
import resource
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.errors import EdgeError
from edge_daemon.settings import SpoolSettings, WhenFull
from edge_daemon.uplink.spool import Clocks, Entry, Record, Spool, Stored
from edge_daemon.wire import Key

LIVE: WhenFull = "drop-oldest"
SURE: WhenFull = "refuse-new"


def content_of(key: Key, size: int) -> bytes:
    """Bytes that only this key and size have."""
    return random.Random(f"{key}{size}").randbytes(size)


def entry(
    sequence: int,
    size: int = 1000,
    *,
    client: str = "cam",
    rule: WhenFull = LIVE,
    spare: int | None = None,
) -> Entry:
    key = (client, sequence)
    return Entry(
        key, content_of(key, size), None if spare is None else content_of(key, spare), rule
    )


def spool_settings(directory: Path | None, **changes: float) -> SpoolSettings:
    where = None if directory is None else str(directory)
    return SpoolSettings.model_validate({"directory": where} | changes)


def stored(result: Stored | EdgeError) -> Stored:
    assert isinstance(result, Stored), result
    return result


def put(spool: Spool, *entries: Entry) -> list[Stored]:
    """Puts each in a commit of its own; all must find room."""
    return [stored(spool.put([one])[0]) for one in entries]


def numbers(records: list[Record]) -> list[int]:
    return [record.key[1] for record in records]


def crash_copy(directory: Path, copy: Path) -> Path:
    """The files as a crash now would leave them."""
    shutil.copytree(directory, copy)
    return copy


@contextmanager
def files_up_to(size: int) -> Generator[None]:
    """The system lets this process's files grow to so many bytes at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass
class FakeTime:
    """Clocks that the test turns."""

    wall: float = 1_700_000_000.0
    since_boot: float = 1000.0
    boot: str = "first"

    def clocks(self) -> Clocks:
        return Clocks(lambda: self.wall, lambda: self.since_boot, self.boot)

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.since_boot += seconds

    def reboot(self, wall: float) -> None:
        self.boot += "+"
        self.since_boot = 5.0
        self.wall = wall
