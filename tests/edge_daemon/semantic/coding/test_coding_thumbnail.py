from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.reduction import reduced
from edge_daemon.semantic.coding.thumbnail import decode_thumbnail, encode_thumbnail
from support.pictures import busy_picture, psnr, smooth_picture

SIZES = [(640, 480), (1, 1), (1, 2000), (4000, 3), (31, 33), (7, 500)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_thumbnail_is_the_small_picture(width: int, height: int) -> None:
    pixels = smooth_picture(width, height)
    found = decode_thumbnail(encode_thumbnail(pixels))
    small = reduced(pixels, 32)
    assert found.shape == small.shape
    assert psnr(found, small) > 28


@pytest.mark.parametrize("seed", range(4))
def test_a_busy_picture_takes_some_300_bytes_and_is_still_recognised(seed: int) -> None:
    pixels = busy_picture(640, 480, seed)
    frame = encode_thumbnail(pixels)
    assert 150 < len(frame) <= 320
    assert psnr(decode_thumbnail(frame), reduced(pixels, 32)) > 24


def test_noise_fits_too() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (32, 128, 3), dtype=np.uint8)
    assert len(encode_thumbnail(noise)) <= 320


def test_a_frame_is_a_webp_file_without_its_first_20_bytes() -> None:
    pixels = busy_picture(64, 48)
    frame = encode_thumbnail(pixels)
    odd = len(frame) % 2
    file = b"RIFF" + (len(frame) + odd + 12).to_bytes(4, "little") + b"WEBPVP8 "
    file += len(frame).to_bytes(4, "little") + frame + bytes(odd)
    image = Image.open(io.BytesIO(file), formats=["WEBP"]).convert("RGB")
    assert (np.asarray(image) == decode_thumbnail(frame)).all()


def test_a_larger_picture_is_refused_before_it_is_decoded() -> None:
    frame = bytearray(encode_thumbnail(smooth_picture(64, 48)))
    frame[6:10] = (16_000).to_bytes(2, "little") * 2
    with pytest.raises(DecodeError, match="larger than 128"):
        decode_thumbnail(bytes(frame))


@pytest.mark.parametrize("kept", [0, 5, 9, 10, 30])
def test_a_truncated_frame_is_refused(kept: int) -> None:
    with pytest.raises(DecodeError):
        decode_thumbnail(encode_thumbnail(busy_picture(64, 48))[:kept])


@given(st.binary(max_size=40), st.integers(0, 30))
@settings(deadline=None)
def test_overwritten_frames_are_decoded_or_refused(damage: bytes, where: int) -> None:
    frame = bytearray(encode_thumbnail(busy_picture(64, 48)))
    frame[where : where + len(damage)] = damage
    try:
        pixels = decode_thumbnail(bytes(frame))
    except DecodeError:
        return
    assert pixels.dtype == np.uint8
    assert max(pixels.shape) <= 128
