"""The Grafana dashboard and the example for Prometheus fit what a daemon really exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.telemetry import LinkState, Snapshot, SpoolState, Telemetry
from support.scrapes import Scrape, publish

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
METRIC = re.compile(r"\b(?:edge|process)_[a-z0-9_]+")
GROUPED = re.compile(r"by \(([^)]*)\)")
SHOWN_LABEL = re.compile(r"{{(\w+)}}")
PANELS: list[dict[str, Any]] = json.loads((DEPLOY / "grafana" / "edge-daemon.json").read_text())[
    "panels"
]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]


@pytest.fixture
async def scrape(telemetry: Telemetry, tmp_path: Path) -> Scrape:
    """Of a daemon that has done everything once."""
    telemetry.observe("codec", 0.01)
    telemetry.batch(2)
    telemetry.dropped("busy")
    telemetry.frame(
        "gate", mode="plain", codec="jpeg", source_bytes=9, envelope_bytes=1, seconds=0.1
    )
    snapshot = Snapshot(
        counters={"errors_busy": 1, "answers_undeliverable": 1},
        queues={"waiting": 1},
        queue_limits={"waiting": 16},
        links=(LinkState("zeromq", "tcp://cloud:1", up=True),),
        spool=SpoolState(1, 2, 3, 4.0, str(tmp_path)),
    )
    await publish(telemetry, snapshot)
    return Scrape.of(telemetry)


def expressions(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def test_every_metric_that_is_drawn_is_exported(scrape: Scrape) -> None:
    drawn = {name for panel in DRAWN for one in expressions(panel) for name in METRIC.findall(one)}
    assert len(drawn) > 20
    assert drawn <= scrape.names()


def test_every_label_that_is_drawn_is_on_its_metric(scrape: Scrape) -> None:
    for panel in DRAWN:
        for target in panel["targets"]:
            on_metrics = {
                label
                for name in METRIC.findall(target["expr"])
                for labels in scrape.labels(name)
                for label in labels
            }
            named = set(SHOWN_LABEL.findall(target["legendFormat"]))
            for labels in GROUPED.findall(target["expr"]):
                named |= {label.strip() for label in labels.split(",")}
            assert named <= on_metrics | {"instance"}, panel["title"]


def test_every_metric_of_ours_is_drawn_but_those_that_say_the_same_otherwise(
    scrape: Scrape,
) -> None:
    drawn = "".join(one for panel in DRAWN for one in expressions(panel))
    families = {name for name in scrape.families if name.startswith("edge_")}
    unseen = {name for name in families if name not in drawn and not name.endswith("_created")}
    assert unseen == {"edge_received_bytes"}


def test_every_panel_has_a_title_a_unit_and_queries_for_the_chosen_daemons() -> None:
    for panel in DRAWN:
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for one in expressions(panel):
            assert one.count('instance=~"$instance"') == len(METRIC.findall(one)), one
            assert one.count("(") == one.count(")"), one
        source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
        assert all(target["datasource"] == source for target in panel["targets"])


def test_panels_are_numbered_once_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in cells, panel["title"]
                cells.add((x, y))


def test_expressions_proposed_for_alerts_are_about_metrics_that_exist(scrape: Scrape) -> None:
    proposed = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8").split("alert")[1]
    named = set(METRIC.findall(proposed))
    assert len(named) >= 6
    assert named <= scrape.names()
