"""Thousands of frames through every codec: time and memory must not grow.

Each codec runs in a process of its own, on pictures of a few sizes in turn, with a quantiser map on
every other frame where it takes one. The first quarter warms up; the slopes are those of a straight
line through the rest.
"""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.codecs import codec_ids, codec_status, get_codec
from edge_daemon.demo.scenes import make_scene
from edge_daemon.quantiser import QuantiserMap

SIZES = ((320, 240), (200, 160), (321, 201))
SLOW_S = 2.0
"""A codec that takes longer than this for one such picture is left out, and named."""


def main(
    frames: Annotated[int, typer.Option(min=100, help="Frames per codec.")] = 2000,
    codec: Annotated[list[str] | None, typer.Option(help="Only this codec. Repeatable.")] = None,
) -> None:
    """Encode and decode many frames; print how time and memory changed."""
    table = Table(title=f"{frames} frames", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("codec")
    for name in ("ms per frame", "growth over the run, %", "memory, MiB", "growth, KiB per frame"):
        table.add_column(name, justify="right")
    ids = [one for one in codec_ids() if not codec_status(one).problem]
    console = Console(stderr=True)
    for one in track([one for one in ids if not codec or one in codec], "codecs", console=console):
        if get_codec({"id": one}).expected_encode_s(*SIZES[0]) > SLOW_S:
            table.add_row(one, "left out: slow")
            continue
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            spent_ms, memory = pool.apply(run, (one, frames))
        table.add_row(one, *summary(np.array(spent_ms), np.array(memory)))
    Console().print(table)


def run(codec_id: str, frames: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each frame, encode and decode, and the process's memory after it in MiB."""
    codec = get_codec({"id": codec_id})
    pictures = [make_scene(n, width=w, height=h).pixels for n, (w, h) in enumerate(SIZES)]
    offsets = QuantiserMap(np.array([[0, 12], [6, 3]], np.float32)) if codec.takes_map() else None
    spent_ms: list[float] = []
    memory: list[float] = []
    for number in range(frames):
        pixels = pictures[number % len(pictures)]
        height, width = pixels.shape[:2]
        begun = time.perf_counter()
        bitstream = codec.encode(pixels, offsets if number % 2 else None)
        codec.decode(bitstream, width=width, height=height)
        spent_ms.append(1000 * (time.perf_counter() - begun))
        memory.append(resident_mib())
    return spent_ms, memory


def summary(spent_ms: NDArray[np.float64], memory: NDArray[np.float64]) -> list[str]:
    """The cells of one row."""
    warm = len(spent_ms) // 4
    spent_ms, memory = spent_ms[warm:], memory[warm:]
    # Medians of twenty stretches: one hiccup of the machine is not a trend.
    stretches = np.array([float(np.median(part)) for part in np.array_split(spent_ms, 20)])
    slope = _slope(stretches) * len(stretches)
    growth_kib = _slope(memory) * 1024
    return [
        f"{np.median(spent_ms):.2f}",
        f"{100 * slope / np.median(spent_ms):+.1f}",
        f"{memory[-1]:.0f}",
        f"{growth_kib:+.2f}",
    ]


def _slope(values: NDArray[np.float64]) -> float:
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def resident_mib() -> float:
    """Resident memory of this process in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    typer.run(main)
