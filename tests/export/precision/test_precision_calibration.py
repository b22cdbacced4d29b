from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from export.graphs import Graphs
from export.pictures import TiledPicture
from export.precision.calibration import (
    MOST_TILES,
    drawn_tiles,
    find_ranges,
    histogram,
    least_error_range,
)
from export.precision.static import quantised_inputs

pytestmark = pytest.mark.export


def test_evenly_spread_values_are_not_cut() -> None:
    assert least_error_range(np.full(2048, 100), 4.0) == 4.0


def test_one_outlier_among_many_is_cut() -> None:
    counts = np.zeros(2048, np.int64)
    counts[:64] = 100_000  # up to 1/32 of the largest
    counts[-1] = 1
    assert least_error_range(counts, 32.0) < 8.0


def test_one_outlier_among_few_is_kept() -> None:
    counts = np.zeros(2048, np.int64)
    counts[:64] = 1
    counts[-1] = 60
    assert least_error_range(counts, 32.0) > 31.0


def test_an_activation_that_is_always_zero_has_some_range() -> None:
    assert least_error_range(np.bincount([0], minlength=2048), 0.0) == 1.0
    assert histogram(np.zeros(5, np.float32), 0.0)[0] == 5


def test_a_histogram_covers_zero_to_the_largest() -> None:
    counts = histogram(np.array([[0.0, 0.5], [1.0, 1.0]], np.float32), 1.0)
    assert counts.sum() == 4
    assert (counts[0], counts[1024], counts[-1]) == (1, 1, 2)


def test_ranges_follow_the_pictures(graphs: Graphs, pictures: list[TiledPicture]) -> None:
    tiles = pictures[0].tiles
    names = quantised_inputs(graphs.image)
    bright, again = (find_ranges(graphs.image, names, tiles) for _ in range(2))
    faint = find_ranges(graphs.image, names, tiles // 16)
    assert bright == again
    assert list(bright) == names
    assert all(found > 0 for found in bright.values())
    assert bright != faint


def test_a_bounded_number_of_tiles_is_drawn_always_the_same() -> None:
    tiles = np.arange(300, dtype=np.uint16).astype(np.uint8)[:, None, None, None]
    drawn = drawn_tiles(tiles)
    assert len(drawn) == MOST_TILES
    assert len(np.unique(drawn)) > 100
    np.testing.assert_array_equal(drawn, drawn_tiles(tiles))
    np.testing.assert_array_equal(np.sort(drawn_tiles(tiles[:3]), axis=0), tiles[:3])
