"""Settings: one strict model per concern.

Every field has a default that works on one machine, a unit in its description, and bounds. Unknown
keys are errors. `edge_daemon.config` reads TOML files into these models and words the mistakes.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge_daemon.errors import SettingsError

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\[\]]+):(?P<port>\d{1,5}|\*)")

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Strict(BaseModel):
    """Base of all settings: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Region(Strict):
    """A rectangle in fractions of the picture's width and height, origin at the top left."""

    x: Fraction = Field(description="left edge, as a fraction of the width")
    y: Fraction = Field(description="top edge, as a fraction of the height")
    width: Annotated[float, Field(gt=0.0, le=1.0)] = Field(description="fraction of the width")
    height: Annotated[float, Field(gt=0.0, le=1.0)] = Field(description="fraction of the height")


class PromptSettings(Strict):
    """How prompts are distilled."""

    tagger: str = Field(
        default="embedded",
        pattern=r"^(embedded|spacy:[A-Za-z0-9_.\-]+)$",
        description="'embedded' (no downloads) or 'spacy:NAME' for an installed spaCy pipeline",
    )
    max_bytes: int = Field(
        default=16_384,
        ge=1,
        le=1_000_000,
        description="longest prompt accepted, in UTF-8 bytes",
    )


class PrefilterSettings(Strict):
    """How relevance is found and spent. `None` means the bundle's recommendation."""

    mode: Literal["default", "reference"] = Field(
        default="default",
        description="'default' is ours; 'reference' reproduces the published behaviour",
    )
    lambda_: float | None = Field(
        default=None,
        gt=0.0,
        le=1000.0,
        alias="lambda",
        description="softmax sharpness, unitless",
    )
    sigma_min: float | None = Field(
        default=None,
        gt=0.0,
        le=64.0,
        description="least smoothing, sigma in source pixels",
    )
    sigma_max: float | None = Field(
        default=None,
        gt=0.0,
        le=64.0,
        description="most smoothing, sigma in source pixels",
    )
    mapping: Literal["exponential", "linear", "inverse"] = Field(
        default="exponential", description="how relevance becomes sigma"
    )
    tile_budget: int = Field(
        default=40, ge=4, le=512, description="most tiles that one picture is cut into"
    )
    keep: tuple[Region, ...] = Field(
        default=(), description="regions that always stay sharp (default mode only)"
    )
    mask: tuple[Region, ...] = Field(
        default=(), description="regions reduced to a few colours, whatever the prompt"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PrefilterSettings:
        if (
            self.sigma_min is not None
            and self.sigma_max is not None
            and self.sigma_min > self.sigma_max
        ):
            raise ValueError(
                f"sigma_min ({self.sigma_min} px) must not exceed sigma_max ({self.sigma_max} px)"
            )
        return self


class LimitSettings(Strict):
    """What one request may cost. Checked before anything is decoded."""

    max_payload_bytes: int = Field(
        default=64 * 2**20, ge=1, le=2**31, description="largest payload, in bytes"
    )
    max_pixels: int = Field(
        default=50_000_000,
        ge=1,
        le=2**31,
        description="most pixels per picture (width x height)",
    )
    max_header_bytes: int = Field(
        default=65_536, ge=256, le=2**20, description="largest message header, in bytes"
    )


class FrontSettings(Strict):
    """The socket that cameras talk to."""

    bind: str = Field(default="tcp://127.0.0.1:5591", description="ZeroMQ endpoint to bind")
    allow_insecure_bind: bool = Field(
        default=False,
        description="bind a non-loopback address without encryption, knowingly",
    )


class StageSettings(Strict):
    """Queues and threads between the front socket and the uplink."""

    queue_frames: int = Field(
        default=16,
        ge=1,
        le=4096,
        description="frames that may wait before clients get 'busy'",
    )
    queue_bytes: int = Field(
        default=256 * 2**20,
        ge=1,
        le=2**40,
        description="payload bytes that may wait; a single frame always may",
    )
    threads: int = Field(
        default=2,
        ge=1,
        le=64,
        description="threads for decoding, smoothing and encoding",
    )
    encoder_threads: int = Field(
        default=2, ge=1, le=64, description="threads of the image and text encoders"
    )
    batch_frames: int = Field(
        default=4,
        ge=1,
        le=64,
        description="waiting frames whose tiles share one encoder call",
    )
    default_deadline_s: float = Field(
        default=60.0,
        gt=0.0,
        le=3600.0,
        description="seconds a frame may take unless it says so",
    )
    drain_s: float = Field(
        default=20.0,
        ge=0.0,
        le=3600.0,
        description="seconds that a stop waits for frames in work",
    )


class UplinkSettings(Strict):
    """The way to the cloud."""

    connect: str = Field(default="tcp://127.0.0.1:5592", description="ZeroMQ endpoint of the cloud")
    queue_frames: int = Field(
        default=64, ge=1, le=65_536, description="envelopes that may wait for the link"
    )
    in_flight: int = Field(
        default=8, ge=1, le=1024, description="envelopes sent and not yet acknowledged"
    )
    ack_timeout_s: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="seconds without an ack before sending again",
    )
    heartbeat_s: float = Field(
        default=2.0, gt=0.0, le=600.0, description="seconds between pings; three unheard: reconnect"
    )
    drain_s: float = Field(
        default=5.0,
        ge=0.0,
        le=3600.0,
        description="seconds that a stop waits for the cloud to acknowledge",
    )


class CloudSettings(Strict):
    """The receiving end."""

    bind: str = Field(default="tcp://127.0.0.1:5592", description="ZeroMQ endpoint to bind")
    allow_insecure_bind: bool = Field(
        default=False,
        description="bind a non-loopback address without encryption, knowingly",
    )
    directory: str = Field(
        default="received",
        min_length=1,
        description="where pictures and the log are written",
    )
    threads: int = Field(default=2, ge=1, le=64, description="threads that decode and write")
    remembered_frames: int = Field(
        default=200_000,
        ge=1,
        le=10**8,
        description="latest frames among which duplicates are recognised",
    )


class Settings(Strict):
    """All of a daemon's settings; each table of the TOML file is one field."""

    bundle: str = Field(
        default="nano-icons",
        min_length=1,
        description="bundle name, or a path to a bundle",
    )
    codec: dict[str, Any] = Field(
        default_factory=lambda: {"id": "jpeg"},
        description="codec for frames that ask for none: its id and options",
    )
    prompt: PromptSettings = PromptSettings()
    prefilter: PrefilterSettings = PrefilterSettings()
    limits: LimitSettings = LimitSettings()
    front: FrontSettings = FrontSettings()
    stages: StageSettings = StageSettings()
    uplink: UplinkSettings = UplinkSettings()
    cloud: CloudSettings = CloudSettings()


def check_bind(endpoint: str, *, allow_insecure: bool) -> None:
    """Refuse to listen on a non-loopback address by accident.

    Args:
        endpoint: ZeroMQ endpoint, e.g. `tcp://127.0.0.1:5591` or `ipc:///run/edge.sock`.
        allow_insecure: The operator said, in so many words, that plain text is fine here.

    Raises:
        SettingsError: The endpoint is malformed, or open to the network without permission.
    """
    if endpoint.startswith(("ipc://", "inproc://")):
        return
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise SettingsError(
            "not a ZeroMQ endpoint to bind",
            value=endpoint,
            remedy="write tcp://ADDRESS:PORT or ipc:///PATH",
        )
    host = match["host"].strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not allow_insecure:
        raise SettingsError(
            "binding a non-loopback address without encryption",
            value=endpoint,
            remedy="bind 127.0.0.1, or set allow_insecure_bind = true if the network is trusted",
        )
