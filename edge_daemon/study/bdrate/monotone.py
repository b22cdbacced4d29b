"""Makes a rising curve of noisy points.

BD-rate averages a rate as a function of accuracy, so that accuracy must rise with rate. Measured
accuracy wavers: at some qualities more bits answer fewer questions. Two treatments:

- **envelope** (the usual one): for each rate the best accuracy at that rate or below. A point is
  left out if another one is at least as accurate at no higher rate: nobody would operate there.
- **isotonic**: the rising curve with the least squared error in accuracy (pool adjacent violators;
  Ayer et al., 1955). Points of a level are pooled to one, at their mean accuracy and the geometric
  mean of their rates, for BD-rate averages logarithms. Every point counts once, since every
  quality was asked the same questions.

On rising points both change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from edge_daemon.study.bdrate.series import Floats

Monotone: TypeAlias = Literal["envelope", "isotonic"]


@dataclass(frozen=True)
class Curve:
    """Strictly rising in both.

    Attributes:
        rates: Bits per pixel, float64 of shape (points,).
        accuracies: Float64 of shape (points,).
        sources: For each point, the indices of the measured ones that it stands for, by rate.
    """

    rates: Floats
    accuracies: Floats
    sources: tuple[tuple[int, ...], ...]

    @property
    def pooled(self) -> list[tuple[int, ...]]:
        """The measured points that became one, as groups of indices."""
        return [group for group in self.sources if len(group) > 1]


def envelope(rates: Floats, accuracies: Floats) -> Curve:
    """The points that no other one beats.

    Args:
        rates: Above 0, shape (points,), in any order.
        accuracies: Of the same shape.
    """
    kept: list[int] = []
    for index in _by_rate(rates, accuracies):
        if not kept or accuracies[index] > accuracies[kept[-1]]:
            kept.append(index)
    return Curve(rates[kept], accuracies[kept], tuple((index,) for index in kept))


def isotonic(rates: Floats, accuracies: Floats) -> Curve:
    """The levels of isotonic regression; arguments as for `envelope`."""
    levels: list[list[int]] = []
    for index in _by_rate(rates, accuracies):
        level = [index]
        while levels and accuracies[levels[-1]].mean() >= accuracies[level].mean():
            level = levels.pop() + level
        levels.append(level)
    return Curve(
        np.array([np.exp(np.log(rates[level]).mean()) for level in levels]),
        np.array([accuracies[level].mean() for level in levels]),
        tuple(tuple(level) for level in levels),
    )


TREATMENTS: Final[Mapping[Monotone, Callable[[Floats, Floats], Curve]]] = {
    "envelope": envelope,
    "isotonic": isotonic,
}


def _by_rate(rates: Floats, accuracies: Floats) -> list[int]:
    """Indices by rate; of points at one rate the best comes first, so that no other one rises."""
    order: list[int] = np.lexsort((-accuracies, rates)).tolist()
    return order
