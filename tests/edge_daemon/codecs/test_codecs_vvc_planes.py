from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs.vvc_planes import planes_to_rgb, rgb_to_planes


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(deadline=None, max_examples=200)
def test_a_flat_colour_survives_the_conversion_exactly(colour: tuple[int, int, int]) -> None:
    pixels = np.full((4, 6, 3), colour, np.uint8)
    planes = rgb_to_planes(pixels)
    assert planes.dtype == np.uint16
    assert planes.shape == (6, 6)
    assert planes.max() <= 1023
    assert np.array_equal(planes_to_rgb(planes), pixels)


def test_the_conversion_is_bt601_in_full_range() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    planes = rgb_to_planes(pixels)
    red, green, blue = np.moveaxis(pixels.astype(np.float64), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    scale = 1023 / 255
    assert np.abs(planes[:50] - luma * scale).max() < 1
    for found, difference in zip(
        planes[50:].reshape(2, 25, 35), ((blue - luma) / 1.772, (red - luma) / 1.402), strict=True
    ):
        mean = difference.reshape(25, 2, 35, 2).mean(axis=(1, 3))
        assert np.abs(found - np.clip(512 + mean * scale, 0, 1023)).max() < 1
