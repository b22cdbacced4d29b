from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, features

from edge_daemon.codecs.webp import WebP
from edge_daemon.errors import BadQualityError, DecodeError, EncodeError, NoEncoderError
from support.pictures import busy_picture, psnr, smooth_picture


def foreign_file(image: Image.Image, **options: Any) -> bytes:
    """A file that another program might write."""
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()


@pytest.mark.parametrize("seed", range(12))
def test_a_gradient_is_off_by_what_limited_range_and_the_finest_step_cost(seed: int) -> None:
    pixels = smooth_picture(64, 48, seed)
    codec = WebP(quality=100)
    decoded = codec.decode(codec.encode(pixels), width=64, height=48)
    error = np.abs(decoded.astype(int) - pixels)
    assert error.max() <= 6  # one level of stored colour difference is two of blue
    assert error.mean() < 1.2


def test_general_viewers_show_the_picture() -> None:
    pixels = smooth_picture(53, 37)
    image = Image.open(io.BytesIO(WebP(quality=95).encode(pixels)), formats=["WEBP"])
    assert image.size == (53, 37)
    assert psnr(np.asarray(image.convert("RGB")), pixels) > 35


@pytest.mark.parametrize("kept", [5, 29, 30, 100, -2, -1])
def test_truncation_is_refused_even_where_pillow_is_told_to_tolerate_it(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    bitstream = WebP().encode(busy_picture(120, 90))
    with pytest.raises(DecodeError, match="damaged"):
        WebP().decode(bitstream[:kept], width=120, height=90)


def test_something_behind_the_picture_is_refused() -> None:
    bitstream = WebP().encode(busy_picture(64, 48))
    with pytest.raises(DecodeError, match="bytes"):
        WebP().decode(bitstream + b"\x00\x00", width=64, height=48)


def test_other_forms_of_webp_are_refused_by_name() -> None:
    image = Image.fromarray(busy_picture(64, 48))
    half_clear = image.copy()
    half_clear.putalpha(120)
    for other in (
        foreign_file(image, lossless=True),
        foreign_file(half_clear),
        foreign_file(image, save_all=True, append_images=[image.rotate(90)]),
        foreign_file(image, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    ):
        with pytest.raises(DecodeError, match="simple lossy form"):
            WebP().decode(other, width=64, height=48)


def test_a_large_picture_as_announced_raises_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    bitstream = WebP().encode(busy_picture(64, 48))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 48 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert WebP().decode(bitstream, width=64, height=48).shape == (48, 64, 3)


@pytest.mark.parametrize("size", [(1, 16_384), (16_384, 1), (13_400, 13_400)])
def test_what_a_file_cannot_hold_is_refused_by_name(size: tuple[int, int]) -> None:
    pixels = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (size[1], size[0], 3))
    with pytest.raises(EncodeError, match=f"16383 pixels.*{size[0]}x{size[1]}"):
        WebP()._encode(pixels)  # pyright: ignore[reportPrivateUsage] # as `encode` would copy it


def test_the_longest_side_survives() -> None:
    pixels = np.full((1, 16_383, 3), 90, np.uint8)
    decoded = WebP().decode(WebP().encode(pixels), width=16_383, height=1)
    assert np.abs(decoded.astype(int) - pixels).max() <= 3


def test_coarseness_falls_with_every_quality_and_bytes_follow() -> None:
    steps = [WebP(quality=quality).coarseness for quality in range(101)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == 101
    pixels = busy_picture(160, 120)
    qualities = range(10, 100, 10)
    octaves = [np.log2(len(WebP(quality=quality).encode(pixels))) for quality in qualities]
    assert np.corrcoef([steps[quality] for quality in qualities], octaves)[0, 1] < -0.95


def test_a_pillow_without_webp_is_reported_and_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacks(feature: str) -> bool:
        return feature != "webp"

    monkeypatch.setattr(features, "check", lacks)
    assert "install Pillow's wheel" in WebP.status().problem
    with pytest.raises(NoEncoderError, match="no WebP"):
        WebP().encode(busy_picture(64, 48))


def test_more_effort_takes_fewer_bytes() -> None:
    pixels = busy_picture(160, 120)
    assert len(WebP(method=6).encode(pixels)) < len(WebP(method=0).encode(pixels))


@pytest.mark.parametrize("method", [-1, 7, 3.0, True, "3", None])
def test_an_effort_out_of_range_is_refused(method: Any) -> None:
    with pytest.raises(BadQualityError, match="0 to 6"):
        WebP(method=method)
