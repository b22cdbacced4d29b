from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.settings import LogSettings
from edge_daemon.telemetry import set_up_log
from edge_daemon.telemetry.logs import JsonFormatter, TextFormatter, goes_to_journal

ANY_TEXT = st.text(st.characters(codec="utf-8"))


def record(message: Any, *arguments: Any, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("edge.part", level, "file.py", 1, message, arguments, None)


def as_json(message: Any, *arguments: Any) -> dict[str, Any]:
    line = JsonFormatter().format(record(message, *arguments))
    assert "\n" not in line
    return json.loads(line)


def as_text(message: Any, *arguments: Any, journal: bool = True) -> str:
    return TextFormatter(journal=journal).format(record(message, *arguments))


def test_fields_keep_their_types() -> None:
    facts = as_json(
        "event=frame client=%s sequence=%d codec=%r ms=%.1f size=%dx%d budget=%s how=%s fixed=yes",
        *("gate", 7, {"id": "jpeg", "quality": 80}, 12.34, 640, 480, None, "it's = fine"),
    )
    assert facts.pop("time").endswith("Z")
    assert facts == {
        "level": "info",
        "logger": "edge.part",
        "event": "frame",
        "client": "gate",
        "sequence": 7,
        "codec": {"id": "jpeg", "quality": 80},
        "ms": 12.3,
        "size": "640x480",
        "budget": None,
        "how": "it's = fine",
        "fixed": "yes",
    }


def test_a_lone_dictionary_is_one_argument() -> None:
    assert as_json("event=codec config=%r", {"id": "jpeg"})["config"] == {"id": "jpeg"}


def test_pairs_that_were_joined_beforehand_are_fields_too() -> None:
    facts = as_json("event=bundle %s", "name='tiny' notice=\"it's small\" threads=2")
    assert (facts["name"], facts["notice"], facts["threads"]) == ("tiny", "it's small", "2")


def test_other_libraries_messages_are_kept_whole() -> None:
    assert as_json("connected to %s, 50%% done", "hub")["message"] == "connected to hub, 50% done"
    assert as_json("event=odd %s left", "something else")["message"] == "something else left"
    assert as_json(ValueError("no text"))["message"] == "no text"


def test_a_message_whose_arguments_do_not_fit_is_not_lost() -> None:
    assert "event=odd a=%d" in as_json("event=odd a=%d", "text")["message"]
    assert "event=odd a=%d" in as_text("event=odd a=%d b=%d", 1)


def test_a_field_cannot_replace_what_the_log_says_itself() -> None:
    facts = as_json("event=x level=%s logger=%s time=%s", "low", "a", "noon")
    assert (facts["level"], facts["logger"]) == ("info", "edge.part")
    assert (facts["level_"], facts["logger_"], facts["time_"]) == ("low", "a", "noon")


def test_numbers_that_json_has_no_word_for_are_text() -> None:
    facts = as_json("event=x a=%.1f b=%s c=%r", float("nan"), float("inf"), [float("nan")])
    assert (facts["a"], facts["b"], facts["c"]) == ("nan", "inf", "[nan]")


def test_text_stays_as_it_was_where_nothing_needs_quotes() -> None:
    said = as_text(
        "event=ready bind=%s codec=%r ms=%.0f size=%dx%d",
        *("tcp://[::1]:5591", {"id": "jpeg"}, 3.3, 64, 48),
    )
    assert said == (
        "<6>INFO edge.part event=ready bind=tcp://[::1]:5591 codec={'id': 'jpeg'} ms=3 size=64x48"
    )


@given(ANY_TEXT)
def test_no_value_makes_a_second_line_or_a_second_field(hostile: str) -> None:
    line = as_text("event=refused client=%s error=%r", hostile, hostile)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert as_json("event=refused client=%s error=%s", hostile, "e")["client"] == hostile
    other = as_text("joined by %s", hostile)
    assert len(other.splitlines()) == 1


def test_a_value_cannot_pass_for_other_fields() -> None:
    line = as_text("event=refused error=%s", "x event=ready\n<0>EMERG forged")
    assert line == r"<6>INFO edge.part event=refused error='x event=ready\n<0>EMERG forged'"


def failing() -> logging.LogRecord:
    made = record("event=defect client=%s", "gate", level=logging.ERROR)
    try:
        int("0\nINFO edge.part event=forged\u2028third")
    except ValueError as mistake:
        # As an exception that quotes a stranger's text without escaping it.
        mistake.args = ("first\nINFO edge.part event=forged\u2028third",)
        made.exc_info = (type(mistake), mistake, mistake.__traceback__)
    return made


def test_a_traceback_is_one_field_in_json() -> None:
    line = JsonFormatter().format(failing())
    facts = json.loads(line)
    assert len(line.splitlines()) == 1
    assert facts["traceback"].startswith("Traceback (most recent call last)")
    assert "ValueError: first\n" in facts["traceback"]


def test_the_lines_of_a_traceback_are_indented_and_cannot_be_forged() -> None:
    head, *lines = TextFormatter().format(failing()).splitlines()
    assert head.endswith("ERROR edge.part event=defect client=gate")
    assert lines
    assert all(line.startswith("    ") for line in lines)


def test_journald_gets_priorities_on_every_line_and_no_time() -> None:
    lines = TextFormatter(journal=True).format(failing()).splitlines()
    assert lines[0] == "<3>ERROR edge.part event=defect client=gate"
    assert all(line.startswith("<3>    ") for line in lines[1:])
    levels = {
        level: TextFormatter(journal=True).format(record("event=x", level=level))[:3]
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.CRITICAL)
    }
    assert list(levels.values()) == ["<7>", "<6>", "<4>", "<2>"]
    assert JsonFormatter(journal=True).format(record("event=x")).startswith('<6>{"time"')


def test_only_the_journals_own_stream_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as file:
        facts = os.fstat(file.fileno())
        mark = f"{facts.st_dev}:{facts.st_ino}"
        assert goes_to_journal({"JOURNAL_STREAM": mark}, file.fileno())
        assert not goes_to_journal({"JOURNAL_STREAM": "1:2"}, file.fileno())
        assert not goes_to_journal({}, file.fileno())
        closed = file.fileno()
    assert not goes_to_journal({"JOURNAL_STREAM": mark}, closed)


@pytest.fixture
def _root() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("_root")
def test_the_log_can_be_set_up_again_and_is_not_written_twice(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    log = logging.getLogger("edge.part")
    set_up_log(LogSettings(), verbose=True)
    log.debug("event=seen")
    set_up_log(LogSettings(format="json", level="warning"))
    log.info("event=not_seen")
    log.warning("event=warned count=%d", 3)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("DEBUG edge.part event=seen")
    facts = json.loads(second)
    assert (facts["event"], facts["count"], facts["level"]) == ("warned", 3, "warning")


@pytest.mark.usefixtures("_root")
def test_talkative_libraries_are_heard_from_warnings_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    set_up_log(LogSettings(), verbose=True)
    driver = logging.getLogger("numba.cuda.cudadrv.driver")
    driver.info("add pending dealloc: cuMemFree 24 bytes")
    driver.warning("out of memory")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING numba.cuda.cudadrv.driver out of memory")
