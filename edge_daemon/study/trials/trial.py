"""The atom of a study: one question, sent by one method with one codec at one quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from edge_daemon.study.tasks.task import Measure

Sending: TypeAlias = tuple[str, str, float]
"""A way to send any question: names of a method and a codec, and a quality."""


@dataclass(frozen=True)
class Trial:
    """What one sending took and was worth.

    Attributes:
        question: Its id.
        method, codec: Names.
        quality: In the codec's own unit.
        bytes: Of the bitstream.
        pixels: Of the source: what rates are divided by.
        sent_pixels: Of the picture in the bitstream.
        values: One per measure of the task; `None` where there was nothing to judge.
    """

    question: str
    method: str
    codec: str
    quality: float
    bytes: int
    pixels: int
    sent_pixels: int
    values: tuple[float | None, ...]

    @property
    def sending(self) -> Sending:
        """How it was sent; of each question there is one."""
        return self.method, self.codec, self.quality


@dataclass(frozen=True)
class Failure:
    """A question that could not be sent or judged, and why.

    Attributes:
        question: Its id, or its number where it could not even be made.
        code: Of the error.
        problem: In words.
    """

    question: str
    code: str
    problem: str


@dataclass(frozen=True)
class TaskOutcome:
    """All that is known of what was asked for of one task.

    Attributes:
        task: Its name.
        measures: What its values are.
        methods, codecs: Names, in the order in which they were asked for.
        questions: How many were asked for.
        trials: In order of question, codec, method and quality; also those that were made by
            earlier runs.
        failures: Of this run; asked again by the next.
        left_out: Combinations that make no sense, and why, in words.
    """

    task: str
    measures: tuple[Measure, ...]
    methods: tuple[str, ...]
    codecs: tuple[str, ...]
    questions: int
    trials: list[Trial]
    failures: list[Failure]
    left_out: list[str]
