"""The published snapshot and the box, in Prometheus' words. Called in the scrape's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_daemon.telemetry.machine import Thermometer, disk_free_bytes
from edge_daemon.telemetry.snapshot import Snapshot

_RESULTS = {"frames_done": "done", "frames_failed": "failed", "frames_repeated": "repeated"}
_OUTCOMES = {
    "envelopes_delivered": "delivered",
    "envelopes_resent": "resent",
    "envelopes_refused": "refused",
    "envelopes_recoded": "recoded",
    "envelopes_escalated": "escalated",
}
_ERRORS = "errors_"
_PLAIN = {
    "frames_received": (
        "edge_received_frames",
        "Frames that came in, with those that were refused or repeated.",
    ),
    "source_bytes": ("edge_received_bytes", "Payload bytes of all frames that came in."),
    "encodes": ("edge_encodes", "Encoder runs; more than one per frame where a budget was tight."),
}
# Those that parts report themselves, in more detail.
_ELSEWHERE = {"envelope_bytes", "batches", "batched_frames"}


class DaemonCollector(Collector):
    """Reads what was published last.

    Args:
        published: The latest snapshot and its moment by the monotonic clock; `None` before the
            first.
        thermometer: Read at each scrape.
    """

    def __init__(
        self, published: Callable[[], tuple[Snapshot, float] | None], thermometer: Thermometer
    ) -> None:
        self._published = published
        self._thermometer = thermometer

    def collect(self) -> Iterable[Metric]:
        """All metrics that are pulled."""
        temperatures = GaugeMetricFamily(
            "edge_temperature_celsius", "The kernel's thermal zones.", labels=["zone", "kind"]
        )
        for one in self._thermometer.read():
            temperatures.add_metric([one.zone, one.kind], one.celsius)
        yield temperatures
        published = self._published()
        if published is None:
            return
        now, moment = published
        yield GaugeMetricFamily(
            "edge_snapshot_age_seconds",
            "Age of the queues, spool, links and counters shown; above a few: the loop is blocked.",
            time.monotonic() - moment,
        )
        yield from _counters(now.counters)
        yield _gauge("edge_queue_entries", "Entries per queue.", "queue", now.queues)
        yield _gauge(
            "edge_queue_limit_entries", "Most entries per queue.", "queue", now.queue_limits
        )
        yield CounterMetricFamily(
            "edge_tiles_encoded", "Tiles that the image encoder saw.", now.tiles_encoded
        )
        yield CounterMetricFamily(
            "edge_tiles_reused",
            "Tiles that had not changed and kept an earlier frame's embedding.",
            now.tiles_reused,
        )
        yield from _spool(now)
        yield from _links(now)


def _counters(counters: Mapping[str, int]) -> Iterator[Metric]:
    """The daemon's own counters; one that is not known here becomes an event, and is not lost."""
    frames = CounterMetricFamily("edge_frames", "Frames by what became of them.", labels=["result"])
    envelopes = CounterMetricFamily(
        "edge_envelopes", "Envelopes by what became of them on the uplink.", labels=["outcome"]
    )
    errors = CounterMetricFamily("edge_errors", "Errors answered, by code.", labels=["code"])
    events = CounterMetricFamily(
        "edge_events", "Everything else that is counted.", labels=["event"]
    )
    for name, result in _RESULTS.items():
        frames.add_metric([result], counters.get(name, 0))
    for name, outcome in _OUTCOMES.items():
        envelopes.add_metric([outcome], counters.get(name, 0))
    for name, (metric, text) in _PLAIN.items():
        yield CounterMetricFamily(metric, text, counters.get(name, 0))
    for name, count in counters.items():
        if name.startswith(_ERRORS):
            errors.add_metric([name.removeprefix(_ERRORS)], count)
        elif not (name in _RESULTS or name in _OUTCOMES or name in _PLAIN or name in _ELSEWHERE):
            events.add_metric([name], count)
    yield from (frames, envelopes, errors, events)


def _spool(now: Snapshot) -> Iterator[Metric]:
    spool = now.spool
    if spool is None:
        return
    yield GaugeMetricFamily("edge_spool_bytes", "Bytes of envelopes that wait.", spool.bytes)
    yield GaugeMetricFamily("edge_spool_limit_bytes", "Bytes that may wait.", spool.limit_bytes)
    yield GaugeMetricFamily("edge_spool_frames", "Envelopes that wait.", spool.frames)
    yield GaugeMetricFamily(
        "edge_spool_oldest_age_seconds", "Age of the oldest that waits.", spool.oldest_age_s
    )
    free = None if spool.directory is None else disk_free_bytes(spool.directory)
    if free is not None:
        yield GaugeMetricFamily(
            "edge_spool_disk_free_bytes", "Room left on the spool's disk.", free
        )


def _links(now: Snapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "edge_link_up",
        "1 for the upstream in use if it answers, 0 for all others.",
        labels=["transport", "upstream"],
    )
    reconnects = CounterMetricFamily(
        "edge_link_reconnects", "Connections made anew.", labels=["transport"]
    )
    # Servers that differ only in the password that is left out would make one series twice.
    ups = {(link.transport, link.upstream): link.up for link in reversed(now.links)}
    for labels, answers in ups.items():
        up.add_metric(labels, int(answers))
    for transport, count in {link.transport: link.reconnects for link in now.links}.items():
        reconnects.add_metric([transport], count)
    yield from (up, reconnects)


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], value)
    return gauge
