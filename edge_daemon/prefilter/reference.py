"""Smoothing as the publication's release does it, for comparison.

The release stretches the image to its canvas, blurs every block of a stride's side on its own, with
an 11-tap kernel whatever the sigma, and sends the *canvas*. So does this: the result is larger than
the source unless that is a multiple of the tile size, and there are seams between blocks. Rates are
still to be counted per source pixel. The kernel is too short for large sigmas: a nominal 3 px acts
as 2.53, and 10 px as 3.10.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

TAPS: Final = 11

_COPIED: Final = 0.1
"""Sigma in pixels below which a block is copied: its neighbours' weights are under 1e-21. OpenCV
would take a sigma of 0 or less as a request to choose one."""


def effective_sigma(sigma: float, taps: int = TAPS) -> float:
    """Standard deviation in pixels of the kernel that `taps` taps leave of a Gaussian."""
    weights = cv2.getGaussianKernel(taps, sigma, cv2.CV_64F).ravel()
    offsets = np.arange(taps) - taps // 2
    return float(np.sqrt(np.sum(weights * offsets**2)))


def blur_blocks(canvas: NDArray[np.uint8], sigma: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Blur each block on its own; a block sees nothing of its neighbours.

    Args:
        canvas: uint8 (H, W, 3); H and W are multiples of the numbers of block rows and columns.
        sigma: (rows, columns), nominal sigma in canvas pixels; a negative one copies.

    Returns:
        uint8 (H, W, 3).
    """
    rows, columns = sigma.shape
    height, width = canvas.shape[0] // rows, canvas.shape[1] // columns
    blurred = np.empty_like(canvas)
    for row in range(rows):
        for column in range(columns):
            at = (
                slice(row * height, (row + 1) * height),
                slice(column * width, (column + 1) * width),
            )
            block, value = canvas[at], float(sigma[row, column])
            if value < _COPIED:
                blurred[at] = block
            else:
                blurred[at] = cv2.GaussianBlur(
                    block, (TAPS, TAPS), value, borderType=cv2.BORDER_REFLECT_101
                )
    return blurred
