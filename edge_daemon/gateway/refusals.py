"""Errors as clients of OpenAI's API expect them: a status, and an object that says what to do."""

from __future__ import annotations

import json
from typing import Final

from edge_daemon.endpoint import EndpointError, EndpointSlowError
from edge_daemon.errors import (
    BusyError,
    DeadlineError,
    EdgeError,
    ForbiddenError,
    InternalError,
    NoEncoderError,
    PayloadTooLargeError,
    TooManyPixelsError,
    UnsupportedError,
)

_BAD_REQUEST: Final = 400


class PictureError(Exception):
    """One picture of a request cannot be used.

    Args:
        error: Why.
        place: Of the picture in the request.
    """

    def __init__(self, error: EdgeError, place: str) -> None:
        super().__init__(f"{place}: {error}")
        self.error = error
        self.place = place


class StoppingError(BusyError):
    """The gateway is about to stop and takes nothing new."""

    code = "stopping"


class UnknownClientError(ForbiddenError):
    """The client did not show the key that opens this gateway."""

    code = "invalid_api_key"


class NoSuchPathError(UnsupportedError):
    """Nothing is served under this path and method."""

    code = "not_found"


# The first that fits counts, so the special ones stand before what they derive from. Clients try
# 408, 409, 429 and 5xx again, and nothing else.
_STATUS: Final[tuple[tuple[type[EdgeError], int], ...]] = (
    (UnknownClientError, 401),
    (ForbiddenError, 403),
    (NoSuchPathError, 404),
    (DeadlineError, 408),
    (PayloadTooLargeError, 413),
    (TooManyPixelsError, 413),
    (StoppingError, 503),
    (BusyError, 429),
    (EndpointSlowError, 504),
    (EndpointError, 502),
    (NoEncoderError, 500),
    (InternalError, 500),
)
_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def status_of(error: EdgeError) -> int:
    """The HTTP status that says best what kind of error it is."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), _BAD_REQUEST)


def headers_of(error: EdgeError) -> dict[str, str]:
    """Headers of the answer: when to come again, for errors that pass."""
    if error.retry_after_s is None:
        return {}
    return {"Retry-After": str(max(1, round(error.retry_after_s)))}


def body_of(error: EdgeError, place: str | None = None) -> bytes:
    """The answer's JSON.

    Args:
        error: What was wrong.
        place: Of the part of the request that is to blame.
    """
    status = status_of(error)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    got = "" if error.value is None else f" (got {error.value})"
    facts = {
        "message": f"{error.problem}{got}; {error.remedy}",
        "type": kind,
        "param": place,
        "code": error.code,
    }
    return json.dumps({"error": facts}).encode("ascii")
