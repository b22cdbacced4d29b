"""`edge-daemon study`: experiments, each in a module of its own."""

from __future__ import annotations

import typer

from edge_daemon.cli.study_bdrate import bdrate
from edge_daemon.cli.study_semantic import semantic
from edge_daemon.cli.study_tasks import tasks
from edge_daemon.cli.study_vlm import vlm

study = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Experiments: what the bytes buy, as CSV, PNG and a page.",
)
study.command("bdrate")(bdrate)
study.command("semantic")(semantic)
study.command("tasks")(tasks)
study.command("vlm")(vlm)
