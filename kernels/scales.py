"""The ladder of scales that the fast backends interpolate between.

A *scale* is the Gaussian of one sigma. The ladder has four to the octave, from the picture itself
(`KEEP_SIGMA`) to `MAX_SIGMA`; a pixel whose sigma lies between two scales takes a mixture of both.
Because each scale is an ordinary convolution, a pixel's value depends on the picture and on its own
sigma alone: neither steps nor slopes of sigma cost accuracy.

Scales wider than 2 px are filtered on a level of a pyramid. Reducing to the level and expanding
from it again (both with 1 4 6 4 1, Burt and Adelson 1983; OpenCV's `pyrDown` and `pyrUp`) smooth by
themselves; a scale's own weights supply what is missing. They are the least-squares fit of the
whole chain to the Gaussian's *step response*, that is, to pictures whose power falls as 1/f^2 as
photographs' does.

This module is the only place where the ladder is made; the C and the CUDA kernels are handed it.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kernels.definition import KEEP_SIGMA, MAX_SIGMA, gaussian

PER_OCTAVE: Final = 4
MAX_RADIUS: Final = 6
"""Pixels of its level that a scale's filter reaches at most."""

REACH: Final = math.ceil(3 * MAX_SIGMA) + 160
"""Pixels of the picture that any chain of reducing, filtering and expanding reaches at most."""

_REDUCE = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_PLAIN = 0.08  # a bend below this moves a mixture by less than 2 %: not worth its arithmetic

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """One rung of the ladder.

    Attributes:
        sigma: In pixels of the picture.
        level: Of the pyramid; 0 is the picture, and each level halves the sides.
        taps: Weights at distances 0 to `len(taps) - 1` pixels of the level, on either side; the
            whole filter sums to one.
        effective: The weights along one axis that a pixel of the picture ends up with, float64
            `(2^level, 2 * REACH + 1)`, the pixel itself in the middle: one row for each place that
            it can have in the level's grid.
        bend: Shapes the mixture with the next scale. At `f` of the way there, on a logarithmic axis
            of sigma, the share of the next is `f + bend * f * (1 - f)`.
    """

    sigma: float
    level: int
    taps: Floats
    effective: Floats
    bend: float = 0.0


def level_of(sigma: float) -> int:
    """The pyramid level on which a Gaussian is filtered: the first on which it is at most 2 px."""
    return max(0, math.ceil(math.log2(sigma)) - 1)


def coordinate_of(sigma: float) -> float:
    """Where a sigma lies on the ladder: 0 at the picture, 1 at the first scale, and so on."""
    return PER_OCTAVE * math.log2(max(sigma, KEEP_SIGMA) / KEEP_SIGMA)


def sigma_of(coordinate: float) -> float:
    """The sigma at a coordinate; scale k is the one at k."""
    return KEEP_SIGMA * 2.0 ** (coordinate / PER_OCTAVE)


@functools.cache
def ladder(levels: int = level_of(MAX_SIGMA)) -> tuple[Scale, ...]:
    """The scales from `KEEP_SIGMA` (the picture itself) as far as a pyramid of `levels` carries.

    Up to 8 px (level 2) that takes some milliseconds to work out, to the end (level 5) some 60.
    """
    count = round(coordinate_of(MAX_SIGMA)) + 1
    sigmas = [sigma_of(k) for k in range(count) if level_of(sigma_of(k)) <= levels]
    fitted = [_fit(sigma) for sigma in sigmas]
    bent = [replace(one, bend=_bend(one, other)) for one, other in itertools.pairwise(fitted)]
    return (*bent, fitted[-1])


def level_for(max_sigma: float) -> int:
    """The highest level of the scales that sigmas up to `max_sigma` are mixed from."""
    # A coordinate is rounded to 1/512 where it is used; a sigma a hair above a scale is that scale.
    return level_of(sigma_of(math.ceil(coordinate_of(max_sigma) - 1.0 / 1024.0)))


@functools.cache
def _fit(sigma: float) -> Scale:
    level = level_of(sigma)
    if level == 0:
        weights = gaussian(sigma)
        return Scale(sigma, level, weights[len(weights) // 2 :], _gaussian_row(sigma)[None])
    chains = _chains(level, math.ceil(3.0 * _remaining_sigma(sigma, level)))
    taps = _closest_taps(chains, _gaussian_row(sigma))
    return Scale(sigma, level, taps, np.tensordot(taps, chains, axes=1))


def _remaining_sigma(sigma: float, level: int) -> float:
    """What is left to do on a level, in its pixels, after reducing and expanding."""
    # Either way adds a variance of 1 px of the finer level at each step: (4^level - 1) / 3.
    spent = 2.0 * (4.0**level - 1.0) / 3.0
    return math.sqrt((sigma**2 - spent) / 4.0**level)


def _chains(level: int, radius: int) -> Floats:
    """What each tap contributes, float64 `(radius + 1, 2^level, 2 * REACH + 1)`.

    Entry `[k, p]` holds the weights, around a pixel whose place is p modulo 2^level, of reducing,
    shifting by k either way and expanding.
    """
    step = 1 << level
    reduce = np.ones(1)
    for finer in range(level):
        spread = np.zeros((len(_REDUCE) - 1) * (1 << finer) + 1)
        spread[:: 1 << finer] = _REDUCE
        reduce = np.convolve(reduce, spread)
    half = len(reduce) // 2
    chains = np.zeros((radius + 1, step, 2 * REACH + 1))
    for phase in range(step):
        for j in range(-(half // step) - 1, half // step + 2):
            if abs(phase - step * j) > half:
                continue
            weight = step * reduce[half + phase - step * j]
            for k in range(radius + 1):
                for shifted in {j - k, j + k}:
                    at = REACH + step * shifted - phase
                    chains[k, phase, at - half : at + half + 1] += weight * reduce
    return chains


def _closest_taps(chains: Floats, wanted: Floats) -> Floats:
    """The taps, of sum one, whose step response comes closest to the wanted one."""
    count = len(chains)
    steps = np.cumsum(chains, axis=-1).reshape(count, -1)
    target = np.tile(np.cumsum(wanted), chains.shape[1])
    multiplicity = np.array([1.0] + [2.0] * (count - 1))
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = steps @ steps.T
    system[:count, count] = system[count, :count] = multiplicity
    solution = np.linalg.solve(system, np.append(steps @ target, 1.0))
    return np.asarray(solution[:count], np.float64)


def _bend(one: Scale, other: Scale) -> float:
    """The bend with which mixtures of two scales come closest to the Gaussians between them."""
    phases = max(len(one.effective), len(other.effective))
    first = np.cumsum(np.resize(one.effective, (phases, 2 * REACH + 1)), axis=-1)
    change = np.cumsum(np.resize(other.effective, first.shape), axis=-1) - first
    ways = np.arange(1, 8) / 8.0
    between = [one.sigma * (other.sigma / one.sigma) ** way for way in ways]
    shares = [np.vdot(np.cumsum(_gaussian_row(sigma)) - first, change) for sigma in between]
    parabola = ways * (1.0 - ways)
    excess = np.array(shares) / np.vdot(change, change) - ways
    bend = float(np.dot(excess, parabola) / np.dot(parabola, parabola))
    return bend if abs(bend) > _PLAIN else 0.0


def _gaussian_row(sigma: float) -> Floats:
    """The Gaussian's weights on the axis of `Scale.effective`."""
    weights = gaussian(sigma)
    row = np.zeros(2 * REACH + 1)
    start = REACH - len(weights) // 2
    row[start : start + len(weights)] = weights
    return row
