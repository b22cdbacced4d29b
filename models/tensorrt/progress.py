"""How far a build is, and how long it will take yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_TELLING: Final = 0.05
"""Share of a build from which on its own pace says how long the rest takes."""


@dataclass
class _Phase:
    name: str
    steps: int
    done: int = 0


class Phases:
    """Folds TensorRT's nested phases into one number. Told from several threads.

    A phase is divided evenly into its steps, and what runs inside a step divides that step. Steps
    differ in length and phases in number, so the number is a measure, not a clock; but it never
    falls.

    Args:
        report: Called with the share that is done, 0..1, and the name of the innermost phase; at
            every step. False asks to end the build.
    """

    def __init__(self, report: Callable[[float, str], bool]) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._open: list[_Phase] = []
        self._share = 0.0
        self._going = True

    def started(self, phase: str, parent: str | None, steps: int) -> None:
        """See `calls.Progress`."""
        with self._lock:
            self._open.append(_Phase(phase, steps))
        self._tell(phase)

    def stepped(self, phase: str, step: int) -> bool:
        """See `calls.Progress`."""
        with self._lock:
            for one in reversed(self._open):
                if one.name == phase:
                    one.done = min(step + 1, one.steps)
                    break
        return self._tell(phase)

    def finished(self, phase: str) -> None:
        """See `calls.Progress`."""
        with self._lock:
            for index in range(len(self._open) - 1, -1, -1):
                if self._open[index].name == phase:
                    del self._open[index:]
                    break

    def _tell(self, phase: str) -> bool:
        with self._lock:
            share, whole = 0.0, 1.0
            for one in self._open:
                share += whole * one.done / one.steps
                whole /= one.steps
            self._share = max(self._share, min(share, 1.0))
            self._going = self._report(self._share, phase) and self._going
            return self._going


def seconds_left(elapsed_s: float, share: float, usual_s: float | None) -> float | None:
    """How long a build will take yet, from its own pace and from what such builds took before.

    Args:
        elapsed_s: Since it began.
        share: That is done, 0..1, by TensorRT's phases.
        usual_s: What an earlier build like it took; None if there was none.

    Returns:
        Seconds; None while nobody can tell. The further the build is, the more its own pace counts.
    """
    paced = elapsed_s * (1.0 - share) / share if share >= _TELLING else None
    usual = None if usual_s is None else max(usual_s - elapsed_s, 0.0)
    if paced is None or usual is None:
        return paced if usual is None else usual
    return share * paced + (1.0 - share) * usual
