"""Shares of the receiver's room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.cloud.credit import Credit


def test_one_sender_has_all_the_room() -> None:
    assert Credit(64).of(b"a", own=0, taken=0, now=0.0) == 64


def test_senders_share_the_room_and_those_who_only_ping_take_nothing() -> None:
    credit = Credit(64)
    credit.sent(b"a", 0.0)
    for number in range(10):
        assert credit.of(b"idle %d" % number, own=0, taken=1, now=0.0) == 32
    assert credit.of(b"a", own=1, taken=1, now=0.0) == 64
    credit.sent(b"b", 0.0)
    assert credit.of(b"a", own=1, taken=2, now=0.0) == 32


def test_a_full_receiver_gives_what_a_sender_has_in_work_already_and_no_more() -> None:
    credit = Credit(8)
    credit.sent(b"a", 0.0)
    assert credit.of(b"a", own=8, taken=8, now=0.0) == 8
    assert credit.of(b"b", own=0, taken=8, now=0.0) == 0


def test_who_was_told_none_gets_a_share_when_there_is_room_again() -> None:
    credit = Credit(8)
    credit.sent(b"a", 0.0)
    assert credit.of(b"b", own=0, taken=8, now=0.0) == 0
    assert credit.of(b"a", own=8, taken=8, now=1.0) == 4
    assert credit.of(b"b", own=0, taken=4, now=2.0) == 4


def test_senders_that_went_silent_give_their_share_back() -> None:
    credit = Credit(8)
    credit.sent(b"a", 0.0)
    credit.sent(b"b", 5.0)
    assert credit.of(b"b", own=0, taken=0, now=9.0) == 4
    assert credit.of(b"b", own=0, taken=0, now=11.0) == 8


@given(
    room=st.integers(1, 100),
    senders=st.integers(1, 300),
    own=st.integers(0, 100),
    others=st.integers(0, 100),
)
def test_nobody_is_starved_while_there_is_room(
    room: int, senders: int, own: int, others: int
) -> None:
    credit = Credit(room)
    for number in range(senders):
        credit.sent(b"%d" % number, 0.0)
    taken = min(room, own + others)
    given_ = credit.of(b"0", own=min(own, taken), taken=taken, now=0.0)
    assert given_ >= (1 if taken < room else 0)
    assert given_ <= room
