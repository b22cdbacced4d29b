"""The numbers that define the spatially varying Gaussian, shared by every backend."""

import math
from typing import Final

KEEP_SIGMA: Final = 0.25
"""Sigma in pixels up to which a pixel is copied. A Gaussian as narrow gives its neighbours weights
of 0.0003, so a copy is also what rounding leaves of it, in all but rare pixels."""

MAX_SIGMA: Final = 64.0
"""Largest sigma in pixels that is accepted: the window is then 385 pixels wide."""


def radius_of(sigma: float) -> int:
    """The support's radius in pixels: ceil(3 sigma), and 0 for a copied pixel."""
    return math.ceil(3.0 * sigma) if sigma > KEEP_SIGMA else 0
