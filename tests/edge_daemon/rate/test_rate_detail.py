from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs import get_codec
from edge_daemon.demo.scenes import make_scene
from edge_daemon.rate.detail import Detail
from edge_daemon.rate.scales import usual_bytes
from support.curves import Curve
from support.pictures import busy_picture, smooth_picture

STEPS = np.arange(-4.0, 11.1, 0.25)


@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_any_size_has_detail_that_falls_with_the_step(width: int, height: int, seed: int) -> None:
    shape = (height, width, 3)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    detail = Detail.of(image)
    assert detail.pixels == width * height
    bits = detail.at(STEPS)
    assert np.all(np.isfinite(bits))
    assert np.all(np.diff(bits) <= 1e-12)


def test_finer_pictures_have_more_of_it() -> None:
    busy = Detail.of(busy_picture(320, 240))
    assert np.all(busy.at(STEPS[:30]) > Detail.of(smooth_picture(320, 240)).at(STEPS[:30]) + 1)
    softened = cv2.GaussianBlur(busy_picture(320, 240), (0, 0), 2.0)
    assert np.all(busy.at(STEPS[:30]) > Detail.of(np.asarray(softened, np.uint8)).at(STEPS[:30]))


def test_a_doubled_contrast_is_an_octave() -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(-30, 31, (256, 256, 1))
    one, two = (Detail.of((128 + noise * k).repeat(3, 2).astype(np.uint8)) for k in (1, 2))
    assert two.at(np.array([5.0])) == pytest.approx(one.at(np.array([4.0])), abs=0.02)


def test_a_sample_stands_for_the_whole() -> None:
    """Whatever the size, the same texture has the same detail."""
    tile = busy_picture(240, 240, seed=5)
    small, large = Detail.of(tile), Detail.of(np.tile(tile, (5, 7, 1)))
    assert large.at(STEPS[:32]) == pytest.approx(small.at(STEPS[:32]), abs=0.15)


def test_it_leaves_the_picture_alone_and_takes_any_layout() -> None:
    image = busy_picture(200, 120)
    before = np.array(image)
    turned = Detail.of(np.ascontiguousarray(image[::-1, ::-1]))
    assert np.array_equal(Detail.of(image[::-1, ::-1]).log_bits, turned.log_bits)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("codec_id", ["jpeg", "hevc", "heif"])
def test_usual_bytes_are_near_the_truth(codec_id: str) -> None:
    """Made-up scenes are no photographs, so within an octave; photographs are closer."""
    pixels = make_scene(4, width=640, height=480).pixels
    detail = Detail.of(pixels)
    for quality in {"jpeg": (20, 50, 85), "hevc": (40, 32, 22), "heif": (25, 50, 75)}[codec_id]:
        codec = get_codec({"id": codec_id, "quality": quality})
        usual = usual_bytes(type(codec), 0.0)
        expected = usual.log_bytes(detail, np.array([codec.coarseness]))[0]
        found = np.log2((len(codec.encode(pixels)) - usual.overhead) / detail.pixels)
        assert found == pytest.approx(expected, abs=1.0)


def test_a_codec_that_was_not_measured_gets_a_wide_guess() -> None:
    guess = usual_bytes(Curve, -4.0)
    assert guess.shift == 5.0
    assert guess.offset_sd > 2 * usual_bytes(type(get_codec({"id": "jpeg"})), 0.0).offset_sd
