"""Ten times more frames than a daemon can do: how many it does, and whether it keeps its word.

A daemon and a cloud run as an operator would start them. First the cameras send as fast as they are
answered, which gives the best throughput; then they send at a multiple of that, each frame with a
deadline, whatever the answers say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from edge_daemon.bench.load_cameras import Cameras, jpeg_file
from edge_daemon.demo.processes import daemon_and_cloud

PICTURES = 8
"""Different pictures, sent in turn."""

_WARM_S = 5.0


def main(
    seconds: Annotated[float, typer.Option(min=10, help="Seconds of overload.")] = 300.0,
    best_seconds: Annotated[float, typer.Option(min=2, help="Seconds for the best.")] = 20.0,
    times: Annotated[float, typer.Option(min=1, help="Times the best to offer.")] = 10.0,
    cameras: Annotated[int, typer.Option(min=1, max=64, help="How many send.")] = 4,
    deadline_s: Annotated[float, typer.Option(min=0.05, help="Per frame, in seconds.")] = 2.0,
    width: Annotated[int, typer.Option(min=16, help="Of the pictures, in pixels.")] = 320,
    height: Annotated[int, typer.Option(min=16, help="Of the pictures, in pixels.")] = 240,
) -> None:
    """Find what a daemon can do, offer it a multiple of that, and print how it fared."""
    pictures = [jpeg_file(number, width, height) for number in range(PICTURES)]
    memory_mib: list[float] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        daemon_and_cloud(Path(directory), bundle="nano-icons") as running,
        Cameras(running.endpoint, cameras, pictures, deadline_s=deadline_s) as load,
    ):
        load.closed(_WARM_S)
        best_per_s = load.closed(best_seconds).in_phase / best_seconds
        tally = load.open(
            seconds, times * best_per_s, lambda: memory_mib.append(_resident_mib(running.pid))
        )
    per_s = tally.in_phase / seconds
    let_in = tally.results + tally.failed + tally.unanswered
    table = Table(
        title=f"{cameras} cameras, {width}x{height} pixels, deadline {deadline_s:g} s, "
        f"{times:g} times the best for {seconds:g} s",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = {
        "best throughput, frames/s": f"{best_per_s:.1f}",
        "offered, frames/s": f"{tally.offered / seconds:.1f}",
        "offered, frames": f"{tally.offered}",
        "accepted": f"{let_in}",
        "accepted, answered within the deadline": _share(tally.in_time, let_in),
        "refused as busy": f"{tally.busy}",
        "refused, with a time to retry after": _share(tally.retriable, tally.busy),
        "throughput, frames/s": f"{per_s:.1f}",
        "throughput against the best": f"{per_s / best_per_s:.3f}",
        "seconds to an answer, median": f"{np.median(tally.spent_s or [0.0]):.3f}",
        "seconds to an answer, 99 of 100": f"{np.quantile(tally.spent_s or [0.0], 0.99):.3f}",
        "fewest results of a camera, of most": _share(min(tally.per_camera), max(tally.per_camera)),
        "memory of the daemon, MiB": f"{memory_mib[-1]:.0f}",
        "its growth, MiB per minute": f"{_slope(memory_mib) * 60:+.2f}",
    }
    for row in rows.items():
        table.add_row(*row)
    Console().print(table)


def _resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def _slope(samples: Sequence[float]) -> float:
    """Growth per sample, of a straight line through all but the first quarter."""
    warm = samples[len(samples) // 4 :]
    return float(np.polyfit(np.arange(len(warm)), warm, 1)[0])


def _share(part: float, whole: float) -> str:
    return "none" if whole == 0 else f"{100 * part / whole:.2f} %"


if __name__ == "__main__":
    typer.run(main)
