"""Streets: the same for a seed, odd sizes too, and costly everywhere, as photographs are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_daemon.study.tasks.signs import RIM, WORDS, draw_sign, draw_text
from edge_daemon.study.tasks.street import develop, draw_street


@pytest.mark.parametrize("size", [(768, 512), (333, 201)])
def test_a_seed_decides_a_street_of_any_size(size: tuple[int, int]) -> None:
    pictures = [
        develop(rng, draw_street(rng, *size))
        for rng in (np.random.default_rng(1), np.random.default_rng(1), np.random.default_rng(2))
    ]
    assert pictures[0].shape == (size[1], size[0], 3)
    assert pictures[0].dtype == np.uint8
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_there_is_detail_nearly_everywhere() -> None:
    rng = np.random.default_rng(3)
    grey = cv2.cvtColor(develop(rng, draw_street(rng, 768, 512)), cv2.COLOR_RGB2GRAY)
    blocks = grey[:512, :768].reshape(32, 16, 48, 16).std(axis=(1, 3))
    assert np.mean(blocks > 2.0) > 0.9


def test_a_sign_is_as_wide_as_wanted_and_its_text_lies_within_the_rim() -> None:
    rng = np.random.default_rng(1)
    text = draw_text(rng)
    word, number = text.split()
    assert word in WORDS
    assert 10 <= int(number) <= 99
    sign = draw_sign(rng, "yellow", text, 120)
    height, width = sign.shape[:2]
    assert width == 120
    rim = round(RIM * width)
    board = np.median(sign.reshape(-1, 3), axis=0)
    ink = np.abs(sign - board).max(axis=2) > 100
    assert ink[:rim].any()
    assert ink[-rim:].any()
    inside = ink[rim : height - rim, rim : width - rim]
    assert inside.any()
    assert not inside[0].any()
    assert not inside[:, 0].any()
