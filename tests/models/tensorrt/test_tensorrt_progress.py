from __future__ import annotations

import pytest

from models.tensorrt.progress import Phases, seconds_left


def test_nested_phases_divide_the_steps_that_they_are_in() -> None:
    told: list[tuple[float, str]] = []
    phases = Phases(lambda share, phase: told.append((share, phase)) is None)
    phases.started("outer", None, 2)
    phases.started("inner", "outer", 4)
    assert phases.stepped("inner", 0)
    assert phases.stepped("inner", 2)
    phases.finished("inner")
    phases.stepped("outer", 0)
    phases.started("inner", "outer", 2)
    phases.stepped("inner", 1)
    phases.finished("inner")
    phases.stepped("outer", 1)
    phases.finished("outer")
    assert [share for share, _ in told] == [0.0, 0.0, 1 / 8, 3 / 8, 0.5, 0.5, 1.0, 1.0]
    assert {phase for _, phase in told} == {"outer", "inner"}


def test_the_share_never_falls_where_steps_are_left_out() -> None:
    told: list[float] = []
    phases = Phases(lambda share, _: told.append(share) is None)
    phases.started("outer", None, 1)
    phases.started("inner", "outer", 2)
    phases.stepped("inner", 0)
    phases.finished("inner")
    phases.started("another", "outer", 100)
    phases.stepped("another", 0)
    assert told == sorted(told)
    assert told[-1] == 0.5


def test_a_listener_can_end_the_build() -> None:
    phases = Phases(lambda share, _: share < 0.5)
    phases.started("outer", None, 4)
    assert phases.stepped("outer", 0)
    assert not phases.stepped("outer", 1)
    assert not phases.stepped("unheard of", 0)


@pytest.mark.parametrize(
    ("elapsed", "share", "usual", "left"),
    [
        (1.0, 0.01, None, None),
        (10.0, 0.25, None, 30.0),
        (10.0, 0.01, 100.0, 90.0),
        (10.0, 0.5, 100.0, 0.5 * 10.0 + 0.5 * 90.0),
        (120.0, 0.0, 100.0, 0.0),
        (50.0, 1.0, 100.0, 0.0),
    ],
)
def test_estimates(elapsed: float, share: float, usual: float | None, left: float | None) -> None:
    assert seconds_left(elapsed, share, usual) == (None if left is None else pytest.approx(left))
