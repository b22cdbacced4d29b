from __future__ import annotations

import pytest

from edge_daemon.errors import SettingsError
from edge_daemon.study.tasks.catalogue import task_of
from edge_daemon.study.tasks.photographs import Photographs
from edge_daemon.study.tasks.reading import Reading
from edge_daemon.study.tasks.recognition import Recognition


def test_tasks_go_by_their_names() -> None:
    assert task_of("reading", seed=3, count=9, bundle="b") == Reading(3, 9)
    assert task_of("recognition", seed=3, count=9, bundle="b") == Recognition(3, 9, "b")
    photographs = task_of("photographs:a:b", seed=3, count=9, bundle="b", detector="d.onnx")
    assert photographs == Photographs("a:b", 3, 9, "d.onnx")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("writing", "unknown task"),
        ("", "unknown task"),
        ("photographs", "photographs need a folder"),
        ("photographs:", "photographs need a folder"),
        ("reading:here", "no other task has one"),
    ],
)
def test_what_is_no_task_is_refused(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        task_of(text, seed=1, count=1, bundle="b")
