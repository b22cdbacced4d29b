"""Test pictures: tiles with one icon, and whole scenes, at true size and from sharp icons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from export.nano import backgrounds
from export.nano.atlas import cut, multiplied
from export.nano.composites import paste
from export.nano.concepts import Concept
from export.nano.drawn import draw
from export.nano.model import TILE_SIZE
from export.nano.pixels import Pixels, area_resized, cubic_resized, read_rgba

SCENE_WIDTH, SCENE_HEIGHT = 1920, 1080
SCENE_ICONS = 12
SCENE_ICON_SIZES = (130, 260)
"""Longer side of an icon in a scene, in pixels: least and most."""

_COLUMNS, _ROWS = 4, 3


@dataclass(frozen=True)
class Pasted:
    """An icon in a scene: which concept, and its box (left, top, right, bottom) in pixels."""

    concept: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (1080, 1920, 3), and the icons in it, no concept twice."""

    picture: Pixels
    icons: tuple[Pasted, ...]


@lru_cache(maxsize=256)
def _read(path: Path) -> Pixels:
    return multiplied(cut(read_rgba(path)))


class Shelf:
    """The rendered icons of some styles, for testing.

    Args:
        icons: Directory of rendered icons.
        styles: Which of its folders.
        concepts: All concepts; drawn ones are drawn afresh.
    """

    def __init__(self, icons: Path, styles: tuple[str, ...], concepts: list[Concept]) -> None:
        self._names = [concept.name for concept in concepts]
        self._paths = [
            [
                path
                for style in styles
                for code in concept.codes
                for path in sorted((icons / style).glob(f"{code}.*.png"))
            ]
            for concept in concepts
        ]
        self.emoji = [number for number, paths in enumerate(self._paths) if paths]
        """Concepts that these styles have an icon of."""

    def take(self, concept: int, rng: np.random.Generator) -> Pixels:
        """One icon, uint8 (S, S, 4) with alpha multiplied in; its longer side is S."""
        paths = self._paths[concept]
        if not paths:
            return multiplied(cut(draw(self._names[concept], rng)))
        return _read(paths[int(rng.integers(len(paths)))])


def _shrunk(icon: Pixels, size: int) -> Pixels:
    out = area_resized(icon, size) if icon.shape[0] > size else cubic_resized(icon, size)
    np.minimum(out[..., :3], out[..., 3:], out=out[..., :3])
    return out


def _place(canvas: Pixels, icon: Pixels, left: int, top: int, size: int) -> None:
    paste(canvas, _shrunk(icon, size), (left + size / 2, top + size / 2), float(size))


def tile(shelf: Shelf, concept: int, size: int, pool: Pixels, rng: np.random.Generator) -> Pixels:
    """A tile, uint8 (224, 224, 3), with one whole icon somewhere in it.

    Args:
        shelf: Where icons come from.
        concept: Which one.
        size: The icon's longer side in pixels.
        pool: Backgrounds, uint8 (K, S, S, 3).
        rng: Chooses icon, place and background.
    """
    source = pool[int(rng.integers(len(pool)))]
    canvas = area_resized(source, TILE_SIZE)
    left, top = (int(part) for part in rng.integers(0, TILE_SIZE - size + 1, 2))
    _place(canvas, shelf.take(concept, rng), left, top, size)
    return canvas


def scene(shelf: Shelf, rng: np.random.Generator) -> Scene:
    """A scene of 12 different icons that do not overlap, on a busy background."""
    width, height = SCENE_WIDTH, SCENE_HEIGHT
    canvas = backgrounds.busy(rng, width, height, backgrounds.TEST_PHOTOGRAPHS)
    chosen = rng.choice(shelf.emoji, SCENE_ICONS, replace=False)
    cell_width, cell_height = width // _COLUMNS, height // _ROWS
    pasted: list[Pasted] = []
    for slot, concept in enumerate(int(number) for number in chosen):
        size = int(rng.integers(SCENE_ICON_SIZES[0], SCENE_ICON_SIZES[1] + 1))
        left = slot % _COLUMNS * cell_width + int(rng.integers(0, cell_width - size))
        top = slot // _COLUMNS * cell_height + int(rng.integers(0, cell_height - size))
        _place(canvas, shelf.take(concept, rng), left, top, size)
        pasted.append(Pasted(concept, (left, top, left + size, top + size)))
    return Scene(canvas, tuple(pasted))
