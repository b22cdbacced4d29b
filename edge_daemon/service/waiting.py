"""Frames that were let in and are not begun; who may still come in, and who is begun next.

Three bounds, and what each is for:

- `queue_frames` and `queue_bytes` bound what waits. One client may fill its `queue_share` of either
  while it is alone, and less the more others wait, so that a newcomer finds room (`fairness`).
- So many frames as fill the stages and the queues between them may be under way: begun, and neither
  with the uplink nor set aside. More would only wait at another place, where no fairness helps.
- No client may have more than that begun and not with the uplink, its frames set aside included:
  those in the slow lane, and those that are done and wait for their turn (`order`).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Literal

from edge_daemon.errors import BusyError, Verbatim
from edge_daemon.service.fairness import FairQueue, within_share
from edge_daemon.service.job import Job
from edge_daemon.service.pace import Pace
from edge_daemon.settings import CameraSettings, StageSettings

_MOST_SURPLUS = 4.0
"""Times its expected cost that a frame may be charged beyond it: the client that a hiccup of the
machine befell is not to blame."""

_MARGIN = 1.1
"""Times what the frames before one are expected to take that a promise allows for: the machine may
become slower after it was given."""

_CLAIM_S = 0.5
"""Seconds beyond the advised time that a client that was refused has for asking again."""

Ending = Literal["done", "late", "failed"]
"""With the uplink; too late for its deadline; failed otherwise, which tells nothing of its pace."""

_LEAST_RETRY_S = 0.1
_LONGEST_RETRY_S = 30.0


class WaitingRoom:
    """The queue before the stages. To be used on the event loop only.

    Args:
        settings: The bounds.
        pace: How fast work goes.
    """

    def __init__(self, settings: StageSettings, pace: Pace) -> None:
        self._settings = settings
        self._pace = pace
        # Two in the threads' hands, and four batches: opened, at the encoder, scored, leaving.
        self._most_under_way = 2 * settings.threads + 4 * settings.batch_frames
        self._queue: FairQueue[Job] = FairQueue(self._most_under_way)
        self._bytes: Counter[str] = Counter()
        self._under_way = 0
        self._under_way_s = 0.0
        self._changed = asyncio.Event()
        self.queue_bytes = settings.queue_bytes

    @property
    def under_way(self) -> int:
        """Frames that were begun, and are neither with the uplink nor set aside."""
        return self._under_way

    @property
    def frames(self) -> int:
        """Frames that wait to be begun."""
        return len(self._queue)

    def waiting_frames(self) -> dict[str, int]:
        """Frames that wait to be begun, per client that has any."""
        return {client: self._queue.waiting(client) for client, size in self._bytes.items() if size}

    def replaceable(self, client: str) -> bool:
        """Whether a frame of this client waits to be begun."""
        return self._queue.waiting(client) > 0

    def check_room(self, client: str, payload_bytes: int, rules: CameraSettings) -> None:
        """Raises `BusyError` unless there is room for a frame of this client."""
        waiting = self._queue.waiting(client)
        replaces = rules.latest_only and waiting > 0
        frames, limit = len(self._queue) + 1 - replaces, self._settings.queue_frames
        own = waiting + 1 - replaces
        if frames > limit:
            raise self._full(client, rules, "as many frames as may are waiting already", frames - 1)
        if own > 1 and not within_share(own, frames, limit, rules.queue_share):
            raise self._full(client, rules, "as many of this client's frames as may wait", own - 1)
        total, limit = self._bytes.total() + payload_bytes, self.queue_bytes
        if frames > 1 and total > limit:
            raise self._full(
                client,
                rules,
                "as many bytes as may are waiting already",
                Verbatim(f"{total - payload_bytes} bytes"),
            )
        mine = self._bytes[client] + payload_bytes
        if own > 1 and not within_share(mine, total, limit, rules.queue_share):
            raise self._full(
                client,
                rules,
                "as many bytes of this client as may are waiting",
                Verbatim(f"{mine - payload_bytes} bytes"),
            )

    def check_time(self, client: str, rules: CameraSettings, allowed_s: float) -> None:
        """Raises `BusyError` if a frame of this client would not be done in time.

        Args:
            client: Whose frame.
            rules: The client's.
            allowed_s: Seconds that it may take.
        """
        if not self._under_way and not len(self._queue):
            return  # nobody is before it: it may as well be tried, and measured
        now = time.monotonic()
        in_work = self._queue.begun(client) > 0 or self._queue.waiting(client) > 0
        needed_s = _MARGIN * self.ahead_s(client, rules)
        needed_s += self._pace.rest_s(client, now, in_work=in_work)
        if needed_s > allowed_s:
            retry_s = _bounded(needed_s - allowed_s)
            cost_s, until = self._pace.cost_s(client), now + retry_s + _CLAIM_S
            self._queue.claim(client, cost=cost_s, weight=rules.weight, now=now, until=until)
            raise BusyError(
                "the frames before it leave no time for this one before its deadline",
                value=Verbatim(f"{needed_s:.3g} s needed, {allowed_s:.3g} s allowed"),
                remedy="send the frame again later, or allow more (deadline_s)",
                retry_after_s=retry_s,
            )

    def ahead_s(self, client: str, rules: CameraSettings) -> float:
        """Seconds that the frames before a new one of this client will take."""
        now, weight = time.monotonic(), rules.weight
        instead = rules.latest_only and self._queue.waiting(client) > 0
        work = self._queue.work_ahead(client, weight=weight, instead=instead, now=now)
        return (work + self._under_way_s) / self._pace.speed(now)

    def retry_s(self, client: str, rules: CameraSettings) -> float:
        """Seconds until there may be room for a frame of this client."""
        waiting = self._queue.waiting(client)
        return _bounded(self.ahead_s(client, rules) / max(1, waiting))

    def put(self, job: Job, rules: CameraSettings) -> Job | None:
        """Takes a frame over; there must be room.

        Returns:
            The frame that it replaced, if the client's rules have it so.
        """
        client = job.header.client
        job.cost_s, job.foretold_s = self._pace.cost_s(client), self.ahead_s(client, rules)
        replaced = None
        if rules.latest_only and self._queue.waiting(client):
            replaced = self._queue.swap(client, job, cost=job.cost_s)
            self._lighten(client, replaced.payload_bytes)
        else:
            weight, now = rules.weight, time.monotonic()
            self._queue.put(client, job, cost=job.cost_s, weight=weight, now=now)
        self._bytes[client] += job.payload_bytes
        self._changed.set()
        return replaced

    async def begin(self) -> Job:
        """The frame to begin next, as soon as there is one."""
        while self._under_way >= self._most_under_way or (job := self._queue.pop()) is None:
            self._changed.clear()
            await self._changed.wait()
        self._lighten(job.header.client, job.payload_bytes)
        job.begun, job.under_way = time.monotonic(), True
        self._under_way += 1
        self._under_way_s += job.cost_s
        self._pace.begun(job.cost_s, job.begun, more=len(self._queue) > 0)
        return job

    def least_s(self, job: Job) -> float:
        """Seconds that a frame needs at least once it is begun."""
        return self._pace.least_s(job.header.client, time.monotonic())

    def set_aside(self, job: Job) -> None:
        """A frame holds up its own client only: it is in the slow lane, or waits for its turn."""
        if job.under_way:
            job.under_way = False
            self._under_way -= 1
            self._under_way_s = max(0.0, self._under_way_s - job.cost_s) if self._under_way else 0.0
            self._changed.set()

    def left(self, job: Job, how: Ending) -> None:
        """A frame that was begun is with the uplink, or failed; nobody waits for it any more."""
        self.set_aside(job)
        client, now = job.header.client, time.monotonic()
        surplus = min(job.spent_s - job.cost_s, _MOST_SURPLUS * job.cost_s)
        self._queue.done(client, surplus, now=now)
        if how == "done":
            self._pace.done(client, job.spent_s, job.service_s, now)
        if how != "failed":
            self._pace.took(client, now - job.received - job.foretold_s, now)
        self._changed.set()

    def _lighten(self, client: str, payload_bytes: int) -> None:
        self._bytes[client] -= payload_bytes
        if not self._queue.waiting(client):
            del self._bytes[client]

    def _full(self, client: str, rules: CameraSettings, problem: str, value: object) -> BusyError:
        return BusyError(
            problem,
            value=value,
            remedy="send the frame again later",
            retry_after_s=self.retry_s(client, rules),
        )


def _bounded(seconds: float) -> float:
    return round(min(_LONGEST_RETRY_S, max(_LEAST_RETRY_S, seconds)), 3)
