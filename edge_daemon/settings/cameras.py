"""What each camera may do, and what is done for it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from edge_daemon.settings.strict import Strict

WhenFull = Literal["drop-oldest", "refuse-new"]
"""What gives way when the spool is full: the oldest live frame, or the new one."""


class CameraSettings(Strict):
    """The rules of the clients whose id matches; the first that matches counts."""

    match: str = Field(
        default="*",
        min_length=1,
        max_length=64,
        description="client ids that this is about, as in file names: 'gate-*'",
    )
    when_full: WhenFull = Field(
        default="drop-oldest",
        description="spool full: 'drop-oldest' for live frames, 'refuse-new' for must-deliver",
    )
    latest_only: bool = Field(
        default=False,
        description="a new frame replaces the one that still waits to be begun",
    )
    weight: Annotated[float, Field(ge=0.01, le=100.0)] = Field(
        default=1.0, description="share of the work under load, relative to other clients"
    )
    queue_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.5, description="most of the waiting queue that one client may fill"
    )
    max_frames_per_s: float | None = Field(
        default=None, gt=0.0, le=1e4, description="requests per second, on average; none: no limit"
    )
    max_payload_bytes: int | None = Field(
        default=None, ge=1, le=2**31, description="largest payload, in bytes; none: that of limits"
    )
    max_pixels: int | None = Field(
        default=None, ge=1, le=2**31, description="most pixels per picture; none: that of limits"
    )
    min_change: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0,
        description="a frame is not sent when less of what is relevant changed since the last that "
        "was, as a share 0..1; 0: every frame is sent",
    )
    max_silence_s: float = Field(
        default=60.0,
        gt=0.0,
        le=86_400.0,
        description="with min_change: a frame is sent at least this often, in seconds",
    )


def rules_of(client: str, cameras: tuple[CameraSettings, ...]) -> CameraSettings:
    """The rules of a client: the first that match, or the defaults."""
    for rules in cameras:
        if fnmatchcase(client, rules.match):
            return rules
    return CameraSettings()
