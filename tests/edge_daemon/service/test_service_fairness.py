from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.service.fairness import FairQueue, within_share

MANY = 10**6

CLIENTS = st.sampled_from("abcd")
COSTS = st.floats(0.01, 10.0)
WEIGHTS = st.floats(0.01, 100.0)


def served(
    queue: FairQueue[str], weights: dict[str, float], costs: dict[str, float], frames: int
) -> Counter[str]:
    """How often each client is begun when all of them always have two frames waiting."""
    begun: Counter[str] = Counter()
    for _ in range(frames):
        for client, weight in weights.items():
            while queue.waiting(client) < 2:
                queue.put(client, client, cost=costs[client], weight=weight)
        client = queue.pop()
        assert client is not None
        begun[client] += 1
        queue.done(client)
    return begun


def test_equal_clients_take_turns() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    begun = served(queue, dict.fromkeys("abc", 1.0), dict.fromkeys("abc", 0.3), 300)
    assert set(begun.values()) == {100}


def test_a_weight_of_three_is_three_times_the_throughput() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    begun = served(queue, {"heavy": 3.0, "light": 1.0}, {"heavy": 0.2, "light": 0.2}, 400)
    assert begun["heavy"] / begun["light"] == pytest.approx(3.0, rel=0.1)


def test_frames_are_paid_for_by_their_cost() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    begun = served(queue, {"large": 1.0, "small": 1.0}, {"large": 4.0, "small": 1.0}, 500)
    assert begun["small"] / begun["large"] == pytest.approx(4.0, rel=0.1)


def test_what_a_frame_cost_beyond_its_estimate_is_charged_afterwards() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    true_costs = {"liar": 3.0, "honest": 1.0}
    spent: Counter[str] = Counter()
    for _ in range(400):
        for client in true_costs:
            while queue.waiting(client) < 2:
                queue.put(client, client, cost=1.0, weight=1.0)
        client = queue.pop()
        assert client is not None
        spent[client] += round(true_costs[client])
        queue.done(client, surplus=true_costs[client] - 1.0)
    assert spent["liar"] / spent["honest"] == pytest.approx(1.0, rel=0.05)


def test_a_flood_does_not_delay_who_comes_by() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    for number in range(100):
        queue.put("greedy", f"greedy {number}", cost=1.0, weight=1.0)
    begun = [queue.pop() for _ in range(10)]
    queue.put("modest", "modest", cost=1.0, weight=1.0)
    assert begun == [f"greedy {number}" for number in range(10)]
    assert "modest" in {queue.pop(), queue.pop()}


def test_idling_saves_nothing_up() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    queue.put("idler", "idler", cost=1.0, weight=1.0)
    queue.pop()
    for _ in range(50):
        queue.put("worker", "worker", cost=1.0, weight=1.0)
        queue.pop()
    begun = served(
        queue, dict.fromkeys(("idler", "worker"), 1.0), dict.fromkeys(("idler", "worker"), 1.0), 20
    )
    assert abs(begun["idler"] - begun["worker"]) <= 2


def test_a_client_that_has_begun_enough_is_passed_until_a_frame_is_done() -> None:
    queue: FairQueue[str] = FairQueue(most_begun=2)
    for number in range(4):
        queue.put("a", f"a{number}", cost=1.0, weight=100.0)
    queue.put("b", "b0", cost=1.0, weight=0.01)
    assert [queue.pop() for _ in range(4)] == ["a0", "b0", "a1", None]
    queue.done("a")
    assert queue.pop() == "a2"
    assert (queue.begun("a"), queue.begun("b"), queue.begun("nobody")) == (2, 1, 0)


def test_a_frame_put_in_the_place_of_another_keeps_its_turn() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    for client in "ab":
        queue.put(client, f"{client}, old", cost=1.0, weight=1.0)
    assert queue.swap("a", "a, new", cost=1.0) == "a, old"
    assert [queue.pop(), queue.pop(), queue.pop()] == ["a, new", "b, old", None]


def test_clients_that_left_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue(MANY, most_flows=5)
    queue.put("stays", "stays", cost=1.0, weight=1.0)
    for number in range(50):
        queue.put(f"passes-{number}", "passes", cost=1.0, weight=0.01)
        while (client := queue.pop()) is not None:
            if client == "passes":
                queue.done(f"passes-{number}")
    assert queue.flows <= 7
    queue.done("stays")
    assert queue.flows == 0


@given(st.lists(st.tuples(CLIENTS, COSTS, WEIGHTS) | st.none(), max_size=80))
def test_nothing_is_lost_and_no_client_is_reordered(
    events: Sequence[tuple[str, float, float] | None],
) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue(MANY)
    waiting: defaultdict[str, deque[int]] = defaultdict(deque)
    events = [*events, *[None] * len(events)]
    for number, event in enumerate(events):
        if event is not None:
            client, cost, weight = event
            queue.put(client, (client, number), cost=cost, weight=weight)
            waiting[client].append(number)
            continue
        begun = queue.pop()
        if begun is None:
            assert not any(waiting.values())
        else:
            assert waiting[begun[0]].popleft() == begun[1]
            queue.done(begun[0])
    assert not any(waiting.values())
    assert len(queue) == 0


@given(
    flows=st.dictionaries(CLIENTS, st.tuples(WEIGHTS, st.lists(COSTS, min_size=1)), min_size=2),
    frames=st.integers(1, 200),
)
def test_who_always_has_frames_waiting_gets_its_share_to_within_a_frame(
    flows: dict[str, tuple[float, list[float]]], frames: int
) -> None:
    queue: FairQueue[tuple[str, float]] = FairQueue(MANY)
    sent: Counter[str] = Counter()
    work = dict.fromkeys(flows, 0.0)
    for _ in range(frames):
        for client, (weight, costs) in flows.items():
            while queue.waiting(client) < 2:
                cost = costs[sent[client] % len(costs)]
                queue.put(client, (client, cost), cost=cost, weight=weight)
                sent[client] += 1
        begun = queue.pop()
        assert begun is not None
        work[begun[0]] += begun[1]
        queue.done(begun[0])
    # The theorem of start-time fair queueing.
    for one, (weight, costs) in flows.items():
        for other, (others_weight, others_costs) in flows.items():
            apart = abs(work[one] / weight - work[other] / others_weight)
            bound = max(costs) / weight + max(others_costs) / others_weight
            assert apart <= bound * (1 + 1e-9)


@given(
    costs=st.fixed_dictionaries(dict.fromkeys("abcd", COSTS)),
    weights=st.fixed_dictionaries(dict.fromkeys("abcd", WEIGHTS)),
    before=st.lists(CLIENTS | st.none(), max_size=40),
    after=st.lists(CLIENTS, max_size=40),
)
def test_no_more_is_begun_before_a_frame_than_was_foretold(
    costs: dict[str, float], weights: dict[str, float], before: list[str | None], after: list[str]
) -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    for client in before:
        if client is None:
            queue.pop()
        else:
            queue.put(client, client, cost=costs[client], weight=weights[client])
    foretold = queue.work_ahead("a", weight=weights["a"])
    queue.put("a", "ours", cost=costs["a"], weight=weights["a"])
    begun = 0.0
    for client in [*after, *[None] * MANY]:
        if client not in {None, "a"} and queue.waiting(str(client)):
            queue.put(
                str(client), str(client), cost=costs[str(client)], weight=weights[str(client)]
            )
        next_one = queue.pop()
        if next_one == "ours":
            break
        assert next_one is not None
        begun += costs[next_one]
    assert begun <= foretold * (1 + 1e-9) + 1e-9


def test_a_frame_in_the_place_of_another_has_only_what_was_before_that_ahead_of_it() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    queue.put("a", "old", cost=3.0, weight=1.0)
    assert queue.work_ahead("a", weight=1.0) == 3.0
    assert queue.work_ahead("a", weight=1.0, instead=True) == 0.0


def test_a_client_that_was_refused_counts_as_if_its_frame_waited() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    queue.put("greedy", "greedy", cost=2.0, weight=1.0)
    queue.pop()
    assert queue.work_ahead("greedy", weight=1.0) == 0.0
    queue.claim("modest", cost=3.0, weight=1.0, now=10.0, until=11.0)
    # The greedy one's next would start 2 after the modest one's, which is done whole.
    assert queue.work_ahead("greedy", weight=1.0, now=10.5) == 2.0 + 3.0
    assert queue.work_ahead("modest", weight=1.0, now=10.5) == 0.0
    queue.done("greedy", now=11.5)
    assert queue.work_ahead("greedy", weight=1.0, now=11.5) == 0.0


def test_who_asks_again_in_time_has_not_fallen_behind() -> None:
    queue: FairQueue[str] = FairQueue(MANY)
    queue.claim("modest", cost=1.0, weight=1.0, now=0.0, until=1.0)
    queue.claim("late", cost=1.0, weight=1.0, now=0.0, until=1.0)
    for _ in range(5):
        queue.put("greedy", "greedy", cost=1.0, weight=1.0, now=0.5)
        queue.pop()
    queue.put("greedy", "greedy", cost=1.0, weight=1.0, now=0.5)
    queue.put("modest", "modest 1", cost=1.0, weight=1.0, now=0.9)
    queue.put("modest", "modest 2", cost=1.0, weight=1.0, now=0.9)
    queue.put("late", "late 1", cost=1.0, weight=1.0, now=1.1)
    queue.put("late", "late 2", cost=1.0, weight=1.0, now=1.1)
    begun = [queue.pop() for _ in range(5)]
    assert begun[:2] == ["modest 1", "modest 2"]
    assert begun.index("greedy") < begun.index("late 2")


def test_claims_of_many_are_bounded() -> None:
    queue: FairQueue[str] = FairQueue(MANY, most_flows=5)
    for number in range(100):
        queue.claim(f"cam-{number}", cost=1.0, weight=1.0, now=0.0, until=100.0)
    assert queue.flows <= 6


def test_alone_a_client_may_fill_its_share() -> None:
    assert within_share(8, 8, 16, 0.5)
    assert not within_share(9, 9, 16, 0.5)
    assert within_share(16, 16, 16, 1.0)
    assert not within_share(17, 17, 16, 1.0)


@given(
    shares=st.lists(st.floats(0.05, 0.95), min_size=1, max_size=12),
    asking=st.lists(st.integers(0, 11), max_size=300),
    capacity=st.integers(2, 64),
)
def test_however_many_ask_for_more_a_newcomer_finds_room(
    shares: list[float], asking: list[int], capacity: int
) -> None:
    held: Counter[int] = Counter()
    for one in asking:
        client = one % len(shares)
        own, total = held[client] + 1, held.total() + 1
        if own > 1 and within_share(own, total, capacity, shares[client]):
            held[client] += 1
            # Who has a frame waiting never takes the last place.
            assert held.total() < capacity
        elif own == 1 and total < capacity:
            held[client] += 1
    assert held.total() <= capacity
