"""How fast and how true the smoothing kernels are.

Times are ratios to OpenCV's Gaussian blur of the whole image at the map's largest sigma on one
thread, timed in turns with it in the same run, so that neither the machine nor its other work
matters much. Each is the shortest of several. Fidelity is measured against the float64 definition
on crops.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

import kernels
from edge_daemon.bench.scenes import Case, cases, scene, smooth_case
from edge_daemon.prefilter.reference import blur_blocks
from kernels import arguments, native
from kernels.reference import smooth_exactly

SIZES = ((1920, 1080), (3840, 2160))
CROP = 40  # pixels; the definition takes a second for four of them
BLOCK, TILE = 120, 224  # pixels
VECTORS = ("SSE2 or NEON", "AVX2", "AVX-512")
ROUNDS = 5  # at least, however long they take

Pixels = NDArray[np.uint8]
Method = Callable[[Pixels, Case, Pixels], None]


@dataclass(frozen=True)
class Fidelity:
    """How close a result comes to the definition."""

    psnr: float  # dB, against the unrounded definition
    ceiling: float  # dB, what the rounded definition reaches
    worst: float  # grey levels


# ------------------------------------------------------------------ what is compared


def methods() -> dict[str, Method]:
    """Every way to smooth that is measured, by name."""
    found: dict[str, Method] = {}
    if native.status() == "available":
        best = native.best_vectors()
        found[f"c, {VECTORS[best]}"] = functools.partial(with_vectors, best, 1)
        found["c, two threads"] = functools.partial(with_vectors, best, 2)
        for lower in range(best - 1, -1, -1):
            found[f"c, {VECTORS[lower]}"] = functools.partial(with_vectors, lower, 1)
    found["opencv backend"] = with_opencv
    found["blocks apart, 11 taps"] = block_by_block
    found["tiles pasted"] = tile_by_tile
    found["copy"] = copy
    return found


def with_vectors(vectors: int, threads: int, image: Pixels, case: Case, out: Pixels) -> None:
    """Smooth with the C backend at a vector level, the check of the map's values included."""
    values = case.sigma.values if isinstance(case.sigma, kernels.CoarseSigma) else case.sigma
    largest = arguments.largest_sigma(values)
    native.smooth(image, case.sigma, largest, out, threads=threads, vectors=vectors)


def with_opencv(image: Pixels, case: Case, out: Pixels) -> None:
    """Smooth with the OpenCV backend."""
    kernels.varying_gaussian(image, case.sigma, backend="opencv", out=out)


def block_by_block(image: Pixels, case: Case, out: Pixels) -> None:
    """What reference mode does: blocks that know nothing of each other, a kernel of 11 taps."""
    out[...] = blur_blocks(image, case.full[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK].astype(float))


def tile_by_tile(image: Pixels, case: Case, out: Pixels) -> None:
    """Tiles blurred by OpenCV with the sigma of their middles and pasted side by side."""
    height, width = case.full.shape
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            at = np.s_[y : y + TILE, x : x + TILE]
            rows, columns = case.full[at].shape
            sigma = float(case.full[y + rows // 2, x + columns // 2])
            out[at] = blurred(image[at], sigma) if sigma > kernels.KEEP_SIGMA else image[at]


def copy(image: Pixels, _: Case, out: Pixels) -> None:
    """The floor: read and write each byte once."""
    np.copyto(out, image)


def blurred(image: Pixels, sigma: float) -> Pixels:
    """OpenCV's blur with a support of three sigma."""
    size = 2 * math.ceil(3 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(image, (size, size), sigma), np.uint8)


# ------------------------------------------------------------------ measuring


def in_turns(calls: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The shortest time of each call in seconds, all called in turns for about so long."""
    shortest = dict.fromkeys(calls, math.inf)
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < ROUNDS or time.perf_counter() < end:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            shortest[name] = min(shortest[name], time.perf_counter() - start)
        rounds += 1
    return shortest


def fidelity(result: Pixels, image: Pixels, sigma: NDArray[np.float32]) -> Fidelity:
    """Compare with the definition, over four crops."""
    height, width = sigma.shape
    errors: list[NDArray[np.float64]] = []
    roundings: list[NDArray[np.float64]] = []
    for y, x in ((0.1, 0.1), (0.29, 0.5), (0.55, 0.69), (0.85, 0.3)):
        top, left = int(y * height), int(x * width)
        exact = smooth_exactly(image, sigma, range(top, top + CROP), range(left, left + CROP))
        errors.append(result[top : top + CROP, left : left + CROP] - exact)
        roundings.append(np.floor(exact + 0.5) - exact)
    return Fidelity(_psnr(errors), _psnr(roundings), float(np.abs(errors).max()))


def _psnr(errors: list[NDArray[np.float64]]) -> float:
    return 10.0 * math.log10(255.0**2 / max(float(np.mean(np.square(errors))), 1e-12))


# ------------------------------------------------------------------ the tables


def compare(
    image: Pixels, case: Case, chosen: Mapping[str, Method], seconds: float
) -> list[list[str]]:
    """The rows of one case."""
    results = {name: np.empty_like(image) for name in chosen}
    calls: dict[str, Callable[[], object]] = {
        name: functools.partial(method, image, case, results[name])
        for name, method in chosen.items()
    }
    calls["cv2"] = functools.partial(blurred, image, case.largest)
    times = in_turns(calls, seconds)
    rows: list[list[str]] = []
    for name, result in results.items():
        found = fidelity(result, image, case.full)
        size = f"{image.shape[1]}x{image.shape[0]}"
        row = [
            size,
            case.name,
            name,
            f"{times[name] / times['cv2']:.3f}",
            f"{times[name] * 1e3:.1f}",
        ]
        if name != "copy":
            row += [f"{found.psnr:.1f}", f"{found.ceiling:.1f}", f"{found.worst:.1f}"]
        rows.append(row)
    return rows


def growth(seconds: float) -> Table:
    """How time grows with sigma, with pixels and with threads, for the C backend."""
    table = Table(title="The C backend: how time grows, ms", box=box.SIMPLE)
    for heading in ("largest sigma, px", "1080p", "2160p", "2160p : 4 x 1080p", "two threads"):
        table.add_column(heading, justify="right")
    images = {height: scene(width, height) for width, height in SIZES}
    outs = {height: np.empty_like(image) for height, image in images.items()}
    for largest in track((2.0, 4.0, 8.0, 16.0, 32.0), "measuring growth", transient=True):
        maps = {height: smooth_case(width, height, largest).sigma for width, height in SIZES}
        call = functools.partial(kernels.varying_gaussian, backend="c")
        times = in_turns(
            {
                "small": functools.partial(call, images[1080], maps[1080], out=outs[1080]),
                "two": functools.partial(call, images[1080], maps[1080], out=outs[1080], threads=2),
                "large": functools.partial(call, images[2160], maps[2160], out=outs[2160]),
            },
            seconds,
        )
        table.add_row(
            f"{largest:g}",
            f"{times['small'] * 1e3:.1f}",
            f"{times['large'] * 1e3:.1f}",
            f"{times['large'] / times['small'] / 4:.2f}",
            f"{times['small'] / times['two']:.2f} x",
        )
    return table


def main(
    method: Annotated[
        list[str] | None, typer.Option(help="Only methods whose name holds this; repeatable.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Time for each map and size.")] = 3.0,
) -> None:
    """Compare the smoothing kernels with OpenCV's Gaussian blur of the whole image."""
    cv2.setNumThreads(1)
    chosen = {
        name: call
        for name, call in methods().items()
        if method is None or any(part in name for part in method)
    }
    console = Console()
    console.width = max(console.width, 120)  # piped output would cut the table to 80
    table = Table(title="One thread, unless named; x cv2 is the ratio of times", box=box.SIMPLE)
    headings = ("image", "map", "method", "x cv2", "ms", "PSNR, dB", "at most, dB", "worst, levels")
    for heading in headings:
        justify = "left" if heading in {"map", "method"} else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=len(SIZES) * 4)
        for width, height in SIZES:
            image = scene(width, height)
            for case in cases(width, height):
                for row in compare(image, case, chosen, seconds):
                    table.add_row(*row)
                table.add_section()
                progress.advance(task)
    console.print(table)
    if native.status() == "available":
        console.print(growth(seconds))


if __name__ == "__main__":
    typer.run(main)
