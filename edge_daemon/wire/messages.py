"""Multipart messages: `[header]` or `[header, payload]`, packed and read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from edge_daemon.errors import EdgeError, MessageError, VersionError, error_from_fields
from edge_daemon.wire.headers import (
    VERSION,
    AckHeader,
    EnvelopeNotice,
    ErrorHeader,
    FrameHeader,
    PingHeader,
    PongHeader,
    ResultHeader,
    StatusReply,
    StatusRequest,
)
from edge_daemon.wire.jsontext import dump_object, parse_object

AnyFrontRequest = FrameHeader | PingHeader | StatusRequest
AnyUplinkRequest = EnvelopeNotice | PingHeader
AnyReply = ResultHeader | AckHeader | ErrorHeader | PongHeader | StatusReply

FRONT_REQUESTS: Mapping[str, type[AnyFrontRequest]] = {
    "frame": FrameHeader,
    "ping": PingHeader,
    "status": StatusRequest,
}
UPLINK_REQUESTS: Mapping[str, type[AnyUplinkRequest]] = {
    "envelope": EnvelopeNotice,
    "ping": PingHeader,
}
REPLIES: Mapping[str, type[AnyReply]] = {
    "result": ResultHeader,
    "ack": AckHeader,
    "error": ErrorHeader,
    "pong": PongHeader,
    "status": StatusReply,
}

MAX_REPLY_HEADER_BYTES = 2**20
"""Longest header of a reply."""

_WITH_PAYLOAD = frozenset({"frame", "envelope"})
_GLIMPSE_BYTES = 512
_CLIENT = re.compile(rb'"client"\s*:\s*"([A-Za-z0-9_][A-Za-z0-9_.\-]{0,63})"')
_SEQUENCE = re.compile(rb'"sequence"\s*:\s*(\d{1,16})\s*[,}]')

Model = TypeVar("Model", bound=BaseModel)

Bytes = bytes | memoryview
"""A payload: of a message that was just received, memory that is the message's own."""


class Address(NamedTuple):
    """Whom an error is for, as far as it could be read."""

    client: str | None
    sequence: int | None


def glimpse_address(header: Bytes) -> Address:
    """Finds client and sequence in the first 512 bytes of a header that need not be readable.

    So an error about a header that is too long, or no JSON at all, still reaches the request that
    it is about.
    """
    start = bytes(header[:_GLIMPSE_BYTES])
    client, sequence = _CLIENT.search(start), _SEQUENCE.search(start)
    return Address(
        client[1].decode("ascii") if client else None,
        int(sequence[1]) if sequence else None,
    )


def pack(header: BaseModel, *payload: Bytes) -> list[Bytes]:
    """The parts of a message, to send as one multipart.

    Raises:
        TypeError: A field holds something that JSON has no form for.
        ValueError: A number is not finite, or a string holds half of a surrogate pair.
    """
    return [dump_object(header.model_dump(mode="python")), *payload]


def read_request(
    parts: Sequence[Bytes], kinds: Mapping[str, type[Model]], *, max_header_bytes: int
) -> tuple[Model, Bytes]:
    """Reads a request.

    Args:
        parts: The message without the routing id.
        kinds: `FRONT_REQUESTS` or `UPLINK_REQUESTS`.
        max_header_bytes: Longest header that is looked at.

    Returns:
        The header and its payload, empty for kinds that have none.

    Raises:
        MessageError: Parts, JSON or fields are not as `PROTOCOL.md` says.
        VersionError: Another version of the protocol.
    """
    if not parts:
        raise MessageError("a message without parts", remedy="send a header, then the payload")
    fields = parse_object(bytes(parts[0]), what="the header", max_bytes=max_header_bytes)
    model = _model(fields, kinds)
    kind = fields["kind"]
    expected = 2 if kind in _WITH_PAYLOAD else 1
    if len(parts) != expected:
        layout = "a header and one payload" if expected == 2 else "a header and nothing else"
        raise MessageError(
            f"a message of kind {kind} with the wrong number of parts",
            value=len(parts),
            remedy=f"send {layout}",
        )
    return validated(model, fields), parts[1] if expected == 2 else b""


def read_reply(parts: Sequence[bytes]) -> tuple[AnyReply, bytes]:
    """Reads a reply; the payload is empty where there is none.

    Raises:
        MessageError: The peer does not speak this protocol.
        VersionError: It speaks another version.
    """
    if not parts:
        raise MessageError("a reply without parts", remedy="check what listens at that endpoint")
    fields = parse_object(parts[0], what="the reply", max_bytes=MAX_REPLY_HEADER_BYTES)
    header = validated(_model(fields, REPLIES), fields)
    return header, parts[1] if len(parts) > 1 else b""


def _model(fields: Mapping[str, Any], kinds: Mapping[str, type[Model]]) -> type[Model]:
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        raise VersionError(
            "not this protocol's version", value=version, remedy=f'send "version": {VERSION}'
        )
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise MessageError("unknown kind", value=kind, remedy=f"send one of {', '.join(kinds)}")
    return kinds[kind]


def validated(
    model: type[Model], fields: Mapping[str, Any], *, error: type[EdgeError] = MessageError
) -> Model:
    """The model made of these fields; what does not fit is worded as one of our errors."""
    try:
        return model.model_validate(fields)
    except ValidationError as mistake:
        first = mistake.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        if first["type"] == "missing":
            raise error(f"field {where} is missing", remedy=f"send {where}") from None
        if first["type"] == "extra_forbidden":
            known = ", ".join(name for name in model.model_fields)
            raise error(
                f"unknown field {where}", value=first["input"], remedy=f"send only {known}"
            ) from None
        raise error(
            f"field {where} is not valid", value=first["input"], remedy=_uncapitalised(first["msg"])
        ) from None


def _uncapitalised(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def error_header(error: EdgeError, address: Address) -> ErrorHeader:
    """The message that tells a peer of an error."""
    return ErrorHeader(
        client=address.client,
        sequence=address.sequence,
        code=error.code,
        problem=error.problem,
        value=error.value,
        remedy=error.remedy,
        retry_after_s=error.retry_after_s,
    )


def error_of(header: ErrorHeader) -> EdgeError:
    """The error that a peer told us of, as the type that its code names."""
    return error_from_fields(
        header.code,
        header.problem,
        value=header.value,
        remedy=header.remedy,
        retry_after_s=header.retry_after_s,
    )
