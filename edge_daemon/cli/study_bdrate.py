"""`edge-daemon study bdrate`: rate at equal accuracy, from a table of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from edge_daemon.cli.comparisons import comparison_table, print_notes
from edge_daemon.cli.terminal import console, errors
from edge_daemon.study.bdrate import Rules, run_bdrate
from edge_daemon.study.bdrate.delta import Interpolation
from edge_daemon.study.bdrate.monotone import Monotone
from edge_daemon.study.bdrate.series import Accounting


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
    title = f"Rate at equal accuracy, against {outcome.anchor}"
    console.print(comparison_table(title, outcome.comparisons, rules))
    print_notes(outcome.comparisons)
    console.print(
        f"Look at [bold]{escape(str(output))}[/]: bdrate.csv, points.csv, bdrate.json, "
        f"{', '.join(chart.name for chart in outcome.charts)}",
        soft_wrap=True,
    )
