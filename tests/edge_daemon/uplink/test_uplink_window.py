from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.uplink.spool import Record
from edge_daemon.uplink.window import LONGEST_BACK_OFF_S, Parcel, Window

NUMBERS = itertools.count()


def parcel(client: str, sequence: int, *, size: int = 1000, backlog: bool = False) -> Parcel:
    record = Record(next(NUMBERS), (client, sequence), size, 0.0, "drop-oldest", has_spare=False)
    return Parcel(record, backlog)


def filled(count: int, *, in_flight: int = 2, ack_timeout_s: float = 10.0) -> Window:
    window = Window(in_flight, ack_timeout_s)
    for sequence in range(count):
        window.put(parcel("cam", sequence))
    return window


def send_all(window: Window, now: float) -> list[int]:
    return [sequence for _, sequence in send_keys(window, now)]


def send_keys(window: Window, now: float) -> list[tuple[str, int]]:
    sent: list[tuple[str, int]] = []
    while (one := window.next(now)) is not None:
        window.sent(one, now, one.record.size)
        sent.append(one.key)
    return sent


def test_no_more_leave_than_there_is_credit_for() -> None:
    window = filled(5)
    assert send_all(window, 0.0) == [0, 1]
    assert send_all(window, 1.0) == []
    assert window.done(("cam", 1))
    assert send_all(window, 2.0) == [2]
    assert (len(window), window.in_flight) == (4, 2)


def test_an_unanswered_envelope_leaves_again_after_twice_the_time_each_time() -> None:
    window = filled(1)
    sent = [now for now in range(200) if send_all(window, float(now))]
    assert sent == [0, 10, 30, 70, 150]


def test_back_off_is_bounded() -> None:
    window = filled(1, ack_timeout_s=200.0)
    for now in (0.0, 200.0):
        assert send_all(window, now) == [0]
    assert window.next_due_s(200.0) == LONGEST_BACK_OFF_S


def test_a_second_answer_changes_nothing() -> None:
    window = filled(1)
    send_all(window, 0.0)
    assert window.done(("cam", 0))
    assert not window.done(("cam", 0))
    assert not window.postpone(("cam", 0), 5.0)
    assert len(window) == 0


def test_an_answer_to_what_was_never_sent_changes_nothing() -> None:
    window = filled(1)
    assert not window.done(("cam", 0))
    assert send_all(window, 0.0) == [0]


def test_a_postponed_envelope_leaves_at_that_time_and_holds_its_client_only() -> None:
    window = Window(4, 10.0)
    for client, sequence in (("a", 0), ("a", 1), ("b", 0)):
        window.put(parcel(client, sequence))
    first = window.next(0.0)
    assert first is not None
    window.sent(first, 0.0, first.record.size)
    assert window.postpone(("a", 0), 3.0)
    assert send_keys(window, 0.0) == [("b", 0)]
    assert send_keys(window, 2.9) == []
    assert send_keys(window, 3.0) == [("a", 0), ("a", 1)]


def test_what_waits_behind_a_postponed_one_is_not_looked_at_before() -> None:
    window = filled(2)
    send_all(window, 0.0)
    assert window.postpone(("cam", 0), 5.0)
    assert window.postpone(("cam", 1), 1.0)
    assert window.next(2.0) is None
    assert window.next_due_s(2.0) == 3.0


def test_after_a_reconnection_all_in_flight_leaves_again_first_and_in_order() -> None:
    window = filled(4, in_flight=3)
    send_all(window, 0.0)
    window.postpone(("cam", 1), 500.0)
    window.disconnected()
    window.reconnected(1.0)
    window.done(("cam", 0))
    assert send_all(window, 1.0) == [1, 2, 3]


def test_the_backlog_leaves_before_what_came_later() -> None:
    window = filled(3, in_flight=9)
    window.disconnected()
    window.put(parcel("live", 0))
    window.reconnected(1.0)
    assert window.backlog == 3
    assert send_keys(window, 1.0) == [("cam", 0), ("cam", 1), ("cam", 2), ("live", 0)]


def test_live_frames_leave_before_the_backlog_if_so_wished() -> None:
    window = Window(9, 10.0, live_first=True)
    for sequence in range(3):
        window.put(parcel("cam", sequence, backlog=True))
    window.put(parcel("cam", 3))
    window.put(parcel("other", 0))
    sent = send_keys(window, 0.0)
    assert sent == [("cam", 3), ("other", 0), ("cam", 0), ("cam", 1), ("cam", 2)]


@pytest.mark.parametrize("live_first", [False, True])
def test_the_backlog_keeps_its_pace(live_first: bool) -> None:
    window = Window(100, 1e6, live_first=live_first, backlog_bytes_per_s=1000.0)
    for sequence in range(20):
        window.put(parcel("cam", sequence, size=500, backlog=True))
    window.put(parcel("live", 0, size=10**6))
    left: list[tuple[float, tuple[str, int]]] = []
    now = 0.0
    while len(window) > window.in_flight:
        left += [(now, key) for key in send_keys(window, now)]
        now += max(0.01, window.next_due_s(now))
    waited = [(at, key) for at, key in left if key[0] == "cam"]
    assert [key[1] for _, key in waited] == list(range(20))
    for (at, _), after in itertools.product(waited, range(1, 12)):
        inside = sum(500 for other, _ in waited if at <= other <= at + after)
        assert inside <= 1000.0 * (after + 1.0) + 500
    assert waited[-1][0] == pytest.approx(9.5, abs=0.6)
    (live_at,) = (at for at, key in left if key[0] == "live")
    assert live_at == (0.0 if live_first else pytest.approx(waited[-1][0], abs=0.6))


@pytest.mark.parametrize(("size", "pause_s"), [(100, 0.1), (50_000, 50.0)])
def test_a_spare_that_stays_behind_does_not_count_against_the_pace(
    size: int, pause_s: float
) -> None:
    window = Window(100, 1e6, backlog_bytes_per_s=1000.0)
    for sequence in range(2):
        window.put(parcel("cam", sequence, size=50_000, backlog=True))
    first = window.next(0.0)
    assert first is not None
    window.sent(first, 0.0, size)
    assert window.next(0.0) is None
    assert window.next_due_s(0.0) == pytest.approx(pause_s)


def test_what_is_dropped_leaves_no_more() -> None:
    window = filled(4)
    send_all(window, 0.0)
    window.drop([("cam", 1), ("cam", 2), ("cam", 9)])
    assert window.find(("cam", 2)) is None
    assert send_all(window, 1.0) == [3]
    assert len(window) == 2


def test_other_bytes_of_what_is_in_flight_are_due_at_once() -> None:
    window = filled(2)
    send_all(window, 0.0)
    window.postpone(("cam", 0), 100.0)
    other = Record(0, ("cam", 0), 77, 0.0, "drop-oldest", has_spare=False)
    window.anew(other, 5.0)
    again = window.next(5.0)
    assert again is not None
    assert (again.record, again.attempts) == (other, 0)


def test_whoever_is_connected_next_is_not_insisted_with() -> None:
    window = filled(2)
    send_all(window, 0.0)
    one = window.find(("cam", 0))
    assert one is not None
    one.insisting = True
    window.anew(one.record, 5.0)
    assert window.next(5.0) is one
    window.disconnected()
    assert one.insisting
    window.reconnected(6.0)
    assert not one.insisting


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "done", "postpone", "drop", "wait", "cut", "reconnect"]),
            st.sampled_from("ab"),
            st.integers(0, 5),
        ),
        max_size=60,
    ),
    st.integers(1, 3),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_nothing_is_lost_and_credit_is_never_exceeded_and_clients_keep_their_order(
    events: list[tuple[str, str, int]], credit: int, live_first: bool
) -> None:
    window = Window(credit, 10.0, live_first=live_first)
    here: dict[tuple[str, int], Parcel] = {}
    sent: set[tuple[str, int]] = set()
    now = 0.0
    for event, client, number in events:
        key = (client, number)
        if event == "put" and key not in here:
            here[key] = parcel(client, number)
            window.put(here[key])
        elif event == "done":
            assert (window.done(key) is not None) == (key in sent)
            here = {other: one for other, one in here.items() if other != key or key not in sent}
            sent.discard(key)
        elif event == "postpone":
            assert window.postpone(key, now + 5.0) == (key in sent)
        elif event == "drop":
            window.drop([key])
            here.pop(key, None)
            sent.discard(key)
        elif event == "cut":
            window.disconnected()
        elif event == "reconnect":
            window.reconnected(now)
        now += number if event == "wait" else 0
        for one in send_keys(window, now):
            if one not in sent and not live_first:
                ahead = [other for other in here if other[0] == one[0] and other not in sent]
                assert all(here[one].id <= here[other].id for other in ahead)
            sent.add(one)
        assert len(window) == len(here)
        assert window.in_flight == len(sent) <= credit
        assert window.under_way() == {here[one].id for one in sent}
    window.reconnected(now)
    while here:
        for one in send_keys(window, now):
            assert window.done(one)
            del here[one]
        now += 1.0
    assert len(window) == 0
