"""Pictures with boxes around the things in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEAST_SIDE: Final = 16
"""Pixels; of what is narrower, little can be said."""

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels; inside the picture."""


@dataclass(frozen=True)
class Thing:
    """What is marked by one box.

    Attributes:
        name: As the index has it.
        left, top, width, height: Pixels; may reach beyond the picture.
        crowd: Whether the box is around many things at once.
    """

    name: str
    left: float
    top: float
    width: float
    height: float
    crowd: bool


@dataclass(frozen=True)
class BoxedPicture:
    """A picture's file and what is in it.

    Attributes:
        name: Of its file, relative to the index.
        path: Of its file.
        width, height: Pixels, as the index says.
        things: In order.
    """

    name: str
    path: Path
    width: int
    height: int
    things: tuple[Thing, ...]

    def boxes(self) -> dict[str, tuple[Box, ...]]:
        """Of every name that has any, the boxes that can be asked about.

        No crowds; edges rounded to pixels and clipped to the picture; both sides at least
        `LEAST_SIDE` after that.
        """
        boxes: defaultdict[str, list[Box]] = defaultdict(list)
        for thing in self.things:
            left, top = max(0, round(thing.left)), max(0, round(thing.top))
            width = min(self.width, round(thing.left + thing.width)) - left
            height = min(self.height, round(thing.top + thing.height)) - top
            if not thing.crowd and min(width, height) >= LEAST_SIDE:
                boxes[thing.name].append((left, top, width, height))
        return {name: tuple(own) for name, own in boxes.items()}
