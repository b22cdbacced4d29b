from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.service.pace import FIRST_GUESS_S, FRESH_S, Estimate, Pace


def test_an_estimate_follows_what_is_measured() -> None:
    estimate = Estimate()
    for number in range(100):
        estimate.add(1.0, number)
    assert estimate.mean == pytest.approx(1.0)
    assert estimate.high == pytest.approx(1.0, rel=0.01)
    for number in range(60):
        estimate.add(3.0, number)
    assert estimate.mean == pytest.approx(3.0, rel=0.01)


def test_a_slow_first_frame_is_soon_outweighed() -> None:
    estimate = Estimate()
    for seconds in (2.0, 0.05, 0.05, 0.05):
        estimate.add(seconds, 0.0)
    assert estimate.mean == pytest.approx((2.0 + 3 * 0.05) / 4)


@given(st.lists(st.floats(0.001, 100.0), min_size=1, max_size=50))
def test_low_mean_and_high_stand_in_order_and_within_reason(measured: list[float]) -> None:
    estimate = Estimate()
    for seconds in measured:
        estimate.add(seconds, 0.0)
    tiny = 1e-9 * max(measured)
    assert estimate.low <= estimate.mean + tiny
    assert estimate.mean <= estimate.high + tiny
    assert min(measured) - tiny <= estimate.mean <= max(measured) + tiny


def test_a_client_is_judged_by_its_own_frames_and_an_unknown_one_by_all() -> None:
    pace = Pace(2)
    assert pace.cost_s("large") == FIRST_GUESS_S
    for client, seconds in (("large", 4.0), ("small", 0.5)):
        pace.done(client, cost_s=seconds, service_s=seconds, now=0.0)
        pace.took(client, seconds, now=0.0)
    assert pace.cost_s("large") == 4.0
    assert pace.cost_s("small") == 0.5
    assert 0.5 < pace.cost_s("new") < 4.0
    assert pace.rest_s("large", 0.0, in_work=True) > 4.0
    assert 0.5 < pace.rest_s("small", 0.0, in_work=True) < 4.0
    assert pace.rest_s("new", 0.0, in_work=True) > 0.5
    assert pace.rest_s("new", 0.0, in_work=False) == 0.0


def test_a_client_that_was_slow_once_is_tried_again() -> None:
    pace = Pace(2)
    for _ in range(20):
        pace.done("cam", cost_s=9.0, service_s=9.0, now=100.0)
        pace.took("cam", 9.0, now=100.0)
    assert pace.rest_s("cam", 100.0 + FRESH_S, in_work=False) >= 9.0
    assert pace.least_s("cam", 100.0 + FRESH_S) == pytest.approx(9.0, abs=0.1)
    later = 100.0 + FRESH_S + 0.1
    assert pace.rest_s("cam", later, in_work=False) == 0.0
    assert pace.least_s("cam", later) == 0.0


def test_what_was_foretold_too_late_is_taken_off() -> None:
    pace = Pace(2)
    for _ in range(30):
        pace.took("cam", -0.5, now=0.0)
    assert pace.rest_s("cam", 0.0, in_work=True) == pytest.approx(-0.5, abs=0.01)


def test_work_is_as_fast_as_it_is_begun_while_more_waits() -> None:
    pace = Pace(2)
    for number in range(300):
        pace.begun(0.3, number * 0.1, more=True)
    assert pace.speed(30.0) == pytest.approx(3.0, rel=0.05)


def test_time_without_frames_is_not_slowness() -> None:
    pace = Pace(2)
    for number in range(300):
        pace.begun(0.3, number * 100.0, more=False)
    assert pace.speed(30_000.0) == pytest.approx(2.0)


def test_a_standstill_counts_before_it_is_over() -> None:
    pace = Pace(2)
    for number in range(300):
        pace.begun(0.3, number * 0.1, more=True)
    assert pace.speed(29.9 + 100.0) < 0.2


def test_slowness_that_is_over_does_not_keep_frames_out() -> None:
    pace = Pace(2)
    for number in range(300):
        pace.begun(0.1, number * 10.0, more=True)
    assert pace.speed(2990.0) < 0.1
    pace.begun(0.1, 3000.0, more=False)
    # Alone a frame has a thread to itself, so a second of work takes a second.
    assert pace.speed(3000.0) == 1.0


def test_only_the_clients_seen_last_are_remembered() -> None:
    pace = Pace(2, most=2)
    for number, client in enumerate(["a", "b", "a", "c"]):
        pace.done(client, cost_s=7.0 + number, service_s=9.0, now=0.0)
    overall = pace.cost_s("never seen")
    assert pace.cost_s("a") == 8.0
    assert pace.cost_s("b") == overall
