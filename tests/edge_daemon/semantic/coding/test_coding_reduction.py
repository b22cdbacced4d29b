from __future__ import annotations

import numpy as np
import pytest

from edge_daemon.semantic.coding.reduction import reduced
from support.pictures import smooth_picture


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (43, 32)),
        ((480, 640), (32, 43)),
        ((32, 32), (32, 32)),
        ((20, 11), (20, 11)),
        ((1, 1), (1, 1)),
        ((400, 100), (128, 32)),
        ((800, 100), (128, 16)),
        ((2000, 1), (128, 1)),
        ((3, 4000), (1, 128)),
    ],
)
def test_the_short_side_is_32_where_the_picture_has_as_much_and_is_not_too_long(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    small = reduced(np.zeros((size[1], size[0], 3), np.uint8), 32)
    assert (small.shape[1], small.shape[0]) == expected
    assert small.dtype == np.uint8


def test_colours_stay_where_they_are() -> None:
    pixels = smooth_picture(320, 240, 3)
    small = reduced(pixels, 32).astype(int)
    assert np.abs(small - smooth_picture(43, 32, 3)).max() <= 8
    assert (reduced(pixels[::-1], 32)[::-1] - small == 0).all()
