"""What an operator does to a running daemon, and what it does about it: as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.bench.soak.proxy import FlakyProxy
from edge_daemon.client import Client
from edge_daemon.errors import EdgeError, ForbiddenError, TooManyPixelsError
from edge_daemon.keys import new_client, new_identity, revoke_peer
from edge_daemon.settings import Settings
from support.free_port import free_endpoint
from support.nats_server import plain_server
from support.pictures import busy_picture
from support.processes import Running, as_toml
from support.tiny_bundle import make_tiny_bundle

PATIENCE_S = 60.0
PICTURE = busy_picture(96, 64)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle")
    make_tiny_bundle(directory)
    return directory


@pytest.fixture
def settings(bundle: Path, tmp_path: Path) -> dict[str, Any]:
    """Of a daemon with a spool, and of its cloud."""
    cloud = free_endpoint()
    return {
        "bundle": str(bundle),
        "front": {"bind": free_endpoint()},
        "stages": {"encoder_threads": 1},
        "spool": {"directory": str(tmp_path / "spool")},
        "uplink": {"connect": cloud, "heartbeat_s": 0.3, "drain_s": 0.3, "back_off_max_s": 0.5},
        "cloud": {"bind": cloud, "directory": str(tmp_path / "received")},
    }


def camera(settings: dict[str, Any], name: str = "cam", **options: Any) -> Client:
    endpoint = settings["front"]["bind"]
    return Client(endpoint, client_id=name, timeout_s=PATIENCE_S, heartbeat_s=0.3, **options)


def logged(settings: dict[str, Any]) -> list[tuple[str, int]]:
    """The frames in the cloud's log, in its order."""
    text = (Path(settings["cloud"]["directory"]) / "log.jsonl").read_text("utf-8")
    return [(line["client"], line["sequence"]) for line in map(json.loads, text.splitlines())]


@pytest.mark.parametrize("backlog", ["in-order", "live-first"])
def test_after_a_cut_the_backlog_comes_in_order_and_live_frames_first_if_so_wished(
    settings: dict[str, Any], tmp_path: Path, backlog: str
) -> None:
    with FlakyProxy(settings["cloud"]["bind"]) as proxy:
        # Slow enough for live frames to come while the backlog leaves.
        settings["uplink"] |= {"connect": proxy.endpoint, "backlog": backlog, "backlog_kbps": 60.0}
        with (
            Running("cloud", settings, tmp_path),
            Running("serve", settings, tmp_path) as daemon,
            camera(settings, "waits") as waits,
            camera(settings, "live") as live,
        ):
            waits.send(PICTURE, "", sequence=0, ack="delivered")
            proxy.cut()
            daemon.wait_for("event=link_down")
            for sequence in range(1, 13):
                assert waits.send(PICTURE, "", sequence=sequence, ack="spooled").ack == "spooled"
            proxy.heal()
            daemon.wait_for("event=link_up .*reconnects=1")
            for sequence in range(3):
                live.send(PICTURE, "", sequence=sequence, ack="spooled")
            waits.send(PICTURE, "", sequence=13, ack="delivered")
            live.send(PICTURE, "", sequence=3, ack="delivered")
            while waits.status().queues["uplink_waiting"]:
                waits.send(PICTURE, "", sequence=12, ack="delivered")
    order = logged(settings)
    assert len(order) == len(set(order)) == 18
    backlogged = [sequence for client, sequence in order if client == "waits" and sequence < 13]
    assert backlogged == list(range(13))
    assert [sequence for client, sequence in order if client == "live"] == [0, 1, 2, 3]
    # Order is promised per camera; of different ones, the cloud works on several at once.
    before = order.index(("live", 0)) < order.index(("waits", 10))
    assert before == (backlog == "live-first")


def test_a_spool_that_is_no_database_is_set_aside_and_the_daemon_starts(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    (spool / "spool.sqlite").write_bytes(b"torn to pieces " * 4000)
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        daemon.wait_for("event=spool_quarantined")
        assert client.send(PICTURE, "", ack="spooled").ack == "spooled"
    assert list((spool / "quarantine").iterdir())


def test_only_known_keys_talk_and_a_revoked_one_no_more(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    for server in ("front", "cloud"):
        new_identity(tmp_path / server)
        settings[server]["keys"] = str(tmp_path / server)
    new_client(tmp_path / "front", "gate-3", tmp_path / "gate-3")
    new_client(tmp_path / "cloud", "box", tmp_path / "box", clients="*")
    settings["uplink"]["keys"] = str(tmp_path / "box")
    with (
        Running("cloud", settings, tmp_path),
        Running("serve", settings, tmp_path) as daemon,
        camera(settings, "gate-3", keys=tmp_path / "gate-3") as known,
    ):
        assert known.send(PICTURE, "", ack="delivered").ack == "delivered"
        with (
            camera(settings, "yard", keys=tmp_path / "gate-3") as liar,
            pytest.raises(ForbiddenError, match="may not speak for this client"),
        ):
            liar.send(PICTURE, "")
        with camera(settings, "gate-3") as stranger, pytest.raises(EdgeError):
            stranger.send(PICTURE, "")
        revoke_peer(tmp_path / "front", "gate-3")
        taken = 1

        def send_until_refused() -> None:
            nonlocal taken
            ends = time.monotonic() + PATIENCE_S
            while time.monotonic() < ends:
                known.send(PICTURE, "")
                taken += 1

        with pytest.raises(ForbiddenError):
            send_until_refused()
        assert "secret" not in daemon.log
        assert daemon.stop() == 0
    assert len(logged(settings)) == taken


def test_health_and_metrics_over_http(settings: dict[str, Any], tmp_path: Path) -> None:
    port = free_endpoint().rsplit(":", 1)[1]
    settings["metrics"] = {"bind": f"127.0.0.1:{port}"}

    def got(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    with Running("serve", settings, tmp_path), camera(settings) as client:
        client.send(PICTURE, "Where is the red thing?", ack="spooled")
        assert got("/healthz")[0] == 200
        code, answer = got("/readyz")
        assert code == 200, answer
        assert "no upstream answers" in answer  # with a spool that is no reason to refuse frames
        text = got("/metrics")[1]
        assert 'edge_encoded_frames_total{codec="jpeg",mode="prefilter"} 1.0' in text
        status = client.status()
        assert status.spool["frames"] == 1
        assert status.cameras["cam"]["frames"] == 1
        assert status.latency_ms["frame"]["count"] == 1
        assert status.health == {}


def test_a_reload_takes_over_what_it_can_and_says_what_it_cannot(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        client.send(PICTURE, "", ack="spooled")
        changed = settings | {
            "limits": {"max_pixels": 100},
            "stages": settings["stages"] | {"threads": 3},
        }
        daemon.settings_file.write_text(as_toml(changed), "utf-8")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("event=restart_needed keys=.?stages.threads")
        with pytest.raises(TooManyPixelsError, match="100 pixels"):
            client.send(PICTURE, "")
        daemon.settings_file.write_text("nonsense = 1\n", "utf-8")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("event=reload_refused")
        daemon.settings_file.write_text(as_toml(settings), "utf-8")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for("(?s)reload_refused.*event=reloaded")
        assert client.send(PICTURE, "", ack="spooled").ack == "spooled"


def test_the_service_manager_hears_of_start_life_and_stop(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        heard: list[str] = []

        def until(word: str) -> None:
            while not any(word in one.splitlines() for one in heard):
                heard.append(manager.recv(65_536).decode())

        with Running("serve", settings, tmp_path) as daemon:
            until("READY=1")
            until("WATCHDOG=1")
            os.kill(daemon.pid, signal.SIGTERM)
            until("STOPPING=1")
            assert daemon.wait() == 0


def test_a_frame_of_which_nothing_changed_is_not_sent(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings["cameras"] = [{"match": "still", "min_change": 0.01}]
    picture: NDArray[np.uint8] = np.full((240, 320, 3), 90, np.uint8)
    other: NDArray[np.uint8] = np.full((240, 320, 3), 90, np.uint8)
    other[60:180, 80:240] = (200, 30, 30)
    with (
        Running("cloud", settings, tmp_path),
        Running("serve", settings, tmp_path),
        camera(settings, "still") as client,
    ):
        prompt = "Where is the red thing?"
        frames: list[NDArray[np.uint8]] = [picture, picture, other]
        modes = [client.send(one, prompt, ack="delivered").mode for one in frames]
        again = client.send(other, prompt, ack="delivered")
        assert modes == ["prefilter", "unchanged", "prefilter"]
        assert (again.mode, again.envelope_bytes, again.ack) == ("unchanged", 0, "delivered")
        assert client.status().tiles["reused"] > 0
    assert len(logged(settings)) == 2


def test_frames_travel_through_nats(settings: dict[str, Any], tmp_path: Path) -> None:
    with plain_server(tmp_path / "nats") as server:
        nats = {"servers": [server.url], "ack_wait_s": 5.0}
        settings["uplink"] = {"transport": "nats", "drain_s": 0.3, "nats": nats}
        settings["cloud"] = settings["cloud"] | {"transport": "nats", "nats": nats}
        Settings.model_validate({name: settings[name] for name in ("uplink", "cloud")})
        with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
            for sequence in range(5):
                client.send(PICTURE, "", sequence=sequence, ack="delivered")
            with Running("cloud", settings, tmp_path) as worker:
                worker.wait_for("(?s)(event=received.*){5}")
            assert daemon.alive()
    assert logged(settings) == [("cam", sequence) for sequence in range(5)]


def test_frames_travel_through_a_carried_directory(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "stick").mkdir()
    settings["uplink"] = {"transport": "directory", "directory": {"path": str(tmp_path / "stick")}}
    inbox = {"transport": "directory", "inbox": str(tmp_path / "stick")}
    settings["cloud"] = settings["cloud"] | inbox
    with Running("serve", settings, tmp_path), camera(settings) as client:
        for sequence in range(3):
            client.send(PICTURE, "", sequence=sequence, ack="delivered")
    assert len(list((tmp_path / "stick").rglob("*.edge"))) == 3
    with Running("cloud", settings, tmp_path) as cloud:
        cloud.wait_for("(?s)(event=received.*){3}")
    assert logged(settings) == [("cam", sequence) for sequence in range(3)]
