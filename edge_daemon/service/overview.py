"""The daemon seen as a whole: its status, its health, and its figures over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from edge_daemon.codecs import codec_ids, codec_status
from edge_daemon.errors import EdgeError
from edge_daemon.prefilter import Prefilter
from edge_daemon.service.activity import Activity
from edge_daemon.service.front import Front
from edge_daemon.service.stages import Stages
from edge_daemon.settings.live import Live
from edge_daemon.telemetry import (
    Health,
    LinkState,
    Snapshot,
    SpoolState,
    Telemetry,
    TelemetryServer,
    WritableDirectory,
    none_stalled,
    tasks_alive,
)
from edge_daemon.uplink import Uplink
from edge_daemon.wire import StatusReply

_UPLINK_STILL_S = 30.0
"""Seconds without a turn of the sending loop, which turns every 5 s unless the disk hangs."""


class Overview:
    """Watches a daemon's parts, and tells how they are. For the event loop.

    Args:
        live: The settings in force.
        prefilter: Its figures are shown.
        telemetry: What the parts report to.
        health: Gets the checks.
        stages: Watched.
        uplink: Watched.
        front: Watched.
        activity: What the stages' workers are at.
        counters: Events since the start.
    """

    def __init__(
        self,
        live: Live,
        *,
        prefilter: Prefilter,
        telemetry: Telemetry,
        health: Health,
        stages: Stages,
        uplink: Uplink,
        front: Front,
        activity: Activity,
        counters: Counter[str],
    ) -> None:
        self._live = live
        self._prefilter = prefilter
        self._telemetry = telemetry
        self._health = health
        self._stages = stages
        self._uplink = uplink
        self._front = front
        self._activity = activity
        self._counters = counters
        self._begun = time.monotonic()
        self._vital: Sequence[asyncio.Task[Any]] = ()
        self._observing: list[asyncio.Task[None]] = []
        self._server: TelemetryServer | None = None
        self._writable: WritableDirectory | None = None
        self.stopping = False

    def open(self) -> None:
        """Begins to answer over HTTP, if that is wanted: first, so that a slow start shows.

        Raises:
            BindError: The port cannot be listened on.
        """
        bind = self._live.now.metrics.bind
        if bind is not None:
            self._server = TelemetryServer(bind, self._telemetry, self._health)
            self._server.open()
        self._health.add("start", self._started, "ready")

    def begin(self, vital: Sequence[asyncio.Task[Any]]) -> None:
        """The daemon is up: from now on its parts are watched.

        Args:
            vital: Tasks that must not end.
        """
        self._vital = vital
        add = self._health.add
        add("tasks", tasks_alive(lambda: self._vital))
        add("stages", none_stalled(self._stalled))
        add("front", self._front.answers)
        add("uplink", self._uplink_moves)
        add("spool", self._spool_answers)
        add("stopping", self._not_stopping, "ready")
        add("queues", self._room_to_wait, "ready")
        add("spool_room", self._room_in_spool, "ready")
        directory = self._live.now.spool.directory
        if directory is not None:
            self._writable = WritableDirectory(directory)
            add("spool_disk", self._writable.check, "ready")
        add("link", self._link_up, "note")
        self._observing = [
            asyncio.create_task(self._telemetry.publish(self.snapshot), name="telemetry"),
            asyncio.create_task(self._health.watch(), name="health"),
        ]

    async def close(self) -> None:
        """Stops watching and answering."""
        for task in self._observing:
            task.cancel()
        await asyncio.gather(*self._observing, return_exceptions=True)
        if self._server is not None:
            await asyncio.to_thread(self._server.close)
        if self._writable is not None:
            self._writable.close()

    async def failing(self) -> list[str]:
        """What is not alive, for the watchdog."""
        return await self._health.failing()

    def line(self) -> str:
        """The daemon in one line."""
        queues = self._uplink.queues()
        return (
            f"link {'up' if self._uplink.up else 'down'}, "
            f"{self._counters['frames_done']} frames done, "
            f"{queues['uplink_waiting'] + queues['uplink_in_flight']} wait for the cloud"
        )

    def snapshot(self) -> Snapshot:
        """The daemon at this moment."""
        settings, spool = self._live.now.stages, self._uplink.spool_facts()
        hits = self._prefilter.hits()
        return Snapshot(
            counters={
                **self._counters,
                **self._uplink.counters(),
                "spool_storage_errors": spool.storage_errors,
                "spool_quarantined": spool.quarantined,
                "spool_rows_set_aside": spool.set_aside,
            },
            queues={**self._stages.queues(), **self._uplink.queues()},
            queue_limits={
                "waiting": settings.queue_frames,
                "scored": settings.batch_frames,
                "slow": settings.batch_frames,
            },
            links=LinkState.of(self._uplink.link_facts()),
            spool=SpoolState(
                spool.bytes,
                spool.max_bytes,
                spool.frames,
                spool.oldest_s,
                self._live.now.spool.directory,
            ),
            tiles_encoded=hits["tiles_encoded"],
            tiles_reused=hits["tiles_reused"],
        )

    def status(self) -> StatusReply:
        """The answer to a camera that asks."""
        settings, now = self._live.now, self.snapshot()
        problems = {one: codec_status(one).problem for one in codec_ids()}
        limits = settings.limits
        return StatusReply(
            daemon_version=version_of_daemon(),
            uptime_s=round(time.monotonic() - self._begun, 3),
            bundle=self._prefilter.bundle.describe(),
            codecs=[one for one, problem in problems.items() if not problem],
            codec_problems={one: problem for one, problem in problems.items() if problem},
            limits={
                "max_payload_bytes": limits.max_payload_bytes,
                "max_pixels": limits.max_pixels,
                "max_header_bytes": limits.max_header_bytes,
                "max_prompt_bytes": settings.prompt.max_bytes,
            },
            queues=dict(now.queues),
            budgets=self._stages.budgets(),
            counters=dict(now.counters),
            link="up" if self._uplink.up else "down",
            health=self._health.latest,
            **self._telemetry.status_fields(now, self._stages.room.waiting_frames()),
        )

    def _stalled(self) -> list[str]:
        return self._activity.stalled(time.monotonic(), self._live.now.stages.stall_s)

    async def _started(self) -> str | None:
        return None if self._vital else "the daemon is starting"

    async def _not_stopping(self) -> str | None:
        return "the daemon is stopping" if self.stopping else None

    async def _uplink_moves(self) -> str | None:
        still_s = self._uplink.still_s
        if still_s < _UPLINK_STILL_S:
            return None
        return f"the sending loop has not turned for {still_s:.0f} s"

    async def _spool_answers(self) -> str | None:
        await self._uplink.probe()
        return None

    async def _room_to_wait(self) -> str | None:
        most = self._live.now.stages.queue_frames
        return None if self._stages.room.frames < most else f"{most} frames wait, which is the most"

    async def _room_in_spool(self) -> str | None:
        try:
            self._uplink.reserve("")
        except EdgeError as error:
            return str(error)
        self._uplink.release()
        return None

    async def _link_up(self) -> str | None:
        return None if self._uplink.up else "no upstream answers"


@cache
def version_of_daemon() -> str:
    """The installed package's version."""
    try:
        return version("edge-daemon")
    except PackageNotFoundError:
        return "unknown"
