"""`edge-daemon engines`: image encoders for TensorRT, built on the device that they run on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from edge_daemon.cli.figures import size, span
from edge_daemon.cli.options import ConfigOption, settings_with
from edge_daemon.cli.terminal import console, errors
from models import Manifest
from models.backends.cpu import CpuSession, usable_cores
from models.loading import find_bundle, read_image_graph
from models.manifest import read_manifest
from models.proof import Likeness
from models.session import GraphSpec
from models.tensorrt import calls, driver, problem
from models.tensorrt.build import BuildRequest, build_in_child
from models.tensorrt.engines import EngineStore
from models.tensorrt.errors import EngineError
from models.tensorrt.key import EngineKey
from models.tensorrt.progress import seconds_left
from models.tensorrt.proven import open_proven

engines = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""
Engines: a bundle's image encoder, compiled by NVIDIA's TensorRT for the GPU of this very machine.

A daemon builds the engine that it lacks by itself, in the background, while the CPU serves. Built
beforehand, it is there at the first start.
""",
)

BundleArgument = Annotated[
    str | None,
    typer.Argument(help="A packaged bundle's name, or a path; the settings' one unless given."),
]


@dataclass(frozen=True)
class _Graph:
    """A bundle's image graph, and where its engines are."""

    file: Path
    content: bytes
    spec: GraphSpec
    manifest: Manifest
    store: EngineStore

    @staticmethod
    def of(bundle: str) -> _Graph:
        directory = find_bundle(bundle)
        manifest = read_manifest(directory)
        image = read_image_graph(directory, manifest)
        content, spec = image.content, image.spec
        store = EngineStore.beside(directory / "engines")
        return _Graph(directory / "image.onnx", content, spec, manifest, store)

    @property
    def key(self) -> EngineKey:
        """Of the engine that this machine needs; the caller has asked for `problem`."""
        return EngineKey.of(self.content, calls.version(), driver.probe())


@engines.command()
def build(
    bundle: BundleArgument = None,
    config: ConfigOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build although there is an engine for this machine.")
    ] = False,
) -> None:
    """Build the engine for this machine, and see that it agrees with the CPU.

    Takes minutes, and memory for several times the model. An engine that disagrees is put aside.
    """
    if why := problem():
        raise EngineError(f"no engine can be built here: {why}")
    graph = _Graph.of(settings_with(config, bundle).bundle)
    sha256 = hashlib.sha256(graph.content).hexdigest()
    request = BuildRequest.of(graph.file, sha256, graph.store, graph.spec, force=force)
    path = _build_visibly(request, graph.store.usual_build_s(graph.key))
    _say(f"engine: {path}")
    _say(f"agrees with the CPU: {_prove(graph)}")


def _build_visibly(request: BuildRequest, usual_s: float | None) -> Path:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=errors,
    ) as progress:
        task = progress.add_task("waiting for its turn", total=1.0, left=_left(0.0, 0.0, usual_s))

        def report(share: float, phase: str) -> None:
            elapsed = progress.tasks[task].elapsed or 0.0
            left = _left(elapsed, share, usual_s)
            progress.update(task, completed=share, description=phase, left=left)

        return build_in_child(request, report)


def _left(elapsed_s: float, share: float, usual_s: float | None) -> str:
    left = seconds_left(elapsed_s, share, usual_s)
    return "" if left is None else f"about {span(left)} left"


def _prove(graph: _Graph) -> Likeness:
    """See that the engine in the store agrees with the CPU; it is put aside if not."""
    cpu = CpuSession(graph.content, graph.spec, threads=usable_cores(), file=graph.file)
    opened = open_proven(graph.store, graph.key, graph.spec, graph.manifest, driver.probe(), cpu)
    if opened is None:
        raise EngineError("the engine is gone again; did another process put it aside?")
    return opened[1]


@engines.command("list")
def list_engines(
    bundle: BundleArgument = None,
    config: ConfigOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List a bundle's engines: for which GPU and TensorRT, and which this machine uses."""
    graph = _Graph.of(settings_with(config, bundle).bundle)
    why = problem()
    wanted = None if why else graph.key.file_name
    rows = [
        {
            "file": str(path),
            "tensorrt": record.tensorrt,
            "gpu": record.gpu,
            "bytes": record.bytes,
            "build_s": record.build_s,
            "used": path.name == wanted,
        }
        for path, record in graph.store.records()
    ]
    broken = [{"file": str(path), "reason": reason} for path, reason in graph.store.broken()]
    if as_json:
        typer.echo(json.dumps({"problem": why, "engines": rows, "broken": broken}))
        return
    _show(rows, broken)
    if why:
        _say(f"TensorRT cannot serve here: {why}")
    elif not any(row["used"] for row in rows):
        _say("this machine has no engine yet: edge-daemon engines build")


def _show(rows: list[dict[str, Any]], broken: list[dict[str, str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("engine", "TensorRT", "GPU", "size", "took", "used here"):
        table.add_column(name, overflow="fold")
    for row in rows:
        used = "yes" if row["used"] else "no"
        facts = (row["tensorrt"], row["gpu"], size(row["bytes"]), span(row["build_s"]), used)
        table.add_row(row["file"], *facts)
    if rows:
        console.print(table)
        _say(f"{len(rows)} engines, {size(sum(row['bytes'] for row in rows))} in all")
    for one in broken:
        _say(f"put aside: {one['file']}: {one['reason']}")


@engines.command()
def prune(bundle: BundleArgument = None, config: ConfigOption = None) -> None:
    """Remove a bundle's engines for other machines, GPUs or versions, and what was put aside."""
    if why := problem():
        raise EngineError(f"which engine this machine needs cannot be told: {why}")
    graph = _Graph.of(settings_with(config, bundle).bundle)
    freed = 0
    for path in graph.store.useless(graph.key):
        freed += path.stat().st_size
        path.unlink()
        _say(f"removed {path}")
    _say(f"freed {size(freed)}")


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
