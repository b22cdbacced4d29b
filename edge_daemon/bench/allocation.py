"""What relevance is best spent on: bytes, and fidelity where it counts, for each allocation.

Relevance comes from boxes, so this is what a perfect bundle would give. All rows of one codec and
quality code the same pictures; inside the boxes they should be equally good, and the fewer bytes
the better. What is left outside is the context that an answer may need.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from edge_daemon.bench.photos import Question, cells_of, questions
from edge_daemon.codecs import Codec, codec_status, get_codec
from edge_daemon.prefilter.plan import Plan, Spending
from edge_daemon.prefilter.smoothing import spend, untouched
from edge_daemon.settings import PrefilterSettings
from models import Recommended

CELL = 16
"""Side of a cell of relevance, in pixels."""

CODECS: dict[str, tuple[int, ...]] = {
    "jpeg": (30, 75),
    "webp": (30, 75),
    "avif": (40, 65),
    "hevc": (36, 28),
    "heif": (35, 55),
    "vvc": (38,),
}

ALLOCATIONS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "smooth, matched to 12 steps": {"allocation": "smooth", "offset_max": 12.0},
    "smooth, sigma to 1.5": {"allocation": "smooth", "mapping": "inverse", "sigma_max": 1.5},
    "smooth, sigma to 3": {"allocation": "smooth", "mapping": "inverse", "sigma_max": 3.0},
    "both, half each of 12 steps": {"allocation": "both", "offset_max": 12.0},
    "quantiser, to 6 steps": {"allocation": "quantiser", "offset_max": 6.0},
    "quantiser, to 10 steps": {"allocation": "quantiser", "offset_max": 10.0},
    "quantiser, to 15 steps": {"allocation": "quantiser", "offset_max": 15.0},
}

_RECOMMENDED = Recommended.model_validate({"lambda": 20.0, "sigma_min": 0.2, "sigma_max": 3.0})


class Sums:
    """Bytes, pixels and PSNR of one row of the table, over all questions."""

    def __init__(self) -> None:
        self.bytes = self.pixels = self.questions = 0
        self._psnr = [0.0, 0.0]

    def add(self, question: Question, bitstream: bytes, decoded: NDArray[np.uint8]) -> None:
        """Count one coded picture."""
        squares = (decoded.astype(np.float64) - question.pixels) ** 2
        for i, where in enumerate((question.inside, ~question.inside)):
            self._psnr[i] += 10 * math.log10(255**2 / max(squares[where].mean(), 1e-3))
        self.bytes += len(bitstream)
        self.pixels += question.inside.size
        self.questions += 1

    def psnr(self) -> tuple[float, float]:
        """Means over the questions in dB: inside the boxes, and outside."""
        inside, outside = self._psnr
        return inside / self.questions, outside / self.questions


def coded(question: Question, codec: Codec, wanted: dict[str, Any] | None) -> bytes:
    """The question's picture as the pipeline would send it."""
    settings = PrefilterSettings.model_validate(wanted or {})
    height, width = question.inside.shape
    spending = Spending.of(settings, _RECOMMENDED, quantiser=codec.quantiser)
    tiles = np.empty((0, 0, 0, 3), np.uint8)
    plan = Plan(width, height, (), (), None, tiles, spending, {})
    if wanted is None:
        return codec.encode(untouched(question.pixels, plan).pixels)
    spent = spend(question.pixels, cells_of(question.inside, CELL), plan)
    return codec.encode(spent.pixels, spent.offsets)


def rows_of(codec: Codec) -> Iterator[str]:
    """The allocations that a codec can follow."""
    for name, wanted in ALLOCATIONS.items():
        if wanted is None or wanted["allocation"] == "smooth" or codec.takes_map():
            yield name


def main(
    folder: Annotated[Path, typer.Argument(help="Photographs with boxes and a coco.json.")],
    codec: Annotated[list[str] | None, typer.Option(help="Only this codec. Repeatable.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Questions to ask.")] = 10_000,
) -> None:
    """Code photographs with every allocation; print bytes, and PSNR in and outside the boxes."""
    asked = list(questions(folder))[:most]
    table = Table(
        title=f"{len(asked)} questions, relevance from boxes",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for name in ("codec", "quality", "allocation"):
        table.add_column(name)
    for name in ("bytes per picture", "bits per pixel", "saved, %", "PSNR in boxes, dB", "outside"):
        table.add_column(name, justify="right")
    for codec_id, qualities in CODECS.items():
        if (codec and codec_id not in codec) or codec_status(codec_id).problem:
            continue
        for quality in qualities:
            for row in _rows(get_codec({"id": codec_id, "quality": quality}), asked):
                table.add_row(codec_id, str(quality), *row)
            table.add_section()
    Console().print(table)


def _rows(codec: Codec, asked: list[Question]) -> Iterator[list[str]]:
    sums: defaultdict[str, Sums] = defaultdict(Sums)
    title = str(codec)
    for question in track(asked, title, console=Console(stderr=True), transient=True):
        height, width = question.inside.shape
        for name in rows_of(codec):
            bitstream = coded(question, codec, ALLOCATIONS[name])
            decoded = codec.decode(bitstream, width=width, height=height)
            sums[name].add(question, bitstream, decoded)
    plain = sums["none"].bytes
    for name, total in sums.items():
        inside, outside = total.psnr()
        yield [
            name,
            f"{total.bytes / total.questions:,.0f}",
            f"{8 * total.bytes / total.pixels:.3f}",
            f"{100 * (1 - total.bytes / plain):.1f}",
            f"{inside:.2f}",
            f"{outside:.2f}",
        ]


if __name__ == "__main__":
    typer.run(main)
