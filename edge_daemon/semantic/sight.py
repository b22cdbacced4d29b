"""A picture as the critic sees it: unit embeddings of the whole and of its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
