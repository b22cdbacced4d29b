"""Answers with an error status, worded."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

from edge_daemon.endpoint.errors import EndpointRefusedError
from edge_daemon.endpoint.exchange import Reply

_TRANSIENT: Final = frozenset({408, 409, 429})
_LONGEST_QUOTE: Final = 300


def refusal(reply: Reply, whom: str, hide: Callable[[str], str]) -> EndpointRefusedError:
    """The error for an answer whose status is not 2xx.

    Args:
        reply: The answer.
        whom: The peer.
        hide: Takes secrets out of a text.
    """
    status = reply.status
    said = _message(reply.body)
    return EndpointRefusedError(
        f"{whom} answered {status} {_phrase(status)}",
        # Cut after hiding, or half a key might pass for none.
        value=hide(said)[:_LONGEST_QUOTE] if said else None,
        remedy=_remedy(status),
        retry_after_s=_retry_after_s(reply.headers.get("retry-after", "")),
        transient=status in _TRANSIENT or status >= 500,
    )


def _phrase(status: int) -> str:
    """The standard's, not the peer's, which may hold anything."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no status of the standard)"


def _message(body: bytes) -> str | None:
    """What a peer says of its reason, if it says so in JSON."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for name in ("error", "message", "detail"):
        if isinstance(answer, dict):
            answer = cast("dict[str, Any]", answer).get(name, cast("Any", answer))
    return answer if isinstance(answer, str) else None


def _remedy(status: int) -> str:
    if status in {401, 403}:
        return "check the key (api_key_env, api_key_file), and what it may do there"
    if status == 404:
        return "check base_url, which ends with the version (/v1), and model"
    if status == 429:
        return "wait, ask less often, or have the quota raised"
    if 300 <= status < 400:
        return "give base_url as where it moved: redirects are not followed"
    if status >= 500:
        return "look at the server's log"
    return "check model and the other settings of this endpoint"


def _retry_after_s(text: str) -> float | None:
    """Seconds from now that a Retry-After header names, as a number or as a date."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
        except ValueError:
            return None
        # A date without a zone is of GMT, as all of HTTP's are.
        date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
        seconds = (date - datetime.now(timezone.utc)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
