"""The spool, the ways to the cloud, and the cloud's end of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from edge_daemon.settings.semantic import ChatSettings, CloudSemanticSettings
from edge_daemon.settings.strict import Strict

Transport = Literal["zeromq", "nats", "directory"]
"""How envelopes travel; each has a table of its own settings."""


class SpoolSettings(Strict):
    """What waits for the cloud, on disk or in memory."""

    directory: str | None = Field(
        default=None,
        min_length=1,
        description="where envelopes are kept until the cloud has them; none: in memory only",
    )
    max_bytes: int = Field(
        default=2**30, ge=2**20, le=2**42, description="bytes of envelopes that may wait"
    )
    max_age_s: float = Field(
        default=7 * 86_400.0,
        gt=0.0,
        le=10 * 366 * 86_400.0,
        description="seconds after which an envelope of a 'drop-oldest' camera is dropped",
    )


class NatsSettings(Strict):
    """NATS JetStream, for fleets."""

    servers: tuple[str, ...] = Field(
        default=("nats://127.0.0.1:4222",), min_length=1, description="server URLs, the best first"
    )
    stream: str = Field(
        default="EDGE",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="JetStream stream that keeps the envelopes",
    )
    subject: str = Field(
        default="edge.frames",
        pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        description="subject prefix; the client's id follows",
    )
    consumer: str = Field(
        default="cloud",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="durable pull consumer that the cloud's workers share",
    )
    create_stream: bool = Field(
        default=True, description="make the stream if it is not there; else it must be"
    )
    credentials: str | None = Field(
        default=None, min_length=1, description="a NATS credentials file (.creds)"
    )
    tls_ca: str | None = Field(
        default=None, min_length=1, description="certificate authorities for tls:// servers, PEM"
    )
    ack_wait_s: float = Field(
        default=60.0,
        gt=0.0,
        le=3600.0,
        description="seconds that a worker may be silent about an envelope",
    )


class DirectorySettings(Strict):
    """A directory that somebody carries, for air-gapped sites."""

    path: str = Field(default="outbox", min_length=1, description="where envelopes are handed over")
    max_bytes: int = Field(
        default=2**33, ge=2**20, le=2**50, description="bytes that may lie there before it is full"
    )


class UplinkSettings(Strict):
    """The way to the cloud."""

    transport: Transport = Field(default="zeromq", description="zeromq, nats or directory")
    connect: tuple[str, ...] = Field(
        default=("tcp://127.0.0.1:5592",),
        min_length=1,
        max_length=16,
        description="zeromq: endpoints of the cloud, the preferred one first",
    )
    keys: str | None = Field(
        default=None,
        min_length=1,
        description="zeromq: directory of the daemon's key and the cloud's public one; none: plain",
    )
    queue_frames: int = Field(
        default=64,
        ge=1,
        le=65_536,
        description="envelopes that may wait for the link without a spool on disk",
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
    back_off_max_s: float = Field(
        default=30.0, gt=0.0, le=3600.0, description="longest pause between attempts to connect"
    )
    backlog: Literal["in-order", "live-first"] = Field(
        default="in-order",
        description="after an outage: everything in order, or new frames before what waited",
    )
    backlog_kbps: float | None = Field(
        default=None,
        gt=0.0,
        le=1e7,
        description="rate at which what waited is sent, in 1000 bits per second; none: no limit",
    )
    drain_s: float = Field(
        default=5.0,
        ge=0.0,
        le=3600.0,
        description="seconds that a stop waits for the cloud to acknowledge",
    )
    nats: NatsSettings = NatsSettings()
    directory: DirectorySettings = DirectorySettings()

    @field_validator("connect", mode="before")
    @classmethod
    def _one_or_several(cls, connect: object) -> object:
        return (connect,) if isinstance(connect, str) else connect


class CloudSettings(Strict):
    """The receiving end."""

    transport: Transport = Field(default="zeromq", description="zeromq, nats or directory")
    bind: str = Field(default="tcp://127.0.0.1:5592", description="ZeroMQ endpoint to bind")
    allow_insecure_bind: bool = Field(
        default=False,
        description="bind a non-loopback address without encryption, knowingly",
    )
    keys: str | None = Field(
        default=None,
        min_length=1,
        description="directory of the cloud's key and of the daemons' that may send; none: plain",
    )
    directory: str = Field(
        default="received",
        min_length=1,
        description="where pictures and the log are written",
    )
    inbox: str = Field(
        default="inbox",
        min_length=1,
        description="with the transport 'directory': where carried envelopes arrive",
    )
    nats: NatsSettings = NatsSettings()
    semantic: CloudSemanticSettings = CloudSemanticSettings()
    vlm: ChatSettings | None = Field(
        default=None, description="a vision-language model that is asked each prompt; none: nobody"
    )
    threads: int = Field(default=2, ge=1, le=64, description="threads that decode and write")
    remembered_frames: int = Field(
        default=200_000,
        ge=1,
        le=10**8,
        description="latest frames among which duplicates are recognised",
    )
