from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.varint import read_varint, to_varint


@given(st.integers(0, 2**35 - 1), st.binary(max_size=8))
def test_a_number_is_read_again_whatever_follows(number: int, rest: bytes) -> None:
    written = to_varint(number)
    assert read_varint(written + rest) == (number, len(written))


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**35 - 1, "ffffffff7f")],
)
def test_seven_bits_go_into_a_byte_the_lowest_first(number: int, written: str) -> None:
    assert to_varint(number).hex() == written


@pytest.mark.parametrize("damaged", ["", "80", "ffffff", "8000", "ff8000", "ffffffffff01"])
def test_what_ends_too_early_or_too_late_is_refused(damaged: str) -> None:
    with pytest.raises(DecodeError, match="length"):
        read_varint(bytes.fromhex(damaged))
