"""The task `reading`: what does the sign of some colour say?

Street scenes with four to six signs, each of another colour. One sign is asked for. Tesseract reads
the decoded picture where that sign is; right is what has the sign's letters and digits, all of them
and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.study.tasks.signs import COLOURS, RIM, draw_sign, draw_text
from edge_daemon.study.tasks.street import Levels, develop, draw_street
from edge_daemon.study.tasks.task import ACCURACY, Box, Measure, Pixels, Question
from edge_daemon.study.tasks.tesseract import read_lines, tesseract_version

_SIZE: Final = (768, 512)
_CELLS: Final = (3, 2)
"""Columns and rows of places for signs, in the upper part of the picture."""
_REACH: Final = 0.84
"""Share of the height that these take."""
_WIDTHS: Final = (80, 150)
"""Of signs, in pixels; letters are then about 8 to 16 px tall."""
_ON_POLES: Final = 0.6
_POLE: Final = (112.0, 112.0, 116.0)
_LINE_PX: Final = 48
"""Height at which Tesseract is shown a line."""


@dataclass(frozen=True)
class Reading:
    """See the module.

    Args:
        seed: Decides all scenes.
        count: Questions, each with a scene of its own.
    """

    seed: int
    count: int
    name: str = "reading"
    measures: tuple[Measure, ...] = (ACCURACY,)

    def check(self) -> int:
        """See `Task`; Tesseract has to be there."""
        tesseract_version()
        return self.count

    def facts(self) -> dict[str, Any]:
        """See `Task`; the number of questions may grow."""
        return {"seed": self.seed, "tesseract": tesseract_version()}

    def question(self, number: int) -> Question:
        """See `Task`."""
        rng = np.random.default_rng((self.seed, number))
        width, height = _SIZE
        street = draw_street(rng, width, height)
        colours = rng.choice(list(COLOURS), size=int(rng.integers(4, 7)), replace=False)
        places = rng.permutation(_CELLS[0] * _CELLS[1])[: len(colours)]
        texts = [draw_text(rng) for _ in colours]
        signs = [
            draw_sign(rng, str(colour), text, int(rng.integers(_WIDTHS[0], _WIDTHS[1] + 1)))
            for colour, text in zip(colours, texts, strict=True)
        ]
        boxes = [_box(rng, sign, int(place)) for sign, place in zip(signs, places, strict=True)]
        _hang(rng, street, signs, boxes)
        asked = f"{colours[0]} sign"
        return Question(
            id=f"{self.name}-{self.seed}-{number:05}",
            pixels=develop(rng, street),
            prompt=f"What does the {asked} say?",
            asked=asked,
            boxes=(boxes[0],),
            answer=texts[0],
        )

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        """See `Task`."""
        lines = [_line(picture, question.boxes[0]) for picture in pictures]
        right = _characters(question.answer)
        return [(float(_characters(said) == right),) for said in read_lines(lines)]


def _box(rng: np.random.Generator, sign: NDArray[np.float32], place: int) -> Box:
    """Where a sign hangs within its place."""
    down, across = (int(side) for side in sign.shape[:2])
    row, column = divmod(place, _CELLS[0])
    cell_width, cell_height = _SIZE[0] / _CELLS[0], _SIZE[1] * _REACH / _CELLS[1]
    left = int(column * cell_width + rng.uniform(4, cell_width - across - 4))
    top = int(row * cell_height + rng.uniform(20, cell_height - down - 4))
    return left, top, across, down


def _hang(
    rng: np.random.Generator,
    street: Levels,
    signs: Sequence[NDArray[np.float32]],
    boxes: Sequence[Box],
) -> None:
    """Signs on walls and on poles; the poles come first, so that none stands before a sign."""
    for left, top, across, down in boxes:
        if rng.random() < _ON_POLES:
            middle, foot = left + across // 2, min(_SIZE[1] - 30, top + down + 100)
            cv2.rectangle(street, (middle - 4, top + down), (middle + 4, foot), _POLE, -1)
    for sign, (left, top, across, down) in zip(signs, boxes, strict=True):
        street[top : top + down, left : left + across] = sign


def _line(picture: Pixels, box: Box) -> NDArray[np.uint8]:
    """The sign without its rim, grey, at the height for reading."""
    left, top, width, height = box
    rim = round(RIM * width)
    inside = picture[top + rim : top + height - rim, left + rim : left + width - rim]
    grey = cv2.cvtColor(inside, cv2.COLOR_RGB2GRAY)
    size = (round(grey.shape[1] * _LINE_PX / grey.shape[0]), _LINE_PX)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _characters(text: str) -> str:
    return "".join(one for one in text.upper() if one.isalnum())
