"""What signs say: the scenes keep their promises, and Tesseract is a consumer that can fail."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from edge_daemon.codecs import get_codec
from edge_daemon.study.tasks.reading import Reading
from edge_daemon.study.tasks.signs import COLOURS

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed (tesseract-ocr)"
)


def test_a_number_and_a_seed_decide_a_question() -> None:
    first, again = Reading(3, 10).question(4), Reading(3, 99).question(4)
    assert np.array_equal(first.pixels, again.pixels)
    assert (first.id, first.prompt, first.answer) == (again.id, again.prompt, again.answer)
    for other in (Reading(3, 10).question(5), Reading(4, 10).question(4)):
        assert not np.array_equal(first.pixels, other.pixels)
        assert first.id != other.id


@pytest.mark.parametrize("number", range(8))
def test_the_asked_sign_has_the_asked_colour_and_lies_in_the_picture(number: int) -> None:
    question = Reading(1, 8).question(number)
    colour = question.asked.removesuffix(" sign")
    assert colour in COLOURS
    assert question.prompt == f"What does the {colour} sign say?"
    ((left, top, width, height),) = question.boxes
    assert left >= 0
    assert top >= 0
    assert left + width <= question.pixels.shape[1]
    assert top + height <= question.pixels.shape[0]
    board = question.pixels[top : top + height, left : left + width]
    typical = np.asarray(np.median(board.reshape(-1, 3), axis=0), np.uint8).reshape(1, 1, 3)
    hue, saturation, _ = cv2.cvtColor(typical, cv2.COLOR_RGB2HSV)[0, 0].tolist()
    (low, high), _, _ = COLOURS[colour]
    if colour == "white":
        assert saturation < 40
    else:
        assert saturation > 90
        assert any(low - 12 <= 2 * hue + turn <= high + 12 for turn in (0, 360))


@needs_tesseract
def test_signs_are_read_in_the_source_and_not_in_ruins() -> None:
    task = Reading(1, 6)
    assert task.check() == 6
    right: list[float] = []
    ruined: list[float] = []
    codec = get_codec({"id": "jpeg", "quality": 1})
    for number in range(task.count):
        question = task.question(number)
        height, width = question.pixels.shape[:2]
        ruin = codec.decode(codec.encode(question.pixels), width=width, height=height)
        (source,), (damaged,) = task.judge(question, [question.pixels, ruin])
        right.append(source or 0.0)
        ruined.append(damaged or 0.0)
    assert np.mean(right) >= 5 / 6
    assert np.mean(ruined) < np.mean(right)


@needs_tesseract
def test_another_sign_of_the_scene_is_no_answer() -> None:
    task = Reading(2, 1)
    question = task.question(0)
    ((left, top, width, height),) = question.boxes
    covered = np.array(question.pixels)
    covered[top : top + height, left : left + width] = 128
    assert task.judge(question, [covered]) == [(0.0,)]


def test_facts_name_what_answers_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_daemon.study.tasks.reading.tesseract_version", lambda: "5.9")
    assert Reading(7, 10).facts() == Reading(7, 20).facts() == {"seed": 7, "tesseract": "5.9"}
