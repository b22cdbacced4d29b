"""BD-rate of two rising curves, or why there is none.

The arithmetic is that of the package `bjontegaard` (Herglotz et al., 2022): the mean difference of
the logarithms of the rates over the accuracies that both curves reach, as a percentage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from edge_daemon.errors import UnsupportedError
from edge_daemon.study.bdrate.monotone import TREATMENTS, Curve, Monotone
from edge_daemon.study.bdrate.series import Accounting, Floats, Series

Interpolation: TypeAlias = Literal["pchip", "akima", "cubic"]

FEWEST_POINTS: Final[Mapping[Interpolation, int]] = {"pchip": 2, "akima": 2, "cubic": 4}
"""Points of each curve that it takes."""


@dataclass(frozen=True)
class Rules:
    """How curves are compared.

    Attributes:
        monotone: What is done about accuracy that falls as the rate rises.
        interpolation: Between points, of the logarithm of the rate over accuracy: "pchip",
            piecewise and never overshooting; "akima", piecewise; "cubic", one polynomial
            for all, as first published (Bjontegaard, VCEG-M33, 2001).
        accounting: Which pixels divide the bits. "sent" is how the released reference counts, which
            scales pictures up before it sends them: its rates are too low by the area's factor.
        min_overlap: Least share of the accuracies that either curve reaches that both must reach,
            0..1.
    """

    monotone: Monotone = "envelope"
    interpolation: Interpolation = "pchip"
    accounting: Accounting = "source"
    min_overlap: float = 0.25


@dataclass(frozen=True)
class Delta:
    """A comparison at equal accuracy.

    Attributes:
        bd_rate: Percent; -30 says that on average 30 % fewer bits reach the same accuracy.
        overlap: Lowest and highest accuracy that both curves reach.
        overlap_share: Of the accuracies that either reaches, 0..1.
    """

    bd_rate: float
    overlap: tuple[float, float]
    overlap_share: float


@dataclass(frozen=True)
class Refusal:
    """Why two curves cannot be compared."""

    reason: str


def curves(series: Series, weights: Floats, rules: Rules) -> list[Curve]:
    """A rising curve for each row of weights.

    Args:
        series: What was measured.
        weights: How often each question counts, shape (resamples, questions).
        rules: How.
    """
    treat = TREATMENTS[rules.monotone]
    rates = series.rates(weights, rules.accounting)
    accuracies = series.accuracies(weights)
    return [treat(*one) for one in zip(rates, accuracies, strict=True)]


def compare(anchor: Curve, test: Curve, rules: Rules) -> Delta | Refusal:
    """The rate of `test` against that of `anchor` at equal accuracy.

    Raises:
        UnsupportedError: `bjontegaard` is not installed.
    """
    fewest = FEWEST_POINTS[rules.interpolation]
    for whose, curve in (("the anchor", anchor), ("it", test)):
        if len(curve.rates) < fewest:
            return Refusal(
                f"{whose} has {len(curve.rates)} of the {fewest} rising points that "
                f"{rules.interpolation} takes"
            )
    low = float(max(anchor.accuracies[0], test.accuracies[0]))
    high = float(min(anchor.accuracies[-1], test.accuracies[-1]))
    if low >= high:
        return Refusal(
            f"no accuracy is reached by both: the anchor has {_span(anchor)}, it {_span(test)}"
        )
    lowest = min(anchor.accuracies[0], test.accuracies[0])
    highest = max(anchor.accuracies[-1], test.accuracies[-1])
    share = float((high - low) / (highest - lowest))
    if share < rules.min_overlap:
        return Refusal(
            f"both reach {low:.4g} to {high:.4g}, {100 * share:.1f} % of what either reaches, and "
            f"{100 * rules.min_overlap:g} % are needed"
        )
    return Delta(_bd_rate(anchor, test, rules.interpolation), (low, high), share)


def _bd_rate(anchor: Curve, test: Curve, interpolation: Interpolation) -> float:
    try:
        from bjontegaard import bd_rate  # noqa: PLC0415
    except ImportError as missing:
        raise UnsupportedError(
            "BD-rate needs bjontegaard, which is not installed",
            value=missing.name,
            remedy="install the extra: pip install 'edge-daemon[study]'",
        ) from missing
    percent = bd_rate(
        anchor.rates,
        anchor.accuracies,
        test.rates,
        test.accuracies,
        method=interpolation,
        require_matching_points=False,
        min_overlap=0,
    )
    assert not isinstance(percent, tuple)
    return float(percent)


def _span(curve: Curve) -> str:
    return f"{curve.accuracies[0]:.4g} to {curve.accuracies[-1]:.4g}"
