"""What became of every frame: the cameras' notes against the cloud's log."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_daemon.wire import Key

WARM_UP_S = 20.0
"""Seconds of a process's life that say nothing of its memory yet."""


class Ledger:
    """What cameras offered and what was acknowledged to them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: set[Key] = set()
        self._acknowledged: set[Key] = set()
        self._attempts = 0
        self.errors: Counter[str] = Counter()

    def offer(self, key: Key) -> None:
        """The frame goes out, maybe again."""
        with self._lock:
            self._sent.add(key)
            self._attempts += 1

    def acknowledge(self, key: Key) -> None:
        """The daemon has it on its disk, so it says."""
        with self._lock:
            self._acknowledged.add(key)

    def fail(self, code: str) -> None:
        """An answer that was an error."""
        with self._lock:
            self.errors[code] += 1

    def copy(self) -> tuple[frozenset[Key], frozenset[Key], int]:
        """Frames sent, frames acknowledged, and how often one was sent."""
        with self._lock:
            return frozenset(self._sent), frozenset(self._acknowledged), self._attempts


@dataclass(frozen=True)
class Account:
    """The sums.

    Attributes:
        sent: Distinct frames that a camera offered at least once.
        attempts: How often frames were offered.
        acknowledged: Of those sent, the ones acknowledged as on the daemon's disk.
        delivered: Of those sent, the ones in the cloud's log.
        duplicated: Frames that are in the log more than once.
        lost: Frames that were acknowledged and are not in the log.
        unordered: Frames in the log after a later one of their camera.
        strangers: Frames in the log that nobody sent.
        crashes: Processes that ended unasked, or not as asked.
    """

    sent: int
    attempts: int
    acknowledged: int
    delivered: int
    duplicated: int
    lost: frozenset[Key]
    unordered: int
    strangers: int
    crashes: int = 0

    @property
    def whole(self) -> bool:
        """Whether every promise was kept."""
        broken = self.duplicated + self.unordered + self.strangers + self.crashes
        return not (self.lost or broken)


def logged(log: Path) -> list[Key]:
    """The frames in a cloud's log, in its order; a last line that is torn is left out."""
    if not log.exists():
        return []
    with log.open("rb") as lines:
        entries = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return [(entry["client"], entry["sequence"]) for entry in entries]


def balance(ledger: Ledger, log: Sequence[Key]) -> Account:
    """Compares the cameras' notes with the log."""
    sent, acknowledged, attempts = ledger.copy()
    counts = Counter(log)
    latest: dict[str, int] = {}
    unordered = 0
    for client, sequence in log:
        unordered += sequence < latest.get(client, -1)
        latest[client] = max(sequence, latest.get(client, -1))
    return Account(
        sent=len(sent),
        attempts=attempts,
        acknowledged=len(acknowledged),
        delivered=len(counts.keys() & sent),
        duplicated=sum(count > 1 for count in counts.values()),
        lost=frozenset(acknowledged - counts.keys()),
        unordered=unordered,
        strangers=len(counts.keys() - sent),
    )


def memory_slope(lives: Sequence[Sequence[tuple[float, float]]]) -> float | None:
    """MiB per hour that a process's memory grows, over its lives weighted by their length.

    Args:
        lives: Per life: seconds since its start, and MiB resident then.

    Returns:
        `None` if no life was long enough to tell.
    """
    slopes: list[float] = []
    weights: list[float] = []
    for life in lives:
        settled = np.array([point for point in life if point[0] >= WARM_UP_S])
        if len(settled) < 10 or np.ptp(settled[:, 0]) < WARM_UP_S:
            continue
        slopes.append(float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0]) * 3600)
        # The variance of a slope falls with the cube of the time that it is taken over.
        weights.append(float(np.ptp(settled[:, 0])) ** 3)
    return float(np.average(slopes, weights=weights)) if slopes else None
