"""Envelopes handed over as files: what is there after it, and what a medium may do meanwhile."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.errors import (
    PayloadTooLargeError,
    SequenceError,
    SettingsError,
    StorageError,
)
from edge_daemon.settings import DirectorySettings
from edge_daemon.uplink.transports.directory import DirectoryTransport
from edge_daemon.uplink.transports.outbox import Outbox
from edge_daemon.wire import Key
from support.forwarder import Forwarder, forwarding, until_logged
from support.sealed import sealed

KEY: Key = ("cam", 7)
LEAST_MAX_BYTES = 2**20


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A medium that is mounted."""
    directory = tmp_path / "outbox"
    directory.mkdir()
    return directory


def transport(directory: Path, max_bytes: int = LEAST_MAX_BYTES) -> DirectoryTransport:
    settings = DirectorySettings(path=str(directory), max_bytes=max_bytes)
    return DirectoryTransport(settings, longest_pause_s=0.05)


def files(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def mount(directory: Path) -> None:
    directory.mkdir()


def unmount(directory: Path) -> None:
    shutil.rmtree(directory)


def is_there(directory: Path) -> bool:
    return directory.exists()


def take_away(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).unlink()


async def test_delivered_means_on_the_medium_under_its_own_name(directory: Path) -> None:
    envelopes = {("cam", 1): b"one", ("cam", 22): b"two", ("gate.3", 1): b"three"}
    async with forwarding(transport(directory)) as forwarder:
        forwarder.add(envelopes)
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.kept == list(envelopes)
    assert files(directory) == {
        "cam/1.edge": b"one",
        "cam/22.edge": b"two",
        "gate.3/1.edge": b"three",
    }


async def test_a_repeat_is_delivered_and_another_picture_of_that_number_refused(
    directory: Path,
) -> None:
    envelope = sealed(7)
    async with forwarding(transport(directory)) as forwarder:
        for again in (envelope, envelope, sealed(7, source_bytes=2)):
            forwarder.add({KEY: again})
            await forwarder.until(lambda: forwarder.settled)
        assert forwarder.kept == [KEY] * 3
        forwarder.add({KEY: sealed(7, grey=200)})
        await forwarder.until(lambda: forwarder.settled)
        assert isinstance(forwarder.rejected[KEY], SequenceError)
        assert forwarder.links == [True]
    assert files(directory) == {"cam/7.edge": envelope}


def test_the_same_frame_in_another_encoding_is_a_repeat(directory: Path) -> None:
    outbox = Outbox(directory, LEAST_MAX_BYTES)
    first = sealed(7, grey=10, fingerprint="f" * 64)
    outbox.put(KEY, first)
    outbox.put(KEY, sealed(7, grey=200, fingerprint="f" * 64))
    with pytest.raises(SequenceError):
        outbox.put(KEY, sealed(7, grey=200, fingerprint="0" * 64))
    assert files(directory) == {"cam/7.edge": first}


def test_a_torn_file_of_that_name_is_written_anew(directory: Path) -> None:
    outbox = Outbox(directory, LEAST_MAX_BYTES)
    (directory / "cam").mkdir()
    (directory / "cam" / "7.edge").write_bytes(sealed(7)[:-20])
    whole = sealed(7)
    outbox.put(KEY, whole)
    assert files(directory) == {"cam/7.edge": whole}


async def test_a_medium_that_is_not_mounted_is_waited_for(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unmount(directory)
    way = transport(directory)
    with caplog.at_level(logging.WARNING):
        async with forwarding(way) as forwarder:
            forwarder.add({KEY: b"envelope"})
            await until_logged(caplog, forwarder, "event=outbox_unusable")
            assert not await way.send(KEY, b"envelope")
            assert way.describe()["peer"] is None
            assert not is_there(directory)
            mount(directory)
            await forwarder.until(lambda: forwarder.settled)
            assert forwarder.links == [True]
            assert way.describe()["peer"] == str(directory)
    assert caplog.text.count("event=outbox_unusable") == 1
    assert "mount the medium" in caplog.text


async def test_a_medium_that_is_pulled_out_takes_the_link_down_and_brings_it_back(
    directory: Path,
) -> None:
    way = transport(directory)
    async with forwarding(way) as forwarder:
        forwarder.add({("cam", 1): b"one"})
        await forwarder.until(lambda: forwarder.settled)
        unmount(directory)
        forwarder.add({("cam", 2): b"two"})
        await forwarder.until(lambda: not forwarder.up)
        assert not forwarder.settled
        mount(directory)
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.links == [True, False, True]
        assert way.describe()["reconnects"] == 1
    assert files(directory) == {"cam/2.edge": b"two"}


async def test_a_full_outbox_waits_until_files_are_taken_away(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    piece = bytes(LEAST_MAX_BYTES // 4)
    with caplog.at_level(logging.WARNING):
        async with forwarding(transport(directory)) as forwarder:
            forwarder.add({("cam", number): piece for number in range(6)})
            await forwarder.until(lambda: forwarder.links == [True, False])
            assert len(forwarder.kept) == 4
            assert sum(map(len, files(directory).values())) <= LEAST_MAX_BYTES
            take_away(directory, "cam/0.edge", "cam/1.edge")
            await forwarder.until(lambda: forwarder.settled)
            assert len(forwarder.kept) == 6
    assert sorted(files(directory)) == [f"cam/{number}.edge" for number in range(2, 6)]
    assert "full" in caplog.text


async def test_what_can_never_fit_is_refused_and_the_rest_goes_on(directory: Path) -> None:
    async with forwarding(transport(directory)) as forwarder:
        forwarder.add({("cam", 1): bytes(LEAST_MAX_BYTES + 1), ("cam", 2): b"small"})
        await forwarder.until(lambda: forwarder.settled)
        assert isinstance(forwarder.rejected["cam", 1], PayloadTooLargeError)
        assert forwarder.kept == [("cam", 2)]
        assert forwarder.links == [True]


async def test_a_file_instead_of_a_directory_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    way = transport(tmp_path / "file")
    with pytest.raises(SettingsError, match="is a file"):
        await way.open(Forwarder(way))


class ReadOnly:
    """A stand-in for a medium that is mounted read-only, which a test cannot mount."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patches = monkeypatch
        self._open = Path.open

    def begin(self) -> None:
        def refuse(path: Path, *_: object, **__: object) -> object:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

        self._patches.setattr(Path, "open", refuse)

    def end(self) -> None:
        self._patches.setattr(Path, "open", self._open)


async def test_a_read_only_medium_is_a_link_that_is_down(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    medium = ReadOnly(monkeypatch)
    with caplog.at_level(logging.WARNING):
        async with forwarding(transport(directory)) as forwarder:
            await forwarder.until(lambda: forwarder.up)
            medium.begin()
            forwarder.add({KEY: b"envelope"})
            await forwarder.until(lambda: not forwarder.up)
            medium.end()
            await forwarder.until(lambda: forwarder.settled)
    assert caplog.text.count("Read-only file system") == 1
    assert files(directory) == {"cam/7.edge": b"envelope"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_whatever_fails_leaves_nothing_under_the_name(
    directory: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A stand-in for a disk that fails at one step."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    outbox = Outbox(directory, LEAST_MAX_BYTES)
    outbox.put(("cam", 1), b"one")
    with monkeypatch.context() as patches:
        if call == "fsync":
            patches.setattr(os, "fsync", fail)
        else:
            patches.setattr(Path, "replace", fail)
        with pytest.raises(StorageError, match="Input/output"):
            outbox.put(("cam", 2), b"two")
    assert files(directory) == {"cam/1.edge": b"one"}
    outbox.put(("cam", 2), b"two")
    assert files(directory)["cam/2.edge"] == b"two"


def test_what_a_power_cut_left_is_removed_when_it_is_old_and_ignored_before(
    directory: Path,
) -> None:
    (directory / "cam").mkdir()
    old, fresh = directory / "cam" / ".3.part", directory / "cam" / ".4.part"
    for leftover in (old, fresh):
        leftover.write_bytes(b"half")
    os.utime(old, (1e9, 1e9))
    outbox = Outbox(directory, LEAST_MAX_BYTES)
    outbox.put(("cam", 4), b"whole")
    outbox.put(("cam", 5), b"more")
    assert files(directory) == {"cam/4.edge": b"whole", "cam/5.edge": b"more"}


def test_the_count_is_corrected_now_and_then(directory: Path) -> None:
    now = [0.0]
    outbox = Outbox(directory, 100, clock=lambda: now[0])
    outbox.put(("cam", 1), bytes(60))
    (directory / "elsewhere").mkdir()
    (directory / "elsewhere" / "1.edge").write_bytes(bytes(50))
    now[0] = 61.0
    with pytest.raises(StorageError, match="full"):
        outbox.put(("cam", 2), bytes(20))
    (directory / "elsewhere" / "1.edge").unlink()
    outbox.put(("cam", 2), bytes(20))


def test_checking_leaves_nothing_behind(directory: Path) -> None:
    outbox = Outbox(directory, 100)
    outbox.check(50)
    assert files(directory) == {}
    outbox.put(("cam", 1), bytes(60))
    with pytest.raises(StorageError, match="full"):
        outbox.check(50)
    assert list(files(directory)) == ["cam/1.edge"]


@given(sizes=st.lists(st.integers(0, 60), max_size=20), taken=st.lists(st.integers(0, 19)))
def test_it_never_holds_more_than_it_may(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], taken: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("outbox")
    outbox = Outbox(directory, 100)
    takes = iter(taken)
    for number, size in enumerate(sizes):
        held = sum(map(len, files(directory).values()))
        if held + size <= 100:
            outbox.put(("cam", number), bytes(size))
        else:
            with pytest.raises(StorageError):
                outbox.put(("cam", number), bytes(size))
        (directory / "cam" / f"{next(takes, 99)}.edge").unlink(missing_ok=True)
