"""A picture as the critic sees it: unit embeddings of the whole and of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    # A cloud that draws texts knows what a sight is, and needs neither prefilter nor models.
    from edge_daemon.prefilter.tiling import TileGrid


@dataclass(frozen=True, eq=False)
class Parts:
    """Embeddings of a picture's parts.

    Attributes:
        embeddings: float32 (N, D), rows of unit length.
        boxes: float64 (N, 4), as in `Sight`.
    """

    embeddings: NDArray[np.float32]
    boxes: NDArray[np.float64]

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
