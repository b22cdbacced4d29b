"""The `status` command: how a running daemon is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, cast

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from edge_daemon.cli.backends import told
from edge_daemon.cli.endpoint import ConnectOption, KeysOption, connectable
from edge_daemon.cli.figures import number, percent, shown, size, span
from edge_daemon.cli.options import ConfigOption, settings_with
from edge_daemon.cli.readings import Reading, asking, readings, table_of
from edge_daemon.cli.terminal import console, facts
from edge_daemon.errors import LinkError

IntervalOption = Annotated[float, typer.Option(min=0.1, help="Seconds from one look to the next.")]


def status(
    config: ConfigOption = None,
    connect: ConnectOption = None,
    keys: KeysOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again until Ctrl-C.")] = False,
    interval: IntervalOption = 2.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line instead of a table.")
    ] = False,
) -> None:
    """Ask a running daemon how it is: health, link, spool, cameras, latencies, counters.

    Exit code 1 if it does not answer. With `--watch`, a daemon that answered once is waited for.
    """
    endpoint = connect or connectable(settings_with(config).front.bind)
    with asking(endpoint, keys) as ask:
        if not watch:
            show_one(endpoint, ask(), as_json=as_json)
            return
        try:
            show_all(endpoint, readings(ask, interval), as_json=as_json)
        except KeyboardInterrupt:
            return


def show_one(endpoint: str, reading: Reading, *, as_json: bool) -> None:
    """Prints one reading."""
    if as_json:
        _print_json(reading)
    else:
        console.print(facts(shown(endpoint), rows(reading)))


def show_all(endpoint: str, taken: Iterable[Reading | LinkError], *, as_json: bool) -> None:
    """Shows readings as they come: in place on a terminal, one below the other elsewhere."""
    if as_json or not console.is_terminal:
        for one in taken:
            if not isinstance(one, LinkError):
                show_one(endpoint, one, as_json=as_json)
            elif as_json:
                _print_json({"error": one.to_dict()})
            else:
                console.print(missed(one))
        return
    latest: RenderableType = Text("")
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        for one in taken:
            if isinstance(one, LinkError):
                live.update(Group(latest, missed(one)), refresh=True)
            else:
                latest = facts(shown(endpoint), rows(one))
                live.update(latest, refresh=True)


def missed(silence: LinkError) -> Text:
    """What is said where no reading came."""
    return Text(f"no answer, trying again: {silence.problem}", style="bold red")


def rows(reading: Reading) -> dict[str, str]:
    """What the table says, by name."""
    return {
        "version": shown(reading["daemon_version"]),
        "up": span(reading["uptime_s"]),
        "health": health(reading),
        "link to the cloud": "; ".join(links(reading)),
        "spool": spool(reading),
        "bundle": shown(json.dumps(_bundle(reading))),
        "encoder": encoder(reading),
        "encoders passed over": _listed(
            f"{name}: {why}"
            for name, why in table_of(table_of(reading, "bundle"), "passed_over").items()
        ),
        "codecs": shown(", ".join(reading["codecs"])),
        "codecs that cannot": _listed(
            f"{codec_id}: {why}" for codec_id, why in table_of(reading, "codec_problems").items()
        ),
        **{
            f"camera {shown(camera)}": _camera(account)
            for camera, account in table_of(reading, "cameras").items()
        },
        **{
            f"budget of {shown(camera)}": _budget(account)
            for camera, account in table_of(reading, "budgets").items()
        },
        "latency p50 / p95 (ms)": _listed(
            f"{stage} {times['p50']:.1f} / {times['p95']:.1f}"
            for stage, times in table_of(reading, "latency_ms").items()
        ),
        "queues (frames)": _counts(reading, "queues"),
        "drops (since start)": _counts(reading, "drops"),
        "tiles (since start)": _counts(reading, "tiles"),
        "counters (since start)": _counts(reading, "counters"),
        "temperatures (°C)": temperatures(reading),
        "limits": _counts(reading, "limits"),
    }


def health(reading: Reading) -> str:
    """What is wrong, by check."""
    problems = table_of(reading, "health")
    return "; ".join(f"{shown(name)}: {shown(why)}" for name, why in problems.items()) or "good"


def encoder(reading: Reading) -> str:
    """What runs the image encoder; a daemon that has one backend only does not name it."""
    bundle = table_of(reading, "bundle")
    image = table_of(bundle, "image")
    name, library = bundle.get("backend", "unknown"), image.get("backend", "unknown")
    return shown(f"{name}: {library}, {told(image)}" if image else name)


def links(reading: Reading) -> list[str]:
    """One line per way to the cloud; of a daemon that does not tell them apart, the one it has."""
    told = cast("list[dict[str, Any]]", reading.get("links") or [])
    return [_link(one) for one in told] or [shown(reading["link"])]


def spool(reading: Reading) -> str:
    """How full it is, and where it lies."""
    state = table_of(reading, "spool")
    if not state:
        return "none"
    where = "in memory" if state["directory"] is None else f"in {shown(state['directory'])}"
    oldest = f", oldest {span(state['oldest_age_s'])}" if state["frames"] else ""
    return (
        f"{state['frames']:,.0f} frames, {size(state['bytes'])} of {size(state['limit_bytes'])}"
        f"{oldest}, {where}"
    )


def temperatures(reading: Reading) -> str:
    """One per kind of sensor."""
    return _listed(
        f"{kind} {number(celsius)}" for kind, celsius in table_of(reading, "temperatures_c").items()
    )


def _bundle(reading: Reading) -> dict[str, Any]:
    """What the bundle is; what it runs on has rows of its own."""
    apart = {"backend", "passed_over", "image", "text"}
    bundle = table_of(reading, "bundle")
    return {name: value for name, value in bundle.items() if name not in apart}


def _print_json(value: Reading) -> None:
    console.print(json.dumps(value), soft_wrap=True, highlight=False, markup=False)


def _link(one: dict[str, Any]) -> str:
    upstream = f"{shown(one['transport'])} {shown(one['upstream'])}"
    if one["standby"]:
        return f"standby ({upstream})"
    return f"{'up' if one['up'] else 'down'} ({upstream}, {one['reconnects']} reconnects)"


def _camera(account: dict[str, Any]) -> str:
    source, sent = account["source_bytes"], account["envelope_bytes"]
    return (
        f"{account['frames']:,} frames, {size(source)} in, {size(sent)} out, "
        f"{percent((source - sent) / source if source else None)} of the source saved, "
        f"{account.get('queued', 0)} queued, {account['dropped']} dropped"
    )


def _budget(account: dict[str, Any]) -> str:
    share = account.get("mean_share")
    used = "" if share is None else f", {percent(share)} of it used"
    return (
        f"{account['within']:.0f} of {account['frames']:.0f} frames within it{used}, "
        f"{account['mean_encodes']} encodes per frame"
    )


def _counts(reading: Reading, table: str) -> str:
    return _listed(f"{name} {count:,}" for name, count in table_of(reading, table).items())


def _listed(words: Iterable[str]) -> str:
    return shown(", ".join(words)) or "none"
