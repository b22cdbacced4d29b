"""The optional third graph: embeddings of all parts of a whole picture from one pass.

The graph takes canvases, 8-bit pictures of any size in multiples of the patch, and gives a unit
embedding for every window of patches, in the space of the text tower.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from export.graph import TileTower, export_graph
from export.parity import random_pictures
from export.towers import DenseTower, TowerFacts

_EXAMPLE_ROWS = 2


def export_dense(dense: DenseTower, facts: TowerFacts) -> bytes:
    """The content of `dense.onnx`: `canvas` uint8 (N, H, W, 3) to `windows` float32 (N, h, w, D).

    Raises:
        ExportError: torch cannot export the tower.
    """
    patch, least = dense.facts.patch_size, dense.facts.window
    # Sides that differ from each other and from the least ones, or they would count as constants.
    rows, columns = patch * (least + 2), patch * (least + 4)
    canvas = torch.zeros(_EXAMPLE_ROWS, rows, columns, 3, dtype=torch.uint8)
    # As multiples, so that halving a side again and again leaves no rest.
    sides = {
        axis: patch * torch.export.Dim(name, min=least)
        for axis, name in ((1, "rows"), (2, "columns"))
    }
    return export_graph(
        TileTower(dense.tower, facts.mean, facts.std),
        canvas,
        input_name="canvas",
        output_name="windows",
        dynamic=sides,
    )


def random_canvases(dense: DenseTower) -> Iterator[NDArray[np.uint8]]:
    """Canvases, uint8 (N, H, W, 3): of the size trained on, of one window, long and large."""
    patch, native = dense.facts.patch_size, dense.facts.native_side
    least = patch * dense.facts.window
    sizes = ((native, native), (least, least), (least, 4 * least), (2 * native, native + patch))
    for rows, (height, width) in enumerate(sizes, start=1):
        yield from random_pictures([rows], height, width)
