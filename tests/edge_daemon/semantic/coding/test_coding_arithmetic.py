from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.arithmetic import (
    TOTAL_MAX,
    ArithmeticDecoder,
    ArithmeticEncoder,
)

Symbol = tuple[int, int, int]
"""Start, size and total."""


@st.composite
def symbols(draw: st.DrawFn, most: int = TOTAL_MAX) -> list[Symbol]:
    drawn: list[Symbol] = []
    for total in draw(st.lists(st.integers(1, most), max_size=60)):
        start = draw(st.integers(0, total - 1))
        drawn.append((start, draw(st.integers(1, total - start)), total))
    return drawn


def encoded(message: list[Symbol]) -> bytes:
    coder = ArithmeticEncoder()
    for symbol in message:
        coder.encode(*symbol)
    return coder.finish()


def decode(data: bytes, message: list[Symbol]) -> None:
    """Decode a message of known symbols, each at its place."""
    coder = ArithmeticDecoder(data)
    for start, size, total in message:
        assert start <= coder.point(total) < start + size
        coder.narrow(start, size)
    coder.finish()


def decode_bytes(data: bytes, count: int) -> list[Symbol]:
    """Decode a message of equally likely bytes."""
    coder, found = ArithmeticDecoder(data), list[Symbol]()
    for _ in range(count):
        found.append((coder.point(256), 1, 256))
        coder.narrow(*found[-1][:2])
    coder.finish()
    return found


def coins(count: int, seed: int, chance: float = 0.5) -> list[Symbol]:
    rng = random.Random(seed)
    heads = round(chance * 1000)
    sides = [(0, heads, 1000), (heads, 1000 - heads, 1000)]
    return [sides[rng.random() >= chance] for _ in range(count)]


@given(symbols())
def test_every_symbol_is_found_again(message: list[Symbol]) -> None:
    decode(encoded(message), message)


@given(symbols(most=2**25))
def test_a_message_takes_what_its_symbols_tell_and_less_than_two_bytes_more(
    message: list[Symbol],
) -> None:
    told_bits = sum(math.log2(total / size) for _, size, total in message)
    # what the division of an interval leaves over is lost, at most 1/128 of it
    lost_bits = len(message) * math.log2(128 / 127)
    assert told_bits / 8 - 1 < len(encoded(message)) < (told_bits + lost_bits) / 8 + 2


@pytest.mark.parametrize("chance", [0.5, 0.9, 0.99, 0.999])
def test_long_messages_come_within_a_thousandth_of_the_entropy(chance: float) -> None:
    message = coins(20_000, 1, chance)
    told = sum(math.log2(total / size) for _, size, total in message) / 8
    assert len(encoded(message)) <= 1.001 * told + 1


def test_nothing_takes_no_byte() -> None:
    assert encoded([]) == b""
    decode(b"", [])


@pytest.mark.parametrize("seed", range(20))
def test_zeros_left_over_are_refused(seed: int) -> None:
    message = coins(100, seed)
    data = encoded(message)
    for more in (b"\0", bytes(5), bytes(40)):
        with pytest.raises(DecodeError, match="left over"):
            decode(data + more, message)


def test_bytes_that_are_missing_are_missed() -> None:
    message = [(3, 1, 256)] * 40
    data = encoded(message)
    # an encoder leaves out up to five zeros, so that as few missing bytes may be another message
    for kept in range(len(data) - 5):
        with pytest.raises(DecodeError, match="ends too early"):
            decode_bytes(data[:kept], len(message))


def test_a_fraction_between_the_symbols_is_refused() -> None:
    # thirds do not divide the interval evenly, and its very end belongs to none
    with pytest.raises(DecodeError, match="belongs to no symbol"):
        ArithmeticDecoder(b"\xff" * 8).point(3)


@given(st.binary(max_size=24), st.integers(0, 24))
def test_whatever_can_be_decoded_is_what_is_encoded_for_it(data: bytes, count: int) -> None:
    try:
        found = decode_bytes(data, count)
    except DecodeError:
        return
    assert encoded(found) == data
