"""Measured series for tests of BD-rates, made from figures or drawn from a known truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_daemon.study.bdrate import Series

PIXELS = 100_000


def as_given(
    rates: Sequence[float],
    accuracies: Sequence[float],
    name: str = "anchor",
    *,
    area: float = 1.0,
) -> Series:
    """A series without questions; `area` is sent pixels per source pixel."""
    bits = np.array([rates]) * PIXELS
    pixels = np.full_like(bits, PIXELS)
    qualities = tuple(str(number) for number in range(len(rates)))
    accuracy = np.array([accuracies], np.float64)
    return Series(name, "jpeg", qualities, (), bits, pixels, area * pixels, accuracy, True)


def asked(
    name: str, *, factor: float, questions: int, difficulty: np.random.Generator, seed: int
) -> Series:
    """A series whose expected accuracy rises by 0.07 with each doubling of the rate.

    Against one of factor 1 its true BD-rate is 100 (factor - 1) %.

    Args:
        name: Of the series.
        factor: Of its rates.
        questions: How many.
        difficulty: Draws what a question takes; seeded alike, two series get the same questions.
        seed: Decides what differs between series: bytes, and a tenth of the answers.
    """
    own = np.random.default_rng(seed)
    accuracy = 0.45 + 0.07 * np.arange(6)
    takes = difficulty.random((questions, 1))
    luck = own.random((questions, 6))
    right = np.where(own.random((questions, 6)) < 0.1, luck < accuracy, takes < accuracy)
    spread = own.lognormal(-0.02, 0.2, (questions, 6))
    pixels = np.full((questions, 6), float(PIXELS))
    bits = 0.1 * 2.0 ** np.arange(6) * factor * spread * PIXELS
    ids = tuple(f"q{number:05}" for number in range(questions))
    qualities = tuple("123456")
    return Series(name, "jpeg", qualities, ids, bits, pixels, pixels, right.astype(float), True)
