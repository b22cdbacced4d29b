"""What the daemon's parts report while they work, and who gets to see it.

Parts push (`observe`, `frame`, `dropped`, `batch`) from any thread. What is a state and not an
event (queues, spool, links, counters) is pulled: once a second the event loop publishes an
immutable `Snapshot`, and a scrape, which comes in another thread, reads the latest. A scrape thus
costs the loop nothing, cannot wait for it, and still answers while it is blocked;
`edge_snapshot_age_seconds` then tells.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from edge_daemon.telemetry.accounts import Accounts
from edge_daemon.telemetry.collector import DaemonCollector
from edge_daemon.telemetry.machine import THERMAL, Temperature, Thermometer
from edge_daemon.telemetry.quantiles import LatestTimes
from edge_daemon.telemetry.snapshot import Snapshot

_log = logging.getLogger(__name__)

DropReason = Literal[
    "rate",
    "busy",
    "replaced",
    "deadline",
    "unchanged",
    "spool_full",
    "gave_way",
    "expired",
    "damaged",
    "refused",
    "stop",
]
"""Why a frame did not reach the cloud. Before it was encoded: its camera sends too often; no room
in the queues; a newer one took its place; too late; nothing relevant changed. Of the spool: no room
there; it gave way to a newer one; it waited for too long; its record was damaged. Afterwards: the
cloud will never take it; the daemon stopped."""

DURATION_BUCKETS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0),
)
"""Upper bounds of the latency histograms, in seconds."""

BATCH_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Upper bounds of the batch histogram, in frames."""

PUBLISH_S = 1.0
"""Seconds from one snapshot to the next."""

_TEMPERATURES_EVERY = 5


class StatusFields(TypedDict):
    """The fields of the wire's `status` reply that come from here."""

    spool: dict[str, int | float | str | None]
    links: list[dict[str, Any]]
    cameras: dict[str, dict[str, int]]
    latency_ms: dict[str, dict[str, float]]
    drops: dict[str, int]
    tiles: dict[str, int]
    temperatures_c: dict[str, float]


class Telemetry:
    """One daemon's figures, in a registry of its own. Thread-safe but for `publish`.

    Args:
        version: Of the daemon.
        bundle: Name of the model bundle.
        backend: What runs it, e.g. "onnxruntime 1.22.0".
        thermal: Directory of the kernel's thermal zones.
    """

    def __init__(self, *, version: str, bundle: str, backend: str, thermal: Path = THERMAL) -> None:
        self.registry = registry = CollectorRegistry()
        self._accounts = Accounts()
        self._latest = LatestTimes()
        self._thermometer = Thermometer(thermal)
        self._published: tuple[Snapshot, float] | None = None
        self._failing = False
        self._stages = Histogram(
            "edge_stage_duration_seconds",
            "Time that one stage spent on one frame.",
            ["stage"],
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._frames_s = Histogram(
            "edge_frame_duration_seconds",
            "Time from a frame's receipt until it was encoded and queued for the cloud.",
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._batches = Histogram(
            "edge_batch_frames",
            "Frames whose tiles shared one call of the image encoder.",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self._encoded = Counter(
            "edge_encoded_frames", "Frames encoded.", ["mode", "codec"], registry=registry
        )
        self._source_bytes = Counter(
            "edge_source_bytes",
            "Payload bytes of the frames encoded, as cameras sent them: image files or raw pixels.",
            ["mode", "codec"],
            registry=registry,
        )
        self._envelope_bytes = Counter(
            "edge_envelope_bytes",
            "Bytes of the envelopes made of these frames, as they cross the uplink.",
            ["mode", "codec"],
            registry=registry,
        )
        self._saved = Gauge(
            "edge_saved_bytes",
            "edge_source_bytes_total less edge_envelope_bytes_total. A share saved is of the "
            "source bytes: of what cameras sent. Falls where an envelope exceeds its source.",
            registry=registry,
        )
        self._drops = Counter(
            "edge_dropped_frames",
            "Frames that were turned away, left out or given up; some came again.",
            ["reason"],
            registry=registry,
        )
        # Present from the start, so that the first drop counts as an increase.
        for reason in get_args(DropReason):
            self._drops.labels(reason)
        Gauge(
            "edge_build_info", "Always 1.", ["version", "bundle", "backend"], registry=registry
        ).labels(version, bundle, backend).set(1)
        ProcessCollector(registry=registry)
        registry.register(DaemonCollector(lambda: self._published, self._thermometer))

    def observe(self, stage: str, seconds: float) -> None:
        """A stage spent so many seconds on a frame."""
        self._stages.labels(stage).observe(seconds)
        self._latest.add(stage, seconds)

    def frame(
        self,
        client: str,
        *,
        mode: str,
        codec: str,
        source_bytes: int,
        envelope_bytes: int,
        seconds: float,
    ) -> None:
        """A frame is encoded and queued.

        Args:
            client: The camera's id.
            mode: As it was sent: "prefilter", "plain" or "semantic".
            codec: Id of the codec, "text" for text in a picture's place.
            source_bytes: Of the payload as it came.
            envelope_bytes: That cross the uplink.
            seconds: Since its receipt.
        """
        self._encoded.labels(mode, codec).inc()
        self._source_bytes.labels(mode, codec).inc(source_bytes)
        self._envelope_bytes.labels(mode, codec).inc(envelope_bytes)
        self._saved.inc(source_bytes - envelope_bytes)
        self._frames_s.observe(seconds)
        self._latest.add("frame", seconds)
        self._accounts.frame(client, source_bytes, envelope_bytes)

    def dropped(self, reason: DropReason, client: str | None = None) -> None:
        """A frame will not reach the cloud, and why; `client` if it is known whose it was."""
        self._drops.labels(reason).inc()
        if client is not None:
            self._accounts.dropped(client)

    def batch(self, frames: int) -> None:
        """So many frames shared one encoder call."""
        self._batches.observe(frames)

    async def publish(self, take: Callable[[], Snapshot]) -> None:
        """Shows the daemon to other threads, once a second, for ever. Run it as a task.

        Args:
            take: Makes a snapshot; called on the event loop, so it must be cheap.
        """
        tick = 0
        reading: asyncio.Future[tuple[Temperature, ...]] | None = None
        while True:
            if tick % _TEMPERATURES_EVERY == 0 and (reading is None or reading.done()):
                # Not waited for: a sensor may hang.
                reading = asyncio.ensure_future(asyncio.to_thread(self._thermometer.read))
            try:
                self._published = (take(), time.monotonic())
                self._failing = False
            except Exception:
                # Figures that are out of date are no reason to stop taking frames.
                if not self._failing:
                    _log.exception("event=snapshot_failed")
                self._failing = True
            tick += 1
            await asyncio.sleep(PUBLISH_S)

    def status_fields(self, now: Snapshot, queued: Mapping[str, int] | None = None) -> StatusFields:
        """The figures for a `status` reply. Touches no disk and no sensor.

        Args:
            now: The daemon at this moment.
            queued: Camera to frames of it that wait, of those that have any.
        """
        cameras = self._accounts.table()
        for camera, account in cameras.items():
            account["queued"] = (queued or {}).get(camera, 0)
        return {
            "spool": {} if now.spool is None else asdict(now.spool),
            "links": [asdict(link) for link in now.links],
            "cameras": cameras,
            "latency_ms": self._latest.quantiles_ms(),
            "drops": self._drops_so_far(),
            "tiles": {"encoded": now.tiles_encoded, "reused": now.tiles_reused},
            "temperatures_c": self._thermometer.latest_by_kind(),
        }

    def _drops_so_far(self) -> dict[str, int]:
        return {
            sample.labels["reason"]: int(sample.value)
            for metric in self._drops.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.value
        }
