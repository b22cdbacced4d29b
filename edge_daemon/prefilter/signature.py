"""What pictures are compared by: small arrays that noise leaves alone and content does not.

A picture is divided into patches. Of each patch the signature holds the mean colours of its four
quarters, and the mean step in brightness between neighbouring pixels, across and down. A patch
*changed* if the colours differ by more than some grey levels in the root mean square, or a step by
more than twice as many: the first sees things come, go and move, the second sees texture come and
go where the colours stay.

Sensor noise and coding noise are averaged out of a quarter's colour and are alike in both steps, so
the threshold can be lower than the noise of a single pixel. Brightness counts: a picture that is a
little lighter all over is the same one up to the threshold, and a changed one beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PATCH: Final = 16
"""Pixels of a tile along a side of its patches. Quarters of 8 px instead of sixteen parts of 4 px
find the same changes on photographs, with a quarter of the memory and half the noise."""
PATCHES_ALONG: Final = 64
"""Patches along the longer side of a whole picture, whatever its size in pixels."""

_STEP_FACTOR: Final = 2.0
"""Noise of 4 levels moves the mean step of a patch of 10 px with texture by up to 4 levels, while
its colours move by 2 levels."""
_QUARTERS: Final = 4 * 3
"""Values of a patch: four quarters of three channels."""


@dataclass(frozen=True)
class Signature:
    """Of N pictures of one size. Not to be written to: memories share it."""

    cells: NDArray[np.uint8]
    """uint8 (N, 2 * patch rows, 2 * patch columns, 3): mean colours of the patches' quarters."""
    steps: NDArray[np.uint8]
    """uint8 (N, patch rows, patch columns, 2): mean steps across and down, in grey levels."""

    def with_changed(self, newer: Signature, changed: NDArray[np.bool_]) -> Signature:
        """These pictures, with the newer ones where `changed`, bool (N,), says so."""
        where = changed[:, None, None, None]
        return Signature(
            np.where(where, newer.cells, self.cells), np.where(where, newer.steps, self.steps)
        )


def tile_signature(tiles: NDArray[np.uint8]) -> Signature:
    """Of square tiles, uint8 (N, side, side, 3), in patches of about `PATCH` px."""
    patches = patches_of(tiles.shape[1])
    return _signature(tiles, patches, patches)


def patches_of(side: int) -> int:
    """Patches along the side of a tile of so many pixels."""
    return max(1, round(side / PATCH))


def picture_signature(image: NDArray[np.uint8]) -> Signature:
    """Of one whole picture, uint8 (H, W, 3), in `PATCHES_ALONG` patches along its longer side."""
    height, width = image.shape[:2]
    longer = max(height, width)
    rows, columns = (max(1, round(PATCHES_ALONG * side / longer)) for side in (height, width))
    if longer > PATCHES_ALONG * PATCH:
        size = (columns * PATCH, rows * PATCH)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _signature(image[None], rows, columns)


def _signature(images: NDArray[np.uint8], rows: int, columns: int) -> Signature:
    count, height, width = images.shape[:3]
    if count == 0:
        return Signature(
            np.empty((0, 2 * rows, 2 * columns, 3), np.uint8),
            np.empty((0, rows, columns, 2), np.uint8),
        )
    # One below the other, all of them are one picture to OpenCV.
    column = np.ascontiguousarray(images).reshape(count * height, width, 3)
    grey = cv2.cvtColor(column, cv2.COLOR_RGB2GRAY)
    # A border that repeats the last pixels, so that there are as many steps as pixels.
    grey = cv2.copyMakeBorder(grey, 0, 1, 0, 1, cv2.BORDER_REPLICATE)
    across = np.asarray(cv2.absdiff(grey[:-1, 1:], grey[:-1, :-1]), np.uint8)
    down = np.asarray(cv2.absdiff(grey[1:, :-1], grey[:-1, :-1]), np.uint8)
    # A picture has no steps to the one below it.
    down[height - 1 :: height] = 0
    steps = (cell_means(one, count, rows, columns) for one in (across, down))
    return Signature(
        cell_means(column, count, 2 * rows, 2 * columns), np.concatenate(list(steps), axis=-1)
    )


def cell_means(column: NDArray[np.uint8], count: int, rows: int, columns: int) -> NDArray[np.uint8]:
    """Means of even divisions of each picture, rounded: uint8 (count, rows, columns, channels).

    `column` is `count` pictures of one size, one below the other.

    By halves as far as they come out even, for that OpenCV does several times as fast as all at
    once. Each time rounds by half a level at most.
    """
    width, height = columns, count * rows
    while column.shape[0] % (2 * height) == 0 and column.shape[1] % (2 * width) == 0:
        column = _shrunk(column, column.shape[1] // 2, column.shape[0] // 2)
    return _shrunk(column, width, height).reshape(count, rows, columns, -1)


def _shrunk(column: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if column.shape[:2] == (height, width):
        return column
    return np.asarray(cv2.resize(column, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def changed_patches(one: Signature, other: Signature, levels: float) -> NDArray[np.bool_]:
    """Which patches changed between two signatures of the same shape.

    Args:
        one: Of N pictures.
        other: Of the same number and size.
        levels: Grey levels, above 0, up to which a patch counts as the same.

    Returns:
        bool (N, patch rows, patch columns).
    """
    steps = np.abs(one.steps.astype(np.int16) - other.steps).max(axis=-1)
    return colours_changed(one.cells, other.cells, levels) | (steps > _STEP_FACTOR * levels)


def colours_changed(
    one: NDArray[np.uint8], other: NDArray[np.uint8], levels: float
) -> NDArray[np.bool_]:
    """Of which patches the colours changed, whatever the steps say.

    Args:
        one: Cells, uint8 (N, 2 * patch rows, 2 * patch columns, 3).
        other: Of the same shape.
        levels: As for `changed_patches`.

    Returns:
        bool (N, patch rows, patch columns).
    """
    count, rows, columns = one.shape[:3]
    gap = one.astype(np.float32) - other
    # A quarter's three channels lie beside those of the quarter to its right.
    quarters = gap.reshape(count, rows // 2, 2, columns // 2, _QUARTERS // 2)
    squares = np.einsum("nrick,nrick->nrc", quarters, quarters)
    return squares > _QUARTERS * levels**2
