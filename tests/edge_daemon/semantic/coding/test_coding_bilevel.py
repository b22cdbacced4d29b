from __future__ import annotations

import io

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.bilevel import LONGEST_SIDE, decode_bitmap, encode_bitmap

GOLDEN = "1b0fbae98adc1a04082485ea9977e4e455eff53eb28ea13f4a98b8734b82bda9e8"
"""Of `drawing(28, 16)`: size and pixels, as every release has coded them."""


def drawing(width: int, height: int) -> NDArray[np.bool_]:
    """A circle, a box and a slanted line."""
    image = Image.new("1", (width, height))
    draw = ImageDraw.Draw(image)
    draw.rectangle((2, 2, width // 2, height - 4), outline=1)
    draw.ellipse((width // 3, height // 4, width - 3, height - 2), outline=1)
    draw.line((0, height - 1, width - 1, 0), fill=1)
    return np.asarray(image, np.bool_)


@given(
    arrays.arrays(
        np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.booleans()
    )
)
@settings(deadline=None)
def test_any_picture_comes_back(black: NDArray[np.bool_]) -> None:
    assert (decode_bitmap(encode_bitmap(black)) == black).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 256), (256, 1), (2, 3), (85, 64)])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_odd_sizes_come_back(width: int, height: int, share: float) -> None:
    black = np.random.default_rng(1).random((height, width)) < share
    found = decode_bitmap(encode_bitmap(black))
    assert found.shape == (height, width)
    assert (found == black).all()


def test_this_drawing_is_coded_as_it_always_has_been() -> None:
    assert encode_bitmap(drawing(28, 16)).hex() == GOLDEN
    assert (decode_bitmap(bytes.fromhex(GOLDEN)) == drawing(28, 16)).all()


def test_a_drawing_takes_less_than_half_of_a_png_and_noise_hardly_more_than_its_bits() -> None:
    black = drawing(96, 64)
    file = io.BytesIO()
    Image.fromarray(black).save(file, "PNG", optimize=True)
    assert len(encode_bitmap(black)) < len(file.getvalue()) / 2
    noise = np.random.default_rng(2).random((64, 96)) < 0.5
    assert len(encode_bitmap(noise)) < 1.1 * noise.size / 8
    assert len(encode_bitmap(np.zeros((LONGEST_SIDE, LONGEST_SIDE), np.bool_))) < 20


def test_each_flipped_bit_is_refused_or_gives_another_picture() -> None:
    black = drawing(28, 16)
    coded = encode_bitmap(black)
    for bit in range(8 * len(coded)):
        damaged = bytearray(coded)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert not np.array_equal(decode_bitmap(bytes(damaged)), black)
        except DecodeError:
            continue


@pytest.mark.parametrize("data", [b"", b"\x10"])
def test_what_has_no_size_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="too short"):
        decode_bitmap(data)


@given(st.binary(min_size=2, max_size=60), st.integers(0, 20), st.integers(0, 20))
@settings(deadline=None)
def test_any_bytes_are_decoded_or_refused(data: bytes, width: int, height: int) -> None:
    data = bytes([width, height]) + data[2:]
    try:
        black = decode_bitmap(data)
    except DecodeError:
        return
    assert encode_bitmap(black) == data
