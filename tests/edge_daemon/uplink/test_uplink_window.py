from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.uplink.window import LONGEST_BACK_OFF_S, Parcel, Window


def filled(count: int, *, in_flight: int = 2, ack_timeout_s: float = 10.0) -> Window:
    window = Window(in_flight, ack_timeout_s)
    for sequence in range(count):
        window.put(Parcel(("cam", sequence), b""))
    return window


def send_all(window: Window, now: float) -> list[int]:
    sent: list[int] = []
    for parcel in window.due(now):
        window.sent(parcel, now)
        sent.append(parcel.key[1])
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


def test_a_postponed_envelope_leaves_at_that_time() -> None:
    window = filled(1)
    send_all(window, 0.0)
    assert window.postpone(("cam", 0), 3.0)
    assert send_all(window, 2.9) == []
    assert send_all(window, 3.0) == [0]


def test_after_a_reconnection_all_in_flight_leaves_again_first() -> None:
    window = filled(4)
    send_all(window, 0.0)
    window.reconnected(1.0)
    window.done(("cam", 0))
    assert send_all(window, 1.0) == [1, 2]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 5)),
            st.tuples(st.just("done"), st.integers(0, 5)),
            st.tuples(st.just("postpone"), st.integers(0, 5)),
            st.tuples(st.just("wait"), st.integers(0, 100)),
            st.tuples(st.just("reconnect"), st.just(0)),
        ),
        max_size=40,
    ),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=100)
def test_nothing_is_lost_and_credit_is_never_exceeded(
    events: list[tuple[str, int]], credit: int
) -> None:
    window = Window(credit, 10.0)
    here: set[int] = set()
    sent: set[int] = set()
    now = 0.0
    for event, number in events:
        key = ("cam", number)
        if event == "put" and number not in here:
            window.put(Parcel(key, b""))
            here.add(number)
        elif event == "done":
            assert window.done(key) == (number in sent)
            here -= {number} & sent
            sent -= {number}
        elif event == "postpone":
            assert window.postpone(key, now + 5.0) == (number in sent)
        elif event == "wait":
            now += number
        else:
            window.reconnected(now)
        sent |= set(send_all(window, now))
        assert len(window) == len(here)
        assert window.in_flight == len(sent) <= credit
        # With everything sent, all is in flight up to the credit.
        assert len(sent) == min(credit, len(here))


def test_a_spare_takes_the_place_of_what_the_cloud_could_not_decode() -> None:
    window = Window(2, 10.0)
    window.put(Parcel(("cam", 0), b"learned", spare=b"classical"))
    window.put(Parcel(("cam", 1), b"only"))
    assert not window.swap(("cam", 0), 0.0)  # not sent yet
    send_all(window, 0.0)
    assert window.swap(("cam", 0), 5.0)
    (parcel,) = window.due(5.0)
    assert (parcel.envelope, parcel.spare, parcel.attempts) == (b"classical", None, 0)
    assert not window.swap(("cam", 0), 5.0)  # there is no second spare
    assert not window.swap(("cam", 1), 5.0)
    assert not window.swap(("cam", 9), 5.0)
