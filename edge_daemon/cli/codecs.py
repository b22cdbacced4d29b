"""`edge-daemon codecs`: what can be encoded here, with what, and why not the rest."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from edge_daemon.cli.options import ConfigOption, settings_with
from edge_daemon.cli.terminal import console
from edge_daemon.codecs import codec_class, codec_ids, codec_status, configure_codecs
from edge_daemon.errors import UnknownCodecError


def codecs(
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List the codecs: the encoder found and its version, or why there is none.

    `quality` is each codec's own scale, from its worst to its best. A codec with a map takes
    `allocation = "quantiser"`: relevance spent on its own quantiser.
    """
    configure_codecs(settings_with(config))
    rows = {codec_id: _facts(codec_id) for codec_id in codec_ids()}
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("codec", "encoder", "version", "quality", "map", "remarks"):
        table.add_column(name, overflow="fold")
    for codec_id, row in rows.items():
        worst_best = row["quality"]
        table.add_row(
            codec_id,
            row["encoder"] or "[red]none[/]",
            row["version"],
            "" if worst_best is None else f"{worst_best[0]}..{worst_best[1]}",
            "yes" if row["map"] else "no",
            f"[red]{row['problem']}[/]" if row["problem"] else row["note"],
        )
    console.print(table)


def _facts(codec_id: str) -> dict[str, Any]:
    facts: dict[str, Any] = asdict(codec_status(codec_id))
    try:
        cls = codec_class(codec_id)
    except UnknownCodecError:
        return {**facts, "quality": None, "map": False}
    return {**facts, "quality": list(cls.qualities), "map": cls.takes_map()}
