"""How fast the CUDA backend is on this machine's GPU, with pictures and maps that lie on it.

Times are between CUDA events, and ratios to a device-to-device copy of the same picture in the same
run: what a filter that does nothing would take. Each is the shortest of many, taken in turns. Where
the GPU is done with a kernel before Python has launched the next, launches are what is timed. The
first call includes compiling, on the CPU.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

import kernels
from edge_daemon.bench.scenes import cases, scene
from kernels import cuda
from kernels.cuda_arrays import numba_cuda

SIZES = ("1920x1080", "3840x2160")


def main(
    size: Annotated[
        list[str] | None, typer.Option(help="WIDTHxHEIGHT; repeat for several.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that each map and copy take.")] = 200,
) -> None:
    """Compare smoothing on the GPU with copying the picture there."""
    console = Console()
    console.width = max(console.width, 100)  # piped output would cut the table to 80
    if (status := cuda.status()) != "available":
        console.print(f"Nothing to measure: the CUDA backend is {status}", highlight=False)
        return
    simulated = cuda.simulated()
    if simulated:
        console.print("This GPU is numba's simulator: the times say nothing, they are the CPU's.")
    where = "the simulator" if simulated else _device_name()
    table = Table(title=f"smooth_device on {where}, shortest of {rounds}", box=box.SIMPLE)
    table.add_column("image")
    table.add_column("map")
    for heading in ("x copy", "smoothing, ms", "copy, ms", "first call, s"):
        table.add_column(heading, justify="right")
    for text in size or SIZES:
        for row in _measure(*_sides(text), rounds, cpu_clock=simulated):
            table.add_row(*row)
    console.print(table)


def _measure(width: int, height: int, rounds: int, *, cpu_clock: bool) -> list[list[str]]:
    """The table's rows for one size: work on the device, queued on one stream."""
    device = numba_cuda()
    stream = device.stream()
    image = device.to_device(scene(width, height))
    out, copied = device.device_array_like(image), device.device_array_like(image)
    workspace = cuda.Workspace()
    clock = _cpu_clock if cpu_clock else _events(stream)
    rows: list[list[str]] = []
    for case in cases(width, height):
        sigma: Any
        if isinstance(case.sigma, kernels.CoarseSigma):
            values = device.to_device(case.sigma.values)
            sigma = kernels.CoarseSigma(values, case.sigma.y, case.sigma.x)
        else:
            sigma = device.to_device(case.sigma)

        def smooth(sigma: Any = sigma, largest: float = case.largest) -> None:
            cuda.smooth_device(
                image, sigma, max_sigma=largest, out=out, stream=stream, workspace=workspace
            )

        def copy() -> None:
            copied.copy_to_device(image, stream=stream)

        started = time.perf_counter()
        smooth()
        stream.synchronize()
        first = time.perf_counter() - started
        shortest = [math.inf, math.inf]
        for _ in range(rounds):
            for i, call in enumerate((smooth, copy)):
                shortest[i] = min(shortest[i], clock(call))
        rows.append(
            [
                f"{width}x{height}",
                case.name,
                f"{shortest[0] / shortest[1]:.1f}",
                f"{shortest[0]:.3f}",
                f"{shortest[1]:.3f}",
                f"{first:.1f}",
            ]
        )
    return rows


def _events(stream: Any) -> Callable[[Callable[[], None]], float]:
    """A clock for what a call queues on the stream, in milliseconds."""
    start, end = numba_cuda().event(), numba_cuda().event()

    def clock(call: Callable[[], None]) -> float:
        start.record(stream)
        call()
        end.record(stream)
        end.synchronize()
        return float(start.elapsed_time(end))

    return clock


def _cpu_clock(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1e3


def _device_name() -> str:
    name = numba_cuda().get_current_device().name
    return name.decode() if isinstance(name, bytes) else str(name)


def _sides(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or min(int(match[1]), int(match[2])) < 1:
        raise typer.BadParameter(f"{text!r} is no size; pass WIDTHxHEIGHT, as in 1920x1080")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    typer.run(main)
