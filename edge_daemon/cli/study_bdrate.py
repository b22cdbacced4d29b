"""`edge-daemon study bdrate`: rate at equal accuracy, from a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edge_daemon.cli.terminal import console, errors, narrow_table
from edge_daemon.study.bdrate import Comparison, Outcome, Rules, run_bdrate
from edge_daemon.study.bdrate.delta import Interpolation
from edge_daemon.study.bdrate.monotone import Monotone
from edge_daemon.study.bdrate.series import Accounting

_PIXELS: dict[Accounting, str] = {"source": "source pixel", "sent": "sent pixel"}
_OTHER: dict[Accounting, Accounting] = {"source": "sent", "sent": "source"}


def bdrate(
    results: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Table of results (CSV).")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("study-bdrate"),
    anchor: Annotated[
        str | None,
        typer.Option(help="Series that the others are compared with; else the table's first."),
    ] = None,
    monotone: Annotated[
        Monotone,
        typer.Option(
            help="What is done where accuracy falls as the rate rises: keep only points that no "
            "other beats (`envelope`), or pool such points (`isotonic` regression)."
        ),
    ] = "envelope",
    interpolation: Annotated[
        Interpolation, typer.Option(help="Between points, of log rate over accuracy.")
    ] = "pchip",
    accounting: Annotated[
        Accounting,
        typer.Option(
            help="Bits are divided by pixels of the `source`, or of the picture that was `sent`, "
            "as the released reference does after scaling up."
        ),
    ] = "source",
    min_overlap: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Least share of the accuracies of either curve that both reach."
        ),
    ] = Rules.min_overlap,
    resamples: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Draws of questions for the intervals; 0: none."),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the draws.")] = 1,
) -> None:
    """Compare rates at equal accuracy: BD-rate, with 95 % intervals over questions.

    RESULTS.csv has the columns `series`, `codec`, `quality`, `accuracy`, and `bytes` and `pixels`
    (of the source) or `bpp`; also `question` (an id) where each row is one question, with accuracy
    0 to 1, and `sent_pixels` where the sent picture has another size than its source.

    `edge-daemon study bdrate results.csv --anchor "codec only" -o results`
    """
    rules = Rules(monotone, interpolation, accounting, min_overlap)
    with errors.status("comparing") as status:
        outcome = run_bdrate(
            results,
            output,
            anchor=anchor,
            rules=rules,
            resamples=resamples,
            seed=seed,
            on_comparison=lambda row: status.update(f"compared {row.series} with {row.codec}"),
        )
    console.print(_table(outcome, rules))
    for one in outcome.comparisons:
        if one.notes:
            console.print(
                f"[yellow]{escape(one.series)}, {escape(one.codec)}:[/] {escape(one.notes)}.",
                soft_wrap=True,
            )
    console.print(
        f"Look at [bold]{escape(str(output))}[/]: bdrate.csv, points.csv, bdrate.json, "
        f"{', '.join(chart.name for chart in outcome.charts)}",
        soft_wrap=True,
    )


def _table(outcome: Outcome, rules: Rules) -> Table:
    resized = any(one.other_accounting is not None for one in outcome.comparisons)
    table = narrow_table(
        f"Rate at equal accuracy, against {escape(outcome.anchor)}",
        f"BD-rate: mean change of bits per {_PIXELS[rules.accounting]}; below 0 is fewer\n"
        "95 % CI: bootstrap over questions; overlap: accuracies that both reach, and their share\n"
        f"points: of this series / of the anchor, {rules.monotone}, {rules.interpolation}\n"
        "n: questions",
    )
    table.add_column("codec", no_wrap=True)
    table.add_column("series", overflow="fold", min_width=9)
    names = ["BD-rate, %", "95 % CI, %"]
    if resized:
        names.append(f"per {_PIXELS[_OTHER[rules.accounting]]}, %")
    for name in (*names, "overlap", "points", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in outcome.comparisons:
        cells = [_percent(one.bd_rate), _interval(one)]
        if resized:
            cells.append(_percent(one.other_accounting))
        table.add_row(
            escape(one.codec),
            escape(one.series),
            *cells,
            _overlap(one),
            f"{one.points}/{one.anchor_points}",
            str(one.questions or "-"),
        )
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"


def _interval(one: Comparison) -> str:
    if one.ci_low is None or one.ci_high is None:
        return "-"
    return f"{one.ci_low:+.1f} to {one.ci_high:+.1f}"


def _overlap(one: Comparison) -> str:
    if one.overlap_low is None or one.overlap_share is None:
        return "-"
    return f"{one.overlap_low:.3g}–{one.overlap_high:.3g} ({100 * one.overlap_share:.0f} %)"
