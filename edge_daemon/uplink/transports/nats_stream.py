"""The stream between daemons and cloud: its subjects, headers and limits.

What stands in it:

1. A message is one envelope, on the subject `<subject>.<client>`. A client's id may hold dots,
   which part a subject's tokens; a dot is written `=`, which no id holds. `gate.2` sends on
   `edge.frames.gate=2`.
2. Headers: `Edge-Client` and `Edge-Sequence`, and `Nats-Msg-Id: <client>:<sequence>`, by which the
   stream drops a repeat that comes within its duplicate window.

How it is made, if nobody made it:

1. Work-queue retention: an envelope is deleted once a worker has acknowledged it, and never before.
   Limits retention would allow replays, but it either fills up with what was long since kept, or
   deletes by age or size what nobody has kept yet. Replays are the worker's directories' business.
   The price: one consumer, which all workers share.
2. Full means refused (`discard: new`), and daemons keep what they have in their spools. It has a
   size of its own below the server's, so that a full stream leaves room for the workers' claims.
3. The duplicate window is a day, since a daemon repeats after an outage what it has no word of.
   The server remembers an id per frame for so long; see deploy/nats/README.md for what that costs.
   The window does not bound correctness: the workers' claims and logs find later repeats.

A stream that is there already is left as it is.
"""

from __future__ import annotations

import logging
import re

import nats.js.errors
from nats.js import JetStreamContext, api

from edge_daemon.errors import MessageError, SettingsError
from edge_daemon.settings import NatsSettings
from edge_daemon.wire import MAX_SEQUENCE, Key

_log = logging.getLogger(__name__)

MESSAGE_ID = "Nats-Msg-Id"
CLIENT = "Edge-Client"
SEQUENCE = "Edge-Sequence"

HEADER_BYTES = 512
"""Room for a message's headers, which count towards a server's `max_payload`."""

DUPLICATE_WINDOW_S = 86_400.0
STREAM_BYTES = (3 * 2**31, 3 * 2**30, 3 * 2**29, 3 * 2**28, 3 * 2**27)
"""Sizes that are asked for, one after the other, until the server has room to reserve.

Three quarters of the sizes that stores usually have: the rest is for the workers' claims.
"""

_NO_ROOM = frozenset({10023, 10028, 10047})
_CLIENT_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_NUMBER = re.compile(r"\d{1,16}")


def token_of(client: str) -> str:
    """A client's id as one token of a subject, and of a key in a bucket."""
    return client.replace(".", "=")


def headers_of(key: Key) -> dict[str, str]:
    """The headers of an envelope's message."""
    client, sequence = key
    return {MESSAGE_ID: f"{client}:{sequence}", CLIENT: client, SEQUENCE: str(sequence)}


def key_of(headers: dict[str, str] | None) -> Key:
    """Whose envelope a message says that it is.

    Raises:
        MessageError: A header is missing or malformed.
    """
    client, sequence = (headers or {}).get(CLIENT, ""), (headers or {}).get(SEQUENCE, "")
    if not _CLIENT_ID.fullmatch(client):
        raise MessageError(
            f"no client's id in the header {CLIENT}", value=client, remedy="publish it with one"
        )
    if not _NUMBER.fullmatch(sequence) or int(sequence) > MAX_SEQUENCE:
        raise MessageError(
            f"no sequence number in the header {SEQUENCE}",
            value=sequence,
            remedy=f"publish it with one, up to {MAX_SEQUENCE}",
        )
    return client, int(sequence)


def takes(info: api.StreamInfo, subject: str) -> bool:
    """Whether a stream takes what is published on a subject."""
    return any(_matches(pattern, subject) for pattern in info.config.subjects or ())


def _matches(pattern: str, subject: str) -> bool:
    parts, tokens = pattern.split("."), subject.split(".")
    if parts[-1] == ">":
        parts.pop()
        if len(tokens) <= len(parts):
            return False
        tokens = tokens[: len(parts)]
    return len(parts) == len(tokens) and all(
        part in ("*", token) for part, token in zip(parts, tokens, strict=True)
    )


async def find_stream(js: JetStreamContext, settings: NatsSettings) -> api.StreamInfo:
    """The stream, made if it is not there and may be.

    Raises:
        SettingsError: It is not there, and is to be made by somebody else.
        nats.errors.Error: The server refuses, or does not answer.
    """
    try:
        return await js.stream_info(settings.stream)
    except nats.js.errors.NotFoundError:
        if not settings.create_stream:
            raise SettingsError(
                "there is no such stream, and nats.create_stream is false",
                value=settings.stream,
                remedy="make the stream on the server, or set nats.create_stream = true",
            ) from None
    return await _make_stream(js, settings)


async def _make_stream(js: JetStreamContext, settings: NatsSettings) -> api.StreamInfo:
    *larger, smallest = STREAM_BYTES
    for max_bytes in larger:
        try:
            return await _add_stream(js, settings, max_bytes)
        except nats.js.errors.APIError as refusal:
            if refusal.err_code not in _NO_ROOM:
                raise
    return await _add_stream(js, settings, smallest)


async def _add_stream(
    js: JetStreamContext, settings: NatsSettings, max_bytes: int
) -> api.StreamInfo:
    info = await js.add_stream(
        api.StreamConfig(
            name=settings.stream,
            description="edge-daemon's envelopes",
            subjects=[f"{settings.subject}.*"],
            retention=api.RetentionPolicy.WORK_QUEUE,
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.NEW,
            max_bytes=max_bytes,
            duplicate_window=DUPLICATE_WINDOW_S,
        )
    )
    _log.info("event=stream_made stream=%s max_bytes=%d", settings.stream, max_bytes)
    return info
