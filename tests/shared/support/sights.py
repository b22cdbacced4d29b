"""Pictures as a critic might see them, made up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.sight import Sight


def grid_boxes(columns: int, rows: int) -> NDArray[np.float64]:
    """float64 (columns * rows, 4): half-overlapping parts that cover a picture, row by row."""
    width, height = 2.0 / (columns + 1), 2.0 / (rows + 1)
    return np.array(
        [
            (column * width / 2, row * height / 2, width, height)
            for row in range(rows)
            for column in range(columns)
        ]
    )


def random_sight(seed: int, size: int, *, columns: int = 7, rows: int = 5) -> Sight:
    """What an encoder with random weights sees: embeddings that say nothing.

    Args:
        seed: Decides them.
        size: Components of an embedding.
        columns: Of parts.
        rows: Of parts.
    """
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(1 + columns * rows, size))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings = vectors.astype(np.float32)
    return Sight(embeddings[0], embeddings[1:], grid_boxes(columns, rows))
