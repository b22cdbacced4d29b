"""The few picture operations that everything here shares, with types that say what comes out."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) RGB or (H, W, 4) RGBA; where a function says so, alpha is multiplied in."""


def read_rgba(path: Path) -> Pixels:
    """An RGBA PNG, straight alpha."""
    read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if read is None:
        raise FileNotFoundError(path)
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA), np.uint8)


def area_resized(picture: Pixels, side: int) -> Pixels:
    """Shrunk to a square without aliasing."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def linear_resized(picture: Pixels, side: int) -> Pixels:
    """To a square, bilinear; aliases where it shrinks by more than about two."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def cubic_resized(picture: Pixels, side: int) -> Pixels:
    """To a square, bicubic; for enlarging."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def recoloured(picture: Pixels, matrix: NDArray[np.floating]) -> Pixels:
    """Each pixel's channels multiplied by a matrix; clipped to 0..255."""
    return np.asarray(cv2.transform(picture, matrix), np.uint8)
