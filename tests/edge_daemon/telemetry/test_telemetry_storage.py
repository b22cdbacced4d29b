from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.telemetry import WritableDirectory


async def test_a_directory_with_room_is_good_and_stays_empty(tmp_path: Path) -> None:
    directory = WritableDirectory(str(tmp_path))
    assert await directory.check() is None
    assert not await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    directory.close()


async def test_a_missing_directory_is_found_and_found_again_when_it_is_back(
    tmp_path: Path,
) -> None:
    now = 0.0
    spool = tmp_path / "spool"
    directory = WritableDirectory(str(spool), clock=lambda: now)
    assert "No such file" in (await directory.check() or "")
    spool.mkdir()
    now = 60.0
    assert await directory.check() is None
    directory.close()


async def test_a_disk_with_too_little_room_is_full(tmp_path: Path) -> None:
    directory = WritableDirectory(str(tmp_path), least_free_bytes=2**62)
    assert "bytes left" in (await directory.check() or "")
    directory.close()


async def test_a_write_that_hangs_is_found_and_never_begun_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a disk that does not answer: the write waits for an event."""
    released = threading.Event()
    begun: list[Any] = []
    really: Any = tempfile.TemporaryFile

    def hangs(**options: Any) -> Any:
        begun.append(options)
        assert released.wait(30)
        return really(**options)

    monkeypatch.setattr(tempfile, "TemporaryFile", hangs)
    monkeypatch.setattr("edge_daemon.telemetry.storage._PATIENCE_S", 0.01)
    now = 0.0
    directory = WritableDirectory(str(tmp_path), clock=lambda: now)
    await directory.check()
    now = 40.0
    assert await directory.check() == f"a write to {tmp_path} has not come back for 40 s"
    assert len(begun) == 1
    released.set()
    monkeypatch.setattr("edge_daemon.telemetry.storage._PATIENCE_S", 30.0)
    assert await directory.check() is None
    directory.close()


async def test_answers_are_kept_for_a_few_seconds(tmp_path: Path) -> None:
    now = 0.0
    spool = tmp_path / "spool"
    spool.mkdir()
    directory = WritableDirectory(str(spool), clock=lambda: now)
    assert await asyncio.gather(directory.check(), directory.check()) == [None, None]
    spool.rmdir()
    now = 1.0
    assert await directory.check() is None
    now = 10.0
    assert await directory.check() is not None
    directory.close()
