"""One bundle on one backend in a process of its own; prints its figures as one JSON object.

`edge_daemon.bench.encoders` starts it: start-up time and memory can't be told in a process that
has loaded other bundles.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BATCHES = (1, 2, 4, 8, 16, 24, 40)
FRAME_TILES = 24
"""Tiles of a frame, the published number."""
FRAME_SIZE = (1920, 1080)
_GEMM_SIDE = 1024
_PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Run:
    """What one process measured. Times are medians over the rounds."""

    described: dict[str, object]
    """The image session's own account of what it runs on."""
    startup_s: float
    """From nothing to a bundle that is loaded and proven."""
    loaded_mb: float
    """Resident memory that loading added, in MB of 10^6 bytes."""
    peak_mb: float
    """Most resident memory of the whole process."""
    tile_ms: dict[int, float]
    """By rows per run."""
    frame_ms: float
    """24 tiles in the backend's own batches."""
    canvas_ms: float
    """A 1920x1080 picture resized to the canvas of 24 tiles and cut."""
    gemm_gops: float
    """10^9 multiplications and additions a second of a float32 matrix product, meanwhile."""


def measure(bundle: str, backend: str, threads: int, rounds: int) -> Run:
    """Load and time; a round takes each batch size, the frame and the matrix product in turn."""
    before = _resident_mb()
    started = time.perf_counter()
    from models import load_bundle  # noqa: PLC0415  (its imports are part of the start)

    loaded = load_bundle(bundle, threads=threads, backend=backend)
    startup_s = time.perf_counter() - started
    added = _resident_mb() - before

    from edge_daemon.prefilter.tiling import tile  # noqa: PLC0415

    rng = np.random.default_rng(0)
    side = loaded.tile_size
    tiles = rng.integers(0, 256, (max(BATCHES), side, side, 3), dtype=np.uint8)
    picture = rng.integers(0, 256, (*FRAME_SIZE[::-1], 3), dtype=np.uint8)
    square = rng.random((_GEMM_SIDE, _GEMM_SIDE), dtype=np.float32)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        taken = {
            str(rows): _timed(lambda rows=rows: loaded.image.encode(tiles[:rows]))
            for rows in BATCHES
        }
        taken["frame"] = _timed(lambda: loaded.encode_tiles(tiles[:FRAME_TILES]))
        taken["canvas"] = _timed(lambda: tile(picture, side, loaded.resize, budget=FRAME_TILES))
        taken["gemm"] = _timed(lambda: square @ square)
        if number:  # the first round warms up
            for name, seconds in taken.items():
                times[name].append(seconds)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    return Run(
        described=loaded.describe()["image"],
        startup_s=startup_s,
        loaded_mb=added,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        tile_ms={rows: seconds[str(rows)] * 1e3 / rows for rows in BATCHES},
        frame_ms=seconds["frame"] * 1e3,
        canvas_ms=seconds["canvas"] * 1e3,
        gemm_gops=2 * _GEMM_SIDE**3 / seconds["gemm"] / 1e9,
    )


def _timed(work: Callable[[], NDArray[np.float32] | object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


if __name__ == "__main__":
    name, on, cores, times_each = sys.argv[1:]
    sys.stdout.write(json.dumps(asdict(measure(name, on, int(cores), int(times_each)))))
