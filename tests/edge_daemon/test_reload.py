from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest

from edge_daemon.config import load_settings
from edge_daemon.errors import SettingsError
from edge_daemon.lifecycle import ReloadRequest
from edge_daemon.reload import Commit, Reloader
from edge_daemon.settings import Settings
from edge_daemon.settings.changes import Changes
from edge_daemon.settings.live import Live
from edge_daemon.systemd import Notifier
from support.manager import Manager


class Parts:
    """Stands in for the daemon's parts: remembers what was prepared and what was put in place."""

    def __init__(self) -> None:
        self.prepared: list[Settings] = []
        self.committed: list[Settings] = []
        self.threads: list[threading.Thread] = []
        self.refusal: Exception | None = None

    def prepare(self, settings: Settings) -> Commit:
        self.threads.append(threading.current_thread())
        if self.refusal is not None:
            raise self.refusal
        self.prepared.append(settings)
        return lambda: self.committed.append(settings)


class Daemon:
    """What a reload is about."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "edge.toml"
        self.file.write_text("", encoding="utf-8")
        self.manager = Manager(directory / "notify")
        self.notifier = Notifier(self.manager.address)
        self.live = Live(load_settings(self.file))
        self.parts = Parts()
        self.request = ReloadRequest()
        self.reloader = Reloader(
            self.live,
            lambda: load_settings(self.file),
            self.parts.prepare,
            self.notifier,
            self.request,
        )

    async def reload(self, text: str) -> tuple[Changes | None, str]:
        """Writes the file and reloads; what differed, and the status that people see."""
        self.file.write_text(text, encoding="utf-8")
        changes = await self.reloader.reload()
        begun, ended = self.manager.all_heard()
        assert set(begun) == {"RELOADING", "MONOTONIC_USEC"}
        assert ended["READY"] == "1"
        return changes, ended["STATUS"]


@pytest.fixture
def daemon(tmp_path: Path) -> Generator[Daemon]:
    daemon = Daemon(tmp_path)
    with daemon.manager, contextlib.closing(daemon.notifier):
        yield daemon


async def test_live_keys_are_in_force_and_the_others_named(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    changes, status = await daemon.reload(
        "[limits]\nmax_pixels = 7\n[stages]\nthreads = 3\nstall_s = 8.0\n"
    )
    assert changes == Changes(("limits.max_pixels", "stages.stall_s"), ("stages.threads",))
    now = daemon.live.now
    assert (now.limits.max_pixels, now.stages.stall_s) == (7, 8.0)
    assert now.stages.threads == Settings().stages.threads
    assert daemon.parts.committed == [now]
    assert status == (
        "reloaded, changed: limits.max_pixels, stages.stall_s; needs a restart: stages.threads"
    )
    assert "event=restart_needed keys='stages.threads'" in caplog.text


async def test_what_needs_a_restart_is_named_until_there_was_one(daemon: Daemon) -> None:
    text = "[stages]\nthreads = 3\n"
    for _ in range(2):
        changes, status = await daemon.reload(text)
        assert changes == Changes((), ("stages.threads",))
        assert status == "reloaded, nothing changed; needs a restart: stages.threads"
    assert daemon.parts.prepared == []


async def test_the_same_file_changes_nothing(daemon: Daemon) -> None:
    before = daemon.live.now
    changes, status = await daemon.reload("")
    assert changes == Changes((), ())
    assert status == "reloaded, nothing changed"
    assert daemon.live.now is before


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[limits]\nmax_pixels = 0\n", "limits.max_pixels"),
        ("[limits]\nmax_pixels = 7\nmaximum = 8\n", "limits.maximum"),
        ("[limits", "not valid TOML"),
    ],
)
async def test_a_file_with_mistakes_leaves_everything_as_it_was(
    daemon: Daemon, caplog: pytest.LogCaptureFixture, text: str, named: str
) -> None:
    before = daemon.live.now
    changes, status = await daemon.reload(text)
    assert changes is None
    assert daemon.live.now is before
    assert daemon.parts.prepared == []
    assert status.startswith("reload refused, the old settings stay: ")
    assert named in status
    assert "event=reload_refused" in caplog.text


async def test_a_file_that_is_gone_leaves_everything_as_it_was(daemon: Daemon) -> None:
    before = daemon.live.now
    daemon.file.unlink()
    assert await daemon.reloader.reload() is None
    assert daemon.live.now is before


@pytest.mark.parametrize(
    "refusal",
    [SettingsError("contradicts the bundle", remedy="set both"), ZeroDivisionError("a defect")],
)
async def test_what_the_parts_refuse_is_not_in_force(daemon: Daemon, refusal: Exception) -> None:
    before = daemon.live.now
    daemon.parts.refusal = refusal
    changes, status = await daemon.reload("[limits]\nmax_pixels = 7\n")
    assert changes is None
    assert daemon.live.now is before
    assert str(refusal) in status
    daemon.parts.refusal = None
    changes, _ = await daemon.reload("[limits]\nmax_pixels = 7\n")
    assert changes == Changes(("limits.max_pixels",), ())
    assert daemon.live.now.limits.max_pixels == 7


async def test_what_takes_time_does_not_hold_up_the_event_loop(daemon: Daemon) -> None:
    await daemon.reload("[limits]\nmax_pixels = 7\n")
    assert threading.main_thread() not in daemon.parts.threads


@contextlib.asynccontextmanager
async def running(daemon: Daemon) -> AsyncGenerator[None]:
    task = asyncio.create_task(daemon.reloader.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)


async def until(daemon: Daemon, wanted: Callable[[dict[str, str]], bool]) -> None:
    while not wanted(await asyncio.to_thread(daemon.manager.heard)):
        pass


async def test_a_hang_up_signal_reloads_and_a_mistake_does_not_end_that(daemon: Daemon) -> None:
    daemon.request.on_signal()
    async with running(daemon):
        daemon.file.write_text("[limits]\nmax_pixels = none\n", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(daemon, lambda message: "refused" in message.get("STATUS", ""))
        daemon.file.write_text("[limits]\nmax_pixels = 11\n", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(daemon, lambda message: "limits.max_pixels" in message.get("STATUS", ""))
    assert daemon.live.now.limits.max_pixels == 11


async def test_who_asks_during_a_reload_gets_another_one() -> None:
    request = ReloadRequest()
    request.ask()
    request.ask()
    await request.wait()
    waiting = asyncio.create_task(request.wait())
    await asyncio.sleep(0)
    assert not waiting.done(), "asking twice before the reload began counts once"
    request.ask()
    await asyncio.wait_for(waiting, 20.0)
