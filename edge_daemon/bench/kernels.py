"""How fast and how true the smoothing kernels are, on one thread.

Times are ratios to OpenCV's Gaussian blur of the whole image at the map's largest sigma, timed in
turns with it in the same run, so that neither the machine nor its other work matters much. Fidelity
is measured against the float64 definition on crops.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import kernels
from kernels import gather
from kernels.reference import smooth_exactly

SIZES = ((1920, 1080), (3840, 2160))
SIGMAS = (8.0, 16.0)
CROP = 40  # pixels; the definition takes a second for four of them
VECTOR_LEVELS = ("SSE2 or NEON", "AVX2", "AVX-512")


@dataclass(frozen=True)
class Case:
    """One way to smooth one image."""

    name: str
    sigma: NDArray[np.float32] | kernels.CoarseSigma
    full: NDArray[np.float32]


@dataclass(frozen=True)
class Measured:
    """What one backend made of one case."""

    ratio: float  # to cv2.GaussianBlur
    milliseconds: float
    psnr: float  # dB, against the unrounded definition
    ceiling: float  # dB, what the rounded definition reaches
    worst: float  # grey levels


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """A picture with the statistics of a photograph: falling spectrum, hard-edged objects."""
    generator = np.random.default_rng(1)
    canvas = np.zeros((height, width, 3), np.float32)
    cells, strength = 2, 60.0
    while cells < width:
        rows = max(cells * height // width, 1) + 1
        octave = generator.normal(0, strength, (rows, cells + 1, 3)).astype(np.float32)
        canvas += cv2.resize(octave, (width, height), interpolation=cv2.INTER_LINEAR)
        cells, strength = cells * 2, strength * 0.6
    pixels = np.clip(canvas + 120.0, 0, 255).astype(np.uint8)
    for _ in range(60):
        x, y = int(generator.integers(width)), int(generator.integers(height))
        colour = tuple(int(c) for c in generator.integers(0, 256, 3))
        cv2.circle(pixels, (x, y), int(generator.integers(10, height // 8)), colour, -1)
        cv2.putText(pixels, "edge", (y, x % height), cv2.FONT_HERSHEY_SIMPLEX, 2.0, colour, 3)
    return pixels


def smooth_case(width: int, height: int, largest: float) -> Case:
    """A coarse relevance map as the prefilter makes it: mostly soft, some of it sharp."""
    cells = np.random.default_rng(2).random((height // 120, width // 120)).astype(np.float32)
    cells = cv2.GaussianBlur(cells, (3, 3), 0.8)
    cells = (cells - cells.min()) / (cells.max() - cells.min())
    values = np.asarray(largest * (1.0 - cells) ** 1.5, np.float32)
    coarse = kernels.CoarseSigma.covering(values, height, width)
    return Case(f"smooth, max {largest:g}", coarse, coarse.materialise(height, width))


def two_level_case(width: int, height: int, largest: float) -> Case:
    """A sharp rectangle of 16 % of the image, with hard edges."""
    full = np.full((height, width), largest, np.float32)
    top, left = height * 3 // 10, width * 3 // 10
    full[top : top + height * 4 // 10, left : left + width * 4 // 10] = 0.0
    return Case(f"16 % sharp, rest {largest:g}", full, full)


def cases(width: int, height: int) -> Iterator[tuple[float, Case]]:
    """The maps of the table, with their largest sigma."""
    for largest in SIGMAS:
        yield largest, smooth_case(width, height, largest)
        yield largest, two_level_case(width, height, largest)


def in_turns(
    first: Callable[[], object], second: Callable[[], object], seconds: float
) -> list[float]:
    """The shortest time of each in seconds, called alternately for about so long."""
    shortest = [math.inf, math.inf]
    end = time.perf_counter() + seconds
    while True:
        for i, call in enumerate((first, second)):
            start = time.perf_counter()
            call()
            shortest[i] = min(shortest[i], time.perf_counter() - start)
        if time.perf_counter() > end:
            return shortest


def fidelity(
    result: NDArray[np.uint8], image: NDArray[np.uint8], sigma: NDArray[np.float32]
) -> tuple[float, float, float]:
    """PSNR, its ceiling in dB and the worst error in levels, over four crops."""
    height, width = sigma.shape
    errors: list[NDArray[np.float64]] = []
    roundings: list[NDArray[np.float64]] = []
    for y, x in ((0.1, 0.1), (0.29, 0.5), (0.55, 0.69), (0.85, 0.3)):
        top, left = int(y * height), int(x * width)
        exact = smooth_exactly(image, sigma, range(top, top + CROP), range(left, left + CROP))
        errors.append(result[top : top + CROP, left : left + CROP] - exact)
        roundings.append(np.floor(exact + 0.5) - exact)
    return _psnr(errors), _psnr(roundings), float(np.abs(errors).max())


def _psnr(errors: list[NDArray[np.float64]]) -> float:
    return 10.0 * math.log10(255.0**2 / max(float(np.mean(np.square(errors))), 1e-12))


def measure(image: NDArray[np.uint8], largest: float, case: Case, backend: str) -> Measured:
    """Time a backend against OpenCV's blur, then judge what it made."""
    size = 2 * math.ceil(3 * largest) + 1
    out = np.empty_like(image)
    whole = np.empty_like(image)
    ours, opencv = in_turns(
        lambda: kernels.varying_gaussian(image, case.sigma, backend=backend, out=out),
        lambda: cv2.GaussianBlur(image, (size, size), largest, dst=whole),
        seconds=2.0,
    )
    return Measured(ours / opencv, ours * 1e3, *fidelity(out, image, case.full))


def main(
    backend: Annotated[
        list[str] | None, typer.Option(help="Backend to measure; repeat for several.")
    ] = None,
) -> None:
    """Compare the smoothing backends with OpenCV's Gaussian blur of the whole image."""
    cv2.setNumThreads(1)
    available = [n for n, s in kernels.backends().items() if s == "available" and n != "reference"]
    console = Console()
    console.width = max(console.width, 100)  # piped output would cut the table to 80
    vectors = VECTOR_LEVELS[gather.best_level()] if "c" in available else "not built"
    table = Table(title=f"One thread; the C library runs on {vectors}", box=box.SIMPLE)
    for heading in ("image", "map", "backend", "x cv2", "ms", "PSNR, dB", "at most", "worst"):
        justify = "left" if heading in {"map", "backend"} else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    chosen = backend or available
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("measuring", total=len(SIZES) * 4 * len(chosen))
        for width, height in SIZES:
            image = scene(width, height)
            for largest, case in cases(width, height):
                for name in chosen:
                    found = measure(image, largest, case, name)
                    table.add_row(
                        f"{width}x{height}",
                        case.name,
                        name,
                        f"{found.ratio:.2f}",
                        f"{found.milliseconds:.1f}",
                        f"{found.psnr:.1f}",
                        f"{found.ceiling:.1f}",
                        f"{found.worst:.1f}",
                    )
                    progress.advance(task)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
