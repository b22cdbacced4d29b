"""Charts of rate against accuracy, one for each codec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_daemon.charts import MARKERS, new_figure, save_figure
from edge_daemon.study.bdrate.delta import Rules, curves
from edge_daemon.study.bdrate.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MOST_INSIDE: Final = 6
"""Curves whose legend leaves the chart room."""


def draw_curves(
    measured: Sequence[Series],
    rules: Rules,
    labels: Mapping[tuple[str, str], str],
    folder: Path,
    *,
    anchor: str,
    stem: str = "curves",
    measure: str = "accuracy (mean over questions, or as given)",
) -> dict[str, str]:
    """Draw each codec's curves: a line through what is compared, a mark for all that was measured.

    A series looks the same in every chart that has the same series; the anchor is black.

    Args:
        measured: All series, in the order of the legends.
        rules: How they are compared.
        labels: For the legend, by codec and series; a series without one goes by its name.
        folder: Where to.
        anchor: Name of the series that the others are compared with.
        stem: What the files' names begin with.
        measure: What the vertical axis shows.

    Returns:
        Codec to the PNG file's name.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    looks = _looks({one.name for one in measured}, anchor)
    names: dict[str, str] = {}
    for number, codec in enumerate(dict.fromkeys(one.codec for one in measured), 1):
        figure, axes = new_figure()
        own = [one for one in measured if one.codec == codec]
        for one in own:
            _draw(axes, one, rules, labels.get((codec, one.name), one.name), looks[one.name])
        _log_rates(axes)
        axes.set_title(codec)
        axes.set_xlabel(f"bits per {rules.accounting} pixel (log scale)")
        axes.set_ylabel(measure)
        if len(own) > _MOST_INSIDE:
            figure.set_size_inches(10.0, 5.6)
            figure.legend(fontsize="small", loc="outside right upper")
        else:
            axes.legend(fontsize="small")
        slug = re.sub(r"[^A-Za-z0-9]+", "-", codec).strip("-")[:40].lower()
        names[codec] = save_figure(figure, folder, f"{stem}-{number}-{slug}".rstrip("-"))
    return names


def _log_rates(axes: Axes) -> None:
    """A logarithmic axis of rates with labels at 1, 2 and 5."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _looks(names: set[str], anchor: str) -> dict[str, tuple[str, str]]:
    """Colour and marker of each series."""
    others = enumerate(sorted(names - {anchor}))
    looks = {name: (f"C{place % 10}", MARKERS[place % len(MARKERS)]) for place, name in others}
    return {anchor: ("black", "."), **looks}


def _draw(axes: Axes, series: Series, rules: Rules, label: str, look: tuple[str, str]) -> None:
    colour, marker = look
    (curve,) = curves(series, series.once, rules)
    (rates,) = series.rates(series.once, rules.accounting)
    (accuracies,) = series.accuracies(series.once)
    axes.plot(curve.rates, curve.accuracies, "-", color=colour)
    axes.plot(rates, accuracies, marker, color=colour, fillstyle="none")
    axes.plot([], [], "-", marker=marker, color=colour, fillstyle="none", label=label)
