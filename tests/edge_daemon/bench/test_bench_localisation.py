from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.bench.localisation import coded, found
from edge_daemon.prefilter import Report
from edge_daemon.quantiser import QuantiserMap
from edge_daemon.settings import PrefilterSettings
from support.tiny_bundle import make_tiny_bundle

RED, ELSEWHERE = (64, 64, 96, 96), (256, 160, 96, 96)
"""Left, top, width, height."""


@pytest.fixture(scope="module")
def scene() -> NDArray[np.uint8]:
    """Grey noise, 400 x 320, with a red square."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (320, 400), dtype=np.uint8)
    grey = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)
    image = np.repeat(grey[..., None], 3, axis=2)
    left, top, width, height = RED
    image[top : top + height, left : left + width] = (220, 20, 20)
    return image


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, scene: NDArray[np.uint8]) -> Report:
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("bundle"), dense=True)
    settings = PrefilterSettings.model_validate({"scorer": "dense", "lambda": 50.0})
    return Prefilter.from_bundle(bundle, settings, threads=1)(scene, "red")[1]


def test_what_was_found_is_told_from_what_was_not(report: Report) -> None:
    there, elsewhere = found(report, RED), found(report, ELSEWHERE)
    assert (there.peak, elsewhere.peak) == (1.0, 0.0)
    assert there.mass > 0.8
    assert elsewhere.mass < 0.05
    assert there.ranking > 0.95
    assert elsewhere.ranking < 0.6
    assert there.overlap > 0.5
    assert elsewhere.overlap < 0.05
    assert there.kept > 0.95
    assert there.area == pytest.approx(96 * 96 / (320 * 400), rel=0.05)


def test_relevance_that_is_the_same_everywhere_is_chance(report: Report) -> None:
    even = replace(report, relevance_map=np.ones_like(report.relevance_map))
    blind = found(even, RED)
    assert blind.ranking == 0.5
    assert blind.mass == pytest.approx(blind.area)
    assert blind.overlap == pytest.approx(blind.area)
    assert (blind.kept, blind.sharp) == (1.0, 1.0)


def test_bytes_are_compared_at_equal_fidelity_in_the_box(scene: NDArray[np.uint8]) -> None:
    same = coded(scene, scene, None, ELSEWHERE)
    assert same.kept
    assert same.filtered <= same.plain
    coarse = np.full((20, 25), 20.0, np.float32)
    left, top, width, height = (edge // 16 for edge in ELSEWHERE)
    coarse[top : top + height, left : left + width] = 0.0
    spared = coded(scene, scene, QuantiserMap(coarse), ELSEWHERE)
    assert spared.kept
    assert spared.filtered < 0.7 * same.plain


def test_a_box_that_is_spoilt_is_said_to_be(scene: NDArray[np.uint8]) -> None:
    blurred = np.asarray(cv2.GaussianBlur(scene, (0, 0), 6.0), np.uint8)
    assert not coded(scene, blurred, None, ELSEWHERE).kept
