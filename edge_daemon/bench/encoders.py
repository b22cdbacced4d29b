"""The image encoders: every bundle on every backend that works here, beside the machine's own rate.

What a machine can do is measured, not looked up: the float32 matrix product of NumPy's BLAS, on as
many threads, in the same process and the same rounds. An encoder's rate counts the multiplications
and additions of its matrix products and convolutions (the manifest's `multiply_adds`), whatever its
precision.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.bench.encoder_run import FRAME_SIZE, FRAME_TILES, Run
from models import BundleError, Manifest
from models.backends import BACKENDS
from models.loading import find_bundle
from models.manifest import read_manifest

SHOWN = (1, 2, 8, 24, 40)
"""Tiles per run in the table; the JSON has more."""
_LEAST_WIDTH = 100
"""Characters that the tables take; where there is no terminal, rich would take 80."""
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Row:
    """A bundle on a backend, and what it took."""

    bundle: str
    precision: str
    backend: str
    multiply_adds: int | None
    run: Run

    @property
    def name(self) -> str:
        """For people."""
        bundle = Path(self.bundle).name
        precision = "" if bundle.endswith(self.precision) else f" {self.precision}"
        return f"{bundle}{precision} {self.backend}"

    @property
    def gops(self) -> float | None:
        """10^9 multiplications and additions a second at the batch size that is fastest."""
        if self.multiply_adds is None:
            return None
        return 2 * self.multiply_adds / min(self.run.tile_ms.values()) / 1e6

    @property
    def share(self) -> float | None:
        """That rate as a share of the machine's float32 matrix product."""
        return None if self.gops is None else self.gops / self.run.gemm_gops


def main(
    bundles: Annotated[
        list[str] | None, typer.Argument(help="Names or directories; nano-icons unless given.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of encoder and BLAS.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds per bundle and backend.")] = 7,
    output: Annotated[Path | None, typer.Option(help="Write all figures here, as JSON.")] = None,
) -> None:
    """Time image encoders: milliseconds per tile and frame, rate against a matrix product."""
    console = Console()
    console.width = max(console.width, _LEAST_WIDTH)
    problems = {name: backend.problem() for name, backend in BACKENDS.items()}
    present = [name for name, problem in problems.items() if not problem]
    for name, problem in problems.items():
        if problem:
            console.print(f"not measured: {name}: {problem}", highlight=False, soft_wrap=True)
    rows: list[Row] = []
    for name in track(bundles or ["nano-icons"], console=Console(stderr=True), transient=True):
        manifest = read_manifest(find_bundle(name))
        rows += [_row(name, manifest, backend, threads, rounds) for backend in present]
    console.print(_speed(rows, threads, rounds))
    console.print(_cost(rows))
    if output is not None:
        output.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _row(bundle: str, manifest: Manifest, backend: str, threads: int, rounds: int) -> Row:
    # BLAS reads its number of threads when it is loaded.
    environment = {**os.environ, **dict.fromkeys(_BLAS_THREADS, str(threads))}
    command = [sys.executable, "-m", "edge_daemon.bench.encoder_run", bundle, backend]
    done = subprocess.run(
        [*command, str(threads), str(rounds)],
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise BundleError(
            f"the process that timed {bundle} on {backend} ended with status {done.returncode}",
            remedy="see its message above",
        )
    fields = json.loads(done.stdout)
    fields["tile_ms"] = {int(batch): ms for batch, ms in fields["tile_ms"].items()}
    return Row(bundle, manifest.precision, backend, manifest.multiply_adds, Run(**fields))


def _speed(rows: list[Row], threads: int, rounds: int) -> Table:
    table = Table(
        title=f"Milliseconds per tile by tiles per run; {threads} threads, medians of {rounds}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("encoder", no_wrap=True)
    for batch in SHOWN:
        table.add_column(str(batch), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.name, *(f"{row.run.tile_ms[batch]:.1f}" for batch in SHOWN))
    return table


def _cost(rows: list[Row]) -> Table:
    width, height = FRAME_SIZE
    table = Table(
        title=f"frame: ms for {FRAME_TILES} tiles; canvas: {width}x{height} resized and cut, as a "
        "share of that; rate: 10^9 multiplications and additions a second; share: of a float32 "
        "matrix product's rate; start: s; loaded, peak: MB of resident memory",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("encoder", no_wrap=True)
    for heading in ("frame", "canvas", "rate", "share", "start", "loaded", "peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        run = row.run
        table.add_row(
            row.name,
            f"{run.frame_ms:.0f}",
            f"{run.canvas_ms / run.frame_ms:.1%}",
            "" if row.gops is None else f"{row.gops:.0f}",
            "" if row.share is None else f"{row.share:.2f}",
            f"{run.startup_s:.2f}",
            f"{run.loaded_mb:.0f}",
            f"{run.peak_mb:.0f}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
