"""Two ways of doing the same, timed in turns, so that a busy moment of the machine meets both."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_daemon.bench.latency.quantiles import Quantiles

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Median:
    """A median and where the true one lies, with a confidence of 95 % or a little more.

    Attributes:
        value: Of those measured; the mean of the middle two of an even number.
        low: One that was measured; `None` if they are too few to say (5 or less).
        high: Likewise.
    """

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Median:
        """The interval is by order statistics: it holds whatever the distribution is.

        Each value is as likely above the true median as below, so how many are below it is
        binomial. Whoever tosses a coin n times gets fewer than k heads with a chance of at most
        2.5 %; then the k-th least and the k-th greatest value enclose the median.
        """
        ascending, count = sorted(values), len(values)
        middle = (ascending[(count - 1) // 2] + ascending[count // 2]) / 2
        outside, k = 0.5**count, 0
        while outside <= (1 - _CONFIDENCE) / 2:
            k += 1
            outside += math.comb(count, k) * 0.5**count
        if k == 0:
            return cls(middle, None, None)
        return cls(middle, ascending[k - 1], ascending[count - k])


@dataclass(frozen=True)
class Paired:
    """One way against another, round by round.

    Attributes:
        first: Milliseconds.
        second: Milliseconds.
        difference_ms: Second less first in the same round.
        ratio: Second over first in the same round.
    """

    first: Quantiles
    second: Quantiles
    difference_ms: Median
    ratio: Median

    @classmethod
    def of(cls, first_ms: Sequence[float], second_ms: Sequence[float]) -> Paired:
        """Of times in the order of their rounds.

        Raises:
            ValueError: Not as many of one as of the other.
        """
        pairs = list(zip(first_ms, second_ms, strict=True))
        return cls(
            Quantiles.of(first_ms),
            Quantiles.of(second_ms),
            Median.of([second - first for first, second in pairs]),
            Median.of([second / first for first, second in pairs]),
        )


def take_turns(
    works: Mapping[str, Callable[[int], float]],
    rounds: int,
    on_round: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """Each work once per round, in an order that turns around from round to round.

    Args:
        works: By name; each is given the number of the round and returns its milliseconds.
        rounds: At least 1; one more comes first and does not count.
        on_round: Called after each that counts.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        order = list(works.items())
        for name, work in order if number % 2 else reversed(order):
            spent_ms = work(number)
            if number:
                times[name].append(spent_ms)
        if number:
            on_round()
    return times
