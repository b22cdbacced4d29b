from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import DecodeError, MessageError
from edge_daemon.wire.jsontext import MAX_DEPTH, MAX_INTEGER, dump_object, parse_object


def parse(data: bytes) -> dict[str, Any]:
    return parse_object(data, what="the header", max_bytes=10_000)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
@settings(deadline=None, max_examples=100)
def test_what_is_dumped_is_parsed_again(value: dict[str, Any]) -> None:
    assert parse_object(dump_object(value), what="it", max_bytes=10**6) == value


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes_give_an_object_or_a_typed_error(data: bytes) -> None:
    try:
        value = parse(data)
    except MessageError:
        return
    assert json.loads(data) == value


def test_a_string_full_of_quotes_that_never_ends_is_refused_in_linear_time() -> None:
    # Read anew from every quote, these took minutes: the test's own time limit would end it.
    for text in (b'{"' + b'\\"' * 300_000, b'{"' + b'\\"' * 300_000 + b"\\"):
        with pytest.raises(MessageError, match="not JSON"):
            parse_object(text, what="it", max_bytes=10**6)


def test_the_deepest_nesting_is_the_callers_choice() -> None:
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    assert parse_object(deep, what="it", max_bytes=1000, max_depth=40)
    with pytest.raises(MessageError, match="deeper than 39 levels"):
        parse_object(deep, what="it", max_bytes=1000, max_depth=39)


@pytest.mark.parametrize(
    ("data", "problem", "value"),
    [
        (b"", "not JSON", "''"),
        (b"{", "not JSON", None),
        (b"{}x", "not JSON", "'x'"),
        (b"[]", "not a JSON object", "[]"),
        (b"\xef\xbb\xbf{}", "byte order mark", None),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7", None),
        (b'{"a": 1, "a": 2}', "a key twice", "'a'"),
        (b'{"b": {"a": 1, "a": 2}}', "a key twice", "'a'"),
        (b'{"a": NaN}', "JSON does not know", "NaN"),
        (b'{"a": Infinity}', "JSON does not know", "Infinity"),
        (b'{"a": -1e400}', "beyond a double", "-1e400"),
        (b'{"a": 9223372036854775808}', "beyond 64 bits", "9223372036854775808"),
        (b'{"a": ' + b"1" * 9000 + b"}", "beyond 64 bits", "111"),
        (b'{"a": "\\udc00"}', "surrogate", None),
        (b'{"\\ud83d": 1}', "surrogate", None),
        (b" " * 10_001, "too long", "10001 bytes"),
    ],
)
def test_refused(data: bytes, problem: str, value: str | None) -> None:
    with pytest.raises(MessageError) as caught:
        parse(data)
    assert problem in caught.value.problem
    assert value is None or value in str(caught.value.value)


def test_nesting_is_bounded_before_the_parser_sees_it() -> None:
    fits = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert parse(fits)
    for data in (b'{"a":' + b"[" * MAX_DEPTH, b'{"a":' * 1900, b"[" * 9999):
        with pytest.raises(MessageError, match=f"deeper than {MAX_DEPTH}"):
            parse(data)


def test_brackets_inside_strings_are_no_nesting() -> None:
    assert parse(b'{"a": "' + b"[" * 100 + b'\\"' + b"{" * 100 + b'"}')


def test_a_pair_of_surrogates_is_a_character() -> None:
    assert parse(b'{"a": "\\ud83d\\udeb2"}') == {"a": "🚲"}


def test_the_callers_own_type_is_raised() -> None:
    with pytest.raises(DecodeError, match="the envelope is not JSON"):
        parse_object(b"{", what="the envelope", max_bytes=10, error=DecodeError)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_is_written_that_would_not_be_read(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_object({"a": value})
