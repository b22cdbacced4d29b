"""Pictures of black and white, without loss.

Each pixel is coded as the pixels before it let expect, much as in JBIG (ITU-T T.82, the template of
three lines and ten pixels), and the counts start anew with every picture. A sketch has so few
pixels that most contexts are seen but a few times, so what ten neighbours know is blended with what
the nearest four of them know.

| bytes | what                                                             |
|-------|------------------------------------------------------------------|
| 1, 1  | width and height in pixels, each less 1                          |
| ...   | the pixels, row by row from the top left, arithmetic-coded       |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.arithmetic import ArithmeticDecoder, ArithmeticEncoder

LONGEST_SIDE: Final = 256
"""In pixels."""

_TOTAL: Final = 1 << 16
_LEAST: Final = 16
"""Of `_TOTAL`, what either colour has at least."""
_BLACK_AT_FIRST: Final = 6554
"""Of `_TOTAL`, where nothing was seen yet."""
_NEAR_WEIGHT: Final = 2
"""Pixels that this first guess counts as, beside those seen with four equal neighbours."""
_FAR_WEIGHT: Final = 4
"""Pixels that the guess by four neighbours counts as, beside those seen with ten equal ones."""
_MARGIN: Final = 2
"""White pixels around the picture, for the neighbours of those at its border."""

Bitmap = NDArray[np.bool_]


def encode_bitmap(black: Bitmap) -> bytes:
    """The bitstream of a picture: bool (H, W), true where it is black, sides 1 to 256."""
    height, width = black.shape
    rows = np.pad(black, _MARGIN).astype(np.uint8).tolist()
    coder, counts = ArithmeticEncoder(), _Counts()
    for row, x, near, far in _neighbours(rows, width):
        size = counts.black(near, far)
        if row[x]:
            coder.encode(_TOTAL - size, size, _TOTAL)
        else:
            coder.encode(0, _TOTAL - size, _TOTAL)
        counts.count(near, far, row[x])
    return bytes([width - 1, height - 1]) + coder.finish()


def decode_bitmap(data: bytes) -> Bitmap:
    """The picture of a bitstream: bool (H, W).

    Raises:
        DecodeError: The bitstream is damaged.
    """
    if len(data) < 2:
        raise DecodeError(
            "the sketch is too short to have a size",
            value=f"{len(data)} bytes",
            remedy="send it again",
        )
    width, height = data[0] + 1, data[1] + 1
    rows = [[0] * (width + 2 * _MARGIN) for _ in range(height + 2 * _MARGIN)]
    coder, counts = ArithmeticDecoder(data[2:]), _Counts()
    for row, x, near, far in _neighbours(rows, width):
        white = _TOTAL - counts.black(near, far)
        if coder.point(_TOTAL) >= white:
            coder.narrow(white, _TOTAL - white)
            row[x] = 1
        else:
            coder.narrow(0, white)
        counts.count(near, far, row[x])
    coder.finish()
    inner = np.array(rows, np.uint8)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return inner.astype(np.bool_)


def _neighbours(rows: list[list[int]], width: int) -> Iterator[tuple[list[int], int, int, int]]:
    """Each pixel's row and column in it, and its four and ten neighbours as bits.

    Counted from the lowest bit: the pixel at the left; above it, the one straight above, the one to
    the right, the one to the left; then the six further ones: two to the left; above it, two to the
    left and two to the right; two above it, one to the left, straight above, one to the right.
    """
    for y in range(_MARGIN, len(rows) - _MARGIN):
        two_above, above, row = rows[y - 2], rows[y - 1], rows[y]
        for x in range(_MARGIN, width + _MARGIN):
            near = row[x - 1] | above[x] << 1 | above[x + 1] << 2 | above[x - 1] << 3
            further = row[x - 2] | above[x - 2] << 1 | above[x + 2] << 2
            further |= two_above[x - 1] << 3 | two_above[x] << 4 | two_above[x + 1] << 5
            yield row, x, near, near | further << 4


class _Counts:
    """White and black pixels seen so far, by their neighbours."""

    def __init__(self) -> None:
        self._near = [[0, 0] for _ in range(1 << 4)]
        self._far = [[0, 0] for _ in range(1 << 10)]

    def black(self, near: int, far: int) -> int:
        """Of `_TOTAL`, the share of black in what comes next."""
        white, black = self._near[near]
        guess = (black * _TOTAL + _NEAR_WEIGHT * _BLACK_AT_FIRST) // (white + black + _NEAR_WEIGHT)
        white, black = self._far[far]
        guess = (black * _TOTAL + _FAR_WEIGHT * guess) // (white + black + _FAR_WEIGHT)
        return min(max(guess, _LEAST), _TOTAL - _LEAST)

    def count(self, near: int, far: int, pixel: int) -> None:
        """Go on behind a pixel: 1 if it is black."""
        self._near[near][pixel] += 1
        self._far[far][pixel] += 1
