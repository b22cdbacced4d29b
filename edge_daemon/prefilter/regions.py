"""Regions that the prompt has no say in: kept sharp, or veiled.

A Gaussian of a few pixels leaves a face or a number plate readable, and any Gaussian can be undone
in part. A masked region is therefore *veiled* before anything else looks at the picture: reduced to
at most 8x8 area means of at least 16x16 source pixels each, with a smooth blend between them. No
more than those means leaves the prefilter, whatever the prompt, the mode or a kept region says; the
encoder scores the veiled picture too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.settings import Region

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

VEIL_CELLS: Final = 8
"""Most cells along a side of a veiled region."""
VEIL_CELL: Final = 16
"""Least source pixels along a side of a cell; a region smaller than that becomes one colour."""


def boxes_of(regions: Sequence[Region], height: int, width: int) -> list[Box]:
    """Regions in pixels of an image, rounded outwards and cut at its borders."""
    boxes: list[Box] = []
    for region in regions:
        x, box_width = _span(region.x, region.width, width)
        y, box_height = _span(region.y, region.height, height)
        boxes.append((x, y, box_width, box_height))
    return boxes


def _span(start: float, length: float, pixels: int) -> tuple[int, int]:
    # The tolerance keeps 0.1 + 0.2 of ten pixels from covering a fourth one.
    first = min(math.floor(start * pixels + 1e-6), pixels - 1)
    end = min(max(math.ceil((start + length) * pixels - 1e-6), first + 1), pixels)
    return first, end - first


def veil(image: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    """The image with the boxes veiled; the image itself if there are none.

    Args:
        image: uint8 (H, W, 3); never written to.
        boxes: In pixels, inside the image.
    """
    if not boxes:
        return image
    veiled = np.array(image)
    for x, y, width, height in boxes:
        # Every box is read from the original: a later one must not sharpen what is veiled already,
        # and what two boxes share is veiled by the means of either.
        region = image[y : y + height, x : x + width]
        cells = (_cells(width), _cells(height))
        means = cv2.resize(region, cells, interpolation=cv2.INTER_AREA)
        veiled[y : y + height, x : x + width] = cv2.resize(
            means, (width, height), interpolation=cv2.INTER_LINEAR
        )
    return veiled


def _cells(pixels: int) -> int:
    return min(VEIL_CELLS, max(1, pixels // VEIL_CELL))


def distance_outside(box: Box, height: int, width: int) -> NDArray[np.float32]:
    """Each pixel's distance from a box in pixels, 0 inside; float32 (height, width)."""
    x, y, box_width, box_height = box
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)
    across = np.maximum(np.maximum(x - columns, columns - (x + box_width - 1)), 0.0)
    down = np.maximum(np.maximum(y - rows, rows - (y + box_height - 1)), 0.0)
    return np.hypot(down[:, None], across[None, :])
