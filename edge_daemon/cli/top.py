"""The `top` command: a running daemon at work, on the whole screen."""

from __future__ import annotations

from collections.abc import Iterable

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge_daemon.cli.endpoint import ConnectOption, KeysOption, connectable
from edge_daemon.cli.figures import NOTHING, number, percent, shown, size, span
from edge_daemon.cli.options import ConfigOption, settings_with
from edge_daemon.cli.readings import Reading, asking, camera_rates, readings, table_of
from edge_daemon.cli.status import IntervalOption, health, links, missed, spool, temperatures
from edge_daemon.cli.terminal import console
from edge_daemon.errors import LinkError

_BAR_CELLS = 30
_LINK_STYLES = {"up": "green", "down": "bold red", "standby": "dim"}


def top(
    config: ConfigOption = None,
    connect: ConnectOption = None,
    keys: KeysOption = None,
    interval: IntervalOption = 1.0,
) -> None:
    """Watch a running daemon: rates per camera, latencies, queues, spool, link, temperatures.

    Ctrl-C ends it. Where standard output is no terminal, it looks twice, prints what happened in
    between, and ends. Exit code 1 if the daemon does not answer.
    """
    endpoint = connect or connectable(settings_with(config).front.bind)
    with asking(endpoint, keys) as ask:
        taken = readings(ask, interval)
        if not console.is_terminal:
            console.print(second_look(endpoint, taken))
            return
        try:
            show(endpoint, taken)
        except KeyboardInterrupt:
            return


def second_look(endpoint: str, taken: Iterable[Reading | LinkError]) -> RenderableType:
    """What two readings in a row tell.

    Raises:
        LinkError: One of them did not come.
    """
    before: Reading | None = None
    for one in taken:
        if isinstance(one, LinkError):
            raise one
        if before is not None:
            return view(endpoint, one, before)
        before = one
    raise ValueError("readings come for ever")


def show(endpoint: str, taken: Iterable[Reading | LinkError]) -> None:
    """Shows readings on the whole screen as they come."""
    before: Reading | None = None
    latest: RenderableType = Text("")
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for one in taken:
            if isinstance(one, LinkError):
                live.update(Group(missed(one), latest), refresh=True)
                continue
            latest = view(endpoint, one, before)
            before = one
            live.update(latest, refresh=True)


def view(endpoint: str, now: Reading, before: Reading | None) -> RenderableType:
    """The whole picture."""
    return Group(
        f"[bold]{shown(endpoint)}[/]  edge-daemon {shown(now['daemon_version'])}, "
        f"up {span(now['uptime_s'])}, health: {_coloured_health(now)}",
        *(f"link {_coloured_link(line)}" for line in links(now)),
        _spool(now),
        f"temperatures (°C): {temperatures(now)}",
        "",
        _cameras(now, before),
        "",
        Columns([_latencies(now), _counts(now, "queues", "queue"), _counts(now, "drops", "drop")]),
    )


def _coloured_health(now: Reading) -> str:
    text = health(now)
    return f"[{'green' if text == 'good' else 'bold red'}]{text}[/]"


def _coloured_link(line: str) -> str:
    state = line.split(" ", 1)[0]
    return f"[{_LINK_STYLES.get(state, 'default')}]{line}[/]"


def _spool(now: Reading) -> RenderableType:
    state = table_of(now, "spool")
    line = Table.grid(padding=(0, 1))
    if not state:
        line.add_row("spool", "none")
        return line
    share = state["bytes"] / state["limit_bytes"]
    bar = ProgressBar(
        total=1.0,
        completed=min(1.0, share),
        width=_BAR_CELLS,
        complete_style="green" if share < 0.8 else "red",
    )
    line.add_row("spool", bar, percent(share), spool(now))
    return line


def _cameras(now: Reading, before: Reading | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("camera")
    for name in ("frames/s", "in/s", "out/s", "saved/s", "saved", "queued", "dropped"):
        table.add_column(name, justify="right")
    for one in camera_rates(now, before):
        table.add_row(
            shown(one.name),
            number(one.frames),
            size(one.source_bytes),
            size(one.envelope_bytes),
            size(one.saved_bytes),
            percent(one.saved_share),
            f"{one.queued:,}",
            f"{one.dropped:,}",
        )
    if not table.row_count:
        table.add_row("none yet", *[NOTHING] * 7)
    return table


def _latencies(now: Reading) -> Table:
    table = Table("stage", box=None, pad_edge=False, header_style="bold")
    for name in ("p50 ms", "p95 ms", "frames"):
        table.add_column(name, justify="right")
    for stage, times in table_of(now, "latency_ms").items():
        frames = f"{times['count']:.0f}"
        table.add_row(shown(stage), number(times["p50"]), number(times["p95"]), frames)
    return table


def _counts(now: Reading, field: str, title: str) -> Table:
    table = Table(title, box=None, pad_edge=False, header_style="bold")
    table.add_column("frames", justify="right")
    for name, count in table_of(now, field).items():
        table.add_row(shown(name), f"{count:,}")
    return table
