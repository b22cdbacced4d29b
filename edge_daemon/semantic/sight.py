"""A picture as the critic sees it: unit embeddings of the whole and of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    # A cloud that draws texts knows what a sight is, and needs neither prefilter nor models.
    from edge_daemon.prefilter.tiling import TileGrid

TILES: Final = 40
"""Most tiles in which things are looked for, unless somebody says another number."""
OVERLAP: Final = 0.5
"""Least overlap of the tiles in which things are looked for: one smaller than half a tile then lies
whole inside some tile, so that it is counted once, and at its place."""

_ROUNDED: Final = 0.01
"""A tile starts at a whole pixel."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Embeddings of a picture's parts.

    Attributes:
        embeddings: float32 (N, D), rows of unit length.
        boxes: float64 (N, 4), as in `Sight`.
    """

    embeddings: NDArray[np.float32]
    boxes: NDArray[np.float64]

    @staticmethod
    def shown_by(grid: TileGrid) -> bool:
        """Whether a grid's tiles overlap enough for things to be looked for in them."""
        return grid.overlap >= OVERLAP - _ROUNDED

    @classmethod
    def of_tiles(cls, embeddings: NDArray[np.float32], grid: TileGrid) -> Parts:
        """Those of a grid's tiles, in its order."""
        width, height = grid.source_width, grid.source_height
        boxes = np.array(grid.boxes(), np.float64) / (width, height, width, height)
        return cls(embeddings, boxes)


@dataclass(frozen=True, eq=False)
class Sight:
    """Embeddings of one picture.

    Attributes:
        whole: float32 (D,), unit length.
        parts: float32 (N, D), rows of unit length; N may be 0.
        boxes: float64 (N, 4): left, top, width and height of each part, as fractions of the
            picture's sides.
    """

    whole: NDArray[np.float32]
    parts: NDArray[np.float32]
    boxes: NDArray[np.float64]
