"""`edge-daemon demo`: everything at once on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge_daemon.cli.terminal import console, errors
from edge_daemon.demo.page import Pair
from edge_daemon.demo.run import frames_of_run, run_demo


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for page and pictures.")
    ] = Path("demo"),
    bundle: Annotated[str, typer.Option(help="Bundle name or path.")] = "nano-icons",
    scenes: Annotated[int, typer.Option(min=1, max=50, help="How many pictures.")] = 3,
    seed: Annotated[int, typer.Option(help="Decides the pictures.")] = 1,
) -> None:
    """Send made-up scenes from camera to cloud, and show the bytes saved.

    Camera, daemon and receiver are processes of their own. Each scene is asked about twice. `OUTPUT/index.html` shows source, relevance, filtered picture
    and what the cloud decoded, side by side.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=errors) as progress:
        task = progress.add_task("frames", total=frames_of_run(scenes))
        outcome = run_demo(
            output,
            bundle=bundle,
            scenes=scenes,
            seed=seed,
            on_frame=lambda: progress.advance(task),
        )
    console.print(_costs(outcome.pairs))
    console.print(_stages(outcome.pairs))
    if outcome.notice:
        console.print(f"[yellow]Note:[/] {outcome.notice}.")
    console.print(f"Look at [bold]{outcome.page}[/]", soft_wrap=True)


def _costs(pairs: list[Pair]) -> Table:
    table = Table(
        title="Bytes sent at the same quality setting, without and with the prefilter",
        caption="saved: share of the codec's own bytes; kept: share of source pixels, bit for bit",
        title_justify="left",
    )
    for name, justify in (
        ("picture", "left"),
        ("prompt", "left"),
        ("source", "right"),
        ("kept", "right"),
        ("codec", "left"),
        ("without", "right"),
        ("with", "right"),
        ("saved", "right"),
    ):
        table.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for pair in pairs:
        facts = (pair.title, pair.prompt, f"{pair.source_bytes:,}", f"{pair.kept_percent:.1f} %")
        for number, cost in enumerate(pair.costs):
            table.add_row(
                *(facts if number == 0 else ("",) * len(facts)),
                cost.codec,
                f"{cost.plain_bytes:,}",
                f"{cost.filtered_bytes:,}",
                f"{cost.saving_percent:.1f} %",
                end_section=number == len(pair.costs) - 1,
            )
    return table


def _stages(pairs: list[Pair]) -> Table:
    stages = list(dict.fromkeys(stage for pair in pairs for stage in pair.stages_ms))
    table = Table(
        title=f"Latency per stage in milliseconds, {pairs[0].costs[0].codec}", title_justify="left"
    )
    table.add_column("picture")
    for stage in stages:
        table.add_column(stage, justify="right")
    table.add_column("sum", justify="right")
    for pair in pairs:
        times = [pair.stages_ms.get(stage, 0.0) for stage in stages]
        table.add_row(pair.title, *(f"{ms:.1f}" for ms in times), f"{sum(times):.1f}")
    return table
