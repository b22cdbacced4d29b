"""Which precision, and what it is calibrated with and judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from export.graphs import Graphs, export_graphs
from export.material import Material
from export.precision.calibration import drawn_tiles, find_ranges
from export.precision.dynamic import dynamically_quantised, with_small_table
from export.precision.half import halved
from export.precision.static import quantised, quantised_inputs
from export.towers import Towers

Reduced = Literal["fp16", "int8", "int8-dynamic"]

TOLERANCES: Final[dict[Reduced, float]] = {"fp16": 0.05, "int8": 0.5, "int8-dynamic": 0.5}
"""What is usual is well below: 0.005 for fp16, 0.1 to 0.2 for the others, on nano-icons and on an
untrained ViT-40M/32. Beyond 0.05 something in a half tower was too large or too small; beyond 0.5
a block that was asked for may lose more than half of its relevance."""


@dataclass(frozen=True)
class Reduction:
    """A precision below float32.

    Attributes:
        precision: Of both graphs.
        material: Pictures and prompts.
        tolerance: Most that the relevance of any block may move, in units of r, 0..1.
    """

    precision: Reduced
    material: Material
    tolerance: float


def reduced(towers: Towers, graphs: Graphs, reduction: Reduction) -> Graphs:
    """The same two graphs in less precision.

    Args:
        towers: What the graphs were exported from.
        graphs: In float32.
        reduction: See there.

    Raises:
        ExportError: There is nothing to reduce, or the result is not a graph for bundles.
    """
    if reduction.precision == "fp16":
        return export_graphs(halved(towers))
    # The text graph runs on a CPU wherever the image graph does, once for every new prompt.
    text = dynamically_quantised(with_small_table(graphs.text))
    if reduction.precision == "int8-dynamic":
        return Graphs(dynamically_quantised(graphs.image), text)
    tiles = drawn_tiles(np.concatenate([one.tiles for one in reduction.material.calibration]))
    ranges = find_ranges(graphs.image, quantised_inputs(graphs.image), tiles)
    return Graphs(quantised(graphs.image, ranges), text)
