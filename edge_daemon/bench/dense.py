"""One pass instead of tiles: the speed of both scorers, and how well each finds things.

Needs a bundle with `dense.onnx` (`python -m export CHECKPOINT --dense -o BUNDLE`). Pictures are the
demo's scenes, so finding is measured for bundles that know icons; of any other bundle, such as an
untrained one, ask for speed alone with `--scenes 0`. Both scorers take turns on the same pictures.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.bench.localisation import Coded, Found, coded, found, mean_of
from edge_daemon.codecs import get_codec
from edge_daemon.demo.scenes import Scene, make_scene
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import PrefilterSettings, ScorerName

SIZES = ((640, 480), (1920, 1080))
SCORERS: tuple[ScorerName, ...] = ("tiles", "dense")
THINGS = {640: 4, 1920: 12}
"""Things in a scene, by its width."""

JPEG = get_codec({"id": "jpeg"})
"""What `localisation.coded` codes with."""

HEADINGS = (
    *("scorer", "lambda", "peak in box, %", "relevance in box, %", "AUC", "IoU of r >= 1"),
    *("box kept, %", "picture kept, %", "JPEG bytes saved, %", "box not kept"),
)


@dataclass
class Row:
    """What one scorer found, over all questions.

    Attributes:
        found: For each question.
        coded: For each question that was coded.
    """

    found: list[Found] = field(default_factory=list[Found])
    coded: list[Coded] = field(default_factory=list[Coded])

    def cells(self) -> list[str]:
        """Its cells of the table, but for the first two."""
        saved, failed = "-", "-"
        if self.coded:
            plain, filtered = (
                sum(getattr(c, n) for c in self.coded) for n in ("plain", "filtered")
            )
            saved = f"{100 * (1 - filtered / plain):.1f}"
            failed = f"{sum(not c.kept for c in self.coded)} of {len(self.coded)}"
        return [
            f"{100 * mean_of(self.found, lambda one: one.peak):.1f}",
            f"{100 * mean_of(self.found, lambda one: one.mass):.1f}",
            f"{mean_of(self.found, lambda one: one.ranking):.3f}",
            f"{mean_of(self.found, lambda one: one.overlap):.3f}",
            f"{100 * mean_of(self.found, lambda one: one.kept):.1f}",
            f"{100 * mean_of(self.found, lambda one: one.sharp):.1f}",
            saved,
            failed,
        ]


def settings_of(scorer: ScorerName, budget: int, lambda_: float | None) -> PrefilterSettings:
    """The settings of one row; relevance is spent on the codec's quantiser."""
    wanted: dict[str, Any] = {"scorer": scorer, "tile_budget": budget, "lambda": lambda_}
    return PrefilterSettings.model_validate(wanted)


def milliseconds(
    prefilter: Prefilter, image: NDArray[np.uint8], settings: PrefilterSettings
) -> float:
    """Canvas and encoder for one frame of which nothing is known yet."""
    plan = prefilter.plan(image, "a thing", settings)
    (scores,) = prefilter.score([plan])
    return plan.timings_ms["canvas"] + scores.encode_ms


def speeds(prefilter: Prefilter, budget: int, rounds: int) -> Table:
    """Medians over rounds in which both scorers take turns, after one that does not count."""
    table = _table(f"Milliseconds per frame for canvas and encoder, median of {rounds}")
    for heading in ("picture", "tiles", "dense", "tiles / dense", "tile grid", "window grid"):
        table.add_column(heading, justify="left" if heading == "picture" else "right")
    for width, height in SIZES:
        image = make_scene(1, width=width, height=height, count=THINGS[width]).pixels
        times: defaultdict[ScorerName, list[float]] = defaultdict(list)
        grids: list[str] = []
        for number in range(rounds + 1):
            for scorer in SCORERS:
                settings = settings_of(scorer, budget, None)
                spent = milliseconds(prefilter, image, settings)
                if number:
                    times[scorer].append(spent)
        for scorer in SCORERS:
            grid = prefilter.plan(image, "a thing", settings_of(scorer, budget, None)).grid
            assert grid is not None
            grids.append(f"{len(grid.lefts)} x {len(grid.tops)}")
        tiles, dense = (statistics.median(times[scorer]) for scorer in SCORERS)
        cells = (f"{tiles:.1f}", f"{dense:.1f}", f"{tiles / dense:.2f}", *grids)
        table.add_row(f"{width}x{height}", *cells)
    return table


def ask(
    prefilter: Prefilter, scene: Scene, name: str, settings: PrefilterSettings, code: int, row: Row
) -> None:
    """Ask for every thing in a scene, and code the picture for the first few.

    Args:
        prefilter: With the bundle.
        scene: Its things are asked for by name.
        name: Of the scene: tiles are encoded once for all questions.
        settings: Scorer and lambda.
        code: How many questions to code.
        row: Takes the figures.
    """
    for number, thing in enumerate(scene.things):
        prompt = f"Where is the {thing.name}?"
        plan = prefilter.plan(scene.pixels, prompt, settings, quantiser=JPEG.quantiser, camera=name)
        (scores,) = prefilter.score([plan])
        filtered, report = prefilter.smooth(scene.pixels, plan, scores)
        row.found.append(found(report, thing.box))
        if number < code:
            row.coded.append(coded(scene.pixels, filtered, report.offsets, thing.box))


def findings(
    prefilter: Prefilter,
    size: tuple[int, int],
    seeds: range,
    rows: list[PrefilterSettings],
    code: int,
) -> Table:
    """One row per scorer and lambda, over the same scenes."""
    width, height = size
    figures = [Row() for _ in rows]
    title = f"{width}x{height}"
    for seed in track(seeds, title, console=Console(stderr=True), transient=True):
        scene = make_scene(seed, width=width, height=height, count=THINGS[width])
        for settings, row in zip(rows, figures, strict=True):
            ask(prefilter, scene, f"{title} {seed}", settings, code, row)
    questions = figures[0].found
    area = 100 * mean_of(questions, lambda one: one.area)
    table = _table(
        f"{title}: {len(questions)} questions on {len(seeds)} scenes (seeds {seeds[0]} to "
        f"{seeds[-1]}); chance: {area:.1f} % of peaks and relevance, AUC 0.5, IoU {area / 100:.3f}"
    )
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "scorer" else "right")
    for settings, row in zip(rows, figures, strict=True):
        plan = prefilter.plan(np.zeros((8, 8, 3), np.uint8), "a thing", settings)
        table.add_row(settings.scorer, f"{plan.spending.sharpness:g}", *row.cells())
    return table


def _rows(budget: int, lambdas: list[float] | None) -> Iterator[PrefilterSettings]:
    for scorer in SCORERS:
        for lambda_ in lambdas or [None]:
            yield settings_of(scorer, budget, lambda_)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)


def main(
    bundle: Annotated[str, typer.Argument(help="Path of a bundle with dense.onnx.")],
    scenes: Annotated[int, typer.Option(min=0, help="Of each size; 0 for speed alone.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the first scene.")] = 0,
    lambdas: Annotated[
        list[float] | None,
        typer.Option("--lambda", help="Instead of the bundle's; repeatable."),
    ] = None,
    budget: Annotated[int, typer.Option(min=4, help="prefilter.tile_budget.")] = 40,
    code: Annotated[int, typer.Option(min=0, help="Questions of a scene to code.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Of timing.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the encoders.")] = 2,
) -> None:
    """Compare the tiles and dense scorers of one bundle."""
    console = Console()
    console.width = max(console.width, 150)
    prefilter = Prefilter.from_bundle(bundle, threads=threads)
    notice = prefilter.bundle.manifest.notice
    if notice:
        console.print(notice, highlight=False)
    console.print(speeds(prefilter, budget, rounds))
    if scenes:
        rows = list(_rows(budget, lambdas))
        for size in SIZES:
            console.print(findings(prefilter, size, range(seed, seed + scenes), rows, code))


if __name__ == "__main__":
    typer.run(main)
