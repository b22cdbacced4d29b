"""Pillow's bicubic filter, in bands on all cores."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kernels.workers import together

_BICUBIC: Final = Image.Resampling.BICUBIC
_BAND: Final = 96
"""Rows of the result, about, that one thread makes at a time."""
_REACH: Final = 2
"""Rows that the filter reaches to either side, times how often the picture shrinks."""


def bicubic(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A picture at another size, antialiased.

    Along rows first, then along columns, rounded in between: so Pillow does it too, but that of
    late it turns this around where a picture grows wider and less high. Bands begin and end where
    rows of both sizes do, so that Pillow weighs a band's rows as it weighs the whole picture's.
    Sizes with few such rows are one band, and take one core.

    Args:
        image: uint8 (H, W, 3).
        width: Pixels, at least 1.
        height: Pixels, at least 1.

    Returns:
        uint8 (height, width, 3).
    """
    rows = len(image)
    period = height // math.gcd(rows, height)
    step = period * max(1, round(_BAND / period))
    margin = math.ceil(_REACH * max(1.0, rows / height)) + 1
    filtered = np.empty((height, width, 3), np.uint8)
    tops = deque(range(0, height, step))

    def filter_bands() -> None:
        while tops:
            try:
                top = tops.popleft()
            except IndexError:  # another thread has taken the last
                return
            bottom = min(top + step, height)
            above, below = (edge * rows // height for edge in (top, bottom))
            first, end = max(0, above - margin), min(rows, below + margin)
            wide = Image.fromarray(image[first:end]).resize((width, end - first), _BICUBIC)
            box = (0, above - first, width, below - first)
            filtered[top:bottom] = np.asarray(wide.resize((width, bottom - top), _BICUBIC, box))

    # OpenCV's number: whoever limits its threads means these too.
    together(min(cv2.getNumThreads(), len(tops)), filter_bands)
    return filtered
