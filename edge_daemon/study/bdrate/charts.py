"""Charts of rate against accuracy, one for each codec."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path

from edge_daemon.study.bdrate.delta import Rules, curves
from edge_daemon.study.bdrate.series import Series
from edge_daemon.study.charts import MARKERS, new_figure, save_figure


def draw_curves(
    measured: Sequence[Series],
    rules: Rules,
    labels: Mapping[tuple[str, str], str],
    folder: Path,
) -> list[str]:
    """Draw each codec's curves: a line through what is compared, a mark for all that was measured.

    Args:
        measured: All series.
        rules: How they are compared.
        labels: For the legend, by codec and series; a series without one goes by its name.
        folder: Where to.

    Returns:
        Names of the PNG files.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    codecs = dict.fromkeys(one.codec for one in measured)
    return [
        _chart([one for one in measured if one.codec == codec], rules, labels, folder, number)
        for number, codec in enumerate(codecs, 1)
    ]


def _chart(
    measured: Sequence[Series],
    rules: Rules,
    labels: Mapping[tuple[str, str], str],
    folder: Path,
    number: int,
) -> str:
    codec = measured[0].codec
    figure, axes = new_figure()
    for marker, series in zip(cycle(MARKERS), measured, strict=False):
        (curve,) = curves(series, series.once, rules)
        label = labels.get((codec, series.name), series.name)
        (line,) = axes.plot(curve.rates, curve.accuracies, "-", label=label)
        axes.plot(
            series.rates(series.once, rules.accounting)[0],
            series.accuracies(series.once)[0],
            marker,
            color=line.get_color(),
            fillstyle="none",
        )
    axes.set_xscale("log")
    axes.set_title(codec)
    axes.set_xlabel(f"bits per {rules.accounting} pixel (log scale)")
    axes.set_ylabel("accuracy (mean over questions, or as given)")
    axes.legend(fontsize="small")
    slug = re.sub(r"[^A-Za-z0-9]+", "-", codec).strip("-")[:40].lower()
    return save_figure(figure, folder, f"curves-{number}-{slug}".rstrip("-"))
