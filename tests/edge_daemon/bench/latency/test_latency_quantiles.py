from __future__ import annotations

import pytest

from edge_daemon.bench.latency.quantiles import Quantiles


def test_quantiles_are_times_that_were_measured() -> None:
    times = [float(number) for number in range(200, 0, -1)]
    assert Quantiles.of(times) == Quantiles(p50=100.0, p95=190.0, p99=198.0, count=200)


def test_of_few_times_the_highest_quantiles_are_the_longest() -> None:
    assert Quantiles.of([3.0, 1.0, 2.0]) == Quantiles(2.0, 3.0, 3.0, 3)
    assert Quantiles.of([7.5]) == Quantiles(7.5, 7.5, 7.5, 1)


def test_there_are_no_quantiles_of_nothing() -> None:
    with pytest.raises(ValueError, match="no quantiles of no times"):
        Quantiles.of([])
