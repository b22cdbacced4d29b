"""`edge-daemon selftest`: whether what is fast here computes what is slow and sure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.markup import escape
from rich.table import Table

from edge_daemon.cli.options import BundleOption, ConfigOption, resources_of, settings_with
from edge_daemon.cli.terminal import console
from edge_daemon.settings import Settings
from kernels import CoarseSigma, KernelError, backends, reference, varying_gaussian
from models.backends import BACKENDS
from models.backends.choice import CPU, CannotServeError, Proof
from models.loading import find_bundle, read_image_graph
from models.manifest import read_manifest
from models.proof import fixed_tiles, least_cosine, likeness
from models.session import EncoderSession

_PICTURE: Final = (24, 40)
_SEED: Final = 7

_MOST_LEVELS: Final = 2.5
"""How far a pixel may be from the definition: kernels on a GPU and OpenCV's stay within two grey
levels on maps as smooth as this one, and rounding adds half a level."""

_TURNS: Final = 3


@dataclass(frozen=True)
class _Row:
    """What became of one backend.

    `verdict` is "good", "bad" or "absent"; `facts` says why, in figures or in words.
    """

    part: str
    backend: str
    verdict: str
    facts: str
    milliseconds: float | None = None


def selftest(
    bundle: BundleOption = None,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array instead of a table.")
    ] = False,
) -> None:
    """Compare encoders and smoothing kernels with what is slow and sure, on fixed inputs.

    Encoders: ONNX Runtime on the CPU is what others are compared with; times are per tile. Kernels:
    the definition in 64-bit floating point; times are per picture of 40 x 24 pixels. What is absent
    here is no failure; anything that is there and disagrees is, with exit code 1.
    """
    rows = [*_encoders(settings_with(config, bundle)), *_kernels()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    else:
        _show(rows)
    if any(row.verdict == "bad" for row in rows):
        raise typer.Exit(1)


def _encoders(settings: Settings) -> list[_Row]:
    directory = find_bundle(settings.bundle)
    manifest = read_manifest(directory)
    # Whatever engines there are; none is built, that is for `engines build`.
    resources = resources_of(settings)
    proof = Proof(read_image_graph(directory, manifest), resources)
    tiles = fixed_tiles(manifest.tile_size)
    cpu = proof.session(BACKENDS[CPU])
    rows = [_Row("encoder", CPU, "good", "what others are compared with", _ms(cpu, tiles))]
    for name in BACKENDS:
        if name != CPU:
            rows.append(_encoder(name, proof, cpu, tiles, manifest.precision))
    return rows


def _encoder(
    name: str, proof: Proof, cpu: EncoderSession, tiles: NDArray[np.uint8], precision: str
) -> _Row:
    backend = BACKENDS[name]
    if problem := backend.problem():
        return _Row("encoder", name, "absent", problem)
    try:
        session = proof.session(backend)
    except CannotServeError as error:
        return _Row("encoder", name, "bad", str(error))
    engine = session.describe().get("tensorrt", {"state": "serving"})
    if engine["state"] != "serving":
        verdict = "absent" if engine["state"] == "absent" else "bad"
        return _Row("encoder", name, verdict, engine["reason"])
    found = likeness(session, cpu, tiles)
    verdict = "good" if found.good(precision) else "bad"
    wanted = "" if verdict == "good" else f"; at least {least_cosine(precision)} is asked for"
    return _Row("encoder", name, verdict, f"{found}{wanted}", _ms(session, tiles))


def _ms(session: EncoderSession, tiles: NDArray[np.uint8]) -> float:
    batch = tiles[: session.batch]
    return _best_ms(lambda: session.encode(batch)) / len(batch)


def _kernels() -> list[_Row]:
    picture, sigma = _fixed_picture()
    full = sigma.materialise(*_PICTURE)
    exact = reference.smooth_exactly(picture, full, *map(range, _PICTURE))
    rows: list[_Row] = []
    for name, status in backends().items():
        if status != "available":
            rows.append(_Row("kernel", name, "absent", status))
            continue
        try:
            worst = float(np.abs(varying_gaussian(picture, sigma, backend=name) - exact).max())
        except (KernelError, MemoryError) as error:
            rows.append(_Row("kernel", name, "bad", str(error)))
            continue
        verdict = "good" if worst <= _MOST_LEVELS else "bad"
        facts = f"{worst:.2f} grey levels off at most, {_MOST_LEVELS} are allowed"
        took = _best_ms(lambda name=name: varying_gaussian(picture, sigma, backend=name))
        rows.append(_Row("kernel", name, verdict, facts, took))
    return rows


def _fixed_picture() -> tuple[NDArray[np.uint8], CoarseSigma]:
    """Blots of colour, and a map from no smoothing at all to sigma 5."""
    height, width = _PICTURE
    rng = np.random.default_rng(_SEED)
    blots = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    values = np.array([[0.0, 1.0, 2.0], [1.0, 3.0, 5.0]], np.float32)
    picture = np.ascontiguousarray(blots.repeat(8, axis=0).repeat(8, axis=1))
    return picture, CoarseSigma.covering(values, height, width)


def _best_ms(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(_TURNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times) * 1e3


def _show(rows: list[_Row]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("part", "backend", "verdict", "ms", "facts"):
        table.add_column(name, overflow="fold", justify="right" if name == "ms" else "left")
    colours = {"good": "green", "bad": "red", "absent": "dim"}
    for row in rows:
        took = "" if row.milliseconds is None else f"{row.milliseconds:.2f}"
        verdict = f"[{colours[row.verdict]}]{row.verdict}[/]"
        table.add_row(row.part, row.backend, verdict, took, escape(row.facts))
    console.print(table)
