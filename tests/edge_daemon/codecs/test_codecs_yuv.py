from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs.yuv import (
    i420_to_rgb,
    i444_to_rgb,
    pad,
    pad_even,
    padded_side,
    rgb_to_i420,
    rgb_to_i444,
)
from support.pictures import busy_picture, smooth_picture


@given(width=st.integers(1, 50), height=st.integers(1, 50), least=st.sampled_from([2, 16, 32]))
@settings(deadline=None, max_examples=60)
def test_padding_is_even_minimal_and_repeats_the_edge(width: int, height: int, least: int) -> None:
    pixels = busy_picture(width, height)
    padded = pad_even(pixels, least)
    for found, side in zip(padded.shape[:2], (height, width), strict=True):
        assert found % 2 == 0
        assert found == side or found in {side + 1, least}
    assert np.array_equal(padded[:height, :width], pixels)
    assert (padded[height:, :width] == pixels[-1]).all()
    assert (padded[:, width:] == padded[:, width - 1 : width]).all()


@given(
    width=st.integers(1, 50),
    height=st.integers(1, 50),
    least=st.sampled_from([2, 32]),
    multiple=st.sampled_from([1, 2, 8]),
)
@settings(deadline=None, max_examples=60)
def test_padding_goes_to_the_next_multiple(
    width: int, height: int, least: int, multiple: int
) -> None:
    padded = pad(busy_picture(width, height), least, multiple)
    for found, side in zip(padded.shape[:2], (height, width), strict=True):
        assert found == padded_side(side, least, multiple)
        assert found >= max(side, least)
        assert found == least or (found % multiple == 0 and found - side < multiple)


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
    full = rgb_to_i444(np.full((3, 5, 3), colour, np.uint8))
    assert full.shape == (3, 3, 5)
    for plane, value in zip(full, expected, strict=True):
        assert (np.abs(plane.astype(int) - value) <= 1).all()


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


@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_full_resolution_comes_back_pixel_by_pixel(width: int, height: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    planes = rgb_to_i444(pixels)
    assert planes.dtype == np.uint8
    assert planes.flags.c_contiguous
    assert np.abs(i444_to_rgb(planes).astype(int) - pixels).max() <= 2


def test_the_conversion_follows_the_formula() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    red, green, blue = np.moveaxis(pixels.astype(float), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = (luma, 128 + (blue - luma) / 1.772, 128 + (red - luma) / 1.402)
    for plane, value in zip(rgb_to_i444(pixels), expected, strict=True):
        assert np.abs(plane - np.clip(value, 0, 255)).max() <= 1
