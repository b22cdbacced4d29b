"""`edge-daemon bench`: milliseconds per frame on this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edge_daemon.bench.latency import PARTS, Part, Plan, run_bench
from edge_daemon.bench.latency.page import check_page, fill_page, fragment
from edge_daemon.bench.latency.run import steps_of
from edge_daemon.bench.latency.tables import Figures, tables_of
from edge_daemon.bench.latency.workload import Size
from edge_daemon.cli.terminal import console, narrow_table, progress_bar
from edge_daemon.errors import SettingsError
from edge_daemon.settings import EncoderBackend

MOST_CAMERAS = 64


def bench(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("bench-latency"),
    bundle: Annotated[
        list[str] | None, typer.Option(help="Bundle name or path. Repeatable.")
    ] = None,
    codec: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this codec. Repeatable. Unless any is named: all that work here, and "
            "cameras ask for jpeg and hevc."
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WIDTHxHEIGHT",
            help="Of the pictures whose stages are timed. Repeatable; else 640x480, 1280x720 and "
            "1920x1080. 3840x2160 takes a few minutes more.",
        ),
    ] = None,
    cameras: Annotated[
        str, typer.Option(metavar="N,N,...", help="How many cameras send at a time.")
    ] = "1,2,4,8",
    parts: Annotated[
        str, typer.Option(metavar="PART,PART,...", help="What is timed, of these.")
    ] = ",".join(PARTS),
    rounds: Annotated[
        int, typer.Option(min=1, max=10_000, help="Of everything that is timed in rounds.")
    ] = Plan.rounds,
    seconds: Annotated[
        float, typer.Option(min=0.2, max=3600, help="That each number of cameras sends.")
    ] = Plan.seconds,
    backend: Annotated[
        EncoderBackend,
        typer.Option(help="What runs the image encoder; `edge-daemon backends` tells what works."),
    ] = "auto",
    threads: Annotated[
        int, typer.Option(min=1, max=64, help="Threads of the encoders.")
    ] = Plan.threads,
    tile_budget: Annotated[
        int | None,
        typer.Option(
            min=4, max=512, help="Most tiles of a picture; default: what each codec gets by itself."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the pictures.")] = Plan.seed,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few rounds, smallest and largest only: a minute.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Also put the tables into this Markdown page."),
    ] = None,
) -> None:
    """Time a frame: stage by stage, end to end, and beside the alternatives.

    *stages*: the library, for each bundle, size and codec. *cameras*: from sending to the result,
    with a daemon and a cloud. *overhead*: the daemon beside the bare library calls. *published*:
    ours beside the published pipeline, built from its description. What is compared is timed in
    turns. Let the machine do nothing else meanwhile; it takes about five minutes on two cores.

    `edge-daemon bench --bundle nano-icons --codec jpeg --size 3840x2160 -o results`
    """
    plan = Plan(
        bundles=tuple(bundle or Plan.bundles),
        sizes=tuple(Size.parse(one) for one in size) if size else Plan.sizes,
        codecs=tuple(codec or ()),
        cameras=_numbers(cameras),
        parts=_parts(parts),
        rounds=rounds,
        seconds=seconds,
        backend=backend,
        threads=threads,
        tile_budget=tile_budget,
        seed=seed,
    )
    plan = plan.quick() if quick else plan
    if page is not None:
        check_page(page)
    command = shlex.join(["edge-daemon", *sys.argv[1:]])
    with progress_bar() as progress:
        task = progress.add_task("timing", total=steps_of(plan))
        outcome = run_bench(plan, output, command=command, on_step=lambda: progress.advance(task))
    for table in tables_of(outcome.results):
        console.print(shown(table))
    for one in outcome.results.left_out:
        console.print(f"[yellow]Not measured:[/] {escape(one)}.", soft_wrap=True)
    if page is not None:
        fill_page(page, fragment(outcome.results))
    console.print(
        f"Look at [bold]{escape(str(output))}[/]: {', '.join(outcome.files)}", soft_wrap=True
    )


def shown(figures: Figures) -> Table:
    """The figures for a terminal of 80 columns."""
    table = narrow_table(escape(figures.title), escape(figures.caption))
    for number, heading in enumerate(figures.headings):
        justify = "left" if number < figures.words else "right"
        table.add_column(heading, justify=justify, no_wrap=number > 0, overflow="fold")
    for cells in figures.rows:
        table.add_row(*map(escape, cells))
    return table


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= MOST_CAMERAS for part in parts):
        raise SettingsError(
            f"numbers of cameras are whole numbers from 1 to {MOST_CAMERAS}",
            value=text,
            remedy="write for example --cameras 1,4",
        )
    return tuple(dict.fromkeys(int(part) for part in parts))


def _parts(text: str) -> tuple[Part, ...]:
    names = {name.strip() for name in text.split(",")}
    if not names <= set(PARTS):
        raise SettingsError(
            "there is no such part", value=text, remedy=f"name some of: {', '.join(PARTS)}"
        )
    return tuple(part for part in PARTS if part in names)
