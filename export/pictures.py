"""Pictures cut into tiles as the prefilter cuts them: an operator's own, or the demo's scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.demo.scenes import make_scene
from edge_daemon.errors import EdgeError
from edge_daemon.pictures import PictureLimits, open_picture
from edge_daemon.prefilter.tiling import TileGrid, tile
from export.errors import ExportError
from models.preprocess import Resize

LEAST_CONTRAST: Final = 2.0
"""Grey levels of standard deviation below which a picture shows nothing."""

SCENES: Final = 6
_SEED: Final = 20


@dataclass(frozen=True)
class TiledPicture:
    """One picture as an encoder sees it.

    Attributes:
        name: For people.
        grid: Where the tiles lie.
        tiles: uint8 (N, S, S, 3).
    """

    name: str
    grid: TileGrid
    tiles: NDArray[np.uint8]


def read_pictures(
    folder: Path, tile_size: int, resize: Resize, *, most: int, say: Callable[[str], None]
) -> list[TiledPicture]:
    """Pictures of a folder and the folders in it, drawn at random but always the same ones.

    Args:
        folder: Files in it that are no pictures, or show nothing, are skipped.
        tile_size: The model's, in pixels.
        resize: The model's.
        most: How many to take.
        say: Told of every file that is skipped.

    Raises:
        ExportError: There is no such folder.
    """
    if not folder.is_dir():
        raise ExportError(
            "is no directory", file=folder, remedy="name a directory of pictures from your cameras"
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[TiledPicture] = []
    np.random.default_rng(_SEED).shuffle(files)
    for file in files:
        if len(found) == most:
            break
        name = str(file.relative_to(folder))
        try:
            pixels = _pixels(file)
        except EdgeError as error:
            say(f"skipped {name}: {error.problem}")
            continue
        except OSError as error:
            say(f"skipped {name}: cannot be read ({error.strerror})")
            continue
        if pixels.std() < LEAST_CONTRAST:
            say(f"skipped {name}: it shows nothing but one colour")
            continue
        found.append(_tiled(name, pixels, tile_size, resize))
    return found


def draw_scenes(tile_size: int, resize: Resize) -> list[TiledPicture]:
    """Scenes of the demo, 1920x1080 pixels."""
    return [
        _tiled(f"demo scene {seed}", make_scene(seed).pixels, tile_size, resize)
        for seed in range(1, SCENES + 1)
    ]


def _pixels(path: Path) -> NDArray[np.uint8]:
    limits = PictureLimits()
    limits.check_bytes(path.stat().st_size)
    return open_picture(path.read_bytes(), limits).pixels


def _tiled(name: str, pixels: NDArray[np.uint8], tile_size: int, resize: Resize) -> TiledPicture:
    grid, tiles = tile(pixels, tile_size, resize)
    return TiledPicture(name, grid, tiles)
