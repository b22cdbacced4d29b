"""Pauses and seldom log lines, by a clock that is a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.uplink.transports.backoff import BackOff
from edge_daemon.uplink.transports.seldom import Seldom


def longest() -> float:
    """The jitter's worst draw, so that pauses show their bound."""
    return 1.0


def test_pauses_double_up_to_the_longest() -> None:
    back_off = BackOff(5.0, 10.0, first_s=0.5, draw=longest)
    assert [back_off.pause_s() for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_what_worked_for_a_while_starts_again_at_the_first_pause() -> None:
    back_off = BackOff(60.0, 10.0, first_s=0.5, draw=longest)
    for _ in range(5):
        back_off.pause_s()
    back_off.works(100.0)
    back_off.failed(110.0)
    assert back_off.pause_s() == 0.5


def test_what_worked_for_a_moment_stays_rare() -> None:
    back_off = BackOff(60.0, 10.0, first_s=0.5, draw=longest)
    for round_ in range(4):
        back_off.works(100.0 * round_)
        back_off.failed(100.0 * round_ + 9.9)
        assert back_off.pause_s() == 0.5 * 2**round_


def test_failing_to_begin_forgets_nothing() -> None:
    back_off = BackOff(60.0, 10.0, first_s=0.5, draw=longest)
    back_off.pause_s()
    back_off.failed(1e6)
    assert back_off.pause_s() == 1.0


def test_the_first_pause_is_no_longer_than_the_longest() -> None:
    assert BackOff(0.1, 1.0, first_s=5.0, draw=longest).pause_s() == 0.1


@given(
    draws=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50),
    longest_s=st.floats(1e-3, 3600.0),
)
def test_jitter_is_full_and_never_beyond_the_bound(draws: list[float], longest_s: float) -> None:
    left = iter(draws)
    back_off = BackOff(longest_s, 1.0, first_s=0.25, draw=lambda: next(left))
    bound = min(0.25, longest_s)
    for draw in draws:
        assert back_off.pause_s() == pytest.approx(draw * bound)
        bound = min(2 * bound, longest_s)


def test_a_fleet_that_failed_together_does_not_come_back_together() -> None:
    pauses = set[float]()
    for _ in range(20):
        back_off = BackOff(30.0, 10.0)
        pauses.add([back_off.pause_s() for _ in range(5)][-1])
    assert len(pauses) == 20


def test_log_lines_come_seldom_and_say_how_many_were_left_out() -> None:
    seldom = Seldom(every_s=10.0)
    assert [seldom.admit(now) for now in (0.0, 1.0, 9.9, 10.0, 15.0, 30.0)] == [
        0,
        None,
        None,
        2,
        None,
        1,
    ]
