"""Likelihoods of phrases."""

from __future__ import annotations

import numpy as np

from edge_daemon.semantic.refiners.phrases.evidence import likelihoods


def _rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_each_part_shows_something() -> None:
    likely = likelihoods(_rng().normal(0.2, 0.03, (30, 200)))
    np.testing.assert_allclose(likely.sum(axis=1), 1.0)
    assert (likely > 0.0).all()


def test_neither_level_nor_spread_of_the_cosines_matters() -> None:
    """CLIP's lie around 0.2 and differ by 0.03, nano-icons' around 0 and by 0.1."""
    values = _rng().normal(0.0, 1.0, (30, 200))
    np.testing.assert_allclose(
        likelihoods(0.2 + 0.03 * values), likelihoods(0.1 * values), atol=1e-9
    )


def test_a_phrase_that_is_near_to_everything_gives_way_to_one_that_is_near_here() -> None:
    values = _rng().normal(0.0, 0.03, (30, 200))
    values[:, 7] += 0.2
    values[4, 9] = values[4, 7] - 0.01
    assert values[4].argmax() == 7
    assert likelihoods(values)[4].argmax() == 9


def test_what_fills_the_picture_is_still_found() -> None:
    values = _rng().normal(0.0, 0.03, (30, 200))
    values[:, 7] += 0.4
    assert (likelihoods(values).argmax(axis=1) == 7).all()


def test_phrases_that_do_not_differ_are_equally_likely() -> None:
    same = np.full((4, 5), 0.3) + _rng().normal(0.0, 1e-9, (4, 5))
    np.testing.assert_allclose(likelihoods(same), 0.2)


def test_without_phrases_there_is_nothing() -> None:
    assert likelihoods(np.empty((4, 0))).shape == (4, 0)


def test_a_single_part_has_no_mean_to_differ_from() -> None:
    values = np.zeros((1, 10))
    values[0, 3] = 0.2
    likely = likelihoods(values)
    assert likely.argmax() == 3
    assert likely[0, 3] > 0.9
