"""Busy test scenes: everyday things scattered over a cluttered background, with known boxes.

The embedded bundle knows icons, so the scenes are made of icons. They are drawn from a seed, and
each knows where its things lie: what a prompt asks for can be checked against what stayed sharp.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

ICONS = Path(__file__).parent / "icons"


@dataclass(frozen=True)
class Thing:
    """One icon in a scene.

    Attributes:
        name: What it shows, as a prompt would call it.
        box: Left, top, width, height in pixels.
    """

    name: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    Attributes:
        pixels: uint8, `(height, width, 3)`, sRGB.
        things: No two of them overlap.
    """

    pixels: NDArray[np.uint8]
    things: tuple[Thing, ...]


@cache
def icon_names() -> tuple[str, ...]:
    """The names of the icons that ship with the package, sorted."""
    return tuple(sorted(_index()))


@cache
def _index() -> dict[str, str]:
    entries = json.loads((ICONS / "index.json").read_text(encoding="utf-8"))
    return {name: entry["file"] for name, entry in entries.items()}


@cache
def _icon(name: str) -> NDArray[np.uint8]:
    """RGBA, uint8, `(256, 256, 4)`."""
    bgra = cv2.imread(str(ICONS / _index()[name]), cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4:
        raise RuntimeError(f"{ICONS / _index()[name]}: not an RGBA picture; reinstall the package")
    return np.ascontiguousarray(bgra[:, :, [2, 1, 0, 3]].astype(np.uint8))


def make_scene(seed: int, *, width: int = 1920, height: int = 1080, count: int = 12) -> Scene:
    """Draw a scene.

    Args:
        seed: Decides everything; the same seed gives the same pixels.
        width: In pixels.
        height: In pixels.
        count: How many things, each of its own kind; at most as many as there are icons.

    Returns:
        A scene of `count` icons, each 0.55 to 0.9 of its cell of a regular grid.
    """
    rng = np.random.default_rng(seed)
    canvas = busy_background(rng, width, height)
    columns = max(1, round((count * width / height) ** 0.5))
    rows = -(-count // columns)
    cells = rng.permutation(columns * rows)[:count]
    names = rng.choice(icon_names(), size=count, replace=False)
    things = [
        _paste(rng, canvas, str(name), divmod(int(cell), columns), (rows, columns))
        for name, cell in zip(names, cells, strict=True)
    ]
    return Scene(np.clip(canvas + 0.5, 0, 255).astype(np.uint8), tuple(things))


def _paste(
    rng: np.random.Generator,
    canvas: NDArray[np.float32],
    name: str,
    cell: tuple[int, int],
    grid: tuple[int, int],
) -> Thing:
    height, width = canvas.shape[:2]
    cell_h, cell_w = height / grid[0], width / grid[1]
    size = max(8, int(min(cell_h, cell_w) * rng.uniform(0.55, 0.9)))
    left = int(cell[1] * cell_w + rng.uniform(0, max(1.0, cell_w - size)))
    top = int(cell[0] * cell_h + rng.uniform(0, max(1.0, cell_h - size)))
    left, top = min(left, width - size), min(top, height - size)
    paste_icon(canvas, name, left, top, size)
    return Thing(name, (left, top, size, size))


def paste_icon(canvas: NDArray[np.float32], name: str, left: int, top: int, size: int) -> None:
    """Lay an icon over a picture, in place.

    Args:
        canvas: float32 (height, width, 3), levels 0 to 255.
        name: One of `icon_names`.
        left: In pixels; the icon has to lie within the picture.
        top: In pixels.
        size: Side in pixels.
    """
    icon = cv2.resize(_icon(name), (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = icon[:, :, 3:] / 255.0
    patch = canvas[top : top + size, left : left + size]
    patch *= 1.0 - alpha
    patch += alpha * icon[:, :, :3]


def busy_background(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """Clutter that costs a codec bits everywhere: noise of all scales, strokes and grain.

    Returns:
        float32, `(height, width, 3)`, levels 0 to 255.
    """
    picture = np.empty((height, width, 3), np.float32)
    picture[:] = rng.uniform(80, 170, 3).astype(np.float32)
    for cells, strength in ((3, 40.0), (9, 30.0), (28, 22.0), (90, 16.0), (280, 14.0)):
        across = max(2, cells * width // max(width, height))
        down = max(2, cells * height // max(width, height))
        light = rng.normal(0.0, strength, (down, across, 1))
        tint = rng.normal(0.0, 0.3 * strength, (down, across, 3))
        coarse = (light + tint).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(160):
        start = rng.uniform((0, 0), (width, height))
        end = start + rng.normal(0.0, 0.12 * max(width, height), 2)
        colour = [float(level) for level in rng.uniform(20, 235, 3)]
        thickness = int(rng.integers(1, 5))
        begin, stop = tuple(int(v) for v in start), tuple(int(v) for v in end)
        cv2.line(picture, begin, stop, colour, thickness, cv2.LINE_AA)
    picture += rng.normal(0.0, 5.0, picture.shape).astype(np.float32)
    return np.clip(picture, 0.0, 255.0)
