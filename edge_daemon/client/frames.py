"""From a picture to a message, and from a reply to a result."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from pydantic import ValidationError
from typing_extensions import Buffer

from edge_daemon.errors import BadPixelsError, LinkError, MessageError, Verbatim
from edge_daemon.settings import Allocation
from edge_daemon.wire import (
    AckLevel,
    AnyReply,
    Bytes,
    ErrorHeader,
    Mode,
    ResultHeader,
    ResultMode,
    SemanticFacts,
    error_of,
    pack,
)
from edge_daemon.wire.headers import FrameHeader
from edge_daemon.wire.messages import validated


class PixelArray(Protocol):
    """What a numpy array looks like to a type checker that does not know its buffer (PEP 688)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and bands."""
        ...

    def tobytes(self) -> bytes:
        """The pixels in C order."""
        ...


Image = bytes | str | os.PathLike[str] | Buffer | PixelArray
"""An image file's bytes, its path, or raw pixels: an array of uint8, uint16 or float32."""

_DTYPES = {"B": "uint8", "H": "uint16", "f": "float32"}


@dataclass(frozen=True)
class Result:
    """What became of a frame.

    Attributes:
        client: The client's id.
        sequence: The frame's number.
        ack: The level reached: "accepted" (queued in the daemon's memory) or "delivered" (the cloud
            has it on disk).
        duplicate: Answered from the daemon's memory of an earlier message of that number.
        mode: "prefilter" or "plain"; "semantic" if text took the picture's place, because it was
            asked for or because no picture fitted.
        codec: The codec's configuration: its id and options.
        width: Of the source, in pixels.
        height: Of the source, in pixels.
        coded_width: Of the picture as it was sent, in pixels; `None` if none was.
        coded_height: Likewise.
        encodes: How often it was encoded to fit its budget.
        budget_bytes: That the envelope had to fit; `None` without a budget.
        source_bytes: Bytes that the camera sent.
        bitstream_bytes: Bytes that the codec made of them.
        bitstream_sha256: Lower-case hexadecimal.
        envelope_bytes: Bytes that cross the uplink: bitstream and facts.
        report: What the prefilter did and why; `None` in mode "plain", unless the daemon masks
            regions, which it does in that mode too.
        semantic: How the text was found; `None` in other modes.
        timings_ms: Milliseconds per stage.
        envelope: The envelope's bytes if they were asked for; see `wire.unpack_envelope`.
    """

    client: str
    sequence: int
    ack: AckLevel
    duplicate: bool
    mode: ResultMode
    codec: dict[str, Any]
    width: int
    height: int
    coded_width: int | None
    coded_height: int | None
    encodes: int
    budget_bytes: int | None
    source_bytes: int
    bitstream_bytes: int
    bitstream_sha256: str
    envelope_bytes: int
    report: dict[str, Any] | None
    semantic: SemanticFacts | None
    timings_ms: dict[str, float]
    envelope: bytes | None = None

    def to_dict(self) -> dict[str, Any]:
        """All but the envelope's bytes, as JSON takes it."""
        facts = asdict(self)
        del facts["envelope"]
        if self.semantic is not None:
            facts["semantic"] = self.semantic.model_dump()
        return facts


class Outgoing(NamedTuple):
    """A frame ready to be sent, as often as needed. An array's pixels are still the array's."""

    sequence: int
    parts: list[Bytes]

    def copied(self) -> Outgoing:
        """The same, whatever becomes of the array."""
        return Outgoing(self.sequence, [bytes(part) for part in self.parts])


class FrameWriter:
    """Writes one client's frames and numbers them.

    Numbers start at the clock's microseconds, so that a client that was restarted does not use a
    number again.
    """

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self._numbers = itertools.count(time.time_ns() // 1000)

    def write(
        self,
        image: Image,
        prompt: str | Sequence[str],
        *,
        codec: dict[str, Any] | None,
        mode: Mode,
        caption: str | None,
        allocation: Allocation | None,
        budget_bytes: int | None,
        deadline_s: float | None,
        ack: AckLevel,
        return_bitstream: bool,
        sequence: int | None,
    ) -> Outgoing:
        """The message for one picture.

        Raises:
            BadPixelsError: An array of another dtype.
            MessageError: A field is out of range.
            OSError: The file cannot be read.
        """
        payload, raw = _payload(image)
        number = next(self._numbers) if sequence is None else sequence
        header = validated(
            FrameHeader,
            {
                "client": self.client_id,
                "sequence": number,
                "prompt": prompt if isinstance(prompt, str) else list(prompt),
                "raw": raw,
                "codec": codec,
                "mode": mode,
                "caption": caption,
                "allocation": allocation,
                "budget_bytes": budget_bytes,
                "deadline_s": deadline_s,
                "ack": ack,
                "return_bitstream": return_bitstream,
            },
        )
        try:
            return Outgoing(number, pack(header, payload))
        except (TypeError, ValueError) as mistake:
            raise MessageError(
                "the prompt, the caption or the codec cannot be written as JSON",
                value=Verbatim(mistake),
                remedy="use whole characters, finite numbers, lists and objects",
            ) from mistake


def _payload(image: Image) -> tuple[Bytes, dict[str, Any] | None]:
    """The payload's bytes and, for raw pixels, their shape and dtype."""
    if isinstance(image, bytes):
        return image, None
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes(), None
    view = memoryview(cast("Buffer", image))
    if view.ndim <= 1 and view.format == "B":
        return view.tobytes(), None
    dtype = _DTYPES.get(view.format)
    if dtype is None or sys.byteorder != "little":
        raise BadPixelsError(
            "an array of this format cannot be sent",
            value=view.format,
            remedy="send little-endian uint8, uint16 or float32 (0 to 1), or an image file",
        )
    samples = view.cast("B") if view.c_contiguous else view.tobytes()
    return samples, {"shape": list(view.shape or ()), "dtype": dtype}


def result_of(reply: AnyReply, payload: bytes) -> Result:
    """The result that a reply carries.

    Raises:
        EdgeError: The error that the reply carries, as its own type.
        MessageError: The reply is neither.
    """
    if isinstance(reply, ErrorHeader):
        raise error_of(reply)
    if not isinstance(reply, ResultHeader):
        raise MessageError(
            "a reply that answers no frame",
            value=reply.kind,
            remedy="check what listens at that endpoint",
        )
    facts = {field.name: getattr(reply, field.name) for field in fields(Result)[:-1]}
    return Result(**facts, envelope=payload or None)


def check_client_id(client_id: str) -> str:
    """The id, if it is one.

    Raises:
        MessageError: It is empty, too long, or holds other characters than A-Z a-z 0-9 _ . -
    """
    try:
        FrameHeader(client=client_id, sequence=0, prompt="")
    except ValidationError:
        raise MessageError(
            "not a client id",
            value=client_id,
            remedy="use 1 to 64 of A-Z a-z 0-9 _ . - and do not begin with . or -",
        ) from None
    return client_id


def no_answer(endpoint: str, waited_s: float, *, alive: bool) -> LinkError:
    """The error for a wait that ended without an answer."""
    if alive:
        return LinkError(
            f"the daemon is alive but did not answer within {waited_s:.1f} s",
            value=Verbatim(endpoint),
            remedy="wait longer (timeout_s), or ask its status for what it is busy with",
            retry_after_s=waited_s,
        )
    return LinkError(
        f"no daemon answered within {waited_s:.1f} s",
        value=Verbatim(endpoint),
        remedy="start one there (edge-daemon serve), or correct the endpoint",
        retry_after_s=waited_s,
    )
