"""What each method gives at the best quality, where bits are no object.

A BD-rate covers only what both curves reach, so it does not show what a method can never reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_daemon.study.bdrate import Series

_WIDTH: Final = 1.96
"""Half a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class AtBest:
    """One series at the quality at which the anchor takes most bits.

    Attributes:
        codec, series, quality: Names.
        questions: How many; 0 where results are not per question.
        value: Mean over questions, in the measure's unit.
        difference: Of the means, `value` minus the anchor's.
        ci_low, ci_high: The difference's 95 % confidence interval (normal approximation of the mean
            of paired differences); `None` with fewer than two questions, or other ones than the
            anchor's.
    """

    codec: str
    series: str
    quality: str
    questions: int
    value: float
    difference: float
    ci_low: float | None = None
    ci_high: float | None = None


def at_best_quality(measured: Sequence[Series], anchor: str) -> list[AtBest]:
    """Every series at its codec's best quality, the anchor included.

    Args:
        measured: Those without an anchor of the same codec, or without its best quality, are left
            out.
        anchor: Name of a series.
    """
    anchors = {one.codec: one for one in measured if one.name == anchor}
    found: list[AtBest] = []
    for one in measured:
        if one.codec in anchors:
            of_anchor = anchors[one.codec]
            best = int(of_anchor.rates(of_anchor.once, "source").argmax())
            quality = of_anchor.qualities[best]
            if quality in one.qualities:
                found.append(_at(quality, one, of_anchor))
    return found


def _at(quality: str, one: Series, anchor: Series) -> AtBest:
    own = one.accuracy[:, one.qualities.index(quality)]
    others = anchor.accuracy[:, anchor.qualities.index(quality)]
    mean, asked = float(own.mean()), len(one.questions)
    difference = mean - float(others.mean())
    if asked < 2 or one.questions != anchor.questions:
        return AtBest(one.codec, one.name, quality, asked, mean, difference)
    reach = _WIDTH * float(np.std(own - others, ddof=1)) / asked**0.5
    return AtBest(
        one.codec,
        one.name,
        quality,
        asked,
        mean,
        difference,
        difference - reach,
        difference + reach,
    )
