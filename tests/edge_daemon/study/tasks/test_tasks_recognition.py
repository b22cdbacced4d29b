"""What icons show: named by the bundle where they lie."""

from __future__ import annotations

import numpy as np

from edge_daemon.demo.scenes import icon_names
from edge_daemon.study.tasks.recognition import Recognition


def _task(seed: int = 1, count: int = 8) -> Recognition:
    return Recognition(seed, count, "nano-icons")


def test_a_number_and_a_seed_decide_a_question() -> None:
    first, again = _task().question(3), _task(count=50).question(3)
    assert np.array_equal(first.pixels, again.pixels)
    assert (first.id, first.prompt, first.boxes) == (again.id, again.prompt, again.boxes)
    for other in (_task().question(4), _task(seed=2).question(3)):
        assert not np.array_equal(first.pixels, other.pixels)
        assert first.id != other.id


def test_icons_are_named_where_they_lie_and_nowhere_else() -> None:
    task = _task()
    assert task.check() == 8
    seen: list[float] = []
    for number in range(task.count):
        question = task.question(number)
        assert question.answer in icon_names()
        assert question.prompt == f"Where is the {question.answer}?"
        ((left, top, width, height),) = question.boxes
        erased = np.array(question.pixels)
        erased[top : top + height, left : left + width] = 128
        (right,), (wrong,) = task.judge(question, [question.pixels, erased])
        assert wrong == 0.0
        seen.append(right or 0.0)
    assert np.mean(seen) >= 0.75  # of 48 names chance finds one in 48


def test_facts_hold_the_bundles_files() -> None:
    facts = _task(seed=5).facts()
    assert facts["seed"] == 5
    assert facts["bundle"] == "nano-icons"
    assert set(facts["files"]) == {"image.onnx", "text.onnx", "tokenizer.json"}
    assert facts == _task(seed=5, count=99).facts()
