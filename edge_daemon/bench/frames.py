"""What the prefilter adds to a frame: milliseconds per stage, beside encoding without it.

Every time is a median over rounds in which all the work of one picture size takes its turn, so that
a machine that is busy for a while slows all of it alike.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.codecs import get_codec
from edge_daemon.demo.scenes import Scene, make_scene
from edge_daemon.prefilter import Prefilter

SIZES = ((640, 480), (1920, 1080), (3840, 2160))
CODECS: dict[str, dict[str, Any]] = {
    "JPEG q 80": {"id": "jpeg", "quality": 80},
    "HEVC QP 32": {"id": "hevc", "quality": 32},
}


def main(
    bundle: Annotated[str, typer.Option(help="Bundle name or path.")] = "nano-icons",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds for each picture size.")] = 7,
) -> None:
    """Time the prefilter's stages and the codecs on made-up scenes of three sizes."""
    prefilter = Prefilter.from_bundle(bundle, threads=threads)
    sizes: dict[str, dict[str, float]] = {}
    for width, height in track(SIZES, "sizes", console=Console(stderr=True), transient=True):
        scene = make_scene(1, width=width, height=height)
        sizes[f"{width}x{height}"] = _measure(prefilter, scene, rounds)
    name = prefilter.bundle.manifest.name
    title = f"Bundle {name}: milliseconds per frame, median of {rounds}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("what")
    for size in sizes:
        table.add_column(size, justify="right")
    for what in next(iter(sizes.values())):
        table.add_row(what, *(f"{times[what]:.1f}" for times in sizes.values()))
    Console().print(table)


def _measure(prefilter: Prefilter, scene: Scene, rounds: int) -> dict[str, float]:
    """Median milliseconds of each stage and codec, after one round that does not count."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    prompts = [f"Where is the {thing.name}?" for thing in scene.things]
    for number in range(rounds + 1):
        filtered, report = prefilter(scene.pixels, prompts[number % len(prompts)])
        measured = dict(report.timings_ms)
        measured["prefilter: sum of the above"] = sum(measured.values())
        for name, config in CODECS.items():
            encode = get_codec(config).encode
            measured[f"{name} plain"] = _timed(encode, scene.pixels)
            measured[f"{name} filtered"] = _timed(encode, filtered)
        for name, elapsed in measured.items():
            if number:
                times[name].append(elapsed)
    medians = {name: statistics.median(values) for name, values in times.items()}
    sum_of_stages, plain = medians["prefilter: sum of the above"], medians["JPEG q 80 plain"]
    medians["ratio of that sum to plain JPEG"] = sum_of_stages / plain
    return medians


def _timed(work: Callable[[NDArray[np.uint8]], object], pixels: NDArray[np.uint8]) -> float:
    started = time.perf_counter()
    work(pixels)
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    typer.run(main)
