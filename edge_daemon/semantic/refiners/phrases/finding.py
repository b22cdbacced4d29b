"""Where something is in a picture, and how many of it there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.places import place_at

_ISLAND: Final = 0.5
"""Least likelihood of a part's peak for a thing to be there beyond doubt, so that it is counted."""
_SHORE: Final = 0.1
"""Likelihood below which the thing is no longer there: between two of them there is such water."""
_LARGE: Final = 0.5
"""Share of the picture from which on a part is no place."""


@dataclass(frozen=True)
class Found:
    """What the parts of a picture say of one thing.

    Attributes:
        part: Index of the part that shows it best.
        likelihood: Of the thing in that part, 0..1.
        count: How many there are, at least 1.
        place: In the words of `places`; empty if they are in several, or it is everywhere.
    """

    part: int
    likelihood: float
    count: int
    place: str


def find(likelihood: NDArray[np.float64], boxes: NDArray[np.float64]) -> Found:
    """Look for one thing.

    Overlapping parts show the same thing, so parts that are joined by others in which the thing is
    likely count as one. That counts two that stand together as one, never one as two.

    Args:
        likelihood: float64 (N,) of the thing in each part, 0..1; N is at least 1.
        boxes: float64 (N, 4), as in `Sight`.
    """
    best = int(likelihood.argmax())
    islands = _islands(likelihood, boxes, best)
    places = {_place(island, likelihood, boxes) for island in islands}
    return Found(
        best, float(likelihood[best]), len(islands), places.pop() if len(places) == 1 else ""
    )


def _islands(
    likelihood: NDArray[np.float64], boxes: NDArray[np.float64], best: int
) -> list[list[int]]:
    """Groups of parts that overlap; the first holds the best part, the others a sure one each."""
    shore = min(_SHORE, float(likelihood[best]) / 2.0)
    land = {int(i) for i in np.flatnonzero(likelihood >= shore)}
    islands: list[list[int]] = []
    for start in sorted(land, key=lambda i: -likelihood[i]):
        if start not in land or (islands and likelihood[start] < _ISLAND):
            continue
        island, edge = [start], [start]
        land.discard(start)
        while edge:
            here = edge.pop()
            reached = [i for i in land if _overlap(boxes[here], boxes[i])]
            land.difference_update(reached)
            island += reached
            edge += reached
        islands.append(island)
    return islands


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(
        np.all(
            np.maximum(one[:2], other[:2]) < np.minimum(one[:2] + one[2:], other[:2] + other[2:])
        )
    )


def _place(island: list[int], likelihood: NDArray[np.float64], boxes: NDArray[np.float64]) -> str:
    """Of the island's middle, the parts weighed by their likelihood."""
    peak = boxes[island[0]]
    if peak[2] * peak[3] >= _LARGE:
        return ""
    x, y = np.average(
        boxes[island, :2] + boxes[island, 2:] / 2.0, axis=0, weights=likelihood[island]
    )
    return place_at(float(x), float(y))
