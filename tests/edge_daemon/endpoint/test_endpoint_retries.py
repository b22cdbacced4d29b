"""When a request is sent again. Time is the test's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from edge_daemon.endpoint.errors import EndpointDownError, EndpointError, EndpointSlowError
from edge_daemon.endpoint.retries import retried


@dataclass
class Peer:
    """A stand-in for a peer and for the time that goes by with it."""

    failures: list[EndpointError]
    takes_s: float = 0.0
    now: float = 100.0
    tries: list[float] = field(default_factory=list[float])
    pauses: list[float] = field(default_factory=list[float])

    def attempt(self, seconds: float) -> str:
        self.tries.append(seconds)
        self.now += self.takes_s
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def asked(
        self,
        *,
        attempts: int = 9,
        deadline_s: float = 1000.0,
        timeout_s: float = 60.0,
        draw: Callable[[], float] = lambda: 1.0,
    ) -> str:
        return retried(
            self.attempt,
            attempts=attempts,
            deadline_s=deadline_s,
            timeout_s=timeout_s,
            draw=draw,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


def down(retry_after_s: float | None = None) -> EndpointError:
    return EndpointDownError("down", remedy="wait", retry_after_s=retry_after_s, transient=True)


def test_pauses_double_up_to_a_bound_and_are_drawn_below_it() -> None:
    peer = Peer([down() for _ in range(7)])
    assert peer.asked() == "answer"
    assert peer.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    peer = Peer([down() for _ in range(3)])
    assert peer.asked(draw=lambda: 0.25) == "answer"
    assert peer.pauses == [0.125, 0.25, 0.5]


def test_a_peer_that_names_a_pause_gets_at_least_that() -> None:
    peer = Peer([down(3.0), down(0.1)])
    assert peer.asked() == "answer"
    assert peer.pauses == [3.0, 1.0]


def test_a_pause_that_the_deadline_does_not_hold_ends_it_at_once() -> None:
    peer = Peer([down(3600.0)])
    with pytest.raises(EndpointDownError) as caught:
        peer.asked(deadline_s=60.0)
    assert peer.pauses == []
    assert caught.value.retry_after_s == 3600.0


def test_a_try_gets_what_is_left_of_the_deadline() -> None:
    peer = Peer([down(), down(), down(), down()], takes_s=4.0)
    with pytest.raises(EndpointDownError):
        peer.asked(deadline_s=12.0, timeout_s=5.0, draw=lambda: 0.0)
    assert peer.tries == [5.0, 5.0, 4.0]


def test_without_time_nobody_is_asked() -> None:
    peer = Peer([])
    with pytest.raises(EndpointSlowError):
        peer.asked(deadline_s=0.0)
    assert peer.tries == []
