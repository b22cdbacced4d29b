"""What a task is: questions that can be made anywhere, and a machine that answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 (H, W, 3), sRGB."""
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels; inside the picture."""


@dataclass(frozen=True, eq=False)
class Question:
    """One picture and what is asked about it.

    Attributes:
        id: Unique in its task, and the same in every run.
        pixels: The source.
        prompt: What the model in the cloud is asked, and the prefilter told.
        asked: The thing asked about, in a word or two.
        boxes: Where the answer lies, at least one.
        answer: The right one.
    """

    id: str
    pixels: Pixels
    prompt: str
    asked: str
    boxes: tuple[Box, ...]
    answer: str


@dataclass(frozen=True)
class Measure:
    """One figure by which answers are judged; more is better.

    Attributes:
        name: A word; stands in file names.
        unit: Of its values, in words.
        is_share: Whether a question's value lies within 0..1, so that the mean is an accuracy.
    """

    name: str
    unit: str
    is_share: bool = True


ACCURACY = Measure("accuracy", "share of questions that were answered right")


class Task(Protocol):
    """A set of numbered questions. Picklable, small, and equal to its like in another process."""

    @property
    def name(self) -> str:
        """A word; stands in file names."""
        ...

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What `judge` gives for each picture, in this order."""
        ...

    def check(self) -> int:
        """How many questions there are, after making sure that they can be asked and answered.

        Raises:
            EdgeError: Something that the task needs is missing or unusable.
        """
        ...

    def facts(self) -> Mapping[str, Any]:
        """What questions and answers depend on, as JSON: seeds, versions of the consumer."""
        ...

    def question(self, number: int) -> Question:
        """One question, 0 <= number < `check()`; the same in every process."""
        ...

    def judge(
        self, question: Question, pictures: Sequence[Pixels]
    ) -> list[tuple[float | None, ...]]:
        """Answer a question by each of some pictures.

        Args:
            question: Of this task.
            pictures: What was made of its source, of the same size.

        Returns:
            For each picture one value per measure; `None` where there is nothing to judge.
        """
        ...
