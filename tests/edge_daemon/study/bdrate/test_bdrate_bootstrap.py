from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_daemon.study.bdrate.bootstrap import Interval, bootstrap
from edge_daemon.study.bdrate.delta import Rules
from edge_daemon.study.bdrate.series import Series
from support.measurements import asked


def pair(seed: int, *, factor: float = 0.7, questions: int = 300) -> tuple[Series, Series]:
    """An anchor and a series asked the same questions."""
    first, second = (np.random.default_rng(seed) for _ in range(2))
    anchor = asked("a", factor=1, questions=questions, difficulty=first, seed=2 * seed + 1000)
    test = asked("b", factor=factor, questions=questions, difficulty=second, seed=2 * seed + 1001)
    return anchor, test


def bounds(interval: Interval) -> tuple[float, float]:
    assert interval.bounds is not None
    return interval.bounds


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    found = [
        bounds(bootstrap(*pair(seed), Rules(), resamples=120, seed=seed)) for seed in range(24)
    ]
    covered = sum(low <= -30 <= high for low, high in found)
    assert covered >= 20  # of 24; 95 % are 23
    assert np.median([high - low for low, high in found]) < 30


def test_more_questions_make_it_surer() -> None:
    few, many = (
        bounds(bootstrap(*pair(1, questions=count), Rules(), resamples=150, seed=1))
        for count in (100, 1600)
    )
    assert many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_resampling_is_paired() -> None:
    """Where only the rates differ, by one factor, no draw of questions changes the answer."""
    anchor, _ = pair(3)
    fewer_bits = replace(anchor, name="b", bits=0.6 * anchor.bits)
    low, high = bounds(bootstrap(anchor, fewer_bits, Rules(), resamples=50, seed=0))
    assert (low, high) == (pytest.approx(-40), pytest.approx(-40))


def test_a_seed_decides_the_draws() -> None:
    anchor, test = pair(4)
    once, again, other = (
        bootstrap(anchor, test, Rules(), resamples=40, seed=seed) for seed in (1, 1, 2)
    )
    assert once == again != other


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    anchor, test = pair(5)
    whole = bootstrap(anchor, test, Rules(), resamples=30, seed=1)
    monkeypatch.setattr("edge_daemon.study.bdrate.bootstrap._BATCH", 300 * 7)
    batched = bootstrap(anchor, test, Rules(), resamples=30, seed=1)
    assert bounds(batched) == pytest.approx(bounds(whole), rel=1e-9)


def test_a_draw_is_what_the_drawn_questions_would_have_given() -> None:
    anchor, _ = pair(6, questions=40)
    drawn = np.random.default_rng(0).integers(0, 40, 40)
    counts = np.bincount(drawn, minlength=40)[np.newaxis].astype(float)
    chosen = replace(anchor, bits=anchor.bits[drawn], pixels=anchor.pixels[drawn])
    np.testing.assert_allclose(
        anchor.rates(counts, "source"), chosen.rates(chosen.once, "source"), rtol=1e-12
    )
    np.testing.assert_allclose(
        anchor.accuracies(counts)[0], anchor.accuracy[drawn].mean(axis=0), rtol=1e-12
    )


def few_right(count: int) -> Series:
    """The worst of 6 qualities gets one question right, and the best `count` more of 20."""
    anchor, _ = pair(7, questions=20)
    accuracy = np.zeros((20, 6))
    accuracy[0] = 1
    accuracy[1 : 1 + count, 5] = 1
    return replace(anchor, accuracy=accuracy)


def test_the_share_of_draws_that_cannot_be_compared_is_told() -> None:
    """Draws that miss the questions that make a difference have level curves."""
    series = few_right(2)
    interval = bootstrap(series, replace(series, name="b"), Rules(), resamples=400, seed=1)
    assert interval.lost == pytest.approx(0.9**20, abs=0.06)
    assert bounds(interval) == (pytest.approx(0), pytest.approx(0))


def test_no_interval_where_most_draws_are_lost() -> None:
    series = replace(few_right(1), accuracy=np.zeros((20, 6)))
    assert bootstrap(series, series, Rules(), resamples=20, seed=1) == Interval(None, 1.0)


def test_other_questions_are_refused() -> None:
    anchor, test = pair(8, questions=10)
    with pytest.raises(ValueError, match="same questions"):
        bootstrap(anchor, replace(test, questions=("x",) * 10), Rules(), resamples=2, seed=1)
