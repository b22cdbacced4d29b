from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.errors import SettingsError, StorageError, UnsupportedError
from edge_daemon.study.journal import StudyJournal

FACTS = {"seed": 1, "task": {"name": "reading", "sizes": (3, 4)}}


def lines_of(path: Path, facts: dict[str, Any] = FACTS, **meanings: Any) -> list[Any]:
    with StudyJournal(path, facts, meanings) as journal:
        return list(journal.read(lambda line: line["n"]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "journal.jsonl"


def test_what_was_added_is_read_again(path: Path) -> None:
    assert lines_of(path) == []
    with StudyJournal(path, FACTS) as journal:
        journal.add({"n": 1})
        journal.add({"n": 2})
    assert lines_of(path) == [1, 2]
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"study": {"seed": 1, "task": {"name": "reading", "sizes": [3, 4]}}}


@pytest.mark.parametrize(
    ("facts", "what", "value"),
    [
        ({**FACTS, "seed": 2}, "seed", "1"),
        ({**FACTS, "more": 2}, "more", None),
        ({"seed": 1}, "task", "reading"),
        ({**FACTS, "task": {"name": "reading", "sizes": (3, 5)}}, "task.sizes", "[3, 4]"),
        ({**FACTS, "task": {"name": "reading"}}, "task.sizes", "[3, 4]"),
    ],
)
def test_other_facts_are_another_study(
    path: Path, facts: dict[str, Any], what: str, value: str | None
) -> None:
    lines_of(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=f"is of a study with another {what}( |;)") as refused:
        lines_of(path, facts)
    assert (refused.value.value is None) == (value is None)
    assert value is None or value in str(refused.value.value)
    assert path.read_bytes() == before
    assert lines_of(path) == []


def test_names_may_be_added_but_mean_what_they_meant(path: Path) -> None:
    assert lines_of(path, ours={"sigma": 3}) == []
    assert lines_of(path, theirs={"sigma": 5}) == []
    assert lines_of(path, theirs={"sigma": 5}, ours={"sigma": 3}) == []
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"another ours\.sigma \(got 3\)"):
        lines_of(path, ours={"sigma": 4}, more={})
    assert path.read_bytes() == before


def test_an_unreadable_line_is_passed_over(path: Path) -> None:
    with StudyJournal(path, FACTS) as journal:
        journal.add({"n": 1})
        journal.add({"m": 2})
    with path.open("a", encoding="utf-8") as file:
        file.write('garbage\n{"n":3}\n{"n":')
    assert lines_of(path) == [1, 3]


def test_one_process_at_a_time(path: Path) -> None:
    with (
        StudyJournal(path, FACTS),
        pytest.raises(UnsupportedError, match="another process writes to this study"),
    ):
        lines_of(path)
    with pytest.raises(SettingsError):
        lines_of(path, {})
    assert lines_of(path) == []  # a refusal lets go of it


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot write there"):
        lines_of(tmp_path / "file" / "journal.jsonl")
