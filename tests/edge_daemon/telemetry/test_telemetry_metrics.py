"""What the parts report and what a scrape then finds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import get_args

import pytest

from edge_daemon.telemetry import DropReason, LinkState, Snapshot, SpoolState, Telemetry
from support.scrapes import Scrape, publish


def finish(telemetry: Telemetry, client: str = "gate", source: int = 1000, sent: int = 100) -> None:
    telemetry.frame(
        client,
        mode="prefilter",
        codec="jpeg",
        source_bytes=source,
        envelope_bytes=sent,
        seconds=0.25,
    )


def test_bytes_are_counted_and_the_saving_is_their_difference(telemetry: Telemetry) -> None:
    finish(telemetry, source=1000, sent=100)
    finish(telemetry, source=50, sent=80)
    scrape = Scrape.of(telemetry)
    labels = {"mode": "prefilter", "codec": "jpeg"}
    assert scrape("edge_encoded_frames_total", **labels) == 2
    assert scrape("edge_source_bytes_total", **labels) == 1050
    assert scrape("edge_envelope_bytes_total", **labels) == 180
    assert scrape("edge_saved_bytes") == 870
    assert "source bytes" in scrape.families["edge_saved_bytes"].documentation


def test_stages_and_frames_have_latency_histograms_from_a_millisecond_to_a_minute(
    telemetry: Telemetry,
) -> None:
    telemetry.observe("codec", 0.0015)
    telemetry.observe("codec", 61.0)
    finish(telemetry)
    scrape = Scrape.of(telemetry)
    name = "edge_stage_duration_seconds_bucket"
    assert scrape(name, stage="codec", le="0.001") == 0
    assert scrape(name, stage="codec", le="0.002") == 1
    assert scrape(name, stage="codec", le="60.0") == 1
    assert scrape(name, stage="codec", le="+Inf") == 2
    assert scrape("edge_frame_duration_seconds_sum") == 0.25


def test_batches_have_a_histogram(telemetry: Telemetry) -> None:
    for frames in (1, 3, 4):
        telemetry.batch(frames)
    scrape = Scrape.of(telemetry)
    assert scrape("edge_batch_frames_bucket", le="3.0") == 2
    assert scrape("edge_batch_frames_sum") == 8


def test_every_reason_for_a_drop_is_there_before_the_first(telemetry: Telemetry) -> None:
    telemetry.dropped("expired", "gate")
    telemetry.dropped("expired")
    scrape = Scrape.of(telemetry)
    reasons = {labels["reason"] for labels in scrape.labels("edge_dropped_frames_total")}
    assert reasons == set(get_args(DropReason))
    assert scrape("edge_dropped_frames_total", reason="expired") == 2
    assert scrape("edge_dropped_frames_total", reason="busy") == 0


def test_no_metric_names_a_camera_however_many_there_are(telemetry: Telemetry) -> None:
    finish(telemetry, "camera-0")
    lines = len(Scrape.of(telemetry).text.splitlines())
    for number in range(200):
        finish(telemetry, f"camera-{number}")
        telemetry.dropped("busy", f"camera-{number}")
    text = Scrape.of(telemetry).text
    assert "camera" not in "".join(line for line in text.splitlines() if line[0] != "#")
    assert len(text.splitlines()) == lines


async def test_the_published_state_is_shown(telemetry: Telemetry, tmp_path: Path) -> None:
    await publish(
        telemetry,
        Snapshot(
            counters={
                "frames_received": 9,
                "source_bytes": 900,
                "frames_done": 5,
                "frames_failed": 1,
                "encodes": 7,
                "errors_busy": 2,
                "envelopes_delivered": 4,
                "envelopes_escalated": 2,
                "answers_undeliverable": 3,
                "envelope_bytes": 77,
            },
            queues={"waiting": 2, "in_work": 3},
            queue_limits={"waiting": 16},
            links=(LinkState("zeromq", "tcp://cloud:5592", up=True, reconnects=6),),
            spool=SpoolState(1234, 10_000, 8, 12.5, str(tmp_path)),
            tiles_encoded=40,
            tiles_reused=60,
        ),
    )
    scrape = Scrape.of(telemetry)
    assert scrape("edge_received_frames_total") == 9
    assert scrape("edge_received_bytes_total") == 900
    assert scrape("edge_frames_total", result="done") == 5
    assert scrape("edge_frames_total", result="failed") == 1
    assert scrape("edge_frames_total", result="repeated") == 0
    assert scrape("edge_encodes_total") == 7
    assert scrape("edge_errors_total", code="busy") == 2
    assert scrape("edge_envelopes_total", outcome="delivered") == 4
    assert scrape("edge_envelopes_total", outcome="escalated") == 2
    assert list(scrape.labels("edge_events_total")) == [{"event": "answers_undeliverable"}]
    assert scrape("edge_queue_entries", queue="waiting") == 2
    assert scrape("edge_queue_limit_entries", queue="waiting") == 16
    upstream = {"transport": "zeromq", "upstream": "tcp://cloud:5592"}
    assert scrape("edge_link_up", **upstream) == 1
    assert scrape("edge_link_reconnects_total", transport="zeromq") == 6
    assert scrape("edge_spool_bytes") == 1234
    assert scrape("edge_spool_limit_bytes") == 10_000
    assert scrape("edge_spool_frames") == 8
    assert scrape("edge_spool_oldest_age_seconds") == 12.5
    assert scrape("edge_spool_disk_free_bytes") > 0
    assert scrape("edge_tiles_encoded_total") == 40
    assert scrape("edge_tiles_reused_total") == 60
    assert scrape("edge_snapshot_age_seconds") >= 0


async def test_servers_that_differ_in_their_passwords_are_one_series(
    telemetry: Telemetry,
) -> None:
    links = (
        LinkState("nats", "nats://a:x@hub", up=True),
        LinkState("nats", "nats://b:y@hub", False),
    )
    await publish(telemetry, Snapshot(links=links))
    assert Scrape.of(telemetry)("edge_link_up", transport="nats", upstream="nats://hub") == 1


async def test_a_spool_whose_disk_cannot_be_asked_shows_the_rest(telemetry: Telemetry) -> None:
    spool = SpoolState(1, 2, 3, 4.0, "/nowhere/at/all")
    await publish(telemetry, Snapshot(spool=spool))
    scrape = Scrape.of(telemetry)
    assert scrape("edge_spool_frames") == 3
    assert "edge_spool_disk_free_bytes" not in scrape.names()


def test_the_box_and_the_build_are_shown_before_anything_is_published(
    telemetry: Telemetry,
) -> None:
    scrape = Scrape.of(telemetry)
    zones = {(one["zone"], one["kind"]) for one in scrape.labels("edge_temperature_celsius")}
    assert zones == {("thermal_zone0", "cpu-thermal"), ("thermal_zone1", "cpu-thermal")}
    assert scrape("edge_temperature_celsius", zone="thermal_zone0", kind="cpu-thermal") == 48.5
    assert scrape("edge_build_info", version="1.2.3", bundle="tiny", backend="onnxruntime 1") == 1
    assert scrape("process_resident_memory_bytes") > 1_000_000
    assert scrape("process_cpu_seconds_total") > 0


def test_two_daemons_in_one_process_do_not_mix(telemetry: Telemetry, thermal: Path) -> None:
    other = Telemetry(version="1", bundle="b", backend="c", thermal=thermal)
    telemetry.batch(4)
    assert Scrape.of(telemetry)("edge_batch_frames_count") == 1
    assert Scrape.of(other)("edge_batch_frames_count") == 0


def test_names_carry_the_prefix_and_counters_their_suffix(telemetry: Telemetry) -> None:
    finish(telemetry)
    families = Scrape.of(telemetry).families
    ours = {name: one for name, one in families.items() if not name.startswith("process_")}
    assert ours
    assert all(name.startswith("edge_") for name in ours)
    assert all(one.documentation.endswith(".") for one in ours.values() if one.documentation)
    assert all(
        sample.name.endswith(("_total", "_created"))
        for one in ours.values()
        if one.type == "counter"
        for sample in one.samples
    )


def test_a_snapshot_does_not_change_with_the_daemon() -> None:
    counters = {"frames_done": 1}
    snapshot = Snapshot(counters=counters)
    counters["frames_done"] = 2
    assert snapshot.counters == {"frames_done": 1}
    with pytest.raises(TypeError):
        snapshot.counters["frames_done"] = 3  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("nats://edge:secret@hub:4222", "nats://hub:4222"),
        ("nats://edge:p@ss@hub:4222", "nats://hub:4222"),
        ("nats://token@hub:4222", "nats://hub:4222"),
        ("tcp://[fe80::1]:5592", "tcp://[fe80::1]:5592"),
        ("outbox/a@b", "outbox/a@b"),
    ],
)
def test_a_link_shows_no_password(told: str, shown: str) -> None:
    assert LinkState("nats", told, up=True).upstream == shown


def test_a_transport_tells_of_all_its_upstreams() -> None:
    described: dict[str, str | int | None]
    described = {"kind": "zeromq", "peer": "tcp://b:1", "others": "tcp://a:1 tcp://c:1"}
    links = LinkState.of(described | {"reconnects": 2, "credit": 8})
    assert [link.upstream for link in links] == ["tcp://b:1", "tcp://a:1", "tcp://c:1"]
    assert [link.up for link in links] == [True, False, False]
    assert [link.standby for link in links] == [False, True, True]
    assert {link.reconnects for link in links} == {2}


def test_without_a_link_all_upstreams_are_down_and_none_is_on_standby() -> None:
    described = {"kind": "zeromq", "peer": None, "others": "tcp://a:1 tcp://c:1", "reconnects": 0}
    assert [(link.up, link.standby) for link in LinkState.of(described)] == [(False, False)] * 2
    folder = {"kind": "directory", "peer": None, "others": "my outbox", "reconnects": 0}
    assert [link.upstream for link in LinkState.of(folder)] == ["my outbox"]


async def test_a_snapshot_that_fails_is_logged_once_and_taken_again(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_daemon.telemetry.telemetry.PUBLISH_S", 0.0)
    taken = 0
    recovered = asyncio.Event()

    def take() -> Snapshot:
        nonlocal taken
        taken += 1
        if taken < 4:
            raise RuntimeError("boom")
        recovered.set()
        return Snapshot(tiles_encoded=taken)

    task = asyncio.create_task(telemetry.publish(take))
    with caplog.at_level(logging.ERROR):
        await recovered.wait()
    task.cancel()
    assert [record.getMessage() for record in caplog.records] == ["event=snapshot_failed"]
    assert Scrape.of(telemetry)("edge_tiles_encoded_total") >= 4


async def test_publishing_reads_the_temperatures_beside_the_loop(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_daemon.telemetry.telemetry.PUBLISH_S", 0.0)
    read = asyncio.Event()

    def take() -> Snapshot:
        if telemetry.status_fields(Snapshot())["temperatures_c"]:
            read.set()
        return Snapshot()

    task = asyncio.create_task(telemetry.publish(take))
    await read.wait()
    task.cancel()
    assert telemetry.status_fields(Snapshot())["temperatures_c"] == {"cpu-thermal": 51.25}


async def test_the_status_has_what_the_metrics_leave_out(telemetry: Telemetry) -> None:
    finish(telemetry, "gate", source=1000, sent=100)
    telemetry.dropped("replaced", "gate")
    telemetry.observe("codec", 0.002)
    snapshot = Snapshot(
        links=(LinkState("zeromq", "tcp://cloud:1", up=False),),
        spool=SpoolState(1, 2, 3, 4.0),
        tiles_encoded=5,
        tiles_reused=6,
    )
    fields = telemetry.status_fields(snapshot, queued={"gate": 2})
    assert fields["cameras"] == {
        "gate": {
            "frames": 1,
            "source_bytes": 1000,
            "envelope_bytes": 100,
            "dropped": 1,
            "queued": 2,
        }
    }
    assert fields["latency_ms"]["codec"] == {"p50": 2.0, "p95": 2.0, "count": 1}
    assert fields["latency_ms"]["frame"]["p50"] == 250.0
    assert fields["drops"] == {"replaced": 1}
    assert fields["tiles"] == {"encoded": 5, "reused": 6}
    assert fields["links"] == [
        {
            "transport": "zeromq",
            "upstream": "tcp://cloud:1",
            "up": False,
            "standby": False,
            "reconnects": 0,
        }
    ]
    assert fields["spool"]["oldest_age_s"] == 4.0
