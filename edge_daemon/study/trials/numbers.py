"""Figures as the page shows them, with their unit."""

from __future__ import annotations

from typing import Final

from edge_daemon.study.tasks.task import ACCURACY, Measure

NONE: Final = "–"
"""Where there is no figure."""


def percent(value: float) -> str:
    """A signed percentage, e.g. "−31.2 %"."""
    return f"{_signed(value, 1)} %"


def interval(low: float, high: float, decimals: int = 1) -> str:
    """Both ends of an interval, signed and without their unit."""
    return f"{_signed(low, decimals)} to {_signed(high, decimals)}"


def value_of(measure: Measure, value: float) -> str:
    """A mean; a share as a percentage, anything else in the unit that the measure names."""
    return f"{100 * value:.1f} %" if measure.is_share else f"{value:.3f}"


def difference_of(measure: Measure, value: float) -> str:
    """A difference of two means, without its unit; of shares in percentage points."""
    return _signed(100 * value, 1) if measure.is_share else _signed(value, 3)


def differences_of(measure: Measure, low: float, high: float) -> str:
    """An interval of such a difference, without its unit."""
    return interval(100 * low, 100 * high) if measure.is_share else interval(low, high, 3)


def judgement(measure: Measure, value: float | None) -> str:
    """What one answer was worth."""
    if value is None:
        return f"{measure.name}: nothing to judge"
    if measure == ACCURACY and value in (0, 1):
        return "answered right" if value else "answered wrong"
    return f"{measure.name} {value_of(measure, value)}"


def _signed(value: float, decimals: int) -> str:
    rounded = round(value, decimals) + 0.0
    return f"{rounded:+.{decimals}f}".replace("-", "−") if rounded else f"{0:.{decimals}f}"
