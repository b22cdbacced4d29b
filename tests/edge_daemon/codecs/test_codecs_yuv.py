from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs.yuv import i420_to_rgb, pad_even, rgb_to_i420
from support.pictures import busy_picture, smooth_picture


@given(width=st.integers(1, 50), height=st.integers(1, 50), least=st.sampled_from([2, 16, 32]))
@settings(deadline=None, max_examples=60)
def test_padding_is_even_minimal_and_repeats_the_edge(width: int, height: int, least: int) -> None:
    pixels = busy_picture(width, height)
    padded = pad_even(pixels, least)
    for padded_side, side in zip(padded.shape[:2], (height, width), strict=True):
        assert padded_side % 2 == 0
        assert padded_side == side or padded_side in {side + 1, least}
    assert np.array_equal(padded[:height, :width], pixels)
    assert (padded[height:, :width] == pixels[-1]).all()
    assert (padded[:, width:] == padded[:, width - 1 : width]).all()


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((0, 0, 0), (0, 128, 128)),
        ((255, 255, 255), (255, 128, 128)),
        ((255, 0, 0), (76, 85, 255)),
        ((0, 255, 0), (150, 44, 21)),
        ((0, 0, 255), (29, 255, 107)),
    ],
)
def test_planes_are_bt601_full_range(
    colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    planes = rgb_to_i420(np.full((4, 6, 3), colour, np.uint8))
    assert planes.shape == (6, 6)
    flat = planes.ravel()
    for part, value in zip((flat[:24], flat[24:30], flat[30:]), expected, strict=True):
        assert (np.abs(part.astype(int) - value) <= 1).all()


def test_chroma_is_the_mean_of_four_pixels() -> None:
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)
    red = int(rgb_to_i420(pixels).ravel()[5])
    assert abs(red - (255 + 3 * 128) / 4) <= 1


@pytest.mark.parametrize(("width", "height"), [(2, 2), (6, 10), (64, 48), (34, 66)])
def test_gradients_come_back(width: int, height: int) -> None:
    pixels = smooth_picture(width, height)
    if width < 24:
        pixels[:] = pixels[0, 0]
    error = np.abs(i420_to_rgb(rgb_to_i420(pixels)).astype(int) - pixels)
    assert error.max() <= 3


def test_chroma_is_not_shifted() -> None:
    """A picture and its mirror image give mirrored results."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[4:8, 4:8] = (255, 40, 0)
    there = i420_to_rgb(rgb_to_i420(pixels))
    mirrored = i420_to_rgb(rgb_to_i420(np.ascontiguousarray(pixels[:, ::-1])))
    assert np.abs(there[:, ::-1].astype(int) - mirrored).max() <= 1
