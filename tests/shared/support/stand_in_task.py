"""A task that takes no time: noise with a coloured square, answered by how much of it is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_daemon.errors import DamagedImageError
from edge_daemon.study.tasks.task import ACCURACY, Box, Measure, Pixels, Question
from support.pictures import busy_picture, psnr

WIDTH, HEIGHT = 96, 64
_BOX: Box = (30, 20, 32, 24)
_COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 220)}
FIDELITY = Measure("fidelity", "PSNR inside the box, dB", is_share=False)


@dataclass(frozen=True)
class StandInTask:
    """A stand-in for tasks whose consumers take their time.

    Args:
        seed: Of the pictures.
        count: Questions.
        broken: Numbers of questions that cannot be made.
        unjudged: Numbers of questions whose pictures from a certain size on have no fidelity.
        name: See `Task`.
    """

    seed: int = 1
    count: int = 6
    broken: tuple[int, ...] = ()
    unjudged: tuple[int, ...] = ()
    name: str = "stand-in"

    @property
    def measures(self) -> tuple[Measure, ...]:
        return ACCURACY, FIDELITY

    def check(self) -> int:
        return self.count

    def facts(self) -> Mapping[str, Any]:
        return {"seed": self.seed}

    def question(self, number: int) -> Question:
        name = f"q{number}"
        if number in self.broken:
            raise DamagedImageError("a stand-in for damage", value=name, remedy="mend it")
        rng = np.random.default_rng([self.seed, number])
        colour = list(_COLOURS)[number % len(_COLOURS)]
        pixels = busy_picture(WIDTH, HEIGHT, int(rng.integers(2**31)))
        left, top, width, height = _BOX
        noise = rng.integers(-25, 26, (height, width, 1), dtype=np.int16)
        square = np.clip(np.array(_COLOURS[colour], np.int16) + noise, 0, 255)
        pixels[top : top + height, left : left + width] = square
        return Question(name, pixels, f"Where is the {colour} square?", colour, (_BOX,), colour)

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        number = int(question.id[1:])
        values = [self._fidelity(question, picture) for picture in pictures]
        takes = 18.0 + number % 5
        return [
            (float(value > takes), None if number in self.unjudged and value > takes else value)
            for value in values
        ]

    def _fidelity(self, question: Question, picture: Pixels) -> float:
        left, top, width, height = _BOX
        part = np.s_[top : top + height, left : left + width]
        return psnr(question.pixels[part], picture[part])
