"""Frames as the daemon's stages see them, without sockets."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from edge_daemon.codecs import get_codec
from edge_daemon.errors import EdgeError, SpoolFullError
from edge_daemon.pictures import PictureLimits
from edge_daemon.service.job import Job
from edge_daemon.service.observing import DropReason
from edge_daemon.uplink import Delivery
from edge_daemon.wire import FrameHeader, Key


def header_of(client: str = "cam", sequence: int = 0, **fields: Any) -> FrameHeader:
    return FrameHeader.model_validate(
        {"client": client, "sequence": sequence, "prompt": "red"} | fields
    )


def job_of(
    client: str = "cam",
    sequence: int = 0,
    *,
    payload: bytes = b"",
    allowed_s: float = 60.0,
    codec: str = "jpeg",
    **fields: Any,
) -> Job:
    now = time.monotonic()
    return Job(
        header_of(client, sequence, **fields),
        payload,
        len(payload),
        get_codec({"id": codec}),
        now,
        now + allowed_s,
        PictureLimits(),
    )


class Shelf:
    """A stand-in for the uplink: it keeps what is submitted, in order, and counts its places.

    Args:
        places: How many it has.
    """

    idle = False
    durable = False
    cloud_answers = True

    def __init__(self, places: int = 10**6) -> None:
        self.free = places
        self.taken: list[Key] = []
        self.failing: dict[Key, EdgeError] = {}

    def reserve(self, client: str) -> None:
        if not self.free:
            raise SpoolFullError(f"no place for {client}", remedy="wait", retry_after_s=1.0)
        self.free -= 1

    def release(self) -> None:
        self.free += 1

    async def submit(self, key: Key, envelope: bytes, spare: bytes | None = None) -> Delivery:
        await asyncio.sleep(0)
        if key in self.failing:
            self.free += 1
            raise self.failing[key]
        self.taken.append(key)
        delivery: Delivery = asyncio.get_running_loop().create_future()
        return delivery


class Notes:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.stages: dict[str, list[float]] = {}
        self.drops: list[tuple[str, str]] = []
        self.batches: list[int] = []
        self.frames: list[str] = []

    def observe(self, stage: str, seconds: float, /) -> None:
        self.stages.setdefault(stage, []).append(seconds)

    def batch(self, frames: int, /) -> None:
        self.batches.append(frames)

    def dropped(self, reason: DropReason, client: str, /) -> None:
        self.drops.append((reason, client))

    def frame(self, client: str, /, **facts: object) -> None:
        self.frames.append(client)
