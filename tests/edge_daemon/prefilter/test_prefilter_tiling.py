from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import UnsupportedError
from edge_daemon.prefilter.tiling import (
    REFERENCE_MOST,
    TileGrid,
    cut_tiles,
    default_grid,
    make_canvas,
    reference_grid,
    stretched_canvas,
)

SIDES = st.integers(1, 9000) | st.sampled_from([1, 223, 224, 225, 448, 1080, 1920, 8192])


@pytest.mark.parametrize(
    ("size", "count", "canvas"),
    [
        ((224, 224), 1, (224, 224)),
        ((640, 480), 25, (672, 672)),
        ((1280, 720), 24, (1344, 896)),
        ((1920, 1080), 45, (2016, 1120)),
        ((3840, 2160), 180, (4032, 2240)),
    ],
)
def test_reference_counts_are_the_published_ones(
    size: tuple[int, int], count: int, canvas: tuple[int, int]
) -> None:
    grid = reference_grid(*size)
    assert grid.count == count
    assert (grid.canvas_width, grid.canvas_height) == canvas


def test_reference_mode_refuses_what_would_not_fit_in_memory() -> None:
    with pytest.raises(UnsupportedError, match=str(REFERENCE_MOST)):
        reference_grid(100_000, 3000)


@pytest.mark.parametrize(
    ("size", "overlap", "tiles", "blocks"),
    [
        ((1920, 1080), 0.0, (8, 5), (8, 5)),
        ((1920, 1080), 0.25, (8, 5), (8, 5)),
        ((1920, 1080), 0.5, (8, 5), (9, 6)),
        ((1920, 1080), 0.75, (10, 4), (13, 7)),
        ((3840, 2160), 0.0, (8, 5), (8, 5)),
        ((640, 480), 0.0, (7, 5), (7, 5)),
        ((640, 480), 0.5, (7, 5), (8, 6)),
        ((224, 224), 0.0, (4, 4), (4, 4)),
        ((224, 224), 0.5, (6, 6), (7, 7)),
        ((1, 1), 0.0, (3, 3), (3, 3)),
        ((1, 5000), 0.0, (1, 40), (1, 40)),
        ((5000, 1), 0.5, (40, 1), (41, 2)),
    ],
)
def test_default_grids_fill_the_budget_at_any_size(
    size: tuple[int, int], overlap: float, tiles: tuple[int, int], blocks: tuple[int, int]
) -> None:
    grid = default_grid(*size, budget=40, overlap=overlap)
    assert (len(grid.lefts), len(grid.tops)) == tiles
    assert (grid.block_columns, grid.block_rows) == blocks


def check_covers(grid: TileGrid) -> None:
    """Every canvas and every source pixel lies in a tile, and no tile leaves the canvas."""
    for starts, length in ((grid.lefts, grid.canvas_width), (grid.tops, grid.canvas_height)):
        assert starts[0] == 0
        assert starts[-1] + grid.tile_size == length
        assert all(0 < b - a <= grid.tile_size for a, b in pairwise(starts))
    boxes = grid.boxes()
    assert len(boxes) == grid.count
    columns = np.zeros(grid.source_width, np.bool_)
    rows = np.zeros(grid.source_height, np.bool_)
    for x, y, width, height in boxes:
        assert x >= 0
        assert y >= 0
        assert x + width <= grid.source_width
        assert y + height <= grid.source_height
        columns[x : x + width] = True
        rows[y : y + height] = True
    assert columns.all()
    assert rows.all()


@settings(deadline=None, max_examples=80)
@given(SIDES, SIDES, st.integers(4, 120), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75]))
def test_default_grids_cover_every_pixel_within_the_budget(
    width: int, height: int, budget: int, overlap: float
) -> None:
    grid = default_grid(width, height, budget=budget, overlap=overlap)
    check_covers(grid)
    assert 1 <= grid.count <= budget
    for starts in (grid.lefts, grid.tops):
        assert all(b - a <= 224 * (1 - overlap) + 1 for a, b in pairwise(starts))
    assert grid.overlap >= overlap - 1 / 224


@settings(deadline=None, max_examples=80)
@given(st.integers(100, 9000), st.integers(100, 9000))
def test_default_canvases_keep_the_proportions(width: int, height: int) -> None:
    if max(width, height) > 15 * min(width, height):
        return
    grid = default_grid(width, height, budget=40)
    stretch = (grid.canvas_width / width) / (grid.canvas_height / height)
    assert stretch == pytest.approx(1.0, abs=1.0 / 224)


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_reference_grids_cover_every_pixel(width: int, height: int) -> None:
    check_covers(reference_grid(width, height))


def test_the_overlap_is_that_of_the_tiles_that_are_farthest_apart() -> None:
    grid = default_grid(800, 300, budget=12, overlap=0.0)
    assert (grid.lefts, grid.tops) == ((0, 194, 388, 582, 776, 970), (0, 224))
    assert grid.overlap == 0.0  # side by side along the columns
    assert replace(grid, tops=(0,)).overlap == pytest.approx(30 / 224)
    assert default_grid(50, 20, budget=4, overlap=0.5).overlap >= 0.5
    assert replace(grid, lefts=(0,), tops=(0,)).overlap == 1.0


def test_tiles_are_cut_where_the_grid_says() -> None:
    grid = default_grid(300, 200, budget=12)
    canvas = np.zeros((grid.canvas_height, grid.canvas_width, 3), np.uint8)
    canvas[..., 0] = (np.arange(grid.canvas_height) // 4)[:, None]
    canvas[..., 1] = (np.arange(grid.canvas_width) // 4)[None, :]
    tiles = cut_tiles(canvas, grid)
    assert tiles.shape == (grid.count, 224, 224, 3)
    corners = [(int(tile[0, 0, 1]), int(tile[0, 0, 0])) for tile in tiles]
    assert corners == [(x // 4, y // 4) for y in grid.tops for x in grid.lefts]


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (640, 480), (37, 2000)])
def test_a_canvas_has_the_grid_s_size_and_the_image_s_colour(size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), (10, 120, 240), np.uint8)
    grid = default_grid(width, height, budget=40)
    for canvas in (
        make_canvas(image, grid, "area"),
        make_canvas(image, grid, "bicubic"),
        stretched_canvas(image, grid),
    ):
        assert canvas.shape == (grid.canvas_height, grid.canvas_width, 3)
        assert (canvas == (10, 120, 240)).all()
