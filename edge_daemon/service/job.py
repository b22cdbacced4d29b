"""One frame on its way through the stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.errors import DeadlineError, Verbatim
from edge_daemon.pictures import PictureLimits
from edge_daemon.prefilter import Plan, Scores
from edge_daemon.settings import CameraSettings
from edge_daemon.uplink import Delivery
from edge_daemon.wire import Bytes, FrameHeader, Key


@dataclass
class Job:
    """A frame and what the stages have made of it so far. One stage at a time has it.

    Attributes:
        header: As received, checked.
        payload: As received; dropped once it is decoded.
        payload_bytes: Its length.
        codec: What will encode it; of a frame that is to be text, the picture that is kept.
        received: When it came, by the monotonic clock, in seconds.
        deadline: When its result is of no more use, by the same clock.
        limits: Of its picture.
        rules: Its client's.
        asked: The configuration of the codec as the frame or the operator wrote it.
        mark: Equal for copies of the frame; `None` if there can be no other.
        timings_ms: Milliseconds per stage.
        pixels: uint8 (H, W, 3), once it is decoded.
        plan: Once it is planned; `None` in mode "plain" where no region is masked.
        seen: Its plan, for the camera's next frame to be compared with, until that is remembered.
        scores: Once its tiles are scored.
        slow: Whether its codec, or asking for a text, will take seconds.
        ticket: Its place among its client's frames.
        cost_s: Seconds that it was expected to take of what all frames share.
        foretold_s: Seconds after which its turn was expected to come, when it was let in.
        spent_s: Seconds that it took of what all frames share so far.
        service_s: Seconds of work on it so far, the slow lane's and the uplink's included.
        begun: When its first stage was begun, by the monotonic clock.
        under_way: Whether it takes up a place in the stages that all frames share.
    """

    header: FrameHeader
    payload: Bytes
    payload_bytes: int
    codec: Codec
    received: float
    deadline: float
    limits: PictureLimits = field(default_factory=PictureLimits)
    rules: CameraSettings = field(default_factory=CameraSettings)
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mark: Future[int] | None = None
    timings_ms: dict[str, float] = field(default_factory=dict[str, float])
    pixels: NDArray[np.uint8] | None = None
    plan: Plan | None = None
    seen: Plan | None = None
    scores: Scores | None = None
    slow: bool = False
    ticket: int = 0
    cost_s: float = 0.0
    foretold_s: float = 0.0
    spent_s: float = 0.0
    service_s: float = 0.0
    begun: float = 0.0
    under_way: bool = False

    @property
    def key(self) -> Key:
        """(client, sequence)."""
        return self.header.client, self.header.sequence

    def spend(self, seconds: float, *, shared: bool, among: int = 1) -> None:
        """Notes the time that a stage took.

        Args:
            seconds: How long.
            shared: Whether it took that of what all frames share.
            among: Frames that it worked on at once.
        """
        self.service_s += seconds
        if shared:
            self.spent_s += seconds / among

    def check_deadline(self, least_s: float = 0.0) -> None:
        """Raises `DeadlineError` if the frame is of no more use; called before each stage.

        Args:
            least_s: Seconds that what is left to do takes at least.
        """
        left_s = self.deadline - time.monotonic()
        if left_s <= 0.0:
            raise _too_late("the frame's deadline passed before it was done", self._allowed_s)
        if left_s <= least_s:
            raise _too_late(
                f"the frame cannot be done in the {left_s:.3g} s before its deadline",
                self._allowed_s,
            )

    @property
    def _allowed_s(self) -> float:
        return self.deadline - self.received


def _too_late(problem: str, allowed_s: float) -> DeadlineError:
    return DeadlineError(
        problem,
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
        durable: Whether it survives this process.
    """

    facts: dict[str, object]
    envelope: bytes
    delivery: Delivery
    durable: bool = False


@dataclass(frozen=True)
class Finished:
    """A frame as it is when the stages are done with it.

    Attributes:
        job: The frame.
        facts: The fields of its `result` message but `ack` and `duplicate`.
        envelope: Its bytes.
        spare: What the cloud may want instead: a picture, in a codec that is exact anywhere.
        unchanged: Nothing is sent: too little changed since the last frame that was.
        sent: To be called once it is with the uplink.
    """

    job: Job
    facts: dict[str, Any]
    envelope: bytes
    spare: bytes | None
    unchanged: bool = False
    sent: Callable[[], None] | None = None
