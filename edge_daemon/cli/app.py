"""The `edge-daemon` command: its sub-commands, and how failures end."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from edge_daemon.cli import backends, codecs, demo, pictures, services
from edge_daemon.cli.bench import bench
from edge_daemon.cli.decoding import decode_file
from edge_daemon.cli.describe import describe
from edge_daemon.cli.engines import engines
from edge_daemon.cli.gateway import gateway
from edge_daemon.cli.keys import keys
from edge_daemon.cli.models import models
from edge_daemon.cli.selftest import selftest
from edge_daemon.cli.status import status
from edge_daemon.cli.study import study
from edge_daemon.cli.terminal import errors
from edge_daemon.cli.top import top
from edge_daemon.errors import EdgeError
from edge_daemon.settings import LogSettings
from edge_daemon.telemetry import set_up_log
from models import BundleError
from models.tensorrt.errors import EngineError

app = typer.Typer(
    name="edge-daemon",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Prompt-guided image compression at the edge.

A picture and a question go in; out comes a smaller picture in which **what the question asks
about is untouched** and the rest is cheap to code. Any codec, any model, no retraining.

**One picture, no daemon:** `filter`, `decode`, `explain`; as a text: `describe`.

**The service:** `serve` (the daemon), `cloud` (the receiver), `send` (a camera), `status`, `top`,
`check-config`; who may talk: `keys`.

**For programs that ask a model over HTTP:** `gateway` stands before OpenAI-compatible APIs.

**What works here:** `codecs`, `backends`, `selftest`; which models there are, and getting
more: `models`; for NVIDIA's GPUs: `engines`.

**Everything at once on this machine:** `demo`; how long a frame takes on it: `bench`; experiments
on your own pictures: `study`.

Exit codes: 0 done, 1 something failed and the message says what to do, 2 wrong usage,
130 interrupted.
""",
)
app.command("filter")(pictures.filter_picture)
app.command("decode")(decode_file)
app.command("explain")(pictures.explain)
app.command("describe")(describe)
app.command("serve")(services.serve)
app.command("cloud")(services.cloud)
app.command("send")(services.send)
app.command("gateway")(gateway)
app.command("status")(status)
app.command("top")(top)
app.add_typer(keys, name="keys")
app.command("codecs")(codecs.codecs)
app.command("backends")(backends.backends)
app.add_typer(models, name="models")
app.command("selftest")(selftest)
app.add_typer(engines, name="engines")
app.command("check-config")(services.check_config)
app.command("demo")(demo.demo)
app.command("bench")(bench)
app.add_typer(study, name="study")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-daemon {version('edge-daemon')}")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log every step, not only what matters.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    set_up_log(LogSettings(), verbose=verbose)


def main() -> None:
    """Run the command line; failures that we know end in a message, not in a traceback."""
    try:
        app()
    except (EdgeError, BundleError, EngineError) as error:
        errors.print(f"[bold red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("interrupted")
        sys.exit(130)
