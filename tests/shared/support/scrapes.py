"""What a scrape of a daemon's metrics finds, read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from edge_daemon.telemetry import Snapshot, Telemetry


class Scrape:
    """One scrape's families and samples."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Metric] = {
            family.name: family for family in text_string_to_metric_families(text)
        }

    @classmethod
    def of(cls, telemetry: Telemetry) -> Scrape:
        """Scrapes without a server."""
        return cls(generate_latest(telemetry.registry).decode())

    def __call__(self, name: str, **labels: str) -> float:
        """The one sample of this name and exactly these labels."""
        (value,) = (
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        )
        return value

    def names(self) -> set[str]:
        """All that can stand in a query."""
        return {sample.name for family in self.families.values() for sample in family.samples}

    def labels(self, name: str) -> Iterator[dict[str, str]]:
        """The labels of all samples of a name."""
        for family in self.families.values():
            yield from (sample.labels for sample in family.samples if sample.name == name)


async def publish(telemetry: Telemetry, snapshot: Snapshot) -> None:
    """Publishes one snapshot, as the daemon's task does every second."""
    taken = asyncio.Event()

    def take() -> Snapshot:
        taken.set()
        return snapshot

    task = asyncio.create_task(telemetry.publish(take))
    await taken.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
