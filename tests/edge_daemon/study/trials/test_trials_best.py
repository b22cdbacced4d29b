from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_daemon.study.bdrate import Series
from edge_daemon.study.trials.best import at_best_quality
from support.measurements import as_given, asked

RATES = [0.8, 0.2, 0.4]


def series(name: str, right: list[list[float]]) -> Series:
    """Answers of shape (questions, 3); the first quality takes most bits."""
    once = as_given(RATES, [0, 0, 0], name)
    shape = (len(right), 1)
    return replace(
        once,
        questions=tuple(f"q{number}" for number in range(len(right))),
        bits=np.tile(once.bits, shape),
        pixels=np.tile(once.pixels, shape),
        sent_pixels=np.tile(once.sent_pixels, shape),
        accuracy=np.array(right),
    )


def test_the_best_quality_is_where_the_anchor_takes_most_bits() -> None:
    plain, other = at_best_quality(
        [
            series("plain", [[1, 0, 0], [1, 0, 0], [0, 1, 1], [1, 1, 1]]),
            series("other", [[1, 1, 1], [0, 1, 1], [0, 1, 1], [1, 1, 1]]),
        ],
        "plain",
    )
    assert (plain.quality, plain.value, plain.difference, plain.questions) == ("0", 0.75, 0, 4)
    assert (plain.ci_low, plain.ci_high) == (0, 0)
    assert (other.quality, other.value, other.difference) == ("0", 0.5, -0.25)
    # the differences are 0, -1, 0, 0: a standard error of 0.25
    assert (other.ci_low, other.ci_high) == pytest.approx((-0.25 - 0.49, -0.25 + 0.49))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(300):
        first, second = (
            asked(
                name,
                factor=1.0,
                questions=200,
                difficulty=np.random.default_rng(seed),
                seed=1000 * number + seed,
            )
            for number, name in enumerate(("plain", "other"), 1)
        )
        _, other = at_best_quality([first, second], "plain")
        assert other.ci_low is not None
        assert other.ci_high is not None
        covered += other.ci_low <= 0 <= other.ci_high
    assert 0.92 <= covered / 300 <= 0.98


def test_means_alone_have_no_interval() -> None:
    _, other = at_best_quality(
        [as_given(RATES, [0.9, 0.5, 0.6], "plain"), as_given(RATES, [0.8, 0.5, 0.6], "other")],
        "plain",
    )
    assert other.difference == pytest.approx(-0.1)
    assert (other.questions, other.ci_low, other.ci_high) == (0, None, None)


def test_what_cannot_be_held_against_the_anchor_is_left_out() -> None:
    plain = as_given(RATES, [0.9, 0.5, 0.6], "plain")
    other = as_given(RATES, [0.8, 0.5, 0.6], "other")
    found = at_best_quality(
        [plain, replace(other, codec="hevc"), replace(other, qualities=("7", "8", "9"))], "plain"
    )
    assert [one.series for one in found] == ["plain"]
