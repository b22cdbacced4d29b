"""The function that texts are composed by, and what is known of such functions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from edge_daemon.semantic.refiners.phrases.coverage import covered, gains

WEIGHTS = np.random.default_rng(5).uniform(0.0, 1.0, (12, 8)) ** 4


def _value(columns: tuple[int, ...]) -> float:
    return float(covered(WEIGHTS, columns).sum())


def test_no_phrases_cover_nothing() -> None:
    assert _value(()) == 0.0


def test_a_gain_is_the_difference_that_a_phrase_makes() -> None:
    chosen = (2, 5)
    expected = [_value((*chosen, column)) - _value(chosen) for column in range(8)]
    np.testing.assert_allclose(gains(WEIGHTS, covered(WEIGHTS, chosen)), expected, atol=1e-12)


def test_a_phrase_adds_the_less_the_more_is_said() -> None:
    for few in itertools.combinations(range(8), 2):
        for one_more in set(range(8)) - set(few):
            before = gains(WEIGHTS, covered(WEIGHTS, few))
            after = gains(WEIGHTS, covered(WEIGHTS, (*few, one_more)))
            assert (after <= before + 1e-12).all()
            assert (after >= 0.0).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_greedy_keeps_what_is_promised_of_it(size: int) -> None:
    chosen: tuple[int, ...] = ()
    for _ in range(size):
        chosen = (*chosen, int(gains(WEIGHTS, covered(WEIGHTS, chosen)).argmax()))
    best = max(_value(columns) for columns in itertools.combinations(range(8), size))
    assert (1 - 1 / math.e) * best <= _value(chosen) <= best


def test_a_synonym_of_what_is_said_adds_nothing() -> None:
    weights = np.column_stack([WEIGHTS[:, 0], WEIGHTS[:, 0] * 0.9, WEIGHTS[:, 1]])
    added = gains(weights, covered(weights, [0]))
    assert added[:2].tolist() == [0.0, 0.0]
    assert added[2] > 0.0
