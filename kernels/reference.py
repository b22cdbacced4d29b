"""The definition, spelled out in float64: slow, and obvious enough to check the others against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.definition import gaussian


def smooth(image: NDArray[np.uint8], sigma: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Smooth one image `(H, W, C)` with a full-size map `(H, W)` into `out`, rounding half up."""
    height, width = sigma.shape
    exact = smooth_exactly(image, sigma, range(height), range(width))
    out[...] = np.floor(exact + 0.5).astype(np.uint8)


def smooth_exactly(
    image: NDArray[np.uint8], sigma: NDArray[np.float32], rows: range, columns: range
) -> NDArray[np.float64]:
    """The unrounded result, float64, at some rows and columns of an image `(H, W, C)`."""
    height, width, channels = image.shape
    exact = np.empty((len(rows), len(columns), channels))
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            weights = gaussian(float(sigma[y, x]))
            radius = len(weights) // 2
            near_y = [reflect(y + k, height) for k in range(-radius, radius + 1)]
            near_x = [reflect(x + k, width) for k in range(-radius, radius + 1)]
            window = image[np.ix_(near_y, near_x)].astype(np.float64)
            exact[i, j] = np.einsum("i,j,ijc->c", weights, weights, window)
    return exact


def reflect(index: int, length: int) -> int:
    """An index mirrored at the borders, which are not repeated, as often as it takes."""
    if length == 1:
        return 0
    while not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
    return index
