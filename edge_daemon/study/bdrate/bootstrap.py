"""How sure a BD-rate is: the spread over which questions happened to be asked.

Questions are drawn with replacement, the same ones for both series, since an easy question is easy
for both (the paired bootstrap; Efron and Tibshirani, 1993). Each draw goes through all that the
measured results go through, the treatment of curves that do not rise included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_daemon.study.bdrate.delta import Delta, Rules, compare, curves
from edge_daemon.study.bdrate.series import Floats, Series

MOST_LOST: Final = 0.5
"""Share of draws that may be beyond comparison; with more, the rest says nothing of the spread."""
_LEVELS: Final = (0.025, 0.975)
_BATCH: Final = 4_000_000
"""Most weights in memory at a time."""


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval (percentiles of the draws).

    Attributes:
        bounds: Lowest and highest BD-rate, in percent; `None` if too many draws were lost.
        lost: Share of the draws that could not be compared, 0..1; `bounds` is of the others.
    """

    bounds: tuple[float, float] | None
    lost: float


def bootstrap(anchor: Series, test: Series, rules: Rules, *, resamples: int, seed: int) -> Interval:
    """Resample the questions of two series.

    Args:
        anchor: With at least one question.
        test: With the same questions.
        rules: How curves are compared.
        resamples: Draws, from 1.
        seed: Decides them.

    Raises:
        ValueError: The questions differ.
    """
    if anchor.questions != test.questions:
        raise ValueError("paired resampling takes the same questions for both series")
    found: list[float] = []
    for weights in _draws(len(test.questions), resamples, seed):
        pairs = zip(curves(anchor, weights, rules), curves(test, weights, rules), strict=True)
        deltas = (compare(*pair, rules) for pair in pairs)
        found += [delta.bd_rate for delta in deltas if isinstance(delta, Delta)]
    lost = 1 - len(found) / resamples
    if lost > MOST_LOST:
        return Interval(None, lost)
    low, high = np.quantile(found, _LEVELS).tolist()
    return Interval((low, high), lost)


def _draws(questions: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each question was drawn, in batches of shape (resamples, questions)."""
    generator = np.random.default_rng(seed)
    even = np.full(questions, 1 / questions)
    batch = max(1, _BATCH // questions)
    for start in range(0, resamples, batch):
        size = min(batch, resamples - start)
        yield generator.multinomial(questions, even, size=size).astype(np.float64)
