"""Comparing smoothed images with the float64 definition."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.reference import smooth_exactly


@dataclass(frozen=True)
class Deviation:
    """How far an 8-bit image is from the truth."""

    worst: float  # grey levels from the unrounded truth; 0.5 are rounding's own
    psnr: float  # decibels from the rounded truth; 59 is a level's difference in a pixel of twelve


def deviation(
    result: NDArray[np.uint8],
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32],
    rows: range | None = None,
    columns: range | None = None,
) -> Deviation:
    """Compare `result` with the definition, at all pixels or at some rows and columns."""
    colour = image if image.ndim == 3 else image[:, :, None]
    rows = range(image.shape[0]) if rows is None else rows
    columns = range(image.shape[1]) if columns is None else columns
    exact = smooth_exactly(colour, sigma, rows, columns)
    found = result.reshape(colour.shape)[np.ix_(rows, columns)]
    mean_square = float(np.mean((found - np.floor(exact + 0.5)) ** 2))
    psnr = math.inf if mean_square == 0 else 10 * math.log10(255**2 / mean_square)
    return Deviation(float(np.abs(found - exact).max()), psnr)
