"""Rough places and careful counts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.semantic.refiners.phrases.finding import find
from support.sights import grid_boxes

COLUMNS, ROWS = 7, 5
BOXES = grid_boxes(COLUMNS, ROWS)


def _likely(**peaks: float) -> NDArray[np.float64]:
    """Likelihoods of parts named by row and column, as `r0c6=0.9`; 0.01 elsewhere."""
    likelihood = np.full((ROWS, COLUMNS), 0.01)
    for name, value in peaks.items():
        likelihood[int(name[1]), int(name[3])] = value
    return likelihood.ravel()


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ("r0c0", "at the top left"),
        ("r0c3", "at the top"),
        ("r0c6", "at the top right"),
        ("r2c0", "on the left"),
        ("r2c3", "in the middle"),
        ("r2c6", "on the right"),
        ("r4c0", "at the bottom left"),
        ("r4c3", "at the bottom"),
        ("r4c6", "at the bottom right"),
    ],
)
def test_a_place_is_that_of_the_part_that_shows_it(part: str, place: str) -> None:
    found = find(_likely(**{part: 0.9}), BOXES)
    assert (found.place, found.count, found.likelihood) == (place, 1, 0.9)
    row, column = int(part[1]), int(part[3])
    assert found.part == row * COLUMNS + column


def test_a_place_is_between_the_parts_that_share_the_thing() -> None:
    assert find(_likely(r2c2=0.8, r2c3=0.8, r2c4=0.8), BOXES).place == "in the middle"


def test_two_that_stand_apart_are_two() -> None:
    found = find(_likely(r2c0=0.9, r2c6=0.8), BOXES)
    assert found.count == 2
    assert found.place == ""


def test_two_in_one_corner_of_a_fine_grid_have_that_place() -> None:
    boxes = grid_boxes(19, 19)
    likelihood = np.full(len(boxes), 0.01)
    likelihood[[0, 4]] = 0.9
    found = find(likelihood, boxes)
    assert (found.count, found.place) == (2, "at the top left")


def test_one_large_thing_is_one() -> None:
    """Parts that do not touch each other are joined by those between them."""
    assert find(_likely(r2c1=0.9, r2c2=0.3, r2c3=0.2, r2c4=0.3, r2c5=0.9), BOXES).count == 1


def test_a_weak_second_peak_does_not_count() -> None:
    found = find(_likely(r2c0=0.9, r2c6=0.4), BOXES)
    assert (found.count, found.place) == (1, "on the left")


def test_what_is_nowhere_likely_is_one_at_its_best_part() -> None:
    found = find(_likely(r4c6=0.03), BOXES)
    assert (found.count, found.place) == (1, "at the bottom right")


def test_the_whole_picture_is_no_place() -> None:
    assert find(np.array([0.9]), np.array([[0.0, 0.0, 1.0, 1.0]])).place == ""
