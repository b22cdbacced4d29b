"""Errors have the form that clients of OpenAI's API read."""

from __future__ import annotations

import json

import pytest

from edge_daemon.endpoint import EndpointDownError, EndpointRefusedError, EndpointSlowError
from edge_daemon.errors import (
    BadQualityError,
    BusyError,
    DamagedImageError,
    DeadlineError,
    EdgeError,
    EncodeError,
    ForbiddenError,
    InternalError,
    MessageError,
    NoEncoderError,
    PayloadTooLargeError,
    TooManyPixelsError,
    UnsupportedError,
)
from edge_daemon.gateway.refusals import (
    NoSuchPathError,
    StoppingError,
    UnknownClientError,
    body_of,
    headers_of,
    status_of,
)


@pytest.mark.parametrize(
    ("kind", "status", "named"),
    [
        (MessageError, 400, "invalid_request_error"),
        (DamagedImageError, 400, "invalid_request_error"),
        (UnsupportedError, 400, "invalid_request_error"),
        (EncodeError, 400, "invalid_request_error"),
        (BadQualityError, 400, "invalid_request_error"),
        (UnknownClientError, 401, "authentication_error"),
        (ForbiddenError, 403, "permission_error"),
        (NoSuchPathError, 404, "invalid_request_error"),
        (DeadlineError, 408, "invalid_request_error"),
        (PayloadTooLargeError, 413, "invalid_request_error"),
        (TooManyPixelsError, 413, "invalid_request_error"),
        (BusyError, 429, "rate_limit_error"),
        (NoEncoderError, 500, "server_error"),
        (InternalError, 500, "server_error"),
        (EndpointDownError, 502, "server_error"),
        (EndpointRefusedError, 502, "server_error"),
        (StoppingError, 503, "server_error"),
        (EndpointSlowError, 504, "server_error"),
    ],
)
def test_every_kind_has_its_status_and_type(kind: type[EdgeError], status: int, named: str) -> None:
    error = kind("it went wrong", value="this", remedy="do that")
    assert status_of(error) == status
    assert json.loads(body_of(error, "messages[0]")) == {
        "error": {
            "message": "it went wrong (got 'this'); do that",
            "type": named,
            "param": "messages[0]",
            "code": kind.code,
        }
    }


def test_when_to_come_again_is_told_in_whole_seconds() -> None:
    assert headers_of(BusyError("x", remedy="y", retry_after_s=0.2)) == {"Retry-After": "1"}
    assert headers_of(BusyError("x", remedy="y", retry_after_s=2.6)) == {"Retry-After": "3"}
    assert headers_of(MessageError("x", remedy="y")) == {}
