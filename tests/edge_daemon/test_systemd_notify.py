from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from edge_daemon.systemd import Notifier
from support.manager import Manager


def abstract_address() -> str:
    return f"@edge-daemon-test-{os.getpid()}-{time.monotonic_ns()}"


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return abstract_address() if request.param == "abstract" else str(tmp_path / "notify")


def test_every_message_is_as_the_protocol_wants_it(address: str) -> None:
    with Manager(address) as manager:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
        assert notifier.wanted
        notifier.ready("takes frames")
        assert manager.heard() == {"READY": "1", "STATUS": "takes frames"}
        notifier.status("one line")
        assert manager.heard() == {"STATUS": "one line"}
        notifier.stopping()
        assert manager.heard() == {"STOPPING": "1"}
        notifier.alive()
        assert manager.heard() == {"WATCHDOG": "1"}
        notifier.extend_timeout(1.5)
        assert manager.heard() == {"EXTEND_TIMEOUT_USEC": "1500000"}
        notifier.close()


def test_a_reload_says_when_it_began(address: str) -> None:
    with Manager(address) as manager:
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier = Notifier(address)
        notifier.reloading()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        message = manager.heard()
        assert message["RELOADING"] == "1"
        assert before <= int(message["MONOTONIC_USEC"]) <= after
        notifier.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_service_manager_nothing_happens(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier.from_environment(environment)
    assert not notifier.wanted
    notifier.ready("listening")
    notifier.alive()
    notifier.stopping()
    assert caplog.records == []


def test_a_status_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    with Manager(tmp_path / "notify") as manager:
        notifier = Notifier(manager.address)
        notifier.status("first\nREADY=1\n  second")
        assert manager.heard() == {"STATUS": "first READY=1 second"}
        notifier.status("x" * 100_000)
        assert 100 < len(manager.heard()["STATUS"]) < 1000
        notifier.status("  \n ")
        assert manager.all_heard() == []
        notifier.close()


def test_a_manager_that_is_away_costs_one_warning_and_hears_of_the_start_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "notify"))
    with caplog.at_level(logging.WARNING):
        notifier.ready("early")
        notifier.alive()
        notifier.status("later")
    assert [record.getMessage().split()[0] for record in caplog.records] == ["event=notify_failed"]
    with Manager(tmp_path / "notify") as manager:
        notifier.alive()
        assert manager.heard() == {"READY": "1", "STATUS": "later", "WATCHDOG": "1"}
        notifier.alive()
        assert manager.heard() == {"WATCHDOG": "1"}
        notifier.close()


def test_a_reload_that_was_never_heard_of_is_not_begun_after_its_end(tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "notify"))
    notifier.reloading()
    notifier.ready("reloaded")
    with Manager(tmp_path / "notify") as manager:
        notifier.status("goes on")
        assert manager.heard() == {"READY": "1", "STATUS": "goes on"}
        notifier.close()


def test_a_manager_that_does_not_read_blocks_nobody(tmp_path: Path) -> None:
    with Manager(tmp_path / "notify") as manager:
        notifier = Notifier(manager.address)
        # More than any queue of datagrams or its buffer holds: a blocking send would never return.
        for number in range(20_000):
            notifier.status(f"{number} " + "x" * 300)
        unread = manager.all_heard()
        assert 0 < len(unread) < 20_000
        notifier.alive()
        assert manager.heard()["STATUS"].startswith("19999 ")
        notifier.close()


@pytest.mark.parametrize("address", ["/" + "x" * 200, "vsock:2:1234", "a\0b"])
def test_an_address_that_cannot_be_used_raises_nothing(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(address)
    notifier.ready()
    assert "event=notify_failed" in caplog.text
    notifier.close()
