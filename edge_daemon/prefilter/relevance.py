"""From embeddings to relevance: of tiles, then of blocks.

r = N softmax(lambda s) per prompt, so that the mean over the N tiles is 1. A block takes the mean
of the tiles that cover it. Several prompts are combined by the maximum per block, so that nothing
is softer than any one of them alone would leave it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.tiling import TileGrid


def tile_relevance(scores: NDArray[np.floating], sharpness: float) -> NDArray[np.float64]:
    """N softmax(sharpness * scores) along the last axis.

    Args:
        scores: (..., N) inner products of unit embeddings, -1..1.
        sharpness: lambda, above 0.

    Returns:
        float64 (..., N), at least 0, with mean 1 along the last axis.
    """
    logits = sharpness * scores.astype(np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights * (scores.shape[-1] / weights.sum(axis=-1, keepdims=True))


def block_relevance(relevance: NDArray[np.float64], grid: TileGrid) -> NDArray[np.float64]:
    """Mean relevance of the tiles over each block, weighted by how much of the block they cover.

    Args:
        relevance: float64 (P, N), one row per prompt.
        grid: With N tiles.

    Returns:
        float64 (P, block_rows, block_columns).
    """
    tiles = relevance.reshape(len(relevance), len(grid.tops), len(grid.lefts))
    down = _coverage(grid.tops, grid.tile_size, grid.canvas_height, grid.block_rows)
    across = _coverage(grid.lefts, grid.tile_size, grid.canvas_width, grid.block_columns)
    return np.einsum("yi,pij,xj->pyx", down, tiles, across)


def _coverage(starts: Sequence[int], size: int, length: int, blocks: int) -> NDArray[np.float64]:
    """(blocks, tiles) along one axis: each tile's share of a block; rows sum to 1."""
    edges = np.linspace(0.0, length, blocks + 1)
    first = np.asarray(starts, np.float64)
    shared = np.minimum(edges[1:, None], first + size) - np.maximum(edges[:-1, None], first)
    weights = np.maximum(shared, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)
