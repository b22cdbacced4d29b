"""What a study has found so far, kept line by line, so that a run that was cut off goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, TypeVar, cast

from edge_daemon.cloud.durable import Journal, writing_to
from edge_daemon.errors import SettingsError, UnsupportedError

_STUDY: Final = "study"
_MEANING: Final = "meaning"

_Read = TypeVar("_Read")


class StudyJournal:
    """Lines of one study and of no other; append-only and synced. Lines may be added by any thread.

    Args:
        path: Where it is or will be; its folder is made.
        facts: What every line depends on; JSON. The journal begins with them.
        meanings: What names in lines stand for; JSON. More names may be added to a journal, but
            none ever means anything else.

    Raises:
        SettingsError: The journal is another study's.
        UnsupportedError: Another process writes to it.
        StorageError: It cannot be used.
    """

    def __init__(
        self, path: Path, facts: Mapping[str, Any], meanings: Mapping[str, Any] | None = None
    ) -> None:
        self._path = path
        self._lock = Lock()
        with writing_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._journal = _opened(path)
        try:
            self._open_study(_as_json(facts), _as_json(meanings or {}))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> StudyJournal:
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

    def read(self, convert: Callable[[dict[str, Any]], _Read]) -> Iterator[_Read]:
        """What was added, in order; lines that are unreadable are logged and passed over.

        Args:
            convert: What to make of one; whatever it misses or dislikes makes that line unreadable.
        """
        ours = {_STUDY, _MEANING}
        lines = self._journal.read(lambda line: None if ours & line.keys() else (convert(line),))
        return (line[0] for line in lines if line is not None)

    def add(self, line: Mapping[str, Any]) -> None:
        """Keep one; it is on the disk when the call returns.

        Raises:
            StorageError: It could not be written.
        """
        with self._lock, writing_to(self._path):
            self._journal.append(dict(line))

    def _open_study(self, facts: dict[str, Any], meanings: dict[str, Any]) -> None:
        head = next(self._all_of(_STUDY), None)
        if head is None:
            self.add({_STUDY: facts})
        else:
            self._check(head, facts)
        known = {name: value for line in self._all_of(_MEANING) for name, value in line.items()}
        repeated = {name: known[name] for name in meanings if name in known}
        self._check(repeated, {name: meanings[name] for name in repeated})
        if added := {name: meanings[name] for name in meanings if name not in known}:
            self.add({_MEANING: added})

    def _all_of(self, kind: str) -> Iterator[dict[str, Any]]:
        lines = self._journal.read(lambda line: line.get(kind))
        return (line for line in lines if line is not None)

    def _check(self, found: dict[str, Any], wanted: dict[str, Any]) -> None:
        for place, value in _differences(found, wanted):
            raise SettingsError(
                f"{self._path} is of a study with another {place}",
                value=value,
                remedy="name another folder for the results, or repeat that study's settings",
            )


def _opened(path: Path) -> Journal:
    try:
        return Journal(path)
    except BlockingIOError:
        raise UnsupportedError(
            "another process writes to this study",
            value=str(path),
            remedy="wait for it, or name another folder for the results",
        ) from None


def _as_json(facts: Mapping[str, Any]) -> dict[str, Any]:
    """As it will be read again: lists for tuples."""
    return json.loads(json.dumps(dict(facts)))


def _differences(found: Any, wanted: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Places at which two documents differ, as dotted names, and what was found there."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        one, other = cast("dict[str, Any]", found), cast("dict[str, Any]", wanted)
        for name in {**other, **one}:
            inner = f"{place}.{name}" if place else name
            yield from _differences(one.get(name), other.get(name), inner)
    elif found != wanted:
        yield place, found
