"""The daemon's front and its stages."""

from __future__ import annotations

import ipaddress
import re

from pydantic import Field

from edge_daemon.errors import SettingsError
from edge_daemon.settings.strict import Strict

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\[\]]+):(?P<port>\d{1,5}|\*)")


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
    keys: str | None = Field(
        default=None,
        min_length=1,
        description="directory of the daemon's key and of the cameras' that may send; none: plain",
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
    batch_wait_ms: float = Field(
        default=0.0,
        ge=0.0,
        le=1000.0,
        description="milliseconds that a frame may wait for others to share its encoder call",
    )
    stall_s: float = Field(
        default=300.0,
        ge=1.0,
        le=86_400.0,
        description="seconds at one piece of work after which a stage counts as hung",
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


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; IPv6 in brackets or not."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_bind(endpoint: str, *, allow_insecure: bool, encrypted: bool = False) -> None:
    """Refuse to listen on a non-loopback address in plain text by accident.

    Args:
        endpoint: ZeroMQ endpoint, e.g. `tcp://127.0.0.1:5591` or `ipc:///run/edge.sock`.
        allow_insecure: The operator said, in so many words, that plain text is fine here.
        encrypted: Only peers with a key that is let in can talk there.

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
    if not (is_loopback(match["host"]) or encrypted or allow_insecure):
        raise SettingsError(
            "binding a non-loopback address without encryption",
            value=endpoint,
            remedy="make keys (edge-daemon keys new) and set keys, or bind 127.0.0.1, "
            "or set allow_insecure_bind = true if the network is trusted",
        )
