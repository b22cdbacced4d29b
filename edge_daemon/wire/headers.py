"""The headers of every message, as strict models.

Requests refuse unknown fields: a misspelt `deadline_s` must not pass for none. Replies ignore them,
so that a daemon may say more than an older client understands. `PROTOCOL.md` is the contract that
these models implement.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from edge_daemon.settings import Allocation

VERSION = 1
"""The protocol's version, in every header."""

MAX_SEQUENCE = 2**53 - 1
"""Largest sequence number: the integers that every JSON reader keeps exact."""

MAX_PROMPTS = 16
"""Most prompts that one frame may carry."""

MAX_CAPTION = 4096
"""Longest caption that one frame may carry, in characters."""

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}$")]
"""Names a client. Safe as a file name as it stands: no separator, no leading dot."""

Sequence = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Credit = Annotated[
    int, Field(ge=0, description="most envelopes that this sender may have unanswered, from now on")
]
Side = Annotated[int, Field(ge=1, le=2**31 - 1)]
Milliseconds = Annotated[float, Field(ge=0.0)]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]

Key = tuple[str, int]
"""(client, sequence): the name of a frame, everywhere."""

AckLevel = Literal["accepted", "spooled", "delivered"]
Mode = Literal["prefilter", "plain", "semantic"]
"""What a camera asks for; "semantic" is text in the picture's place."""

SentMode = Literal["prefilter", "plain", "semantic"]
"""What came of it; "semantic" also where no picture fits the budget."""

ResultMode = Literal["prefilter", "plain", "semantic", "unchanged"]
"""What the camera is told: "unchanged" is a frame of which nothing was sent, by its rules."""


class Request(BaseModel):
    """Base of what a daemon or a cloud reads: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    version: Literal[1] = VERSION


class Reply(BaseModel):
    """Base of what a client or an uplink reads: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    version: Literal[1] = VERSION


class CreditReply(Reply):
    """Base of the replies in which a cloud may say how much it takes; those without say nothing."""

    @model_serializer(mode="wrap")
    def _leave_out_no_credit(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = whole(self)
        return {name: value for name, value in fields.items() if (name, value) != ("credit", None)}


class SemanticFacts(BaseModel):
    """How a text was found, and how near it comes to the picture."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    critic: str = Field(max_length=200, description="the bundle that scored it")
    notice: str = Field(default="", max_length=1000, description="the bundle's caveat")
    refiner: str = Field(max_length=64)
    generator: str | None = Field(default=None, max_length=64, description="none: nothing drawn")
    text_score: Cosine = Field(description="cosine of text and picture")
    image_score: Cosine | None = Field(
        default=None,
        description="CLIPSim of the best drawing and the picture; none: none drawn",
    )
    pixels_kept: bool = Field(default=False, description="the picture may be had instead")


class RawPixels(BaseModel):
    """How to read a payload of raw pixels: C order, little-endian.

    Only the form is checked here. Which shapes and dtypes are pictures is `edge_daemon.pictures`'
    to say, with its own typed error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    shape: list[int] = Field(max_length=8, description="(height, width) or (height, width, bands)")
    dtype: str = Field(max_length=32, description="uint8, uint16 or float32 (0 to 1)")


class FrameHeader(Request):
    """A picture and what is asked about it."""

    kind: Literal["frame"] = "frame"
    client: ClientId
    sequence: Sequence
    prompt: str | list[str] = Field(description="empty: no filtering")
    raw: RawPixels | None = Field(default=None, description="none: the payload is an image file")
    codec: dict[str, Any] | None = Field(default=None, description="none: the daemon's default")
    mode: Mode = "prefilter"
    caption: str | None = Field(
        default=None, max_length=MAX_CAPTION, description="of the picture, for mode 'semantic'"
    )
    allocation: Allocation | None = Field(default=None, description="none: the daemon's default")
    budget_bytes: int | None = Field(
        default=None, ge=1, le=2**31, description="most bytes of the envelope; none: the daemon's"
    )
    deadline_s: float | None = Field(
        default=None, gt=0.0, le=3600.0, description="seconds from receipt by the daemon"
    )
    ack: AckLevel = "accepted"
    return_bitstream: bool = Field(default=False, description="send the envelope back too")

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts, as a tuple also when there is one."""
        return (self.prompt,) if isinstance(self.prompt, str) else tuple(self.prompt)


class PingHeader(Request):
    """Asks whether the peer is alive. Any other traffic says so as well."""

    kind: Literal["ping"] = "ping"


class StatusRequest(Request):
    """Asks a daemon how it is."""

    kind: Literal["status"] = "status"


class EnvelopeNotice(Request):
    """Uplink: the payload is an envelope (`edge_daemon.wire.envelope`)."""

    kind: Literal["envelope"] = "envelope"
    client: ClientId
    sequence: Sequence
    insist: bool = Field(default=False, description="there are no pixels: take the text as it is")

    @model_serializer(mode="wrap")
    def _leave_out_the_usual(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Clouds that never ask for pixels refuse a field that they do not know.
        fields: dict[str, Any] = whole(self)
        return {name: value for name, value in fields.items() if (name, value) != ("insist", False)}


class PongHeader(CreditReply):
    """Answers a ping."""

    kind: Literal["pong"] = "pong"
    credit: Credit | None = None


class ResultHeader(Reply):
    """What became of a frame. With `return_bitstream`, the payload is the envelope."""

    kind: Literal["result"] = "result"
    client: ClientId
    sequence: Sequence
    ack: AckLevel = Field(description="the level reached")
    duplicate: bool = Field(description="answered from memory; nothing was done again")
    mode: ResultMode
    codec: dict[str, Any]
    width: Side = Field(description="of the source, in pixels")
    height: Side = Field(description="of the source, in pixels")
    coded_width: Side | None = Field(default=None, description="in pixels; none: no picture")
    coded_height: Side | None = Field(default=None, description="in pixels; none: no picture")
    encodes: Count = Field(default=1, description="times that the picture was encoded to fit")
    budget_bytes: Count | None = Field(default=None, description="that the envelope had to fit")
    source_bytes: Count = Field(description="bytes of the frame's payload")
    bitstream_bytes: Count
    bitstream_sha256: Sha256
    envelope_bytes: Count = Field(description="bytes that cross the uplink as payload")
    report: dict[str, Any] | None = Field(description="the prefilter's; none if it did nothing")
    semantic: SemanticFacts | None = Field(default=None, description="in mode 'semantic'")
    timings_ms: dict[str, Milliseconds] = Field(description="per stage")


class AckHeader(CreditReply):
    """Uplink: the cloud has the envelope, on disk and in its log."""

    kind: Literal["ack"] = "ack"
    client: ClientId
    sequence: Sequence
    duplicate: bool
    credit: Credit | None = None


class ErrorHeader(Reply):
    """Why a request was not served."""

    kind: Literal["error"] = "error"
    client: str | None
    sequence: int | None
    code: str
    problem: str
    value: str | None
    remedy: str
    retry_after_s: float | None = Field(description="none: the same request will fail again")


class StatusReply(Reply):
    """How a daemon is."""

    kind: Literal["status"] = "status"
    daemon_version: str
    uptime_s: float
    bundle: dict[str, Any]
    codecs: list[str] = Field(description="ids of those that can encode")
    codec_problems: dict[str, str] = Field(
        default_factory=dict[str, str], description="why the others cannot"
    )
    limits: dict[str, int]
    queues: dict[str, int] = Field(description="entries waiting or in work, per stage")
    counters: dict[str, int] = Field(description="since the start")
    budgets: dict[str, dict[str, float | None]] = Field(
        default_factory=dict[str, dict[str, "float | None"]],
        description="of cameras with budgets: frames, within, mean_encodes, mean_share",
    )
    link: str = Field(description="the uplink: 'up' or 'down'")
    links: list[dict[str, str | bool | int]] = Field(
        default_factory=list[dict[str, "str | bool | int"]],
        description="per upstream: transport, upstream, up, standby, reconnects",
    )
    spool: dict[str, int | float | str | None] = Field(
        default_factory=dict[str, "int | float | str | None"],
        description="bytes, limit_bytes, frames, oldest_age_s, directory (none: in memory)",
    )
    cameras: dict[str, dict[str, int]] = Field(
        default_factory=dict[str, dict[str, int]],
        description="of the 64 clients seen last: frames, source_bytes, envelope_bytes, dropped, "
        "queued; of all others together as '(other)'",
    )
    latency_ms: dict[str, dict[str, float]] = Field(
        default_factory=dict[str, dict[str, float]],
        description="per stage, and 'frame' for the whole: p50, p95 and count, of the latest 512 "
        "within 300 s",
    )
    drops: dict[str, int] = Field(
        default_factory=dict[str, int],
        description="frames that were turned away, left out or given up, by reason",
    )
    tiles: dict[str, int] = Field(
        default_factory=dict[str, int], description="encoded and reused, since the start"
    )
    health: dict[str, str] = Field(
        default_factory=dict[str, str], description="what is wrong, by check; empty: nothing"
    )
    temperatures_c: dict[str, float] = Field(
        default_factory=dict[str, float],
        description="the box's sensors by kind, in degrees Celsius",
    )
