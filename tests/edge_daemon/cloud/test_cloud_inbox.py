"""Files that were carried to the cloud."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.cloud.carried import Carried, File
from edge_daemon.cloud.inbox import Inbox
from edge_daemon.cloud.keeping import Keeper
from edge_daemon.errors import DecodeError, StorageError
from edge_daemon.lifecycle import EXIT_CLEAN, EXIT_DEFECT
from edge_daemon.settings import (
    CloudSemanticSettings,
    CloudSettings,
    DirectorySettings,
    Settings,
)
from edge_daemon.uplink.transports.directory import DirectoryTransport
from edge_daemon.uplink.transports.outbox import Outbox
from edge_daemon.wire import Key
from support.forwarder import forwarding
from support.sealed import logged, sealed, sealed_text

PATIENCE_S = 30.0


class Place:
    """An inbox, the cloud's directory, and what somebody carries."""

    def __init__(self, directory: Path) -> None:
        self.inbox = directory / "inbox"
        self.inbox.mkdir()
        self.received = directory / "received"
        self.settings = Settings(
            cloud=CloudSettings(inbox=str(self.inbox), directory=str(self.received))
        )

    def carry(self, *keys: Key) -> None:
        for client, sequence in keys:
            self.put(f"{client}/{sequence}.edge", sealed(sequence, client))

    def put(self, name: str, content: bytes) -> None:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def names(self) -> list[str]:
        """All files of the inbox."""
        files = (path for path in self.inbox.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.inbox).as_posix() for path in files)

    def text(self, name: str) -> str:
        return (self.inbox / name).read_text("utf-8")

    def logged(self) -> list[Key]:
        return logged(self.received)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Watched(Inbox):
    """An inbox that tells when it looked."""

    def __init__(self, place: Place, *, poll_s: float = 0.02, settle_s: float = 0.1) -> None:
        super().__init__(place.settings, poll_s=poll_s, settle_s=settle_s)
        self.looks = 0
        self._loop = asyncio.get_running_loop()
        self._looked = asyncio.Event()

    def _look(self) -> list[File]:
        files = super()._look()
        self.looks += 1
        self._loop.call_soon_threadsafe(self._looked.set)
        return files

    async def until(self, what: Callable[[], bool]) -> None:
        """Waits until something is so after a look."""

        async def so() -> None:
            while not what():
                self._looked.clear()
                await self._looked.wait()

        await asyncio.wait_for(so(), PATIENCE_S)


@asynccontextmanager
async def watched(place: Place, **changes: float) -> AsyncGenerator[Watched]:
    inbox = Watched(place, **changes)
    await inbox.startup()
    try:
        yield inbox
    finally:
        await inbox.shutdown()


async def test_files_are_kept_in_order_and_then_removed(place: Place) -> None:
    place.carry(("cam", 10), ("cam", 9), ("b", 2), ("a", 100), ("refused", 1))
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == [])
        place.carry(("cam", 11))
        await inbox.until(lambda: place.names() == [])
    assert place.logged() == [
        ("a", 100),
        ("b", 2),
        ("cam", 9),
        ("cam", 10),
        ("refused", 1),
        ("cam", 11),
    ]
    assert (place.received / "cam" / "9.png").is_file()


async def test_what_an_outbox_handed_over_arrives(place: Place) -> None:
    settings = DirectorySettings(path=str(place.inbox), max_bytes=2**20)
    envelopes = {("cam", number): sealed(number) for number in range(12)}
    async with watched(place) as inbox, forwarding(DirectoryTransport(settings)) as forwarder:
        forwarder.add(envelopes)
        await forwarder.until(lambda: forwarder.settled)
        await inbox.until(lambda: place.names() == [])
    assert sorted(place.logged()) == sorted(envelopes)


async def test_a_crash_before_the_file_was_removed_costs_nothing(place: Place) -> None:
    place.carry(("cam", 1), ("cam", 2))
    keeper = Keeper(place.settings)
    keeper.keep(sealed(1))
    keeper.close()
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == [])
    assert place.logged() == [("cam", 1), ("cam", 2)]


async def test_what_is_damaged_is_set_aside_with_the_reason(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.put("cam/1.edge", sealed(1)[:-5])
    place.put("cam/2.edge", b"")
    place.put("cam/3.edge", sealed(3, codec={"id": "mpeg17"}))
    place.carry(("cam", 4))
    with caplog.at_level(logging.WARNING):
        async with watched(place) as inbox:
            await inbox.until(lambda: len(place.names()) == 6)
            assert place.names() == [
                "refused/cam/1.edge",
                "refused/cam/1.txt",
                "refused/cam/2.edge",
                "refused/cam/2.txt",
                "refused/cam/3.edge",
                "refused/cam/3.txt",
            ]
    assert place.logged() == [("cam", 4)]
    assert "decode_failed" in place.text("refused/cam/1.txt")
    assert "unknown_codec" in place.text("refused/cam/3.txt")
    assert caplog.text.count("event=refused") == 3


async def test_another_picture_of_a_number_is_set_aside(place: Place) -> None:
    place.carry(("cam", 1))
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == [])
        place.put("cam/1.edge", sealed(1, grey=200))
        await inbox.until(lambda: "refused/cam/1.txt" in place.names())
    assert "sequence_reused" in place.text("refused/cam/1.txt")
    assert place.logged() == [("cam", 1)]


async def test_a_file_that_is_too_large_is_set_aside_unread(place: Place) -> None:
    place.put("cam/1.edge", b"")
    os.truncate(place.inbox / "cam" / "1.edge", 2**40)
    async with watched(place) as inbox:
        await inbox.until(lambda: "refused/cam/1.txt" in place.names())
    assert "payload_too_large" in place.text("refused/cam/1.txt")


async def test_a_file_that_is_still_being_copied_is_not_refused(place: Place) -> None:
    whole = sealed(1)
    place.put("cam/1.edge", whole[:40])
    async with watched(place, settle_s=3600.0) as inbox:
        place.carry(("cam", 2))
        await inbox.until(lambda: "cam/2.edge" not in place.names())
        place.put("cam/1.edge", whole)
        await inbox.until(lambda: place.names() == [])
    assert place.logged() == [("cam", 2), ("cam", 1)]


async def test_other_names_links_and_half_written_files_are_left_alone(
    place: Place, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(sealed(66))
    for name in ("cam/.5.part", "cam/.6.edge", "cam/notes.txt", "7.edge", "refused/cam/8.edge"):
        place.put(name, sealed(5))
    left = place.names()
    (place.inbox / "cam" / "66.edge").symlink_to(secret)
    os.mkfifo(place.inbox / "cam" / "67.edge")
    place.carry(("cam", 9))
    async with watched(place) as inbox:
        await inbox.until(lambda: "cam/9.edge" not in place.names())
        place.carry(("cam", 10))
        await inbox.until(lambda: "cam/10.edge" not in place.names())
        assert [name for name in place.names() if name != "cam/66.edge"] == left
    assert place.logged() == [("cam", 9), ("cam", 10)]


async def test_a_cloud_that_cannot_write_tries_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stand-in for a full disk."""
    keep, tries = Keeper.keep, list[int]()

    def full_at_first(self: Keeper, payload: bytes, key: Key | None = None) -> bool:
        tries.append(len(payload))
        if len(tries) < 3:
            raise StorageError("full", remedy="make room", retry_after_s=0.05)
        return keep(self, payload, key)

    monkeypatch.setattr(Keeper, "keep", full_at_first)
    place.carry(("cam", 1), ("cam", 2))
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == [])
    assert place.logged() == [("cam", 1), ("cam", 2)]
    assert len(tries) == 4
    assert caplog.text.count("event=postponed") == 2


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_read_only_medium_is_read_once(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damaged: bool,
) -> None:
    keep, tries = Keeper.keep, list[bytes]()

    def counting(self: Keeper, payload: bytes, key: Key | None = None) -> bool:
        tries.append(payload)
        return keep(self, payload, key)

    monkeypatch.setattr(Keeper, "keep", counting)
    content = b"damaged" if damaged else sealed(1)
    place.put("cam/1.edge", content)
    read_only(place.inbox, monkeypatch)
    async with watched(place, settle_s=0.0) as inbox:
        await inbox.until(lambda: "event=file_left" in caplog.text)
        before, looks = len(tries), inbox.looks
        await inbox.until(lambda: inbox.looks > looks + 5)
        assert len(tries) == before
        place.put("cam/1.edge", content + b"more")
        await inbox.until(lambda: len(tries) > before)
    assert tries[0] == content


async def test_an_inbox_that_is_not_there_is_waited_for(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    unmount(place)
    async with watched(place) as inbox:
        await inbox.until(lambda: "event=inbox_unreadable" in caplog.text)
        place.carry(("cam", 1))
        await inbox.until(lambda: place.names() == [])
        unmount(place)
        await inbox.until(lambda: caplog.text.count("event=inbox_unreadable") == 2)
    assert place.logged() == [("cam", 1)]


async def test_a_defect_costs_one_file(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep = Keeper.keep

    def broken(self: Keeper, payload: bytes, key: Key | None = None) -> bool:
        if payload == sealed_first:
            raise RuntimeError("a defect")
        return keep(self, payload, key)

    sealed_first = sealed(1)
    monkeypatch.setattr(Keeper, "keep", broken)
    place.put("cam/1.edge", sealed_first)
    place.carry(("cam", 2))
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == ["cam/1.edge"])
    assert place.logged() == [("cam", 2)]
    assert caplog.text.count("event=defect") == 1


async def test_it_serves_until_told_to_stop(place: Place) -> None:
    place.carry(("cam", 1))
    inbox = Watched(place)
    begun: list[str] = []
    serving = asyncio.create_task(inbox.serve(begun.append))
    await inbox.until(lambda: place.names() == [])
    inbox.stop.ask()
    assert await asyncio.wait_for(serving, PATIENCE_S) == EXIT_CLEAN
    assert begun == [str(place.inbox)]


async def test_if_it_cannot_go_on_it_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Carried) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Carried, "waiting", broken)
    assert await asyncio.wait_for(Inbox(place.settings).serve(), PATIENCE_S) == EXIT_DEFECT


def test_what_changes_while_it_is_doubted_is_looked_at_again(place: Place) -> None:
    now = [0.0]
    carried = Carried(place.inbox, settle_s=10.0, clock=lambda: now[0])
    error = DecodeError("torn", remedy="carry it again")
    place.put("cam/1.edge", b"half")
    (half,) = carried.waiting()
    assert not carried.refuse(half, error)
    assert carried.waiting() == []
    place.put("cam/1.edge", b"half and more")
    (more,) = carried.waiting()
    now[0] = 5.0
    assert not carried.refuse(more, error)
    now[0] = 14.0
    assert carried.waiting() == []
    now[0] = 15.0
    assert carried.waiting() == [more]
    assert carried.refuse(more, error)
    assert place.names() == ["refused/cam/1.edge", "refused/cam/1.txt"]


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for `lost+found`, which is closed to all but root."""
    scan = os.scandir

    def closed(path: Any) -> Any:
        if str(path).endswith("lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scan(path)

    place.put("lost+found/1.edge", b"")
    place.carry(("cam", 1))
    monkeypatch.setattr(os, "scandir", closed)
    carried = Carried(place.inbox, settle_s=10.0, clock=lambda: 0.0)
    assert [file.path.name for file in carried.waiting()] == ["1.edge"]
    Outbox(place.inbox, 10_000).put(("cam", 2), b"two")


def read_only(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a medium that is mounted read-only, which a test cannot mount."""
    unlink, replace, make = Path.unlink, Path.replace, Path.mkdir

    def check(path: Path) -> None:
        if path.is_relative_to(directory):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def unlinked(path: Path, missing_ok: bool = False) -> None:
        check(path)
        unlink(path, missing_ok)

    def replaced(path: Path, target: Path) -> Path:
        check(path)
        return replace(path, target)

    def made(path: Path, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if "refused" in path.parts:
            check(path)
        make(path, mode, parents, exist_ok)

    monkeypatch.setattr(Path, "unlink", unlinked)
    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(Path, "mkdir", made)


def unmount(place: Place) -> None:
    for path in sorted(place.inbox.rglob("*"), reverse=True):
        path.rmdir()
    place.inbox.rmdir()


async def test_a_poor_text_is_kept_since_nobody_hears_an_answer(place: Place) -> None:
    semantic = CloudSemanticSettings(escalate_text_below=0.9)
    cloud = place.settings.cloud.model_copy(update={"semantic": semantic})
    place.settings = place.settings.model_copy(update={"cloud": cloud})
    place.put("cam/1.edge", sealed_text(1, scores=(0.1, None), pixels_kept=True))
    async with watched(place) as inbox:
        await inbox.until(lambda: place.names() == [])
    assert (place.received / "cam" / "1.txt").is_file()
