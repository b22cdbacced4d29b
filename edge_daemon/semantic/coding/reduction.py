"""Pictures made small enough to travel beside a text."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST: Final = 4
"""Longest side of what comes out, in multiples of the short side asked for."""


def reduced(pixels: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """A picture with a given short side, in its own proportions; one that is smaller stays.

    Args:
        pixels: uint8 (H, W, 3).
        short_side: In pixels. Of a picture that is longer than `LONGEST` times its width, or wider
            than that, the long side is `LONGEST` times this, and the short one what is left: at
            least 1.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, short_side / min(height, width), LONGEST * short_side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    resized = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
