"""Photographs with boxes: a folder of the operator's own, as COCO describes pictures.

`FOLDER/coco.json` is a list of objects with `file` (relative to the folder) and `objects`, each
with a `name`, a `box_xywh` in pixels and `crowd`, true for boxes around many things at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import NotAnImageError
from edge_daemon.pictures import open_picture

_LEAST_SIDE = 16
"""Boxes narrower than this say nothing about fidelity inside them."""


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
        NotAnImageError: There is no `coco.json` in the folder.
    """
    index = folder / "coco.json"
    if not index.exists():
        raise NotAnImageError(
            "no photographs with boxes there",
            value=str(folder),
            remedy="name a folder with a coco.json, as edge_daemon.bench.photos describes it",
        )
    for entry in json.loads(index.read_text(encoding="utf-8")):
        pixels = open_picture((folder / entry["file"]).read_bytes()).pixels
        for asked in dict.fromkeys(thing["name"] for thing in entry["objects"]):
            inside = _inside(entry["objects"], asked, pixels.shape)
            if inside.any() and not inside.all():
                yield Question(Path(entry["file"]).name, asked, pixels, inside)


def _inside(things: list[dict[str, Any]], asked: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    inside = np.zeros(shape[:2], np.bool_)
    for thing in things:
        x, y, width, height = (round(edge) for edge in thing["box_xywh"])
        if thing["name"] == asked and not thing["crowd"] and min(width, height) >= _LEAST_SIDE:
            inside[y : y + height, x : x + width] = True
    return inside


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
