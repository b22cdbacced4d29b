from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_daemon.bench.photos import cells_of, questions
from support.boxed_photos import HEIGHT, WIDTH, write_photos


def test_questions_mark_where_the_things_of_a_name_are(tmp_path: Path) -> None:
    asked = list(questions(write_photos(tmp_path)))
    assert [(question.name, question.asked) for question in asked] == [
        ("a.png", "sign"),
        ("a.png", "Kettle"),
        ("b.png", "sign"),
        ("b.png", "bird"),
    ]
    for question in asked:
        assert question.pixels.shape == (HEIGHT, WIDTH, 3)
        assert (question.pixels[question.inside, 0] >= 190).all()
    assert [int(question.inside.sum()) for question in asked] == [32 * 32, 32 * 32, 600, 400]


def test_cells_that_are_touched_are_relevant() -> None:
    inside = np.zeros((32, 64), np.bool_)
    inside[15:17, 40] = True
    assert cells_of(inside, 16).tolist() == [[0, 0, 2, 0], [0, 0, 2, 0]]
