from __future__ import annotations

import pytest

from edge_daemon.service.activity import Activity


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_is_at_one_piece_of_work_for_too_long_is_named_longest_first() -> None:
    clock = Clock()
    activity = Activity(clock)
    with activity.busy("score"):
        clock.now = 5.0
        with activity.busy("finish-0"):
            clock.now = 11.0
            assert activity.stalled(11.0, 10.0) == ["score"]
            assert activity.stalled(15.0, 10.0) == ["score"]
            assert activity.stalled(21.0, 5.0) == ["score", "finish-0"]


def test_who_waits_for_work_is_not_hung() -> None:
    clock = Clock()
    activity = Activity(clock)
    with activity.busy("open-0"):
        clock.now = 1.0
    assert activity.stalled(1000.0, 10.0) == []


def test_every_piece_of_work_is_timed_anew() -> None:
    clock = Clock()
    activity = Activity(clock)
    for clock.now in (0.0, 8.0, 16.0):
        with activity.busy("open-0"):
            assert activity.stalled(clock.now + 9.0, 10.0) == []


def test_work_that_fails_is_over() -> None:
    activity = Activity(Clock())
    with pytest.raises(RuntimeError), activity.busy("open-0"):
        raise RuntimeError
    assert activity.stalled(1000.0, 10.0) == []
