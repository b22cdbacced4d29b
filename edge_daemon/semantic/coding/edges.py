"""The outlines in a picture, as a drawing in lines one pixel wide.

Canny's detector (1986) on the strongest of the three colours' gradients, with thresholds from the
picture itself, so that a dim scene has outlines too; lines of a few pixels are left out.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_BLUR_PX: Final = 1.0
"""Sigma of the smoothing before; less draws texture, more melts things together."""
_STEEP_SHARE: Final = 0.15
"""Share of the pixels that may begin a line, the steepest ones."""
_LEAST_STEEP: Final = 40
"""Less than this, in grey levels of a Sobel gradient, is noise and begins none."""
_WEAK: Final = 0.4
"""A line goes on where the gradient is this share of what may begin one."""
_SHORTEST_PX: Final = 8
"""Pixels that a line has at least."""


def edges_of(pixels: NDArray[np.uint8], strictness: float = 1.0) -> NDArray[np.bool_]:
    """Where the outlines are.

    Args:
        pixels: uint8 (H, W, 3), as small as the drawing shall be.
        strictness: Multiplies the thresholds, at least 1: the higher, the fewer lines.

    Returns:
        bool (H, W).
    """
    smooth = np.asarray(cv2.GaussianBlur(pixels, (0, 0), _BLUR_PX), np.uint8)
    x_slope, y_slope = _gradient(smooth)
    steepness = np.abs(x_slope.astype(np.int32)) + np.abs(y_slope)
    begin = strictness * max(_LEAST_STEEP, float(np.quantile(steepness, 1 - _STEEP_SHARE)))
    lines = cv2.Canny(x_slope, y_slope, _WEAK * begin, begin)
    _, labels, figures, _ = cv2.connectedComponentsWithStats(lines, connectivity=8)
    kept = np.asarray(figures, np.int32)[:, cv2.CC_STAT_AREA] >= _SHORTEST_PX
    kept[0] = False  # what is no line
    return kept[np.asarray(labels, np.int32)]


def _gradient(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Slopes to the right and down, of the colour that has the steepest there."""
    slopes = [
        np.asarray(cv2.Sobel(pixels, cv2.CV_16S, dx, dy), np.int16) for dx, dy in ((1, 0), (0, 1))
    ]
    steepness = np.abs(slopes[0].astype(np.int32)) + np.abs(slopes[1])
    colour = steepness.argmax(axis=2)[..., np.newaxis]
    x_slope, y_slope = (
        np.ascontiguousarray(np.take_along_axis(slope, colour, axis=2)[..., 0]) for slope in slopes
    )
    return x_slope, y_slope
