"""`status`: the table, what it says of an older daemon, and what of none."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from edge_daemon.cli import status as command
from edge_daemon.cli.readings import Reading
from edge_daemon.errors import LinkError
from support.free_port import free_endpoint
from support.status_replies import full_status

Edge = Callable[..., str]

SILENCE = LinkError("no answer", value="tcp://x", remedy="wait")
ENDPOINT = "tcp://[fe80::1]:5591"


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What a pipe gets."""
    said = StringIO()
    monkeypatch.setattr(command, "console", Console(file=said, width=200))
    return said


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    said = StringIO()
    monkeypatch.setattr(
        command, "console", Console(file=said, width=200, height=50, force_terminal=True)
    )
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
    def asking(endpoint: str, keys: Path | None = None) -> Generator[object, None, None]:
        assert endpoint == ENDPOINT
        yield ask

    monkeypatch.setattr(command, "asking", asking)


def test_the_table_tells_everything() -> None:
    rows = command.rows(full_status())
    assert rows["health"] == "good"
    assert rows["link to the cloud"] == (
        r"up (zeromq tcp://\[fe80::1]:1, 4 reconnects); standby (zeromq tcp://other:1)"
    )
    assert rows["spool"] == ("7 frames, 250.0 kB of 1.0 MB, oldest 4.0 min, in /var/spool/edge")
    assert rows["camera gate"] == (
        "10 frames, 10.0 kB in, 1.0 kB out, 90.0 % of the source saved, 2 queued, 1 dropped"
    )
    assert "-20.0 % of the source saved" in rows["camera yard"]
    assert rows["latency p50 / p95 (ms)"] == "codec 12.3 / 45.6"
    assert rows["drops (since start)"] == "replaced 5"
    assert rows["tiles (since start)"] == "encoded 40, reused 60"
    assert rows["temperatures (°C)"] == "cpu-thermal 51.2"
    assert rows["budget of gate"].startswith("3 of 4 frames within it, 90.0 % of it used")


def test_what_runs_the_encoder_has_rows_of_its_own() -> None:
    bundle = {
        "name": "tiny",
        "backend": "cpu",
        "passed_over": {"cuda": "no [cuda] in it", "tensorrt": "no driver"},
        "image": {"backend": "onnxruntime 1.2.3", "providers": ["CPU"], "threads": 2},
        "text": {"backend": "onnxruntime 1.2.3"},
    }
    rows = command.rows(full_status(bundle=bundle))
    assert rows["bundle"] == '{"name": "tiny"}'
    assert rows["encoder"] == "cpu: onnxruntime 1.2.3, providers CPU, threads 2"
    assert rows["encoders passed over"] == r"cuda: no \[cuda] in it, tensorrt: no driver"
    older = command.rows(full_status(bundle={"name": "tiny"}))
    assert (older["encoder"], older["encoders passed over"]) == ("unknown", "none")


def test_an_older_daemons_answer_is_shown_for_what_it_says() -> None:
    older = full_status()
    for field in (
        *("spool", "links", "cameras", "latency_ms", "drops", "tiles", "temperatures_c", "health"),
    ):
        del older[field]
    rows = command.rows(older)
    assert rows["link to the cloud"] == "up"
    assert (rows["spool"], rows["temperatures (°C)"]) == ("none", "none")


def test_what_is_wrong_is_named(plain: StringIO) -> None:
    reading = full_status(
        health={"stages": "stage codec has been at one piece of work for 400 s"},
        spool={
            "bytes": 0,
            "limit_bytes": 9,
            "frames": 0,
            "oldest_age_s": 0.0,
            "directory": None,
        },
    )
    command.show_one(ENDPOINT, reading, as_json=False)
    said = plain.getvalue()
    assert "stages: stage codec has been at one piece of work for 400 s" in said
    assert "0 frames, 0 bytes of 9 bytes, in memory" in said


def test_brackets_and_control_characters_reach_no_terminal_as_such(terminal: StringIO) -> None:
    reading = full_status(codec_problems={"vvc": "\x1b]0;owned\x07[red]no[/red]"})
    command.show_one(ENDPOINT, reading, as_json=False)
    said = terminal.getvalue()
    assert "\x1b]0" not in said
    assert "[red]no[/red]" in said
    assert ENDPOINT in said


def test_json_is_one_object_a_line(plain: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, full_status(), SILENCE, full_status(uptime_s=101.0))
    command.status(connect=ENDPOINT, watch=True, interval=0.0, as_json=True)
    first, second, third = (json.loads(line) for line in plain.getvalue().splitlines())
    assert first == full_status()
    assert second["error"]["code"] == "link"
    assert third["uptime_s"] == 101.0


def test_watching_in_a_pipe_prints_one_table_below_the_other(
    plain: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, full_status(), SILENCE, full_status())
    command.status(connect=ENDPOINT, watch=True, interval=0.0)
    said = plain.getvalue()
    assert said.count("link to the cloud") == 2
    assert said.count("no answer, trying again") == 1
    assert "\x1b" not in said


def test_watching_on_a_terminal_keeps_the_last_table_while_nobody_answers(
    terminal: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, full_status(), SILENCE)
    command.status(connect=ENDPOINT, watch=True, interval=0.0)
    said = terminal.getvalue()
    after = said[said.index("no answer, trying again") - 4000 :]
    assert "link to the cloud" in after
    assert "no answer, trying again" in after


def test_no_daemon_is_a_message_and_exit_code_1(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_daemon.cli.readings._ANSWER_S", 0.2)
    nobody = free_endpoint()
    for options in ((), ("--watch",), ("--json",)):
        said = edge("status", "--connect", nobody, *options, fails=1)
        assert nobody in said
        assert "Traceback" not in said
