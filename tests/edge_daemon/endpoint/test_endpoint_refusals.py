"""Error statuses in words."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import httpx2
import pytest

from edge_daemon.endpoint.exchange import Reply
from edge_daemon.endpoint.refusals import refusal


def refused(status: int, body: bytes = b"", **headers: str) -> str:
    return str(refusal(Reply(status, httpx2.Headers(headers), body), "the endpoint", str))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (302, "give base_url as where it moved"),
        (400, "check model"),
        (401, "check the key"),
        (403, "check the key"),
        (404, "check base_url"),
        (429, "quota"),
        (500, "server's log"),
        (599, "no status of the standard"),
    ],
)
def test_every_status_has_a_remedy(status: int, words: str) -> None:
    assert words in refused(status)
    assert f"answered {status}" in refused(status)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "no such model", "code": 404}},
        {"error": "no such model"},
        {"message": "no such model"},
        {"detail": "no such model"},
    ],
)
def test_the_peers_own_words_are_quoted(body: object) -> None:
    assert "'no such model'" in refused(400, json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": {"code": 1}}', b"\xff\xfe{"])
def test_what_is_no_message_is_not_quoted(body: bytes) -> None:
    assert "got" not in refused(400, body)


def retry_after(text: str) -> float | None:
    headers = httpx2.Headers({"Retry-After": text})
    return refusal(Reply(429, headers, b""), "the endpoint", str).retry_after_s


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after("7") == 7.0
    assert retry_after("-7") == 0.0
    later = datetime.now(timezone.utc) + timedelta(minutes=10)
    seconds = retry_after(format_datetime(later, usegmt=True))
    assert seconds is not None
    assert 0.0 < seconds <= 600.0
    assert retry_after("Fri, 01 Jan 2021 00:00:00 GMT") == 0.0
    assert retry_after("Fri, 01 Jan 2021 00:00:00 -0000") == 0.0


@pytest.mark.parametrize("text", ["", "soon", "inf", "nan", "1e999", "99 Foo 2021"])
def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    assert retry_after(text) is None
