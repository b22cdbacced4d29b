"""The envelope: one picture's bitstream with all that is needed to decode and judge it.

An `.edge` file and the payload of an uplink message are the same bytes:

    offset  bytes  field
    0       4      magic, the ASCII letters EDGE
    4       1      version, 1
    5       3      zero
    8       4      header length n, unsigned, little-endian
    12      4      CRC-32 (that of zlib and PNG) of the header, unsigned, little-endian
    16      n      header: a JSON object, UTF-8
    16+n    ...    bitstream, to the end; its length and SHA-256 are in the header

Every byte is covered by one of magic, CRC-32 and SHA-256: damage anywhere is found before anything
is decoded. That matters because damaged HEVC decodes to garbage without an error.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_daemon.errors import DecodeError, Verbatim
from edge_daemon.wire.headers import (
    MAX_PROMPTS,
    VERSION,
    ClientId,
    Count,
    Milliseconds,
    SemanticFacts,
    SentMode,
    Sequence,
    Sha256,
    Side,
)
from edge_daemon.wire.jsontext import dump_object, parse_object
from edge_daemon.wire.messages import validated

MAGIC = b"EDGE"
MAX_HEADER_BYTES = 2**20
"""Longest envelope header."""

_PREAMBLE = struct.Struct("<4sB3sII")


class EnvelopeHeader(BaseModel):
    """The facts that travel with a bitstream."""

    # Later daemons may add facts; a cloud that does not know them still decodes.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    version: Literal[1] = VERSION
    client: ClientId
    sequence: Sequence
    created: str = Field(max_length=40, description="UTC, ISO 8601")
    mode: SentMode
    prompts: list[str] = Field(max_length=MAX_PROMPTS)
    codec: dict[str, Any] = Field(description="the codec's id and its options")
    width: Side = Field(description="of the coded picture, in pixels")
    height: Side = Field(description="of the coded picture, in pixels")
    source_width: Side | None = Field(default=None, description="in pixels; none: as `width`")
    source_height: Side | None = Field(default=None, description="in pixels; none: as `height`")
    source_bytes: Count = Field(description="bytes of what the camera sent")
    fingerprint: str | None = Field(
        default=None,
        max_length=64,
        description="equal for equal frames: two encodings of one frame are duplicates",
    )
    relevance: dict[str, Any] | None = Field(default=None, description="the prefilter's summary")
    semantic: SemanticFacts | None = Field(default=None, description="in mode 'semantic'")
    timings_ms: dict[str, Milliseconds] = Field(default_factory=dict[str, Milliseconds])
    bitstream_bytes: Count
    bitstream_sha256: Sha256


@dataclass(frozen=True)
class Envelope:
    """A header and the bitstream that it describes."""

    header: EnvelopeHeader
    bitstream: bytes

    def verify(self) -> None:
        """Checks the bitstream against the header.

        Raises:
            DecodeError: Its length or its SHA-256 is another.
        """
        announced, found = self.header.bitstream_bytes, len(self.bitstream)
        if announced != found:
            raise DecodeError(
                f"the bitstream is not the announced {announced} bytes",
                value=Verbatim(f"{found} bytes"),
                remedy="send the envelope again, complete",
            )
        digest = hashlib.sha256(self.bitstream).hexdigest()
        if digest != self.header.bitstream_sha256:
            raise DecodeError(
                "the bitstream's SHA-256 is not the announced one",
                value=Verbatim(digest),
                remedy="send the envelope again; it was damaged on the way",
            )


def seal(bitstream: bytes, *, digest: str | None = None, **facts: Any) -> Envelope:
    """An envelope around a bitstream.

    Args:
        bitstream: What the codec made.
        digest: Its SHA-256, for whoever has it already.
        **facts: The fields of `EnvelopeHeader` except `created` and those that start with
            `bitstream`.
    """
    header = EnvelopeHeader(
        created=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        bitstream_bytes=len(bitstream),
        bitstream_sha256=hashlib.sha256(bitstream).hexdigest() if digest is None else digest,
        **facts,
    )
    return Envelope(header, bitstream)


def pack_envelope(envelope: Envelope) -> bytes:
    """The bytes of an `.edge` file, and of an uplink message's payload."""
    header = envelope.header
    if header.semantic is None:
        facts = header.model_dump(mode="python", exclude={"semantic"})
    else:
        # A text is no longer than these facts: whatever is as it usually is may be left out.
        facts = {
            "version": header.version,
            **header.model_dump(mode="python", exclude_defaults=True),
        }
    return seal_header(dump_object(facts)) + envelope.bitstream


def seal_header(header: bytes) -> bytes:
    """A header's JSON with the preamble before it: all of an envelope but the bitstream."""
    return _PREAMBLE.pack(MAGIC, VERSION, bytes(3), len(header), zlib.crc32(header)) + header


def unpack_envelope(data: bytes) -> Envelope:
    """Reads an envelope and verifies every byte of it.

    Raises:
        DecodeError: It is no envelope, of another version, truncated or damaged.
    """
    if len(data) < _PREAMBLE.size or not data.startswith(MAGIC):
        raise DecodeError(
            "not an envelope", value=data[:16], remedy="send bytes that begin with EDGE"
        )
    _, version, zeros, header_bytes, checksum = _PREAMBLE.unpack_from(data)
    if version != VERSION or any(zeros):
        raise DecodeError(
            "an envelope of another version",
            value=(version, *zeros),
            remedy=f"send version {VERSION}",
        )
    header = data[_PREAMBLE.size : _PREAMBLE.size + header_bytes]
    if len(header) != header_bytes or zlib.crc32(header) != checksum:
        raise DecodeError(
            "the envelope's header is truncated or damaged",
            value=Verbatim(f"{len(header)} of {header_bytes} bytes"),
            remedy="send the envelope again; it was damaged on the way",
        )
    fields = parse_object(
        header, what="the envelope's header", max_bytes=MAX_HEADER_BYTES, error=DecodeError
    )
    envelope = Envelope(
        validated(EnvelopeHeader, fields, error=DecodeError),
        data[_PREAMBLE.size + header_bytes :],
    )
    envelope.verify()
    return envelope
