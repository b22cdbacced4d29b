from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_daemon.prefilter.relevance import block_relevance, tile_relevance
from edge_daemon.prefilter.tiling import default_grid, reference_grid

SCORES = arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.integers(1, 60)),
    elements=st.floats(-1, 1, width=32),
)


@settings(deadline=None, max_examples=60)
@given(SCORES, st.floats(0.01, 1000))
def test_the_mean_is_one_and_the_order_that_of_the_scores(
    scores: np.ndarray, sharpness: float
) -> None:
    relevance = tile_relevance(scores, sharpness)
    assert (relevance >= 0).all()
    assert relevance.mean(axis=1) == pytest.approx(1.0)
    for row, scored in zip(relevance, scores, strict=True):
        assert (np.diff(row[np.argsort(scored, kind="stable")]) >= 0).all()


def test_equal_scores_are_equally_relevant() -> None:
    assert (tile_relevance(np.full((1, 7), 0.3, np.float32), 50.0) == 1.0).all()


def test_reference_blocks_take_the_plain_mean_of_the_tiles_over_them() -> None:
    grid = reference_grid(448, 448)
    assert (len(grid.lefts), grid.block_columns) == (5, 8)
    relevance = np.arange(25, dtype=np.float64)
    blocks = block_relevance(relevance[None], grid)[0]
    for row in range(8):
        for column in range(8):
            over = [
                relevance[5 * i + j]
                for i in range(5)
                for j in range(5)
                if i <= row < i + 4 and j <= column < j + 4
            ]
            assert blocks[row, column] == pytest.approx(np.mean(over))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(4, 60), st.randoms())
def test_blocks_lie_within_their_tiles(
    width: int, height: int, budget: int, random: object
) -> None:
    grid = default_grid(width, height, budget=budget)
    rng = np.random.default_rng(abs(hash(repr(random))) % 2**32)
    relevance = tile_relevance(rng.uniform(-1, 1, (2, grid.count)), 5.0)
    blocks = block_relevance(relevance, grid)
    assert blocks.shape == (2, grid.block_rows, grid.block_columns)
    for one, tiles in zip(blocks, relevance, strict=True):
        assert one.min() >= tiles.min() - 1e-9
        assert one.max() <= tiles.max() + 1e-9
    even = block_relevance(np.ones((1, grid.count)), grid)
    assert even == pytest.approx(1.0)
