from __future__ import annotations

import math
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import metrics

from edge_daemon.errors import UnsupportedError
from edge_daemon.study.tasks.fidelity import PSNR_CAP_DB, Fidelity
from support.pictures import busy_picture

BOXES = ((20, 10, 30, 20), (40, 20, 30, 40))
"""They overlap."""
OUTSIDE = (slice(80, 120), slice(100, 160))


@pytest.fixture(scope="module")
def source() -> NDArray[np.uint8]:
    return np.clip(busy_picture(160, 120), 20, 235)


def blurred(source: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(source, (0, 0), 2.0), np.uint8)


def test_identical_pixels_have_the_cap_and_full_similarity(source: NDArray[np.uint8]) -> None:
    fidelity = Fidelity(source, BOXES)
    assert fidelity.psnr(source) == PSNR_CAP_DB
    assert fidelity.ssim(source) == pytest.approx(1.0)
    nearly = np.array(source)
    nearly[10, 20, 0] += 1
    assert fidelity.psnr(nearly) == PSNR_CAP_DB


def test_errors_count_inside_the_boxes_and_nowhere_else(source: NDArray[np.uint8]) -> None:
    fidelity = Fidelity(source, BOXES)
    brighter = np.array(source)
    for left, top, width, height in BOXES:
        where = slice(top, top + height), slice(left, left + width)
        brighter[where] = source[where] + 10
    assert fidelity.psnr(brighter) == pytest.approx(20 * math.log10(255 / 10))
    brighter[OUTSIDE] = 0
    assert fidelity.psnr(brighter) == pytest.approx(20 * math.log10(255 / 10))
    elsewhere = np.array(source)
    elsewhere[OUTSIDE] = 0
    assert fidelity.psnr(elsewhere) == PSNR_CAP_DB
    assert fidelity.ssim(elsewhere) == pytest.approx(1.0)


def test_pixels_of_several_boxes_count_once(source: NDArray[np.uint8]) -> None:
    one, other = BOXES
    shared = slice(20, 30), slice(40, 50)
    spoilt = np.array(source)
    spoilt[shared] = source[shared] + 20
    pixels = one[2] * one[3] + other[2] * other[3] - 100
    expected = 10 * math.log10(255**2 / (20**2 * 100 / pixels))
    assert Fidelity(source, BOXES).psnr(spoilt) == pytest.approx(expected)


@pytest.mark.parametrize("boxes", [BOXES, ((0, 0, 16, 16),), ((144, 104, 16, 16), (0, 50, 20, 16))])
def test_similarity_is_the_published_one_averaged_over_the_boxes(
    source: NDArray[np.uint8], boxes: tuple[tuple[int, int, int, int], ...]
) -> None:
    picture = blurred(source)
    luma = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)) for one in (source, picture)]
    untyped: Any = metrics
    _, everywhere = untyped.structural_similarity(
        *luma,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    inside = np.zeros(source.shape[:2], np.bool_)
    for left, top, width, height in boxes:
        inside[top : top + height, left : left + width] = True
    expected = float(np.asarray(everywhere)[inside].mean())
    assert Fidelity(source, boxes).ssim(picture) == pytest.approx(expected, abs=1e-5)
    assert 0.05 < expected < 0.95


def test_a_negative_is_not_similar_at_all(source: NDArray[np.uint8]) -> None:
    assert Fidelity(source, BOXES).ssim(255 - source) == 0.0


def test_without_scikit_image_it_says_what_to_install(
    source: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(UnsupportedError, match=r"scikit-image.*edge-daemon\[study\]"):
        Fidelity(source, BOXES)
