"""The ladder of scales: what mixing two of them can miss of the Gaussian between, at worst.

These bounds hold for any picture, because they are sums over the weights themselves.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import KEEP_SIGMA, MAX_SIGMA, scales
from kernels.definition import gaussian


def mixtures(sigma: float) -> NDArray[np.float64]:
    """The weights of pixels of that sigma, `(places, places, across, down)` flattened to pairs."""
    at = scales.coordinate_of(sigma)
    k = min(int(at), len(scales.ladder()) - 2)
    one, other = scales.ladder()[k], scales.ladder()[k + 1]
    way = at - k
    share = way + one.bend * way * (1 - way)
    places = max(len(one.effective), len(other.effective))
    shape = (places, one.effective.shape[1])
    keep = scales.REACH - 140, scales.REACH + 141
    first = np.resize(one.effective, shape)[:, slice(*keep)]
    second = np.resize(other.effective, shape)[:, slice(*keep)]
    chosen = range(0, places, max(places // 2, 1))
    return np.stack(
        [
            (1 - share) * np.outer(first[p], first[q]) + share * np.outer(second[p], second[q])
            for p in chosen
            for q in chosen
        ]
    )


def wanted(sigma: float) -> NDArray[np.float64]:
    weights = gaussian(sigma)
    axis = np.zeros(281)
    axis[140 - len(weights) // 2 : 141 + len(weights) // 2] = weights
    return np.outer(axis, axis)


@pytest.mark.parametrize(
    "sigma", [0.26, 0.3, 0.33, 0.4, 0.46, 0.55, 0.65, 0.78, 0.95, 1.3, 1.8, 2.2, 2.6, 3.7, 4.4, 9.0]
)
def test_no_picture_can_be_missed_by_more_than_is_documented(sigma: float) -> None:
    missed = mixtures(sigma) - wanted(sigma)
    assert np.abs(missed).sum(axis=(1, 2)).max() * 127.5 <= 2.8  # grey levels, any picture
    edges = np.abs(np.cumsum(missed.sum(axis=1), axis=1)).max() * 255.0
    assert edges <= 0.45  # grey levels, a straight edge from black to white


def test_each_scale_keeps_the_mean_and_its_own_variance() -> None:
    for scale in scales.ladder():
        assert scale.taps[0] + 2 * scale.taps[1:].sum() == pytest.approx(1.0)
        assert np.allclose(scale.effective.sum(axis=1), 1.0)
        squares = np.square(np.arange(scale.effective.shape[1], dtype=np.float64) - scales.REACH)
        weights = gaussian(scale.sigma)
        radius = len(weights) // 2
        variance = float(weights @ np.arange(-radius, radius + 1) ** 2)
        assert np.allclose(scale.effective @ squares, variance, rtol=0.005)


def test_the_ladder_runs_from_the_picture_to_the_largest_sigma() -> None:
    ladder = scales.ladder()
    assert ladder[0].sigma == KEEP_SIGMA
    assert list(ladder[0].taps) == [1.0]
    assert ladder[-1].sigma == MAX_SIGMA
    ratios = [b.sigma / a.sigma for a, b in itertools.pairwise(ladder)]
    assert np.allclose(ratios, 2.0**0.25)
    assert max(len(scale.taps) - 1 for scale in ladder) == scales.MAX_RADIUS
    for k, scale in enumerate(ladder):
        assert scales.coordinate_of(scale.sigma) == pytest.approx(k)
        assert scale.level == max(0, math.ceil(math.log2(scale.sigma)) - 1)


@pytest.mark.parametrize(
    ("max_sigma", "level"),
    [
        (0.0, 0),
        (0.25, 0),
        (2.0, 0),
        (2.000001, 0),
        (2.01, 1),
        (4.0, 1),
        (8.0, 2),
        (8.1, 3),
        (64, 5),
    ],
)
def test_levels_that_a_map_calls_for(max_sigma: float, level: int) -> None:
    assert scales.level_for(max_sigma) == level
