"""One frame on its way through the stages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.errors import DeadlineError, Verbatim
from edge_daemon.prefilter import Plan, Scores
from edge_daemon.uplink import Delivery
from edge_daemon.wire import FrameHeader, Key


@dataclass
class Job:
    """A frame and what the stages have made of it so far. One stage at a time has it.

    Attributes:
        header: As received, checked.
        payload: As received; dropped once it is decoded.
        payload_bytes: Its length.
        codec: What will encode it.
        received: When it came, by the monotonic clock, in seconds.
        deadline: When its result is of no more use, by the same clock.
        timings_ms: Milliseconds per stage.
        pixels: uint8 (H, W, 3), once it is decoded.
        plan: Once it is planned; `None` in mode "plain" where no region is masked.
        scores: Once its tiles are scored.
        slow: Whether its codec will take seconds.
    """

    header: FrameHeader
    payload: bytes
    payload_bytes: int
    codec: Codec
    received: float
    deadline: float
    timings_ms: dict[str, float] = field(default_factory=dict[str, float])
    pixels: NDArray[np.uint8] | None = None
    plan: Plan | None = None
    scores: Scores | None = None
    slow: bool = False

    @property
    def key(self) -> Key:
        """(client, sequence)."""
        return self.header.client, self.header.sequence

    def check_deadline(self) -> None:
        """Raises `DeadlineError` if the frame is of no more use; called before each stage."""
        late_s = time.monotonic() - self.deadline
        if late_s >= 0:
            raise too_late(self.deadline - self.received)


def too_late(allowed_s: float) -> DeadlineError:
    """The error for a frame whose stages were not begun in time."""
    return DeadlineError(
        "the frame's deadline passed before it was done",
        value=Verbatim(f"{allowed_s:.3g} s allowed"),
        remedy="allow more (deadline_s), or send fewer frames at a time",
    )


@dataclass(frozen=True)
class Outcome:
    """A frame that is done.

    Attributes:
        facts: The fields of its `result` message but `ack` and `duplicate`.
        envelope: The bytes that cross the uplink.
        delivery: Done when the cloud has it.
    """

    facts: dict[str, object]
    envelope: bytes
    delivery: Delivery
