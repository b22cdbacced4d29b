"""Embeddings have length 1; a graph or a backend whose do not is broken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-3


def not_unit(embeddings: NDArray[np.float32], what: str) -> str:
    """What is wrong with the lengths of some embeddings; empty if nothing is, NaN is wrong."""
    lengths = np.linalg.norm(embeddings, axis=1)
    if np.all(np.abs(lengths - 1.0) <= _TOLERANCE):
        return ""
    shown = ", ".join(f"{length:.4g}" for length in lengths)
    return f"the embeddings of {what} have lengths {shown}, not 1"
