"""`edge-daemon study semantic`: rate against CLIPSim."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_daemon.cli.options import BackendOption, BundleOption, ConfigOption, settings_with
from edge_daemon.cli.terminal import console, narrow_table, progress_bar
from edge_daemon.errors import SettingsError
from edge_daemon.semantic.critic import Framing
from edge_daemon.service import load_prefilter
from edge_daemon.study.semantic import run_study
from edge_daemon.study.semantic.cases import icon_scenes, photographs
from edge_daemon.study.semantic.table import Mean


def semantic(
    photos: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="Folder of photographs; captions of a `coco.json` in it are used.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="Folder for the results.")
    ] = Path("study-semantic"),
    scenes: Annotated[
        int, typer.Option(min=0, max=10_000, help="Generated scenes of icons to describe too.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Decides the scenes.")] = 1,
    lengths: Annotated[
        str, typer.Option(help="Values of R, in bytes of text, for length against gain.")
    ] = "50,100,200,400",
    framing: Annotated[
        str,
        typer.Option(
            help="What of a picture CLIPSim compares: its `centre`, as published, or all (`cover`)."
        ),
    ] = "centre",
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
) -> None:
    """Measure rate against CLIPSim: texts against tiny pictures.

    Compared are low-resolution pictures and JPEG at quality 10 (the published baselines), a
    thumbnail, the caption as given, refined texts, and texts with a thumbnail or a sketch. Icon
    scenes are drawn again by a stand-in for a text-to-image model; photographs only if the
    settings name a generator. `[semantic]` in the settings says what searches, draws and how long.

    `edge-daemon study semantic photos/ --bundle clip-vit-b-32-openai -o results`
    """
    settings = settings_with(config, bundle, backend=backend)
    wanted, compared = _lengths(lengths), _framing(framing)
    cases = [*(photographs(photos) if photos else ()), *icon_scenes(scenes, seed)]
    if not cases:
        raise SettingsError(
            "there is nothing to describe",
            value=f"{scenes} scenes",
            remedy="name a folder of photographs, or give --scenes",
        )
    with progress_bar() as progress:
        task = progress.add_task("pictures", total=len(cases))
        outcome = run_study(
            cases,
            load_prefilter(settings).bundle,
            settings,
            output,
            lengths=wanted,
            framing=compared,
            on_case=lambda: progress.advance(task),
        )
    console.print(_table(outcome.means))
    if outcome.notice:
        console.print(f"[yellow]Note:[/] {outcome.notice}.")
    for one in outcome.left_out:
        console.print(f"[yellow]Not measured:[/] {one}.", soft_wrap=True)
    console.print(f"Look at [bold]{outcome.page}[/]", soft_wrap=True)


def _lengths(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 16 <= int(part) <= 65_536 for part in parts):
        raise SettingsError(
            "lengths are whole numbers of bytes from 16 to 65536",
            value=text,
            remedy="write for example --lengths 100,200,400",
        )
    return [int(part) for part in parts]


def _framing(text: str) -> Framing:
    if text == "centre":
        return "centre"
    if text == "cover":
        return "cover"
    raise SettingsError("unknown framing", value=text, remedy="use 'centre' or 'cover'")


def _table(means: list[Mean]) -> Table:
    table = narrow_table(
        "Rate against fidelity, means per picture",
        "bytes: of the bitstream; bpp: bits per source pixel;\n"
        "CLIPSim: cosine of the source and what the cloud can show; text: cosine of text and "
        "source",
    )
    table.add_column("pictures")
    table.add_column("method", overflow="fold")
    for name in ("n", "bytes", "bpp", "CLIPSim", "text"):
        table.add_column(name, justify="right", no_wrap=True)
    for number, one in enumerate(means):
        first = number == 0 or means[number - 1].group != one.group
        last = number == len(means) - 1 or means[number + 1].group != one.group
        table.add_row(
            one.group if first else "",
            one.method,
            str(one.pictures),
            f"{one.bytes:,.0f}",
            f"{one.bpp:.4f}",
            _cosine(one.clipsim),
            _cosine(one.text_cosine),
            end_section=last,
        )
    return table


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
