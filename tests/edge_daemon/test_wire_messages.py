from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.errors import (
    BusyError,
    EdgeError,
    MessageError,
    NotAnImageError,
    VersionError,
)
from edge_daemon.wire import (
    FRONT_REQUESTS,
    UPLINK_REQUESTS,
    Address,
    EnvelopeNotice,
    ErrorHeader,
    FrameHeader,
    PingHeader,
    PongHeader,
    error_header,
    error_of,
    glimpse_address,
    pack,
    read_reply,
    read_request,
)

FRAME = FrameHeader(client="gate-3", sequence=7, prompt=["a", "b"], codec={"id": "jpeg"})


def sent(header: FrameHeader | PingHeader | EnvelopeNotice, *payload: bytes) -> list[bytes]:
    return [bytes(part) for part in pack(header, *payload)]


def test_a_frame_is_read_as_it_was_written() -> None:
    header, payload = read_request(sent(FRAME, b"xyz"), FRONT_REQUESTS, max_header_bytes=1000)
    assert header == FRAME
    assert payload == b"xyz"


def test_address_and_version_come_first_so_that_they_can_be_glimpsed() -> None:
    (first, _) = sent(FRAME, b"")
    assert first.startswith(b'{"version":1,"kind":"frame","client":"gate-3","sequence":7,')


@pytest.mark.parametrize(
    ("start", "address"),
    [
        (b'{"client":"cam","sequence":5,', Address("cam", 5)),
        (b'{"sequence" : 5 , "client" : "cam"', Address("cam", 5)),
        (b'{"sequence":5', Address(None, None)),
        (b'{"client":"../etc","sequence":-5}', Address(None, None)),
        (b"\xff\xfe", Address(None, None)),
        (b" " * 512 + b'"client":"cam"', Address(None, None)),
    ],
)
def test_glimpse(start: bytes, address: Address) -> None:
    assert glimpse_address(start) == address


@given(st.lists(st.binary(max_size=60), max_size=4))
@settings(deadline=None, max_examples=200)
def test_any_parts_give_a_request_or_a_typed_error(parts: list[bytes]) -> None:
    with pytest.raises(EdgeError):
        read_request(parts, FRONT_REQUESTS, max_header_bytes=1000)


def test_links_do_not_take_each_others_kinds() -> None:
    with pytest.raises(MessageError, match="unknown kind"):
        read_request(sent(FRAME, b""), UPLINK_REQUESTS, max_header_bytes=1000)
    notice = EnvelopeNotice(client="cam", sequence=1)
    with pytest.raises(MessageError, match="unknown kind"):
        read_request(sent(notice, b""), FRONT_REQUESTS, max_header_bytes=1000)


def test_requests_refuse_unknown_fields_and_replies_ignore_them() -> None:
    with pytest.raises(MessageError, match="unknown field extra"):
        read_request(
            [b'{"version":1,"kind":"ping","extra":5}'], FRONT_REQUESTS, max_header_bytes=1000
        )
    reply, payload = read_reply([b'{"version":1,"kind":"pong","extra":5}'])
    assert isinstance(reply, PongHeader)
    assert payload == b""


def test_a_reply_of_another_version_is_refused() -> None:
    with pytest.raises(VersionError, match="got 2"):
        read_reply([b'{"version":2,"kind":"pong"}'])


def test_an_error_crosses_the_wire_whole() -> None:
    error = BusyError("full", value={"waiting": 3}, remedy="wait", retry_after_s=1.5)
    header = error_header(error, Address("cam", 4))
    reply, _ = read_reply([bytes(part) for part in pack(header)])
    assert isinstance(reply, ErrorHeader)
    assert (reply.client, reply.sequence) == ("cam", 4)
    again = error_of(reply)
    assert type(again) is BusyError
    assert again.to_dict() == error.to_dict()
    assert str(again) == str(error)


def test_a_code_from_the_future_is_still_an_error() -> None:
    fields = NotAnImageError("odd", remedy="think").to_dict() | {"code": "too_odd"}
    header = {"version": 1, "kind": "error", "client": None, "sequence": None} | fields
    reply, _ = read_reply([json.dumps(header).encode()])
    assert isinstance(reply, ErrorHeader)
    with pytest.raises(EdgeError, match="too_odd: odd; think"):
        raise error_of(reply)


def test_what_json_cannot_say_is_not_packed() -> None:
    header = FrameHeader(client="cam", sequence=1, prompt="", codec={"quality": float("nan")})
    with pytest.raises(ValueError, match="JSON compliant"):
        pack(header)
