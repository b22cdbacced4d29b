from __future__ import annotations

import numpy as np
import pytest

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.edges import edges_of
from edge_daemon.semantic.coding.reduction import reduced
from edge_daemon.semantic.coding.sketch import decode_sketch, encode_sketch
from support.pictures import busy_picture

SIZES = [(640, 480), (1, 1), (1, 2000), (4000, 3), (65, 63), (7, 500)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_sketch_has_the_shape_of_the_picture_and_two_colours(width: int, height: int) -> None:
    pixels = busy_picture(width, height)
    drawn = decode_sketch(encode_sketch(pixels))
    assert drawn.shape == reduced(pixels, 64).shape
    assert drawn.dtype == np.uint8
    assert set(np.unique(drawn)) <= {0, 255}


def test_lines_are_black_on_white_where_the_outlines_are() -> None:
    pixels = np.full((480, 640, 3), 60, np.uint8)
    pixels[120:360, 200:440] = (220, 180, 40)
    drawn = decode_sketch(encode_sketch(pixels))
    black = (drawn == 0).all(axis=2)
    assert (black == edges_of(reduced(pixels, 64))).all()
    assert 0.02 < black.mean() < 0.1
    y, x = np.nonzero(black)
    assert np.allclose([y.min(), y.max(), x.min(), x.max()], [16, 48, 26.7, 58.7], atol=2)


@pytest.mark.parametrize("shape", [(64, 64), (300, 500), (64, 256), (256, 64)])
def test_noise_fits_into_the_bound(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    blocks = np.kron(noise[::4, ::4], np.ones((4, 4, 1), np.uint8))
    for pixels in (noise, blocks):
        assert len(encode_sketch(pixels)) <= 320


def test_a_damaged_sketch_is_refused() -> None:
    with pytest.raises(DecodeError):
        decode_sketch(encode_sketch(busy_picture(640, 480)) + b"\0")
