"""What a model said, kept word by word as it comes, so that a run that was cut off goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from edge_daemon.study.journal import StudyJournal

JOURNAL: Final = "answers.jsonl"


@dataclass(frozen=True)
class Answered:
    """One item under one condition.

    Attributes:
        index: Of its question.
        series, codec, quality: Of the condition.
        bytes, pixels, sent_pixels: Of the picture, as in `conditions.Sent`.
        answers: What the model said in each pass, up to the first that was wrong.
    """

    index: str
    series: str
    codec: str
    quality: float
    bytes: int
    pixels: int
    sent_pixels: int
    answers: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str, float]:
        """What there is one of."""
        return self.index, self.series, self.codec, self.quality


class Answers:
    """All that was said in one study. Thread-safe.

    Args:
        folder: Where its journal is or will be.
        facts: What an answer depends on beyond question and condition; JSON.

    Raises:
        EdgeError: See `StudyJournal`.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self._journal = StudyJournal(folder / JOURNAL, facts)
        self._found = {one.key: one for one in self._journal.read(_answered)}

    def __enter__(self) -> Answers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.close()

    def __contains__(self, key: tuple[str, str, str, float]) -> bool:
        return key in self._found

    def all(self) -> list[Answered]:
        """In the order in which they came."""
        return list(self._found.values())

    def add(self, answered: Answered) -> None:
        """Keep one; it is on the disk when the call returns.

        Raises:
            StorageError: It could not be written.
        """
        self._journal.add(asdict(answered))
        self._found[answered.key] = answered


def _answered(line: dict[str, Any]) -> Answered:
    answers = tuple(line.pop("answers"))
    return Answered(**line, answers=answers)
