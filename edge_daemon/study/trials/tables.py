"""The page's tables: a row for each method, a column for each codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from edge_daemon.study.bdrate import Comparison, Point
from edge_daemon.study.methods.catalogue import DESCRIPTIONS
from edge_daemon.study.tasks.task import Measure
from edge_daemon.study.trials.best import AtBest
from edge_daemon.study.trials.numbers import (
    NONE,
    difference_of,
    differences_of,
    interval,
    percent,
    value_of,
)

_LOST: Final = 0.05
"""Share of draws without a BD-rate from which an interval has a note."""
_NOT_MEASURED: Final = "not measured; what was left out says why"


def bd_rate_table(comparisons: Sequence[Comparison], order: Sequence[str], anchor: str) -> str:
    """BD-rates with their intervals, and below the table why there are none.

    Args:
        comparisons: Of one measure.
        order: Of the methods.
        anchor: Name of the one they are compared with.
    """
    codecs = list(dict.fromkeys(one.codec for one in comparisons))
    found = {(one.series, one.codec): one for one in comparisons}
    notes = _Notes()
    rows = {
        method: [_bd_rate(found.get((method, codec)), notes) for codec in codecs]
        for method in order
    }
    caption = (
        f"BD-rate against {anchor}, in percent of its bits per source pixel at equal value of the "
        f"measure; below it the 95 % interval over {_asked(comparisons)}. Green: the interval lies "
        "below 0. Red: above. Methods by their mean over codecs, the lowest first."
    )
    return _table(caption, codecs, rows) + notes.html()


def at_best_table(
    measure: Measure, at_best: Sequence[AtBest], order: Sequence[str], anchor: str
) -> str:
    """Means at the best quality, with the difference to the anchor's.

    Args:
        measure: What is told.
        at_best: Of that measure.
        order: Of the methods, the anchor among them.
        anchor: Its name.
    """
    best = {one.codec: one.quality for one in at_best}
    found = {(one.series, one.codec): one for one in at_best}
    notes = _Notes()
    rows = {
        method: [_at_best(measure, found.get((method, codec)), anchor, notes) for codec in best]
        for method in order
    }
    unit = " in percentage points" if measure.is_share else ""
    caption = (
        f"{measure.name} ({measure.unit}) at the best quality, mean over {_asked(at_best)}; below "
        f"it the difference to {anchor}{unit} and its 95 % interval."
    )
    heads = [f"{codec}, quality {quality}" for codec, quality in best.items()]
    return _table(caption, heads, rows) + notes.html()


def comparisons_table(comparisons: Sequence[Comparison]) -> str:
    """How each BD-rate came about."""
    rows = "".join(
        f"<tr><td>{escape(one.series)}</td><td>{escape(one.codec)}</td>"
        f"<td>{_plain(one.bd_rate)}</td><td>{_span(one)}</td>"
        f"<td>{one.points} / {one.anchor_points}</td>"
        f'<td class="text">{escape(one.notes)}</td></tr>'
        for one in comparisons
    )
    return (
        "<table><tr><th>method</th><th>codec</th><th>BD-rate, %</th>"
        "<th>compared from … to (share of all reached)</th><th>points, its / plain's</th>"
        f'<th class="text">notes</th></tr>{rows}</table>'
    )


def points_table(measure: Measure, points: Sequence[Point]) -> str:
    """All that was measured."""
    rows = "".join(
        f"<tr><td>{escape(one.series)}</td><td>{escape(one.codec)}</td>"
        f"<td>{escape(one.quality)}</td>"
        f"<td>{NONE if one.bytes is None else f'{one.bytes:,.0f}'}</td>"
        f"<td>{one.bpp:.4f}</td><td>{one.bpp_sent:.4f}</td>"
        f"<td>{value_of(measure, one.accuracy)}</td><td>{one.treatment}</td></tr>"
        for one in points
    )
    return (
        "<table><tr><th>method</th><th>codec</th><th>quality</th><th>bytes, mean</th>"
        "<th>bits per source pixel</th><th>bits per sent pixel</th>"
        f"<th>{escape(measure.name)}, mean</th><th>in the curve</th></tr>{rows}</table>"
    )


def description_of(method: str) -> str:
    """What a method is, whatever its parameter; not how the command line writes it."""
    return DESCRIPTIONS.get(method.partition(":")[0], "").partition(";")[0]


class _Notes:
    """Footnotes; equal ones share a number."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}

    def mark(self, shown: str, text: str) -> str:
        """Something with the number of its note."""
        number = self._texts.setdefault(text, len(self._texts) + 1)
        return f'<span title="{escape(text)}">{escape(shown)}<sup>{number}</sup></span>'

    def html(self) -> str:
        """All notes, in order."""
        texts = "".join(f"<li>{escape(text)}</li>" for text in self._texts)
        return f'<ol class="notes">{texts}</ol>' if texts else ""


def _bd_rate(one: Comparison | None, notes: _Notes) -> str:
    if one is None:
        return f"<td>{notes.mark(NONE, _NOT_MEASURED)}</td>"
    if one.bd_rate is None:
        reason, _, _ = one.notes.partition("; ")  # what follows is how the curves were treated
        return f"<td>{notes.mark(NONE, reason)}</td>"
    side, bounds = "", ""
    if one.ci_lost is not None:
        bounds = f"<small>{_interval(one, one.ci_lost, notes)}</small>"
    if one.ci_low is not None and one.ci_high is not None:
        side = "less" if one.ci_high < 0 else "more" if one.ci_low > 0 else ""
    sent = (
        f"<small>per sent pixel:<br>{percent(one.other_accounting)}</small>"
        if one.other_accounting is not None
        else ""
    )
    marked = f' class="{side}"' if side else ""
    return f"<td{marked}>{percent(one.bd_rate)}{bounds}{sent}</td>"


def _interval(one: Comparison, lost: float, notes: _Notes) -> str:
    told = f"{100 * lost:.1f} % of the draws of questions have no BD-rate"
    if one.ci_low is None or one.ci_high is None:
        return notes.mark("no interval", told)
    bounds = interval(one.ci_low, one.ci_high)
    return bounds if lost < _LOST else notes.mark(bounds, f"{told}; the interval is of the others")


def _at_best(measure: Measure, one: AtBest | None, anchor: str, notes: _Notes) -> str:
    if one is None:
        return f"<td>{notes.mark(NONE, _NOT_MEASURED)}</td>"
    told = value_of(measure, one.value)
    if one.series == anchor:
        return f"<td>{told}</td>"
    bounds = (
        f" ({differences_of(measure, one.ci_low, one.ci_high)})"
        if one.ci_low is not None and one.ci_high is not None
        else ""
    )
    return f"<td>{told}<small>{difference_of(measure, one.difference)}{bounds}</small></td>"


def _table(caption: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join(
        f'<tr><td class="text">{_breakable(method)}<br>'
        f"<small>{escape(description_of(method))}</small></td>{''.join(cells)}</tr>"
        for method, cells in rows.items()
    )
    return (
        f"<p>{escape(caption)}</p>"
        f'<div class="wrap"><table class="methods"><tr><th>method</th>{head}</tr>{body}</table>'
        "</div>"
    )


def _asked(rows: Sequence[Comparison] | Sequence[AtBest]) -> str:
    counts = sorted({one.questions for one in rows})
    return f"{' or '.join(f'{count:,}' for count in counts)} questions"


def _breakable(method: str) -> str:
    """A name that may be broken before its parameter and between settings."""
    return escape(method).replace(":", ":<wbr>").replace(",", ",<wbr>")


def _plain(rate: float | None) -> str:
    return NONE if rate is None else percent(rate).removesuffix(" %")


def _span(one: Comparison) -> str:
    if one.overlap_low is None or one.overlap_high is None or one.overlap_share is None:
        return NONE
    return f"{one.overlap_low:.4g} … {one.overlap_high:.4g} ({100 * one.overlap_share:.0f} %)"
