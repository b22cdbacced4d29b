"""What asking costs, before and after."""

from __future__ import annotations

import pytest

from edge_daemon.semantic.refiners.prices import Prices, tokens_of


def test_tokens_are_estimated_from_bytes() -> None:
    assert [tokens_of(text) for text in ("", "a", "abcd", "abcde", "éé", "\ud800")] == [
        0,
        1,
        1,
        2,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("prices", "budget", "affordable"),
    [
        (Prices(0.0, 0.0), None, 500),
        (Prices(0.0, 0.0), 0.0, 500),
        (Prices(1.0, 2.0), None, 500),
        (Prices(1.0, 2.0), 1.0, 500),
        (Prices(1.0, 2.0), 0.0003, 100),
        (Prices(1.0, 2.0), 0.0001, 0),
        (Prices(1.0, 0.0), 0.0001, 500),
        (Prices(1.0, 0.0), 0.00009, 0),
        (Prices(1.0, 2.0), 0.0, 0),
    ],
)
def test_what_may_be_written_within_a_budget(
    prices: Prices, budget: float | None, affordable: int
) -> None:
    assert prices.affordable(100, 500, budget) == affordable
    if budget is not None and affordable:
        assert prices.cost(100, affordable) <= budget + 1e-12


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 100}, 0.0012),
        ({"prompt_tokens": 1000}, 0.001 + 2e-6 * 3),
        ({}, 1e-6 * 7 + 2e-6 * 3),
        (None, 1e-6 * 7 + 2e-6 * 3),
        ("much", 1e-6 * 7 + 2e-6 * 3),
        ({"prompt_tokens": -5, "completion_tokens": "9"}, 1e-6 * 7 + 2e-6 * 3),
        ({"prompt_tokens": True, "completion_tokens": 10**400}, 1e-6 * 7 + 2e-6 * 3),
    ],
)
def test_the_peers_count_is_taken_where_it_is_one(usage: object, cost: float) -> None:
    assert Prices(1.0, 2.0).charged({"usage": usage}, 7, "ten bytes.") == pytest.approx(cost)
