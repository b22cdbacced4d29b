from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.preprocess import RESIZES, Resize, resized


def _picture(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth colours under fine detail."""
    rng = np.random.default_rng(width * 10_000 + height)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    detail = rng.integers(-24, 25, smooth.shape)
    return np.clip(smooth + detail, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (640, 480), (37, 2000), (999, 333)])
@pytest.mark.parametrize("method", RESIZES)
def test_a_flat_picture_keeps_its_colour_at_any_size(size: tuple[int, int], method: Resize) -> None:
    flat = np.full((*size, 3), (10, 120, 240), np.uint8)
    for width, height in [(1, 1), (224, 224), (1000, 77)]:
        out = resized(flat, width, height, method)
        assert out.shape == (height, width, 3)
        assert (out == (10, 120, 240)).all()


@pytest.mark.parametrize("method", RESIZES)
def test_shrinking_averages_instead_of_skipping(method: Resize) -> None:
    stripes = np.zeros((1800, 1800, 3), np.uint8)
    stripes[:, ::2] = 255
    for side in (1500, 800, 250):
        out = resized(stripes, side, side, method)
        if side < 900:
            assert out.std() < 16
        assert abs(float(out.mean()) - 127.5) < 2


@pytest.mark.parametrize("method", RESIZES)
def test_a_picture_of_that_size_is_returned_itself(method: Resize) -> None:
    picture = _picture(40, 30)
    assert resized(picture, 40, 30, method) is picture


def test_bicubic_is_pillow_s_up_to_three_times_smaller() -> None:
    picture = _picture(640, 426)
    for width, height in [(960, 639), (500, 333), (320, 213), (218, 145)]:
        wanted = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(
            resized(picture, width, height, "bicubic"), np.asarray(wanted)
        )


@pytest.mark.parametrize("size", [(1920, 1080), (1921, 1079), (3001, 1500), (2600, 2600)])
def test_bicubic_stays_near_pillow_s_where_boxes_are_averaged_first(size: tuple[int, int]) -> None:
    picture = _picture(*size)
    wanted = Image.fromarray(picture).resize((400, 300), Image.Resampling.BICUBIC)
    off = np.abs(resized(picture, 400, 300, "bicubic").astype(int) - np.asarray(wanted).astype(int))
    assert off.mean() < 1.0
    assert off.max() <= 6


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160), (3001, 1500), (1000, 2600)])
def test_area_stays_near_exact_averages_of_areas(size: tuple[int, int]) -> None:
    picture = _picture(*size)
    width, height = (min(side, 900) for side in size)
    wanted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    off = np.abs(resized(picture, width, height, "area").astype(int) - wanted.astype(int))
    assert off.mean() < 3.0


def test_area_shrinks_a_little_without_a_pattern_of_its_own() -> None:
    """Fine stripes may lose contrast, but not by more in some places than the averages do."""
    stripes = np.zeros((1000, 1000, 3), np.uint8)
    stripes[:, ::2] = 255
    for side in (990, 900, 820, 790, 700, 600, 510):
        exact = cv2.resize(stripes, (side, side), interpolation=cv2.INTER_AREA)
        out = resized(stripes, side, side, "area")
        assert cv2.blur(out, (9, 9)).std() < 1.5 * cv2.blur(exact, (9, 9)).std()
