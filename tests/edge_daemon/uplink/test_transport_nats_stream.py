"""Subjects and headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.errors import (
    MessageError,
)
from edge_daemon.uplink.transports.nats_stream import headers_of, key_of, token_of

IDS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}", fullmatch=True)


@given(IDS, IDS)
def test_each_client_has_a_token_of_its_own(one: str, other: str) -> None:
    assert (token_of(one) == token_of(other)) == (one == other)
    assert not set(token_of(one)) & set(".*> ")


@given(IDS, st.integers(0, 2**53 - 1))
def test_headers_name_the_key(client: str, sequence: int) -> None:
    assert key_of(headers_of((client, sequence))) == (client, sequence)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"Edge-Client": "cam"},
        {"Edge-Sequence": "1"},
        {"Edge-Client": "../cam", "Edge-Sequence": "1"},
        {"Edge-Client": "cam\n", "Edge-Sequence": "1"},
        {"Edge-Client": "cam", "Edge-Sequence": "-1"},
        {"Edge-Client": "cam", "Edge-Sequence": str(2**53)},
    ],
)
def test_headers_that_name_no_key_are_an_error(headers: dict[str, str] | None) -> None:
    with pytest.raises(MessageError):
        key_of(headers)
