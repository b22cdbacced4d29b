"""How an image is cut into the tiles that the encoder scores.

Tiles lie on the *scoring canvas*, a resized copy of the image that only the encoder sees. Between
tiles and pixels stands a grid of blocks, even divisions of the canvas: relevance is averaged per
block over the tiles that cover it. Both grids are the same in relative coordinates on canvas and
source, so what is found on the one is applied to the other.

The default mode's canvas is the largest that the tile budget allows at the overlap that is asked
for, none unless it is set. With an overlap of one half, a thing smaller than half a tile lies whole
inside some tile, wherever it is; but with as many tiles side by side each is half as large along
its sides (240 source pixels instead of 427 at 1920x1080 and 40 tiles), so that things fill more of
it, and no block shares its tiles' relevance with its neighbours. The second is worth more:
`docs/study.md` has the figures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import UnsupportedError
from models.preprocess import Resize, resized

REFERENCE_STRIDES: Final = (4, 2, 1)
"""Strides of the reference mode, as divisors of the tile size: 56, 112 and 224 px."""
REFERENCE_TARGET: Final = 24
REFERENCE_MOST: Final = 1024
"""Most tiles in reference mode. The publication has no limit; a memory of ours has."""

FEW_TILES: Final = 24
MANY_TILES: Final = 40
"""Tile budgets; the encoder's time is in proportion to them. A quantiser map forgives tiles that
are a little too large, smoothing does not: `docs/study.md` has the figures."""

WINDOWS_AS: Final = 0.5
"""Overlap of the tiles whose scale the windows of `patch_grid` have."""

LEAST_TILE: Final = 64
"""Source pixels along a tile's side below which a finer canvas shows nothing new."""
LEAST_ACROSS: Final = 3
"""Tiles along the shorter side that even a tiny image gets, so that its parts can differ."""


@dataclass(frozen=True)
class TileGrid:
    """Tiles and blocks of one image. All sizes in pixels; of canvas or source, as named."""

    source_width: int
    source_height: int
    canvas_width: int
    canvas_height: int
    tile_size: int
    lefts: tuple[int, ...]
    """Left edge of each tile column on the canvas."""
    tops: tuple[int, ...]
    """Top edge of each tile row on the canvas."""
    block_columns: int
    block_rows: int

    @property
    def count(self) -> int:
        """Number of tiles. They are numbered row by row from the top left."""
        return len(self.lefts) * len(self.tops)

    @property
    def overlap(self) -> float:
        """Least overlap of neighbouring tiles, as a fraction of their side; 1 if there are none."""
        steps = [after - before for at in (self.lefts, self.tops) for before, after in pairwise(at)]
        return 1.0 - max(steps, default=0) / self.tile_size

    def boxes(self) -> list[tuple[int, int, int, int]]:
        """Each tile as (x, y, width, height) in source pixels, rounded outwards."""
        columns = _spans(self.lefts, self.tile_size, self.source_width / self.canvas_width)
        rows = _spans(self.tops, self.tile_size, self.source_height / self.canvas_height)
        return [(x, y, width, height) for y, height in rows for x, width in columns]


def _spans(starts: tuple[int, ...], size: int, scale: float) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for start in starts:
        # The tolerance keeps 300.0000001 from being rounded to 301.
        first = math.floor(start * scale + 1e-6)
        spans.append((first, math.ceil((start + size) * scale - 1e-6) - first))
    return spans


def reference_grid(width: int, height: int, *, tile_size: int = 224) -> TileGrid:
    """The published tiling: stretched to multiples of the tile, stride by tile count.

    Raises:
        UnsupportedError: More than `REFERENCE_MOST` tiles.
    """
    columns, rows = math.ceil(width / tile_size), math.ceil(height / tile_size)
    if columns * rows > REFERENCE_MOST:
        raise UnsupportedError(
            f"reference mode would cut this picture into more than {REFERENCE_MOST} tiles",
            value=f"{width}x{height} pixels, {columns * rows} tiles",
            remedy="use the default mode, or send a smaller picture",
        )
    divisor = min(
        REFERENCE_STRIDES,
        key=lambda d: abs(_along(columns, d) * _along(rows, d) - REFERENCE_TARGET),
    )
    stride = tile_size // divisor
    return TileGrid(
        source_width=width,
        source_height=height,
        canvas_width=columns * tile_size,
        canvas_height=rows * tile_size,
        tile_size=tile_size,
        lefts=tuple(i * stride for i in range(_along(columns, divisor))),
        tops=tuple(i * stride for i in range(_along(rows, divisor))),
        block_columns=columns * divisor,
        block_rows=rows * divisor,
    )


def _along(tiles: int, divisor: int) -> int:
    """Tiles at a stride of a tile's `divisor`-th, along a side of `tiles` whole tiles."""
    return (tiles - 1) * divisor + 1


def default_grid(
    width: int, height: int, *, budget: int, overlap: float = 0.0, tile_size: int = 224
) -> TileGrid:
    """The finest grid of tiles within a budget, reaching exactly to the borders.

    The canvas keeps the image's proportions, unless the image is so long that a single row of tiles
    would exceed the budget (beyond about 1:20 with 40 tiles): then it is squeezed along its length.

    Args:
        width: Source pixels.
        height: Source pixels.
        budget: Most tiles, at least 4.
        overlap: Least overlap of neighbours, as a fraction of a tile's side, 0 to below 1.
        tile_size: Canvas pixels.
    """
    stride = max(1, round(tile_size * (1.0 - overlap)))
    shorter = min(width, height)
    finest = max(tile_size / LEAST_TILE, (tile_size + (LEAST_ACROSS - 1) * stride) / shorter)
    # The tile count grows only where a side passes a whole number of strides.
    steps = [(tile_size + stride * k) / side for k in range(budget) for side in (width, height)]
    scales = [scale for scale in (*steps, finest) if tile_size / shorter <= scale <= finest]
    fitting = [
        scale
        for scale in scales
        if _needed(width * scale, tile_size, stride) * _needed(height * scale, tile_size, stride)
        <= budget
    ]
    if fitting:
        scale = max(fitting)
        sizes = tuple(max(tile_size, math.floor(side * scale + 1e-6)) for side in (width, height))
    else:
        longest = tile_size + stride * (budget - 1)
        sizes = (longest, tile_size) if width > height else (tile_size, longest)
    lefts, tops = (_evenly(size, tile_size, stride) for size in sizes)
    wider = round(tile_size / stride) - 1
    return TileGrid(
        source_width=width,
        source_height=height,
        canvas_width=sizes[0],
        canvas_height=sizes[1],
        tile_size=tile_size,
        lefts=lefts,
        tops=tops,
        block_columns=len(lefts) + wider,
        block_rows=len(tops) + wider,
    )


def _needed(size: float, tile_size: int, stride: int) -> int:
    """Tiles along a canvas side, no more than a stride from one to the next."""
    return 1 + max(0, math.ceil((size - tile_size) / stride - 1e-6))


def _evenly(size: int, tile_size: int, stride: int) -> tuple[int, ...]:
    count = _needed(size, tile_size, stride)
    return tuple(round(i * (size - tile_size) / max(1, count - 1)) for i in range(count))


def patch_grid(
    width: int,
    height: int,
    *,
    budget: int,
    tile_size: int,
    native_side: int,
    patch_size: int,
    window: int,
) -> TileGrid:
    """The windows of a picture that is seen as a whole, at the scale of `default_grid`.

    Windows of some patches stand for tiles, one at each place on the patches, which are the blocks.
    What a tile would show is `native_side` pixels wide here, so things have the size that the model
    knows. The canvas is stretched to whole patches, by half a patch at most.

    Args:
        width: Source pixels.
        height: Source pixels.
        budget: Of the tiles that set the scale.
        tile_size: Of those tiles, in pixels of their canvas.
        native_side: Canvas pixels.
        patch_size: Canvas pixels.
        window: Patches along a window's side.
    """
    tiles = default_grid(width, height, budget=budget, overlap=WINDOWS_AS, tile_size=tile_size)
    scale = native_side / (tile_size * patch_size)
    columns, rows = (
        max(window, round(side * scale)) for side in (tiles.canvas_width, tiles.canvas_height)
    )
    return TileGrid(
        source_width=width,
        source_height=height,
        canvas_width=columns * patch_size,
        canvas_height=rows * patch_size,
        tile_size=window * patch_size,
        lefts=tuple(patch_size * place for place in range(columns - window + 1)),
        tops=tuple(patch_size * place for place in range(rows - window + 1)),
        block_columns=columns,
        block_rows=rows,
    )


def make_canvas(image: NDArray[np.uint8], grid: TileGrid, resize: Resize) -> NDArray[np.uint8]:
    """The image at the grid's canvas size.

    Args:
        image: uint8 (H, W, 3) of the grid's source size.
        grid: See `default_grid`.
        resize: The bundle's filter.
    """
    return resized(image, grid.canvas_width, grid.canvas_height, resize)


def stretched_canvas(image: NDArray[np.uint8], grid: TileGrid) -> NDArray[np.uint8]:
    """The same for `reference_grid`: bicubic without antialiasing, as the publication stretches."""
    size = (grid.canvas_width, grid.canvas_height)
    if image.shape[1::-1] == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def cut_tiles(canvas: NDArray[np.uint8], grid: TileGrid) -> NDArray[np.uint8]:
    """The tiles, uint8 (N, tile_size, tile_size, 3), row by row from the top left."""
    side = grid.tile_size
    return np.stack(
        [canvas[y : y + side, x : x + side] for y in grid.tops for x in grid.lefts], axis=0
    )


def tile(
    image: NDArray[np.uint8],
    tile_size: int,
    resize: Resize,
    *,
    budget: int = MANY_TILES,
    overlap: float = 0.0,
) -> tuple[TileGrid, NDArray[np.uint8]]:
    """An image in tiles of `default_grid`, cut as `cut_tiles` does.

    Args:
        image: uint8 (H, W, 3).
        tile_size: The bundle's, in canvas pixels.
        resize: The bundle's filter.
        budget: See `default_grid`.
        overlap: See there.
    """
    height, width = image.shape[:2]
    grid = default_grid(width, height, budget=budget, overlap=overlap, tile_size=tile_size)
    return grid, cut_tiles(make_canvas(image, grid, resize), grid)


def reference_tile(image: NDArray[np.uint8], tile_size: int) -> tuple[TileGrid, NDArray[np.uint8]]:
    """The same with `reference_grid` and its canvas.

    Raises:
        UnsupportedError: See there.
    """
    height, width = image.shape[:2]
    grid = reference_grid(width, height, tile_size=tile_size)
    return grid, cut_tiles(stretched_canvas(image, grid), grid)


def no_tiles(tile_size: int) -> NDArray[np.uint8]:
    """Of a picture that is not scored: uint8 (0, tile_size, tile_size, 3)."""
    return np.empty((0, tile_size, tile_size, 3), np.uint8)
