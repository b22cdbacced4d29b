"""`top`: what it draws, and where there is nothing to draw on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from edge_daemon.cli import top as command
from edge_daemon.cli.readings import Reading
from edge_daemon.errors import LinkError
from support.free_port import free_endpoint
from support.status_replies import camera, full_status

ENDPOINT = "tcp://127.0.0.1:5591"
SILENCE = LinkError("no answer", value="tcp://x", remedy="wait")
LATER = full_status(
    uptime_s=102.0, cameras={"gate": camera(20, 30_000, 5_000, queued=2), "yard": camera(2, 1, 2)}
)


def drawn(now: Reading, before: Reading | None) -> str:
    said = StringIO()
    Console(file=said, width=160).print(command.view(ENDPOINT, now, before))
    return said.getvalue()


def on(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> StringIO:
    said = StringIO()
    console = Console(file=said, width=160, height=50, force_terminal=terminal)
    monkeypatch.setattr(command, "console", console)
    return said


def stand_in(monkeypatch: pytest.MonkeyPatch, *answers: Reading | LinkError) -> None:
    """A stand-in for the daemon; after its last answer the operator presses Ctrl-C."""
    left: Iterator[Reading | LinkError] = iter(answers)

    def ask() -> Reading:
        answer = next(left, None)
        if answer is None:
            raise KeyboardInterrupt
        if isinstance(answer, LinkError):
            raise answer
        return answer

    @contextmanager
    def asking(_: str, keys: Path | None = None) -> Generator[object, None, None]:
        yield ask

    monkeypatch.setattr(command, "asking", asking)


def test_it_draws_rates_latencies_queues_spool_link_and_temperatures() -> None:
    lines = drawn(LATER, full_status()).splitlines()
    (gate,) = (line.split() for line in lines if line.startswith("gate"))
    assert gate == ["gate", "5.0", "10.0", "kB", "2.0", "kB", "8.0", "kB", "80.0", "%", "2", "1"]
    (spool,) = (line for line in lines if line.startswith("spool"))
    assert "25.0 %" in spool
    assert "7 frames" in spool
    text = "\n".join(lines)
    for part in ("health: good", "link up (zeromq tcp://[fe80::1]:1", "cpu-thermal 51.2"):
        assert part in text
    for words in (["codec", "12.3", "45.6", "10"], ["waiting", "2"], ["replaced", "5"]):
        assert any(" ".join(words) in " ".join(line.split()) for line in lines), words


def test_without_an_earlier_reading_there_are_no_rates() -> None:
    (gate,) = (one.split() for one in drawn(LATER, None).splitlines() if one.startswith("gate"))
    assert gate == ["gate", "-", "-", "-", "-", "-", "2", "1"]


def test_an_older_daemon_and_an_idle_one_are_drawn_too() -> None:
    older = full_status()
    for field in ("spool", "links", "cameras", "latency_ms", "drops", "temperatures_c", "health"):
        del older[field]
    text = drawn(older, older)
    assert "none yet" in text
    assert "link up" in text


def test_in_a_pipe_it_looks_twice_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    said = on(monkeypatch, terminal=False)
    stand_in(monkeypatch, full_status(), LATER, SILENCE)
    command.top(connect=ENDPOINT, interval=0.0)
    assert "80.0 %" in said.getvalue()
    assert "\x1b" not in said.getvalue()


def test_in_a_pipe_a_daemon_that_falls_silent_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on(monkeypatch, terminal=False)
    stand_in(monkeypatch, full_status(), SILENCE)
    with pytest.raises(LinkError):
        command.top(connect=ENDPOINT, interval=0.0)


def test_no_daemon_is_an_error_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    said = on(monkeypatch, terminal=True)
    stand_in(monkeypatch, SILENCE)
    with pytest.raises(LinkError):
        command.top(connect=ENDPOINT, interval=0.0)
    assert "camera" not in said.getvalue()


def test_on_a_terminal_it_takes_the_whole_screen_and_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = on(monkeypatch, terminal=True)
    stand_in(monkeypatch, full_status(), SILENCE, LATER)
    command.top(connect=ENDPOINT, interval=0.0)
    text = said.getvalue()
    assert text.index("\x1b[?1049h") < text.index("trying again") < text.index("80.0 %")
    assert text.rindex("\x1b[?1049l") > text.rindex("80.0 %")


def test_no_daemon_is_a_message_and_the_exit_code_is_1(
    edge: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_daemon.cli.readings._ANSWER_S", 0.2)
    nobody = free_endpoint()
    said = edge("top", "--connect", nobody, fails=1)
    assert nobody in said
    assert "Traceback" not in said
