"""What each client may do: its rules, its limits on a picture, and how often it may send."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

from edge_daemon.errors import BusyError, PayloadTooLargeError, Verbatim
from edge_daemon.pictures import PictureLimits
from edge_daemon.settings import CameraSettings, LimitSettings, rules_of

MOST_CLIENTS = 4096
"""Clients that are remembered; of more, those heard from last."""

_BURST_S = 1.0
_ROUNDING_S = 1e-6


class FrameRate:
    """So many frames per second on average, and at most those of a second (or one) at once.

    A token bucket, kept as the one moment at which it will be full again.

    Args:
        per_s: Frames per second, greater than 0.
    """

    def __init__(self, per_s: float) -> None:
        self._interval_s = 1.0 / per_s
        self._burst_s = max(_BURST_S, self._interval_s)
        self._full_at = -math.inf

    def wait_s(self, now: float) -> float:
        """Seconds until a frame may come; 0 if one may now. In whole milliseconds, never less."""
        over_s = max(self._full_at, now) + self._interval_s - self._burst_s - now
        return 0.0 if over_s <= _ROUNDING_S else math.ceil(over_s * 1000) / 1000

    def take(self, now: float) -> None:
        """A frame came."""
        self._full_at = max(self._full_at, now) + self._interval_s


@dataclass(frozen=True)
class Client:
    """One client's rules, and what follows from them.

    Attributes:
        rules: As the operator wrote them.
        limits: Of one picture: the client's, but never more than everybody's.
        rate: How often it may send; `None`: as it likes.
    """

    rules: CameraSettings
    limits: PictureLimits
    rate: FrameRate | None

    def check_payload(self, payload_bytes: int) -> None:
        """Raises `PayloadTooLargeError` if a payload is over the limit."""
        if payload_bytes > self.limits.max_bytes:
            raise PayloadTooLargeError(
                f"the payload exceeds the limit of {self.limits.max_bytes} bytes",
                value=Verbatim(f"{payload_bytes} bytes"),
                remedy="send a smaller picture, or have the operator raise the limit",
            )

    def check_rate(self, now: float) -> None:
        """Raises `BusyError` if it is too early for another frame, and says when it is not."""
        wait_s = 0.0 if self.rate is None else self.rate.wait_s(now)
        if wait_s > 0.0:
            raise BusyError(
                f"this client may send {self.rules.max_frames_per_s:g} frames per second",
                value=Verbatim(f"{wait_s:.3f} s early"),
                remedy="send the frame again later, or have the operator raise the limit",
                retry_after_s=wait_s,
            )


class Clients:
    """The clients heard from lately. One that is forgotten begins anew, with a full burst.

    Args:
        limits: Of every picture.
        cameras: The rules, first match first.
        most: How many clients to remember.
    """

    def __init__(
        self, limits: LimitSettings, cameras: tuple[CameraSettings, ...], most: int = MOST_CLIENTS
    ) -> None:
        self._limits = limits
        self._cameras = cameras
        self._most = most
        self._known: OrderedDict[str, Client] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, name: str) -> Client:
        """The client of this id."""
        client = self._known.get(name)
        if client is None:
            client = self._known[name] = self._meet(name)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return client

    def _meet(self, name: str) -> Client:
        rules = rules_of(name, self._cameras)
        most_bytes, most_pixels = self._limits.max_payload_bytes, self._limits.max_pixels
        limits = PictureLimits(
            min(most_bytes, rules.max_payload_bytes or most_bytes),
            min(most_pixels, rules.max_pixels or most_pixels),
        )
        per_s = rules.max_frames_per_s
        return Client(rules, limits, None if per_s is None else FrameRate(per_s))
