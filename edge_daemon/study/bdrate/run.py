"""From a table of results to BD-rates, tables and charts."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from edge_daemon.study.bdrate.charts import draw_curves
from edge_daemon.study.bdrate.comparison import Comparison, Point, compare_all, points_of
from edge_daemon.study.bdrate.delta import Rules
from edge_daemon.study.bdrate.results import read_results
from edge_daemon.study.table import write_csv


@dataclass(frozen=True)
class Outcome:
    """What a table of results says.

    Attributes:
        anchor: Name of the series that the others are compared with.
        comparisons: Of every other series, in the table's order.
        charts: PNG files.
    """

    anchor: str
    comparisons: list[Comparison]
    charts: list[Path]


def run_bdrate(
    file: Path,
    output: Path,
    *,
    anchor: str | None = None,
    rules: Rules,
    resamples: int = 1000,
    seed: int = 1,
    on_comparison: Callable[[Comparison], None] = lambda _: None,
) -> Outcome:
    """Compare the series of a table, and write down what comes of it.

    Args:
        file: CSV, as `read_results` takes it.
        output: Folder for `bdrate.csv`, `points.csv`, `bdrate.json` and the charts; made if it is
            not there.
        anchor: Name of a series; the first one of the table unless given.
        rules: How they are compared.
        resamples: Draws of questions for the confidence intervals; 0 for none.
        seed: Decides the draws.
        on_comparison: Called with each comparison.

    Raises:
        ResultsError: The table cannot be used, or there is nothing beside the anchor.
        UnsupportedError: `bjontegaard` or matplotlib is not installed.
    """
    measured = read_results(file)
    name = measured[0].name if anchor is None else anchor
    comparisons = compare_all(
        measured, name, rules, resamples=resamples, seed=seed, on_comparison=on_comparison
    )
    points = points_of(measured, rules)
    output.mkdir(parents=True, exist_ok=True)
    write_csv(comparisons, Comparison, output / "bdrate.csv")
    write_csv(points, Point, output / "points.csv")
    labels = {
        (one.codec, one.series): f"{one.series} ({one.bd_rate:+.1f} %)"
        for one in comparisons
        if one.bd_rate is not None
    }
    charts = draw_curves(measured, rules, labels, output, anchor=name)
    told = {
        "settings": {**asdict(rules), "anchor": name, "resamples": resamples, "seed": seed},
        "versions": _versions(),
        "comparisons": [asdict(one) for one in comparisons],
        "points": [asdict(one) for one in points],
    }
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    (output / "bdrate.json").write_text(text + "\n", encoding="utf-8")
    return Outcome(name, comparisons, [output / chart for chart in charts.values()])


def _versions() -> dict[str, str]:
    """Of what the figures depend on."""
    names = ("edge-daemon", "bjontegaard", "numpy", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
