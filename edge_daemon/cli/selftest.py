"""`edge-daemon selftest`: whether what is fast here computes what is slow and sure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.markup import escape
from rich.table import Table

from edge_daemon.cli.options import BundleOption, ConfigOption, settings_with
from edge_daemon.cli.terminal import console
from kernels import CoarseSigma, KernelError, backends, reference, varying_gaussian
from models import Bundle, load_bundle, tensorrt
from models.backends.cpu import CpuSession, usable_cores
from models.loading import find_bundle, read_image_graph
from models.manifest import read_manifest
from models.preprocess import Normalising
from models.proof import LEAST_COSINE, Agreement, agreement, fixed_tiles
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
    rows = [*_encoders(settings_with(config, bundle).bundle), *_kernels()]
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
    else:
        _show(rows)
    if any(row.verdict == "bad" for row in rows):
        raise typer.Exit(1)


def _encoders(name: str) -> list[_Row]:
    directory = find_bundle(name)
    manifest = read_manifest(directory)
    image = read_image_graph(directory, manifest)
    content, spec = image.content, image.spec
    file = directory / "image.onnx"
    graph = CpuSession(content, spec, threads=usable_cores(), file=file)
    takes_tiles = spec.input_dtype is np.uint8
    cpu = graph if takes_tiles else Normalising(graph, manifest.mean, manifest.std)
    tiles = fixed_tiles(manifest.tile_size)
    rows = [
        _Row("encoder", "onnxruntime CPU", "good", "what others are compared with", _ms(cpu, tiles))
    ]
    if why := tensorrt.problem():
        rows.append(_Row("encoder", "tensorrt", "absent", why))
    else:
        # Whatever the store has; nothing is built, that is for `engines build`.
        session = tensorrt.open_session(
            content,
            spec,
            manifest=manifest,
            engines=directory / "engines",
            standby=graph,
            file=file,
            build=False,
        )
        state = session.describe()["tensorrt"]
        if state["state"] == "serving":
            taking = session if takes_tiles else Normalising(session, manifest.mean, manifest.std)
            rows.append(_compared("tensorrt", taking, cpu, tiles))
        else:
            verdict = "absent" if state["state"] == "absent" else "bad"
            rows.append(_Row("encoder", "tensorrt", verdict, state["reason"]))
    loaded = load_bundle(name)
    backend = loaded.describe()["image"]["backend"]
    rows.append(_compared(f"as served: {backend}", _Served(loaded), cpu, tiles))
    return rows


class _Served:
    """A loaded bundle as the encoder that it serves with."""

    batch = 40

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        return self._bundle.encode_tiles(batch)

    def describe(self) -> dict[str, Any]:
        return self._bundle.describe()


def _compared(
    backend: str, session: EncoderSession, cpu: EncoderSession, tiles: NDArray[np.uint8]
) -> _Row:
    found: Agreement = agreement(session, cpu, tiles)
    verdict = "good" if found.good else "bad"
    wanted = "" if found.good else f"; at least {LEAST_COSINE} is asked for"
    return _Row("encoder", backend, verdict, f"{found}{wanted}", _ms(session, tiles))


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
