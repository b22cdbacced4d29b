from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_daemon.systemd import Notifier, Watchdog, watchdog_period_s
from edge_daemon.systemd.watchdog import CHECK, Alive
from support.manager import Manager

PERIOD_S = 0.02


@pytest.fixture
def manager(tmp_path: Path) -> Generator[Manager]:
    with Manager(tmp_path / "notify") as manager:
        yield manager


@asynccontextmanager
async def watching(
    manager: Manager, alive: Alive, summary: Callable[[], str] = lambda: ""
) -> AsyncGenerator[Watchdog]:
    notifier = Notifier(manager.address)
    watchdog = Watchdog(notifier, alive, PERIOD_S, summary)
    task = asyncio.create_task(watchdog.run())
    try:
        yield watchdog
        assert not task.done(), "the watchdog ended by itself"
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        notifier.close()


async def heard(manager: Manager) -> dict[str, str]:
    return await asyncio.to_thread(manager.heard)


class Checked:
    """Stands in for the daemon's check: says what it is told to, or nothing at all."""

    def __init__(self, *hung: str) -> None:
        self.hung = list(hung)
        self.calls = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked = asyncio.Event()

    async def __call__(self) -> list[str]:
        self.calls += 1
        self.asked.set()
        await self.answers.wait()
        return self.hung


async def rounds(check: Checked, count: int) -> None:
    """Waits until the check was called so many times more."""
    for _ in range(count):
        check.asked.clear()
        await asyncio.wait_for(check.asked.wait(), 20.0)


async def test_what_moves_is_fed_again_and_again(manager: Manager) -> None:
    async with watching(manager, Checked(), lambda: "12 frames"):
        for _ in range(3):
            assert await heard(manager) == {"WATCHDOG": "1", "STATUS": "12 frames"}


async def test_what_hangs_is_named_once_and_not_fed(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    check = Checked("stage score", "front")
    async with watching(manager, check):
        with caplog.at_level(logging.ERROR):
            await rounds(check, 4)
    messages = manager.all_heard()
    assert [set(one) for one in messages] == [{"STATUS"}]
    assert messages[0]["STATUS"].startswith("hung: front, stage score;")
    assert [r.getMessage() for r in caplog.records] == ["event=hung what='front, stage score'"]


async def test_what_moves_again_is_fed_again(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    check = Checked("uplink")
    async with watching(manager, check):
        assert "hung: uplink" in (await heard(manager))["STATUS"]
        check.hung = []
        assert await heard(manager) == {"STATUS": "everything moves again"}
        assert await heard(manager) == {"WATCHDOG": "1"}
    assert "event=moves_again what='uplink'" in caplog.text


async def test_another_hang_is_another_line_in_the_log(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    check = Checked("uplink")
    async with watching(manager, check):
        await heard(manager)
        check.hung = ["spool", "uplink"]
        assert "hung: spool, uplink" in (await heard(manager))["STATUS"]
    assert caplog.text.count("event=hung") == 2


async def test_a_check_that_never_answers_counts_as_hung_and_is_asked_once(
    manager: Manager,
) -> None:
    check = Checked()
    check.answers.clear()
    async with watching(manager, check):
        assert f"hung: {CHECK}" in (await heard(manager))["STATUS"]
        # Its answer, late as it is, is taken.
        assert check.calls == 1
        check.answers.set()
        assert await heard(manager) == {"STATUS": "everything moves again"}
        assert "WATCHDOG" in await heard(manager)


async def failing() -> list[str]:
    raise ZeroDivisionError


async def cancelled() -> list[str]:
    raise asyncio.CancelledError


@pytest.mark.parametrize("alive", [failing, cancelled])
async def test_a_check_that_fails_feeds_nobody(
    manager: Manager, caplog: pytest.LogCaptureFixture, alive: Alive
) -> None:
    async with watching(manager, alive):
        assert f"hung: {CHECK}" in (await heard(manager))["STATUS"]
    assert "event=liveness_check_failed" in caplog.text
    assert "WATCHDOG" not in {name for one in manager.all_heard() for name in one}


async def test_a_blocked_event_loop_feeds_nobody(manager: Manager) -> None:
    async with watching(manager, Checked()):
        await heard(manager)
        manager.all_heard()
        with pytest.raises(TimeoutError):
            manager.heard(10 * PERIOD_S)  # waits in the loop's own thread, and so blocks it
        assert "WATCHDOG" in await heard(manager)


async def test_during_a_stop_only_the_event_loop_has_to_move(manager: Manager) -> None:
    check = Checked("front")
    async with watching(manager, check) as watchdog:
        await heard(manager)
        watchdog.stopping()
        assert await heard(manager) == {"STATUS": "everything moves again"}
        assert await heard(manager) == {"WATCHDOG": "1"}


async def test_a_summary_that_fails_does_not_starve_the_watchdog(
    manager: Manager, caplog: pytest.LogCaptureFixture
) -> None:
    def summary() -> str:
        raise KeyError("uplink")

    async with watching(manager, Checked(), summary):
        assert await heard(manager) == {"WATCHDOG": "1"}
    assert "event=summary_failed" in caplog.text


def test_it_is_fed_twice_as_often_as_is_asked() -> None:
    own = str(os.getpid())
    assert watchdog_period_s({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": own}) == 30.0
    assert watchdog_period_s({"WATCHDOG_USEC": "60000000"}) == 30.0


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "me"},
        {"WATCHDOG_USEC": "-5"},
    ],
)
def test_nobody_else_is_fed(environment: dict[str, str]) -> None:
    assert watchdog_period_s(environment) is None
