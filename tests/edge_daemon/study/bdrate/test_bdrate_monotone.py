from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.study.bdrate.monotone import TREATMENTS, Monotone, envelope, isotonic
from edge_daemon.study.bdrate.series import Floats

RATES = st.integers(1, 400).map(lambda number: number / 100)
ACCURACIES = st.integers(0, 64).map(lambda number: number / 64)
POINTS = st.lists(st.tuples(RATES, ACCURACIES), min_size=1, max_size=9)
Points = list[tuple[float, float]]


def arrays(points: Points) -> tuple[Floats, Floats]:
    table = np.array(points, np.float64)
    return table[:, 0], table[:, 1]


@pytest.mark.parametrize("treatment", ["envelope", "isotonic"])
@given(points=POINTS)
def test_curves_rise_strictly(treatment: Monotone, points: Points) -> None:
    curve = TREATMENTS[treatment](*arrays(points))
    assert len(curve.rates) == len(curve.accuracies) == len(curve.sources) >= 1
    assert (np.diff(curve.rates) > 0).all()
    assert (np.diff(curve.accuracies) > 0).all()


@pytest.mark.parametrize("treatment", ["envelope", "isotonic"])
@given(points=POINTS, data=st.data())
def test_the_order_of_points_does_not_matter(
    treatment: Monotone, points: Points, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(points))
    first, second = (TREATMENTS[treatment](*arrays(some)) for some in (points, shuffled))
    np.testing.assert_allclose(first.rates, second.rates, rtol=1e-12)
    np.testing.assert_allclose(first.accuracies, second.accuracies, rtol=1e-12)


@pytest.mark.parametrize("treatment", ["envelope", "isotonic"])
@given(points=POINTS)
def test_rising_points_stay_as_they_are(treatment: Monotone, points: Points) -> None:
    rates, accuracies = (np.unique(values) for values in arrays(points))
    length = min(len(rates), len(accuracies))
    curve = TREATMENTS[treatment](rates[:length], accuracies[:length])
    np.testing.assert_allclose(curve.rates, rates[:length], rtol=1e-12)
    np.testing.assert_array_equal(curve.accuracies, accuracies[:length])
    assert curve.sources == tuple((index,) for index in range(length))


@given(points=POINTS)
def test_the_envelope_is_the_best_accuracy_at_a_rate_or_below(points: Points) -> None:
    rates, accuracies = arrays(points)
    curve = envelope(rates, accuracies)
    for rate in rates:
        reached = curve.accuracies[curve.rates <= rate]
        assert reached[-1] == accuracies[rates <= rate].max()


@given(points=POINTS, more=st.tuples(st.integers(0, 8), st.floats(1, 5), st.floats(0, 1)))
def test_a_dominated_point_never_changes_the_envelope(
    points: Points, more: tuple[int, float, float]
) -> None:
    which, dearer, worse = more
    rate, accuracy = points[which % len(points)]
    alone = envelope(*arrays(points))
    beside = envelope(*arrays([*points, (rate * dearer, accuracy * worse)]))
    np.testing.assert_array_equal(alone.rates, beside.rates)
    np.testing.assert_array_equal(alone.accuracies, beside.accuracies)


def test_the_envelope_tells_which_points_it_keeps() -> None:
    curve = envelope(np.array([0.4, 0.1, 0.2, 0.3]), np.array([0.8, 0.5, 0.7, 0.6]))
    assert curve.sources == ((1,), (2,), (0,))
    assert curve.pooled == []


@given(points=POINTS)
def test_isotonic_levels_are_those_of_the_min_max_formula(points: Points) -> None:
    """Oracle: the fit at i is the largest over j <= i of the least over k >= i of mean(j..k)."""
    distinct = dict(points)
    rates = np.array(sorted(distinct))
    accuracies = np.array([distinct[rate] for rate in sorted(distinct)])
    count = len(rates)
    expected = [
        max(min(accuracies[j : k + 1].mean() for k in range(i, count)) for j in range(i + 1))
        for i in range(count)
    ]
    curve = isotonic(rates, accuracies)
    for level, rate, sources in zip(curve.accuracies, curve.rates, curve.sources, strict=True):
        for index in sources:
            assert expected[index] == pytest.approx(level, abs=1e-12)
        assert rate == pytest.approx(float(np.prod(rates[list(sources)])) ** (1 / len(sources)))
    assert sorted(index for group in curve.sources for index in group) == list(range(count))


def test_points_at_one_rate_are_pooled() -> None:
    curve = isotonic(np.array([0.2, 0.1, 0.2]), np.array([0.9, 0.3, 0.7]))
    np.testing.assert_allclose(curve.rates, [0.1, 0.2])
    np.testing.assert_allclose(curve.accuracies, [0.3, 0.8])
    assert curve.pooled == [(0, 2)]
