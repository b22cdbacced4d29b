from __future__ import annotations

import numpy as np
import pytest

from edge_daemon.bench.latency.pairing import Median, Paired, take_turns


def test_a_difference_that_is_the_same_in_every_round_is_found_below_any_noise() -> None:
    noise = np.random.default_rng(0).normal(100.0, 30.0, 40)
    paired = Paired.of(noise.tolist(), (noise + 2.0).tolist())
    assert paired.difference_ms.value == pytest.approx(2.0)
    assert paired.difference_ms.low == pytest.approx(2.0)
    assert paired.difference_ms.high == pytest.approx(2.0)
    assert paired.second.p50 == pytest.approx(paired.first.p50 + 2.0)


def test_the_ratio_is_of_the_second_to_the_first() -> None:
    paired = Paired.of([10.0, 20.0, 40.0], [30.0, 60.0, 80.0])
    assert paired.ratio == Median(3.0, None, None)
    assert paired.difference_ms == Median(40.0, None, None)


@pytest.mark.parametrize(
    ("count", "rank"),
    # Of the sign test's tables: the rank of the 95 % interval's ends among so many values.
    [(5, None), (6, 1), (10, 2), (12, 3), (20, 6), (50, 18)],
)
def test_the_interval_has_the_ranks_of_the_sign_test(count: int, rank: int | None) -> None:
    median = Median.of([float(number) for number in range(count, 0, -1)])
    assert median.value == (count + 1) / 2
    assert median.low == (None if rank is None else float(rank))
    assert median.high == (None if rank is None else float(count + 1 - rank))


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    intervals = [Median.of(rng.exponential(1.0, 15).tolist()) for _ in range(2000)]
    inside = [
        one.low is not None and one.high is not None and one.low <= np.log(2.0) <= one.high
        for one in intervals
    ]
    assert 0.95 <= np.mean(inside) <= 0.985  # 96.5 % of 15 values


def test_turns_alternate_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    rounds: list[int] = []

    def work(name: str, factor: float) -> float:
        order.append(name)
        return factor * len(order)

    times = take_turns(
        {"a": lambda number: work("a", 1.0), "b": lambda number: work("b", -1.0)},
        3,
        lambda: rounds.append(len(order)),
    )
    assert "".join(order) == "baabbaab"
    assert times == {"a": [3.0, 6.0, 7.0], "b": [-4.0, -5.0, -8.0]}
    assert rounds == [4, 6, 8]


def test_rounds_that_do_not_belong_together_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        Paired.of([1.0], [1.0, 2.0])
