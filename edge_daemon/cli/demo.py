"""`edge-daemon demo`: everything at once on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_daemon.cli.terminal import console, narrow_table, progress_bar
from edge_daemon.demo.page import Cost, Pair
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

    Camera, daemon and receiver are processes of their own. Each scene is asked about twice.
    `OUTPUT/index.html` shows source, relevance, filtered picture and what the cloud decoded, side
    by side.
    """
    with progress_bar() as progress:
        task = progress.add_task("frames", total=frames_of_run(scenes))
        outcome = run_demo(
            output,
            bundle=bundle,
            scenes=scenes,
            seed=seed,
            on_frame=lambda: progress.advance(task),
        )
    console.print(_costs(outcome.pairs))
    console.print(_words(outcome.pairs))
    console.print(_stages(outcome.pairs))
    if outcome.notice:
        console.print(f"[yellow]Note:[/] {outcome.notice}.")
    console.print(f"Look at [bold]{outcome.page}[/]", soft_wrap=True)


def _costs(pairs: list[Pair]) -> Table:
    table = narrow_table(
        "Bytes sent at the same quality setting, without and with the prefilter",
        "smooth, map: relevance spent on pixels, or on the codec's quantiser by a map;\n"
        "saved: share of the codec's own bytes without the prefilter",
    )
    table.add_column("picture and prompt", overflow="fold")
    for name in ("codec", "without", "smooth", "saved", "map", "saved"):
        table.add_column(name, justify="left" if name == "codec" else "right", no_wrap=True)
    for pair in pairs:
        for number, cost in enumerate(pair.costs):
            table.add_row(
                _name(pair) if number == 0 else "",
                cost.codec,
                f"{cost.plain_bytes:,}",
                *_saved(cost, cost.smooth_bytes),
                *_saved(cost, cost.quantiser_bytes),
                end_section=number == len(pair.costs) - 1,
            )
    return table


def _words(pairs: list[Pair]) -> Table:
    table = narrow_table(
        "The same in words: mode semantic",
        "bytes: of the packed text; link: of all that crosses it as payload",
    )
    table.add_column("picture and prompt", overflow="fold")
    for name in ("bytes", "link"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what the cloud has", overflow="fold")
    for pair in pairs:
        words = pair.words
        table.add_row(
            _name(pair), f"{words.bitstream_bytes:,}", f"{words.envelope_bytes:,}", words.text
        )
    return table


def _saved(cost: Cost, count: int | None) -> tuple[str, str]:
    if count is None:
        return "", ""
    return f"{count:,}", f"{cost.saving_percent(count):.1f} %"


def _stages(pairs: list[Pair]) -> Table:
    stages = list(dict.fromkeys(stage for pair in pairs for stage in pair.stages_ms))
    table = narrow_table(
        f"Latency per stage in milliseconds, {pairs[0].costs[0].codec}",
        "kept: share of the source's pixels that reached the codec bit for bit",
    )
    table.add_column("picture and prompt", overflow="fold")
    for name in ("kept", *stages, "sum"):
        table.add_column(name, justify="right", no_wrap=True)
    for pair in pairs:
        times = [pair.stages_ms.get(stage, 0.0) for stage in stages]
        kept = f"{pair.kept_percent:.0f} %"
        table.add_row(_name(pair), kept, *(f"{ms:.0f}" for ms in (*times, sum(times))))
    return table


def _name(pair: Pair) -> str:
    return f"{pair.title}: {pair.prompt}"
