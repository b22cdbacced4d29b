"""Rates at equal accuracy, as every study's command shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from edge_daemon.cli.terminal import console, narrow_table
from edge_daemon.study.bdrate import Comparison, Rules
from edge_daemon.study.bdrate.series import Accounting

_PIXELS: dict[Accounting, str] = {"source": "source pixel", "sent": "sent pixel"}
_OTHER: dict[Accounting, Accounting] = {"source": "sent", "sent": "source"}


def comparison_table(title: str, comparisons: Sequence[Comparison], rules: Rules) -> Table:
    """BD-rates with their intervals, and what they rest on; fits into 80 columns.

    Where some pictures were sent at another size, the other accounting takes the place of how much
    the curves overlap and of how many points they have.
    """
    resized = any(one.other_accounting is not None for one in comparisons)
    other = _OTHER[rules.accounting]
    rest = (
        f"{other}: the same per {_PIXELS[other]}; overlap: accuracies that both reach\n"
        if resized
        else "overlap: accuracies that both reach, and their share\n"
        f"points: of this series / of the anchor, {rules.monotone}, {rules.interpolation}\n"
    )
    table = narrow_table(
        escape(title),
        f"BD-rate: mean change of bits per {_PIXELS[rules.accounting]}; below 0 is fewer\n"
        f"95 % CI: bootstrap over questions\n{rest}n: questions",
    )
    table.add_column("codec", no_wrap=True)
    table.add_column("series", overflow="fold", min_width=9)
    more = (f"{other}, %", "overlap") if resized else ("overlap", "points")
    for name in ("BD-rate, %", "95 % CI, %", *more, "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in comparisons:
        cells = (
            (_percent(one.other_accounting), _overlap(one))
            if resized
            else (f"{_overlap(one)}{_share(one)}", f"{one.points}/{one.anchor_points}")
        )
        table.add_row(
            escape(one.codec),
            escape(one.series),
            _percent(one.bd_rate),
            _interval(one),
            *cells,
            str(one.questions or "-"),
        )
    return table


def print_notes(comparisons: Sequence[Comparison]) -> None:
    """What was left out or pooled, and why there is no figure."""
    for one in comparisons:
        if one.notes:
            console.print(
                f"[yellow]{escape(one.series)}, {escape(one.codec)}:[/] {escape(one.notes)}.",
                soft_wrap=True,
            )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _interval(one: Comparison) -> str:
    if one.ci_low is None or one.ci_high is None:
        return "-"
    return f"{one.ci_low:+.1f} to {one.ci_high:+.1f}"


def _overlap(one: Comparison) -> str:
    if one.overlap_low is None:
        return "-"
    return f"{one.overlap_low:.3g}–{one.overlap_high:.3g}"


def _share(one: Comparison) -> str:
    return "" if one.overlap_share is None else f" ({100 * one.overlap_share:.0f} %)"
