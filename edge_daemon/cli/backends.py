"""`edge-daemon backends`: what can run a bundle's image encoder here, and why not the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, cast

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from edge_daemon.cli.options import ConfigOption, resources_of, settings_with
from edge_daemon.cli.terminal import console
from models.backends.survey import BackendStatus, survey
from models.loading import find_bundle, read_image_graph
from models.manifest import read_manifest


def backends(
    bundle: Annotated[
        str | None,
        typer.Argument(help="A bundle's name, or a path; the settings' one unless given."),
    ] = None,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Try every backend on a bundle's image encoder: what it runs on, or why it cannot.

    `auto` marks the one that `encoder.backend = "auto"` takes.
    """
    settings = settings_with(config, bundle)
    directory = find_bundle(settings.bundle)
    graph = read_image_graph(directory, read_manifest(directory))
    found = survey(graph, resources_of(settings))
    if as_json:
        typer.echo(json.dumps({name: asdict(status) for name, status in found.items()}))
        return
    title = escape(f"{graph.manifest.name}, {graph.precision}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("backend", "library", "runs on", "auto", "remarks"):
        table.add_column(heading, overflow="fold")
    for name, status in found.items():
        table.add_row(
            name,
            escape(status.version) or "[red]none[/]",
            escape(told(status.runs_on)),
            "takes it" if status.auto else "",
            _remarks(status),
        )
    console.print(table)


def told(described: Mapping[str, Any]) -> str:
    """What a session says of itself, in words; its library is told elsewhere."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_words(value)}"
        for name, value in described.items()
        if name != "backend"
    )


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value)
        return "; ".join(f"{name} {one}" for name, one in pairs.items())
    if isinstance(value, list):
        return " ".join(str(one) for one in cast("list[Any]", value))
    return str(value)


def _remarks(status: BackendStatus) -> str:
    if status.problem:
        return f"[red]{escape(status.problem)}[/]"
    return escape(status.set_aside)
