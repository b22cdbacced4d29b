"""Whether two encoders agree: nearly the same embeddings of the same tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SEED: Final = 6


@dataclass(frozen=True)
class Agreement:
    """How near one encoder's embeddings are to another's."""

    least_cosine: float
    mean_cosine: float
    max_abs_error: float
    rows: int
    """Embeddings compared."""

    def __str__(self) -> str:
        return (
            f"cosine {self.least_cosine:.5f} at least and {self.mean_cosine:.5f} on average over "
            f"{self.rows} embeddings, components off by {self.max_abs_error:.4f} at most"
        )


def fixed_tiles(side: int, count: int) -> NDArray[np.uint8]:
    """The same tiles on every machine: blots of colour, from two to a side up to fine noise.

    Args:
        side: Pixels.
        count: How many.

    Returns:
        uint8 (count, side, side, 3).
    """
    rng = np.random.default_rng(_SEED)
    tiles = np.empty((count, side, side, 3), np.uint8)
    for index, tile in enumerate(tiles):
        cells = 2 ** (index % 7 + 1)
        blots = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        nearest = np.arange(side) * cells // side
        tile[...] = blots[np.ix_(nearest, nearest)]
    return tiles


def compare(found: NDArray[np.float32], expected: NDArray[np.float32]) -> Agreement:
    """Compare embeddings, (N, D) each, row by row."""
    exact, wanted = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(wanted, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = np.sum(exact * wanted, axis=1) / lengths
    return Agreement(
        least_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        max_abs_error=float(np.abs(exact - wanted).max()),
        rows=len(found),
    )
