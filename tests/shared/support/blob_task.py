"""A task small enough for tests of what surrounds tasks: how bright is the blob?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_daemon.errors import NotAnImageError
from edge_daemon.study.tasks.task import ACCURACY, Measure, Pixels, Question

NEARNESS = Measure("nearness", "grey levels between blob and answer, below 0", is_share=False)


@dataclass(frozen=True)
class BlobTask:
    """A grey square in noise, and its level to be told to within eight levels.

    Attributes:
        broken: Numbers of questions that cannot be made.
        scale: Of its pictures, 64 x 48 pixels times this.
    """

    broken: tuple[int, ...] = ()
    scale: int = 1

    @property
    def name(self) -> str:
        """For files."""
        return "blobs"

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Told or not, and how nearly."""
        return ACCURACY, NEARNESS

    def check(self) -> int:
        """There are eight."""
        return 8

    def facts(self) -> Mapping[str, Any]:
        """Nothing but the numbers decides."""
        return {}

    def question(self, number: int) -> Question:
        """Its number decides all."""
        if number in self.broken:
            raise NotAnImageError("the blob burst", value=number, remedy="ask for another one")
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (48, 64, 3), np.uint8)
        level = int(rng.integers(0, 256))
        pixels[12:28, 20:40] = level
        k = self.scale
        boxes = ((2, 2, 4, 4), (20, 12, 20, 16))
        return Question(
            f"blob-{number}",
            pixels.repeat(self.scale, axis=0).repeat(self.scale, axis=1),
            "How bright is the blob?",
            "blob",
            tuple((x * k, y * k, w * k, h * k) for x, y, w, h in boxes),
            f"{level}",
        )

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        """By the mean of the blob."""
        left, top, width, height = question.boxes[1]
        blobs = (one[top : top + height, left : left + width] for one in pictures)
        off = [abs(float(blob.mean()) - int(question.answer)) for blob in blobs]
        return [(float(one < 8), -one) for one in off]
