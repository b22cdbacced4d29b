from __future__ import annotations

import sys
from dataclasses import replace

import bjontegaard
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge_daemon.errors import UnsupportedError
from edge_daemon.study.bdrate.delta import Delta, Interpolation, Refusal, Rules, compare, curves
from edge_daemon.study.bdrate.monotone import Curve, Monotone
from edge_daemon.study.bdrate.series import Series
from support.measurements import as_given

INTERPOLATIONS: list[Interpolation] = ["pchip", "akima", "cubic"]
MONOTONE: list[Monotone] = ["envelope", "isotonic"]
Points = tuple[list[float], list[float]]


@st.composite
def points(draw: st.DrawFn, *, rising: bool) -> Points:
    """Four to eight points, with accuracies on a grid so that no two rising ones nearly touch."""
    count = draw(st.integers(4, 8))
    rates = draw(st.lists(st.integers(5, 300), min_size=count, max_size=count, unique=True))
    levels = draw(st.lists(st.integers(0, 100), min_size=count, max_size=count, unique=rising))
    if rising:
        rates, levels = sorted(rates), sorted(levels)
    return [rate / 100 for rate in rates], [level / 100 for level in levels]


def curve(series: Series, rules: Rules) -> Curve:
    (found,) = curves(series, series.once, rules)
    return found


def delta(anchor: Series, test: Series, rules: Rules | None = None) -> Delta | Refusal:
    rules = rules or Rules(min_overlap=0)
    return compare(curve(anchor, rules), curve(test, rules), rules)


@pytest.mark.parametrize("monotone", MONOTONE)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@given(anchor=points(rising=True), test=points(rising=True))
def test_rising_curves_agree_with_the_package(
    interpolation: Interpolation, monotone: Monotone, anchor: Points, test: Points
) -> None:
    found = delta(as_given(*anchor), as_given(*test), Rules(monotone, interpolation, min_overlap=0))
    assume(isinstance(found, Delta))
    assert isinstance(found, Delta)
    expected = bjontegaard.bd_rate(
        *anchor, *test, method=interpolation, require_matching_points=False, min_overlap=0
    )
    assert found.bd_rate == pytest.approx(expected, abs=0.01, rel=1e-9)


def test_curves_that_the_package_cannot_take_are_compared() -> None:
    rates, wavering = [0.1, 0.2, 0.4, 0.8, 1.6], [0.5, 0.62, 0.6, 0.7, 0.7]
    with pytest.raises(ValueError, match="strictly increasing"):
        bjontegaard.bd_rate(rates, wavering, rates, wavering, method="pchip")
    for monotone in MONOTONE:
        found = delta(as_given(rates, wavering), as_given(rates, wavering), Rules(monotone))
        assert isinstance(found, Delta)
        assert found.bd_rate == 0


@pytest.mark.parametrize("monotone", MONOTONE)
@given(own=points(rising=False))
def test_a_curve_against_itself_is_0(monotone: Monotone, own: Points) -> None:
    found = delta(as_given(*own), as_given(*own), Rules(monotone))
    if isinstance(found, Delta):
        assert found.bd_rate == pytest.approx(0, abs=1e-9)
        assert found.overlap_share == 1
    else:
        assert "1 of the 2 rising points that pchip takes" in found.reason


@pytest.mark.parametrize("monotone", MONOTONE)
@given(own=points(rising=False), factor=st.floats(0.05, 20))
def test_rates_times_a_factor_are_that_much_more(
    monotone: Monotone, own: Points, factor: float
) -> None:
    rates, accuracies = own
    scaled = as_given([rate * factor for rate in rates], accuracies)
    found = delta(as_given(*own), scaled, Rules(monotone))
    assume(isinstance(found, Delta))
    assert isinstance(found, Delta)
    assert found.bd_rate == pytest.approx(100 * (factor - 1), abs=1e-6, rel=1e-9)


@given(anchor=points(rising=False), test=points(rising=False), data=st.data())
def test_the_order_of_qualities_does_not_matter(
    anchor: Points, test: Points, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(test[0]))))
    shuffled = as_given([test[0][one] for one in order], [test[1][one] for one in order])
    assert delta(as_given(*anchor), shuffled) == delta(as_given(*anchor), as_given(*test))


@given(anchor=points(rising=True), test=points(rising=True), scale=st.floats(0.1, 3000))
def test_the_scale_of_accuracy_does_not_matter(anchor: Points, test: Points, scale: float) -> None:
    """So that scores, e.g. of MME, are compared like shares of right answers."""
    scored = (
        as_given(rates, [scale * level for level in levels]) for rates, levels in (anchor, test)
    )
    first, second = scored
    found, expected = delta(first, second), delta(as_given(*anchor), as_given(*test))
    assume(isinstance(found, Delta))
    assert isinstance(found, Delta)
    assert isinstance(expected, Delta)
    assert found.bd_rate == pytest.approx(expected.bd_rate, rel=1e-6, abs=1e-6)


def test_the_overlap_is_told() -> None:
    found = delta(
        as_given([0.1, 0.2, 0.4], [0.2, 0.5, 0.8]), as_given([0.1, 0.2, 0.4], [0.4, 0.7, 1.0])
    )
    assert isinstance(found, Delta)
    assert found.overlap == (0.4, 0.8)
    assert found.overlap_share == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("anchor", "test", "reason"),
    [
        ([0.5, 0.6, 0.7], [0.7, 0.6, 0.5], "it has 1 of the 2 rising points that pchip takes"),
        ([0.7, 0.6, 0.5], [0.5, 0.6, 0.7], "the anchor has 1 of the 2 rising"),
        ([0.5, 0.6, 0.7], [0.8, 0.85, 0.9], "the anchor has 0.5 to 0.7, it 0.8 to 0.9"),
        ([0.5, 0.6, 0.7], [0.7, 0.8, 0.9], "no accuracy is reached by both"),
        ([0.5, 0.6, 0.7], [0.65, 0.8, 0.9], "both reach 0.65 to 0.7, 12.5 % of what either"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_reason(
    anchor: list[float], test: list[float], reason: str
) -> None:
    rates = [0.1, 0.2, 0.4]
    found = delta(as_given(rates, anchor), as_given(rates, test), Rules())
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_a_cubic_takes_four_points() -> None:
    three = as_given([0.1, 0.2, 0.4], [0.5, 0.6, 0.7])
    found = delta(three, three, Rules(interpolation="cubic"))
    assert found == Refusal("the anchor has 3 of the 4 rising points that cubic takes")


def test_sent_pixels_flatter_who_scales_up() -> None:
    rates, accuracies = [0.1, 0.2, 0.4], [0.5, 0.6, 0.7]
    anchor, scaled_up = as_given(rates, accuracies), as_given(rates, accuracies, area=1.25)
    honest, flattered = (
        delta(anchor, scaled_up, replace(Rules(), accounting=which)) for which in ("source", "sent")
    )
    assert isinstance(honest, Delta)
    assert isinstance(flattered, Delta)
    assert honest.bd_rate == pytest.approx(0)
    assert flattered.bd_rate == pytest.approx(100 * (1 / 1.25 - 1))


def test_rates_are_all_bits_over_all_pixels() -> None:
    series = replace(
        as_given([1.0], [1.0]),
        bits=np.array([[100.0], [900.0]]),
        pixels=np.array([[1000.0], [3000.0]]),
        accuracy=np.array([[1.0], [0.0]]),
    )
    weights = np.array([[1.0, 1.0], [2.0, 0.0]])
    np.testing.assert_allclose(series.rates(weights, "source"), [[0.25], [0.1]])
    np.testing.assert_allclose(series.accuracies(weights), [[0.5], [1.0]])


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    series = as_given([0.1, 0.2], [0.5, 0.6])
    with pytest.raises(UnsupportedError, match=r"edge-daemon\[study\]"):
        delta(series, series)
