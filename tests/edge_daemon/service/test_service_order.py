"""Order by itself, and order, fairness and bounds together in a simulation of the stages."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.service.fairness import FairQueue
from edge_daemon.service.order import Turnstile


def taken_up(turnstile: Turnstile[str], client: str = "cam") -> list[str]:
    results: list[str] = []
    while (result := turnstile.take_up(client)) is not None:
        results.append(result)
    return results


def test_results_wait_for_those_before_them() -> None:
    turnstile: Turnstile[str] = Turnstile()
    first, second, third = (turnstile.enter("cam") for _ in range(3))
    assert not turnstile.lay_down("cam", third, "third")
    assert not turnstile.lay_down("cam", second, "second")
    assert taken_up(turnstile) == []
    assert turnstile.held == 2
    assert turnstile.lay_down("cam", first, "first")
    assert taken_up(turnstile) == ["first", "second", "third"]
    assert turnstile.outstanding == 0


def test_a_frame_that_fails_gives_way() -> None:
    turnstile: Turnstile[str] = Turnstile()
    first, second = turnstile.enter("cam"), turnstile.enter("cam")
    turnstile.lay_down("cam", second, "second")
    turnstile.give_way("cam", first)
    assert taken_up(turnstile) == ["second"]


def test_clients_do_not_wait_for_each_other() -> None:
    turnstile: Turnstile[str] = Turnstile()
    turnstile.enter("slow")
    quick = turnstile.enter("quick")
    assert turnstile.lay_down("quick", quick, "done")
    assert taken_up(turnstile, "quick") == ["done"]
    assert taken_up(turnstile, "slow") == []
    assert taken_up(turnstile, "nobody") == []


MOST_BEGUN = 4
MOST_UNDER_WAY = 5
ROOM = 2

Frame = tuple[str, int]


class Simulation:
    """The stages in miniature: two with a bounded queue between them, a slow lane, and the way out.

    Each move is one that a worker could make now, whatever the others do.
    """

    def __init__(self) -> None:
        self.queue: FairQueue[Frame] = FairQueue(MOST_BEGUN)
        self.turnstile: Turnstile[Frame] = Turnstile()
        self.opening: list[Frame] = []
        self.finishing: list[Frame] = []
        self.slow: list[Frame] = []
        self.under_way: set[Frame] = set()
        self.admitted: defaultdict[str, list[int]] = defaultdict(list)
        self.failed: set[Frame] = set()
        self.left: defaultdict[str, list[int]] = defaultdict(list)

    def admit(self, client: str) -> None:
        ticket = self.turnstile.enter(client)
        self.admitted[client].append(ticket)
        self.queue.put(client, (client, ticket), cost=1.0, weight=1.0)

    def moves(self) -> list[tuple[str, Frame | None]]:
        """What can be done now."""
        moves: list[tuple[str, Frame | None]] = []
        if len(self.under_way) < MOST_UNDER_WAY:
            moves.append(("begin", None))
        for frame in self.opening:
            moves.append(("fail", frame))
            if len(self.finishing) < ROOM:
                moves.append(("pass on", frame))
            if len(self.slow) < ROOM:
                moves.append(("slow", frame))
        moves.extend(("finish", frame) for frame in self.finishing + self.slow)
        return moves

    def make(self, move: str, frame: Frame | None) -> bool:
        """Makes a move; False if it changed nothing."""
        if frame is None:
            begun = self.queue.pop()
            if begun is None:
                return False
            self.opening.append(begun)
            self.under_way.add(begun)
            return True
        place = next(place for place in (self.opening, self.finishing, self.slow) if frame in place)
        place.remove(frame)
        if move == "pass on":
            self.finishing.append(frame)
        elif move == "slow":
            self.slow.append(frame)
            self.under_way.discard(frame)
        elif move == "fail":
            self.failed.add(frame)
            self.turnstile.give_way(*frame)
            self._end(frame)
        elif not self.turnstile.lay_down(*frame, frame):
            self.under_way.discard(frame)
        self._let_out(frame[0])
        return True

    def _let_out(self, client: str) -> None:
        while (frame := self.turnstile.take_up(client)) is not None:
            self.left[client].append(frame[1])
            self._end(frame)

    def _end(self, frame: Frame) -> None:
        self.under_way.discard(frame)
        self.queue.done(frame[0])


@given(st.lists(st.sampled_from("abc") | st.integers(0, 1000), max_size=150), st.randoms())
@settings(deadline=None)
def test_whatever_the_threads_do_all_frames_leave_in_order(
    events: list[str | int], chance: Random
) -> None:
    simulation = Simulation()
    for event in events:
        if isinstance(event, str):
            simulation.admit(event)
        elif moves := simulation.moves():
            simulation.make(*moves[event % len(moves)])
        begun = Counter({client: simulation.queue.begun(client) for client in "abc"})
        assert max(begun.values()) <= MOST_BEGUN
        assert len(simulation.under_way) <= MOST_UNDER_WAY
        in_stages = len(simulation.opening) + len(simulation.finishing) + len(simulation.slow)
        assert simulation.turnstile.held <= MOST_BEGUN * in_stages
    while simulation.turnstile.outstanding:
        moves = simulation.moves()
        chance.shuffle(moves)
        assert any(simulation.make(*move) for move in moves), "a deadlock"
    for client, tickets in simulation.admitted.items():
        left = [ticket for ticket in tickets if (client, ticket) not in simulation.failed]
        assert simulation.left[client] == left
    assert not simulation.under_way
    assert len(simulation.queue) == 0
