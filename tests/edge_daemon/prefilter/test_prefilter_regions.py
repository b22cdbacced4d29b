from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.prefilter.regions import VEIL_CELLS, boxes_of, distance_outside, veil
from edge_daemon.settings import Region

FRACTION = st.floats(0, 1)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=100)
@given(FRACTION, FRACTION, st.floats(1e-6, 1), st.floats(1e-6, 1), st.integers(1, 500))
def test_boxes_cover_their_region_and_stay_inside(
    x: float, y: float, width: float, height: float, side: int
) -> None:
    ((left, top, box_width, box_height),) = boxes_of(
        [Region(x=x, y=y, width=width, height=height)], side, side
    )
    assert 0 <= left < left + box_width <= side
    assert 0 <= top < top + box_height <= side
    assert left + box_width >= min(side, (x + width) * side) - 1e-3
    assert left <= x * side


def test_fractions_that_mean_whole_pixels_are_exact() -> None:
    assert boxes_of([Region(x=0.1, y=0.2, width=0.2, height=0.1)], 10, 10) == [(1, 2, 2, 1)]


@pytest.mark.parametrize("side", [4, 24, 100, 600])
def test_a_veil_leaves_no_more_than_a_few_means(side: int) -> None:
    image = noise(640, 640)
    before = np.array(image)
    veiled = veil(image, [(20, 10, side, side)])
    assert (image == before).all()
    region = veiled[10 : 10 + side, 20 : 20 + side].astype(np.float64)
    # The noise has a standard deviation of 74 levels, the mean of n pixels one of 74 / sqrt(n).
    assert region.std() < 74 / min(16, side) * 1.5
    outside = np.array(veiled)
    outside[10 : 10 + side, 20 : 20 + side] = image[10 : 10 + side, 20 : 20 + side]
    assert (outside == image).all()


def test_a_veil_hides_what_is_finer_than_its_cells() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    veiled = veil(stripes, [(0, 0, 400, 400)])
    assert veiled.min() >= 120
    assert veiled.max() <= 135


def test_nothing_but_the_means_of_the_cells_gets_through() -> None:
    image = noise(320, 320)
    rng = np.random.default_rng(6)
    other = np.array(image)
    side = 320 // VEIL_CELLS
    for y in range(0, 320, side):
        for x in range(0, 320, side):
            cell = np.reshape(other[y : y + side, x : x + side], (-1, 3))
            other[y : y + side, x : x + side] = np.reshape(rng.permutation(cell), (side, side, 3))
    assert (image != other).any()
    box = [(0, 0, 320, 320)]
    assert (veil(image, box) == veil(other, box)).all()


def test_overlapping_masks_never_sharpen_each_other() -> None:
    image = noise(300, 300)
    veiled = veil(image, [(0, 0, 200, 200), (100, 100, 200, 200)])
    assert veiled[100:200, 100:200].std() < 15


def test_without_regions_nothing_is_copied() -> None:
    image = noise(8, 8)
    assert veil(image, []) is image


def test_distance_is_zero_inside_and_grows_outside() -> None:
    distance = distance_outside((3, 2, 2, 4), 10, 10)
    assert (distance[2:6, 3:5] == 0).all()
    assert distance[2, 5] == 1
    assert distance[9, 8] == pytest.approx(np.hypot(4, 4))
    assert np.count_nonzero(distance == 0) == 8
