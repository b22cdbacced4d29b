"""What a detector sees in a picture, and whether that is what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.study.tasks.task import Box

LEAST_SCORE: Final = 0.3
"""Of a detection that counts."""
LEAST_OVERLAP: Final = 0.5
"""Intersection over union with an asked box, for it to be found: COCO's loosest."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes with a score of `LEAST_SCORE` or more.

    Attributes:
        edges: float64 (N, 4): left, top, right, bottom in pixels of the picture.
        scores: float64 (N,), 0..1.
        classes: int64 (N,), places among the detector's names.
    """

    edges: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]

    def found(self, number: int, boxes: Sequence[Box]) -> list[bool]:
        """Of each box, whether something of a class was detected there.

        Args:
            number: The class.
            boxes: Where things of it are.
        """
        own = self.edges[self.classes == number]
        return [bool((_overlaps(own, box) >= LEAST_OVERLAP).any()) for box in boxes]


def _overlaps(edges: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """Intersection over union of each detection with a box."""
    left, top, width, height = box
    corner, opposite = (left, top), (left + width, top + height)
    sides = np.minimum(edges[:, 2:], opposite) - np.maximum(edges[:, :2], corner)
    shared = sides.clip(0.0).prod(axis=1)
    areas = (edges[:, 2:] - edges[:, :2]).clip(0.0).prod(axis=1)
    return shared / (areas + width * height - shared)
