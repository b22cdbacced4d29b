"""`edge-daemon gateway`: the front door for programs that ask a model over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edge_daemon.cli.options import (
    AllocationOption,
    BackendOption,
    BundleOption,
    CodecOption,
    ConfigOption,
    QualityOption,
    codec_config,
    settings_with,
)
from edge_daemon.cli.terminal import console
from edge_daemon.config import parse_settings
from edge_daemon.gateway import run
from edge_daemon.service import load_prefilter
from edge_daemon.settings import Settings
from edge_daemon.telemetry import set_up_log


def gateway(
    context: typer.Context,
    upstream: Annotated[
        str | None,
        typer.Option(help="The endpoint behind, with its version: http://127.0.0.1:8000/v1."),
    ] = None,
    bind: Annotated[str | None, typer.Option(help="ADDRESS:PORT to listen on.")] = None,
    mode: Annotated[
        Literal["prefilter", "plain"] | None,
        typer.Option(help="`plain` is the codec alone, for comparison."),
    ] = None,
    codec: CodecOption = None,
    quality: QualityOption = None,
    allocation: AllocationOption = None,
    ledger: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File that gets a JSON line for each picture."),
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    backend: BackendOption = None,
) -> None:
    """Stand between programs and a vision-language model's API, and make their pictures smaller.

    A program changes its base URL to the gateway's, and nothing else. Each picture in a chat
    request is filtered by the text beside it and encoded before it goes to the upstream. JPEG and
    WebP go as they are, which saves bytes on the way; what other codecs make is decoded again and
    goes as PNG, which is for measuring only. Runs until SIGTERM or Ctrl-C; a second signal stops it
    at once. See `[gateway]` in `configs/default.toml`, and `docs/vlmevalkit.md`.

    `edge-daemon gateway --upstream http://127.0.0.1:8000/v1 --quality 60`
    """
    settings = settings_with(config, bundle, allocation=allocation, backend=backend)
    changes = {
        "base_url": upstream,
        "bind": bind,
        "mode": mode,
        "ledger": None if ledger is None else str(ledger),
    }
    values: dict[str, Any] = settings.model_dump(by_alias=True)
    values["gateway"].update({key: value for key, value in changes.items() if value is not None})
    values["codec"] = codec_config(codec, quality, settings.codec)
    chosen: Settings = parse_settings(values, source="command line")
    set_up_log(chosen.log, verbose=bool(context.find_root().params.get("verbose")))
    filters = chosen.gateway.mode == "prefilter"
    prefilter = load_prefilter(chosen, build_engines=True) if filters else None
    if prefilter is not None and prefilter.bundle.manifest.notice:
        console.print(f"[yellow]Note:[/] {prefilter.bundle.manifest.notice}.")
    raise typer.Exit(run(chosen, prefilter))
