"""A daemon's status, asked for again and again, and what happened from one to the next."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from edge_daemon.client import Client
from edge_daemon.errors import LinkError
from edge_daemon.telemetry.accounts import THE_REST

Reading = Mapping[str, Any]
"""A status reply, as JSON has it. Fields that an older daemon does not send are absent or empty."""

_ANSWER_S = 5.0


@contextmanager
def asking(endpoint: str, keys: Path | None = None) -> Generator[Callable[[], Reading], None, None]:
    """A function that asks the daemon at an endpoint; it raises `LinkError` if none answers."""
    name = f"status-{os.getpid()}"
    with Client(endpoint, client_id=name, timeout_s=_ANSWER_S, keys=keys) as client:
        yield lambda: client.status().model_dump(mode="json")


def readings(
    ask: Callable[[], Reading], interval_s: float, pause: Callable[[float], None] = time.sleep
) -> Iterator[Reading | LinkError]:
    """One reading after another, for ever; an error in place of one that did not come.

    Args:
        ask: Makes a reading.
        interval_s: Seconds from an answer to the next question.
        pause: Waits so many seconds.

    Raises:
        LinkError: The first reading did not come.
    """
    answer: Reading | LinkError = ask()
    while True:
        yield answer
        pause(interval_s)
        try:
            answer = ask()
        except LinkError as silence:
            answer = silence


def table_of(reading: Reading, name: str) -> dict[str, Any]:
    """One of a reading's tables; empty where the daemon says nothing of it."""
    return cast("dict[str, Any]", reading.get(name) or {})


@dataclass(frozen=True)
class CameraRates:
    """What a camera does per second, as far as two readings tell.

    Attributes:
        name: The camera's id.
        frames: Frames done per second.
        source_bytes: Payload bytes of these per second.
        envelope_bytes: Bytes sent for them per second.
        queued: Its frames that wait at the moment.
        dropped: Its frames that were dropped since the start.
    """

    name: str
    frames: float | None
    source_bytes: float | None
    envelope_bytes: float | None
    queued: int
    dropped: int

    @property
    def saved_bytes(self) -> float | None:
        """Source bytes less envelope bytes, per second."""
        if self.source_bytes is None or self.envelope_bytes is None:
            return None
        return self.source_bytes - self.envelope_bytes

    @property
    def saved_share(self) -> float | None:
        """Of the source bytes; `None` where there were none."""
        saved = self.saved_bytes
        return saved / self.source_bytes if saved is not None and self.source_bytes else None


def camera_rates(now: Reading, before: Reading | None) -> list[CameraRates]:
    """Rates per camera, the busiest first.

    By the daemon's own clock, so a late answer does not look like a slow daemon. There is no rate
    where figures were taken anew between the readings: after a restart, or where accounts moved to
    those of all others.
    """
    elapsed_s = 0.0 if before is None else float(now["uptime_s"]) - float(before["uptime_s"])
    cameras, earlier = table_of(now, "cameras"), table_of(before or {}, "cameras")
    moved = any(
        camera not in cameras or cameras[camera]["frames"] < account["frames"]
        for camera, account in earlier.items()
    )

    def rate(camera: str, figure: str) -> float | None:
        # A camera's account begins at nothing; that of the rest with what was moved there.
        jumped = camera == THE_REST and (moved or camera not in earlier)
        if elapsed_s <= 0 or jumped:
            return None
        change = cameras[camera][figure] - earlier.get(camera, {}).get(figure, 0)
        return change / elapsed_s if change >= 0 else None

    rates = [
        CameraRates(
            camera,
            rate(camera, "frames"),
            rate(camera, "source_bytes"),
            rate(camera, "envelope_bytes"),
            int(account.get("queued", 0)),
            int(account["dropped"]),
        )
        for camera, account in cameras.items()
    ]
    return sorted(rates, key=lambda one: (-(one.source_bytes or 0.0), one.name))
