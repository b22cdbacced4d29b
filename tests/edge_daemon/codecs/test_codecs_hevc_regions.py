from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon.codecs.hevc_regions import MOST_REGIONS, Region, regions_of, with_regions
from edge_daemon.quantiser import QuantiserMap


def painted(regions: list[Region], height: int, width: int) -> NDArray[np.int64]:
    """The offset of every pixel: of overlapping regions the first wins."""
    pixels = np.zeros((height, width), np.int64)
    for x, y, region_width, region_height, offset in reversed(regions):
        pixels[y : y + region_height, x : x + region_width] = offset
    return pixels


def asked(offsets: QuantiserMap, height: int, width: int) -> NDArray[np.float32]:
    """The map's value at every pixel."""
    rows, columns = offsets.values.shape
    at = np.ix_(np.arange(height) * rows // height, np.arange(width) * columns // width)
    return offsets.values[at]


@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    block=st.sampled_from([16, 32]),
    top=st.sampled_from([0.5, 3.0, 51.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=150)
def test_regions_paint_the_map_rounded_down(
    size: tuple[int, int], cells: tuple[int, int], block: int, top: float, seed: int
) -> None:
    values = np.random.default_rng(seed).random(cells) * top
    offsets = QuantiserMap(values.astype(np.float32))
    padded = (max(32, size[0] + size[0] % 2), max(32, size[1] + size[1] % 2))
    regions = regions_of(offsets, size, padded, block)
    found = painted(regions, *padded)
    assert (found[: size[0], : size[1]] <= asked(offsets, *size)).all()
    rows, columns = (-(-side // block) for side in size)
    expected = np.floor(offsets.blocks(*size, block)).repeat(block, 0).repeat(block, 1)
    assert np.array_equal(
        found[: rows * block, : columns * block],
        expected[: found.shape[0], : found.shape[1]],
    )
    # the padding goes on as the last block
    assert (found[size[0] - 1 :, 0] == found[size[0] - 1, 0]).all()
    assert (found[0, size[1] - 1 :] == found[0, size[1] - 1]).all()


@pytest.mark.parametrize("offset", [0.0, 0.9])
def test_less_than_a_step_gives_no_regions(offset: float) -> None:
    offsets = QuantiserMap(np.full((3, 4), offset, np.float32))
    assert regions_of(offsets, (100, 100), (100, 100), 16) == []


def test_one_offset_is_one_region() -> None:
    offsets = QuantiserMap(np.full((3, 4), 7.5, np.float32))
    assert regions_of(offsets, (90, 100), (90, 100), 16) == [Region(0, 0, 100, 90, 7)]


def test_a_smooth_map_takes_few_regions() -> None:
    rows, columns = np.mgrid[-1:1:40j, -1:1:60j]
    slope = np.clip(np.hypot(rows + 0.2, columns - 0.3) * 14 - 4, 0, 10)
    size = (1080, 1920)
    assert 10 < len(regions_of(QuantiserMap(slope.astype(np.float32)), size, size, 16)) < 200


def test_a_map_of_noise_is_taken_in_larger_blocks_and_nowhere_coarser() -> None:
    values = np.random.default_rng(3).uniform(5, 15, (60, 90)).astype(np.float32)
    offsets, size = QuantiserMap(values), (1080, 1920)
    regions = regions_of(offsets, size, size, 16)
    assert len(regions) <= MOST_REGIONS
    found = painted(regions, *size)
    assert found.min() >= 5
    assert (found <= asked(offsets, *size)).all()


def test_a_frame_with_regions_shares_its_pixels() -> None:
    planes = np.random.default_rng(4).integers(0, 256, (72, 64), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    attached = with_regions(frame, [Region(0, 0, 32, 32, 0), Region(0, 0, 64, 48, 9)])
    assert attached.planes[0].buffer_ptr == frame.planes[0].buffer_ptr
    assert np.array_equal(attached.to_ndarray(), planes)
    regions = cast(Any, attached.side_data)[0]  # PyAV's stubs know other kinds only
    # 28 bytes each: own size, top, bottom, left, right, offset as a fraction
    fields = np.frombuffer(bytes(regions), np.int32).reshape(2, 7)
    assert fields[:, 1:].tolist() == [[0, 32, 0, 32, 0, 51], [0, 48, 0, 64, 9, 51]]
