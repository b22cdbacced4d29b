"""Photographs with boxes, of the operator's own, and masks of what is asked about in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_daemon.pictures import open_picture
from edge_daemon.pictures.box_index import find_index, read_boxes


@dataclass(frozen=True)
class Question:
    """One picture and what is asked about it.

    Attributes:
        name: Of the picture's file.
        asked: Name of the thing asked for.
        pixels: uint8 `(H, W, 3)`.
        inside: bool `(H, W)`: where the things of that name are.
    """

    name: str
    asked: str
    pixels: NDArray[np.uint8]
    inside: NDArray[np.bool_]


def questions(folder: Path) -> Iterator[Question]:
    """One question per picture and name of a thing in it.

    Raises:
        BoxesError: There is no index of boxes, or one with mistakes.
    """
    for picture in read_boxes(find_index(folder)):
        pixels = open_picture(picture.path.read_bytes()).pixels
        for asked, boxes in picture.boxes().items():
            inside = np.zeros(pixels.shape[:2], np.bool_)
            for left, top, width, height in boxes:
                inside[top : top + height, left : left + width] = True
            if not inside.all():
                yield Question(picture.path.name, asked, pixels, inside)


def cells_of(inside: NDArray[np.bool_], side: int) -> NDArray[np.float64]:
    """Relevance of a perfect bundle: 2 for cells of about `side` px that are touched, 0 elsewhere.

    Returns:
        float64 (rows, columns), even divisions of the picture.
    """
    rows, columns = (max(1, round(length / side)) for length in inside.shape)
    touched = np.zeros((rows, columns), np.float64)
    ys, xs = np.nonzero(inside)
    touched[ys * rows // inside.shape[0], xs * columns // inside.shape[1]] = 2.0
    return touched
