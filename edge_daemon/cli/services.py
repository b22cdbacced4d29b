"""Commands around the daemon: `serve`, `cloud`, `send`, `check-config`."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge_daemon import cloud as receiver
from edge_daemon import service
from edge_daemon.camera import Shot, files_of, frames_of, is_live
from edge_daemon.cli.endpoint import ConnectOption, KeysOption, connectable
from edge_daemon.cli.options import (
    AllocationOption,
    BudgetOption,
    CodecOption,
    ConfigOption,
    PromptsOption,
    QualityOption,
    codec_config,
    settings_with,
)
from edge_daemon.cli.terminal import console, errors, progress_bar, rate
from edge_daemon.client import Client, Result
from edge_daemon.config import load_settings
from edge_daemon.errors import EdgeError
from edge_daemon.settings import Settings
from edge_daemon.settings.gateway import check_gateway_bind
from edge_daemon.telemetry import set_up_log
from edge_daemon.wire import Mode


def serve(context: typer.Context, config: ConfigOption = None) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; a second signal stops it at once.

    It answers cameras on `front.bind` and forwards to the cloud. SIGHUP reads the settings anew.
    See `configs/default.toml`.
    """
    settings = settings_with(config)
    _set_up_log(context, settings)
    raise typer.Exit(service.run(settings, load=lambda: settings_with(config)))


def cloud(
    context: typer.Context,
    config: ConfigOption = None,
    bind: Annotated[str | None, typer.Option(help="ZeroMQ endpoint to listen on.")] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Where pictures and `log.jsonl` are written.")
    ] = None,
) -> None:
    """Run the receiver: check, decode to PNG, log one JSON line a frame, acknowledge."""
    settings = settings_with(config)
    changes = {"bind": bind, "directory": None if directory is None else str(directory)}
    _set_up_log(context, settings)
    chosen = settings.cloud.model_copy(update={k: v for k, v in changes.items() if v is not None})
    raise typer.Exit(receiver.run(settings.model_copy(update={"cloud": chosen})))


def _set_up_log(context: typer.Context, settings: Settings) -> None:
    set_up_log(settings.log, verbose=bool(context.find_root().params.get("verbose")))


def send(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CAMERA_OR_FILES...",
            help="Pictures, folders of pictures, a camera's number, `/dev/video0`, or a URL.",
        ),
    ],
    prompt: PromptsOption,
    codec: CodecOption = None,
    quality: QualityOption = None,
    allocation: AllocationOption = None,
    budget_bytes: BudgetOption = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="`plain` sends without the prefilter, `semantic` a text in the picture's place."
        ),
    ] = "prefilter",
    caption: Annotated[
        str | None,
        typer.Option(help="What is known of the pictures; where the text starts from."),
    ] = None,
    connect: ConnectOption = None,
    keys: KeysOption = None,
    config: ConfigOption = None,
    client_id: Annotated[
        str, typer.Option(help="Names this camera; (client, sequence) identifies a frame.")
    ] = f"camera-{os.getpid()}",
    ack: Annotated[
        Literal["accepted", "spooled", "delivered"],
        typer.Option(help="`accepted` by the daemon, `spooled` on its disk, or `delivered`."),
    ] = "accepted",
    interval: Annotated[
        float, typer.Option(min=0.0, help="Seconds from one frame to the next.")
    ] = 0.0,
    count: Annotated[
        int | None, typer.Option(min=1, help="Frames to send from a camera or stream.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 60.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line a frame instead of words.")
    ] = False,
) -> None:
    """Be a camera: send pictures with a prompt to the daemon, and say what became of each.

    edge-daemon send photos/ --prompt "Is the gate open?" --ack delivered

    edge-daemon send 0 --prompt "Who is at the door?" --interval 5

    edge-daemon send photos/ --prompt "" --mode semantic --caption "the yard, seen from the gate"
    """
    settings = settings_with(config)
    chosen = (
        None if codec is None and quality is None else codec_config(codec, quality, settings.codec)
    )
    shots, total = _shots(sources, count)
    failures, notice = 0, ""
    endpoint = connect or connectable(settings.front.bind)
    with (
        Client(endpoint, client_id=client_id, timeout_s=timeout, keys=keys) as client,
        progress_bar(transient=True) as progress,
    ):
        task = progress.add_task("sending", total=total)
        for shot in shots:
            started = time.monotonic()
            try:
                result = client.send(
                    shot.image if isinstance(shot.image, Path) else shot.image.data,
                    prompt,
                    codec=chosen,
                    mode=mode,
                    caption=caption,
                    allocation=allocation,
                    budget_bytes=budget_bytes,
                    ack=ack,
                )
                _tell(shot, result, as_json=as_json)
                notice = (result.report or {}).get("notice") or notice
            except EdgeError as error:
                failures += 1
                errors.print(f"[red]{shot.name}[/]: {error}", highlight=False, soft_wrap=True)
            progress.advance(task)
            time.sleep(max(0.0, interval - (time.monotonic() - started)))
    if notice:
        errors.print(f"[yellow]Note:[/] {notice}.")
    if failures:
        errors.print(f"{failures} frame(s) failed")
        raise typer.Exit(1)


def _shots(sources: list[str], count: int | None) -> tuple[Iterable[Shot], int | None]:
    """What to send and, where it can be known, how many that is."""
    live = [source for source in sources if is_live(source)]
    files = files_of([source for source in sources if not is_live(source)])
    streams = itertools.chain.from_iterable(frames_of(source, count) for source in live)
    total = None if live and count is None else len(files) + len(live) * (count or 0)
    return itertools.chain(files, streams), total


def _tell(shot: Shot, result: Result, *, as_json: bool) -> None:
    if as_json:
        console.print(
            json.dumps({"name": shot.name, **result.to_dict()}), soft_wrap=True, highlight=False
        )
        return
    total = sum(result.timings_ms.values())
    console.print(
        f"{shot.name}: {rate(result.bitstream_bytes, result.width, result.height)} of "
        f"{result.source_bytes:,} source bytes, {result.codec['id']}, {total:.0f} ms, {result.ack}"
        f"{_text(result)}{_fitted(result)}",
        soft_wrap=True,
    )


def _text(result: Result) -> str:
    """How near a text comes to the picture in whose place it was sent."""
    facts = result.semantic
    if facts is None:
        return ""
    score = f"cosine {facts.text_score:.3f}"
    if facts.image_score is not None:
        score = f"CLIPSim {facts.image_score:.3f}"
    return f"; {score} by {facts.critic}"


def _fitted(result: Result) -> str:
    """How a frame was made to fit, if it had to."""
    if result.budget_bytes is None:
        return ""
    quality = result.codec.get("quality")
    return (
        f"; {result.envelope_bytes:,} of {result.budget_bytes:,} bytes allowed, "
        f"{'' if quality is None else f'quality {quality}, '}encodes: {result.encodes}"
    )


def check_config(
    file: Annotated[Path, typer.Argument(help="A settings file (TOML).")],
) -> None:
    """Check a settings file without starting anything; every mistake is named with its line."""
    settings: Settings = load_settings(file)
    service.check(settings)
    check_gateway_bind(settings.gateway)
    console.print(f"{file}: good")
