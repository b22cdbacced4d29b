"""What a model said, kept word by word as it comes, so that a run that was cut off goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final

from edge_daemon.cloud.durable import Journal, writing_to
from edge_daemon.errors import SettingsError, UnsupportedError

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
    """All that was said in one study; append-only and synced. Thread-safe.

    Args:
        folder: Where its journal is or will be.
        facts: What an answer depends on beyond question and condition; JSON.

    Raises:
        SettingsError: The journal is another study's.
        UnsupportedError: Another process writes to it.
        StorageError: It cannot be used.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self._path = folder / JOURNAL
        self._lock = Lock()
        try:
            with writing_to(self._path):
                folder.mkdir(parents=True, exist_ok=True)
                self._journal = _opened(self._path)
                self._found = self._read(facts)
        except SettingsError:
            self.close()
            raise

    def __enter__(self) -> Answers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process go on."""
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
        with self._lock:
            with writing_to(self._path):
                self._journal.append(asdict(answered))
            self._found[answered.key] = answered

    def _read(self, facts: Mapping[str, Any]) -> dict[tuple[str, str, str, float], Answered]:
        head = next(self._journal.read(lambda line: line["study"]), None)
        if head is None:
            self._journal.append({"study": dict(facts)})
            return {}
        other = [name for name in {**facts, **head} if head.get(name) != facts.get(name)]
        if other:
            raise SettingsError(
                f"{self._path} is of a study with another {other[0]}",
                value=head.get(other[0]),
                remedy="name another folder for the results, or repeat that study's settings",
            )
        lines = (one for one in self._journal.read(_answered) if one is not None)
        return {one.key: one for one in lines}


def _opened(path: Path) -> Journal:
    try:
        return Journal(path)
    except BlockingIOError:
        raise UnsupportedError(
            "another process writes to this study",
            value=str(path),
            remedy="wait for it, or name another folder for the results",
        ) from None


def _answered(line: dict[str, Any]) -> Answered | None:
    if "study" in line:
        return None
    answers = tuple(line.pop("answers"))
    return Answered(**line, answers=answers)
