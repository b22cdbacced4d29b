"""Rough places in a picture, as words and as points: the nine fields of a 3x3 grid."""

from __future__ import annotations

from typing import Final

_ROWS: Final = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)

PLACES: Final = {
    words: ((column + 0.5) / 3.0, (row + 0.5) / 3.0)
    for row, line in enumerate(_ROWS)
    for column, words in enumerate(line)
}
"""The centre of each place, x and y as fractions of the picture's sides, by its words."""


def place_at(x: float, y: float) -> str:
    """The words for a point.

    Args:
        x: From the left, as a fraction of the width, 0..1.
        y: From the top, as a fraction of the height, 0..1.
    """
    return _ROWS[_field(y)][_field(x)]


def _field(fraction: float) -> int:
    return min(2, max(0, int(3.0 * fraction)))
