from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.semantic.coding.edges import edges_of
from support.pictures import busy_picture

Pixels = NDArray[np.uint8]


def disc(inside: tuple[int, int, int], outside: tuple[int, int, int]) -> Pixels:
    pixels = np.full((64, 85, 3), outside, np.uint8)
    cv2.circle(pixels, (42, 32), 20, inside, -1)
    return pixels


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((40, 40, 40), (20, 20, 20)),  # dim
        ((200, 60, 60), (60, 107, 200)),  # colours, little difference in brightness
    ],
)
def test_a_disc_is_drawn_as_its_outline(
    inside: tuple[int, int, int], outside: tuple[int, int, int]
) -> None:
    y, x = np.nonzero(edges_of(disc(inside, outside)))
    distance = np.hypot(x - 42, y - 32)
    assert distance.min() > 17
    assert distance.max() < 23
    # all around it
    angles = np.histogram(np.arctan2(y - 32, x - 42), bins=16, range=(-np.pi, np.pi))[0]
    assert angles.min() > 0


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (64, 85)])
def test_a_blank_picture_has_no_lines(size: tuple[int, int]) -> None:
    assert not edges_of(np.full((*size, 3), 77, np.uint8)).any()


def test_faint_noise_has_no_lines() -> None:
    noise = np.random.default_rng(1).integers(120, 126, (64, 85, 3), dtype=np.uint8)
    assert not edges_of(noise).any()


def test_lines_of_a_few_pixels_are_left_out() -> None:
    pixels = disc((255, 255, 255), (0, 0, 0))
    pixels[:3, :3] = 255
    pixels[-12:, -12:] = 255
    edges = edges_of(pixels)
    assert not edges[:8, :8].any()
    assert edges[-16:, -16:].any()


def test_the_stricter_the_fewer_lines_and_in_the_end_none() -> None:
    pixels = busy_picture(85, 64, 1)
    counts = [int(edges_of(pixels, strictness).sum()) for strictness in (1.0, 1.5, 2.5, 100.0)]
    assert counts[0] > counts[1] > counts[2] >= counts[3] == 0
