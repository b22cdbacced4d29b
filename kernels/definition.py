"""The numbers that define the spatially varying Gaussian, shared by every backend."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

KEEP_SIGMA: Final = 0.25
"""Sigma in pixels up to which a pixel is copied. A Gaussian as narrow gives its neighbours weights
of 0.0003, so a copy is also what rounding leaves of it, in all but rare pixels."""

MAX_SIGMA: Final = 64.0
"""Largest sigma in pixels that is accepted: the window is then 385 pixels wide."""


def radius_of(sigma: float) -> int:
    """The support's radius in pixels: ceil(3 sigma), and 0 for a copied pixel."""
    return math.ceil(3.0 * sigma) if sigma > KEEP_SIGMA else 0


def gaussian(sigma: float) -> NDArray[np.float64]:
    """The normalised weights of one axis, at distances -radius to radius."""
    radius = radius_of(sigma)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()
