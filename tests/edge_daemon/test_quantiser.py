from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.quantiser import QuantiserMap


@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    side=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_a_block_has_the_least_offset_of_the_cells_it_touches(
    rows: int, columns: int, height: int, width: int, side: int, seed: int
) -> None:
    values = np.random.default_rng(seed).random((rows, columns), np.float32) * 50
    found = QuantiserMap(values).blocks(height, width, side)
    assert found.shape == (-(-height // side), -(-width // side))
    assert found.dtype == np.float32
    for y, x in itertools.product(*map(range, found.shape)):
        touched = [
            float(values[i, j])
            for i in range(rows)
            for j in range(columns)
            # in units of 1 / (rows * columns) pixels, so that borders are exact
            if i * height < min((y + 1) * side, height) * rows
            and y * side * rows < (i + 1) * height
            and j * width < min((x + 1) * side, width) * columns
            and x * side * columns < (j + 1) * width
        ]
        assert float(found[y, x]) == min(touched)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 2)),
        np.zeros(4, np.float32),
        np.zeros((0, 4), np.float32),
        np.full((2, 2), -0.5, np.float32),
        np.full((2, 2), 52, np.float32),
        np.full((2, 2), np.nan, np.float32),
    ],
)
def test_what_is_no_map_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="offsets"):
        QuantiserMap(values)
