"""Daemon and cloud as processes: absent, late, killed, restarted, told to stop."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_daemon.client import Client, Result
from edge_daemon.errors import LinkError
from support.free_port import free_endpoint
from support.processes import Running
from support.tiny_bundle import make_tiny_bundle

PATIENCE_S = 60.0
PIXELS = np.full((40, 60, 3), (200, 30, 30), np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle")
    make_tiny_bundle(directory)
    return directory


@pytest.fixture
def settings(bundle: Path, tmp_path: Path) -> dict[str, Any]:
    """Of a daemon and a cloud that find each other again at the same endpoints."""
    cloud = free_endpoint()
    return {
        "bundle": str(bundle),
        "front": {"bind": free_endpoint()},
        "stages": {"encoder_threads": 1, "drain_s": 5.0},
        "uplink": {
            "connect": cloud,
            "heartbeat_s": 0.3,
            "ack_timeout_s": 1.0,
            "drain_s": 0.3,
        },
        "cloud": {"bind": cloud, "directory": str(tmp_path / "received")},
    }


def camera(settings: dict[str, Any]) -> Client:
    return Client(settings["front"]["bind"], client_id="cam", timeout_s=PATIENCE_S, heartbeat_s=0.3)


def logged(settings: dict[str, Any]) -> list[int]:
    """Sequence numbers in the cloud's log."""
    text = (Path(settings["cloud"]["directory"]) / "log.jsonl").read_text("utf-8")
    return [json.loads(line)["sequence"] for line in text.splitlines()]


class Waiting(threading.Thread):
    """A camera in a thread that waits for an answer."""

    def __init__(self, ask: Callable[[], Result]) -> None:
        super().__init__(daemon=True)
        self._ask = ask
        self._result: Result | None = None
        self.start()

    def run(self) -> None:
        self._result = self._ask()

    def result(self) -> Result:
        self.join(PATIENCE_S)
        assert self._result is not None
        return self._result


def test_a_cloud_that_comes_late_and_restarts_has_every_frame_once(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        for sequence in (1, 2, 3):
            assert client.send(PIXELS, "red", sequence=sequence).ack == "accepted"
        waiting = Waiting(lambda: client.send(PIXELS, "red", sequence=4, ack="delivered"))
        daemon.wait_for("sequence=4 mode=prefilter")
        with Running("cloud", settings, tmp_path) as first:
            assert waiting.result().ack == "delivered"
            assert client.send(PIXELS, "red", sequence=1, ack="delivered").duplicate
            first.kill()
        assert client.send(PIXELS, "red", sequence=5).ack == "accepted"
        with Running("cloud", settings, tmp_path):
            for sequence in (1, 2, 3, 4, 5):
                answer = client.send(PIXELS, "red", sequence=sequence, ack="delivered")
                assert answer.ack == "delivered"
            assert daemon.stop() == 0
    assert sorted(logged(settings)) == [1, 2, 3, 4, 5]


def test_a_daemon_killed_while_a_client_waits_costs_no_frame(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with camera(settings) as client:
        with Running("serve", settings, tmp_path) as first:
            waiting = Waiting(lambda: client.send(PIXELS, "red", sequence=1, ack="delivered"))
            first.wait_for("event=frame client=cam sequence=1")
            first.kill()
        with Running("cloud", settings, tmp_path), Running("serve", settings, tmp_path):
            assert waiting.result().ack == "delivered"
    assert logged(settings) == [1]


def test_a_frame_sent_to_two_lives_of_a_daemon_is_logged_once(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with Running("cloud", settings, tmp_path), camera(settings) as client:
        for _ in range(2):
            with Running("serve", settings, tmp_path):
                answer = client.send(PIXELS, "red", sequence=1, ack="delivered")
                assert not answer.duplicate
    assert logged(settings) == [1]


def test_a_stop_delivers_what_is_queued(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["uplink"]["drain_s"] = 30.0
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        client.send(PIXELS, "red", sequence=1)
        daemon.signal(signal.SIGTERM)
        daemon.wait_for("event=stop_asked")
        with Running("cloud", settings, tmp_path):
            assert daemon.wait() == 0
    assert logged(settings) == [1]


def test_a_stop_says_what_it_abandons(settings: dict[str, Any], tmp_path: Path) -> None:
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        client.send(PIXELS, "red", sequence=1)
        client.send(PIXELS, "red", sequence=2)
        waiting = camera(settings)
        refusals: list[LinkError] = []

        def wait() -> None:
            try:
                waiting.send(PIXELS, "red", sequence=3, ack="delivered")
            except LinkError as error:
                refusals.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        daemon.wait_for("event=frame client=cam sequence=3")
        assert daemon.stop() == 4
        daemon.wait_for("frames_abandoned=0 envelopes_abandoned=3")
        thread.join(PATIENCE_S)
        waiting.close()
        assert "stopped before" in str(refusals[0])


def test_a_second_signal_ends_it_at_once(settings: dict[str, Any], tmp_path: Path) -> None:
    settings["uplink"]["drain_s"] = 600.0
    with Running("serve", settings, tmp_path) as daemon, camera(settings) as client:
        client.send(PIXELS, "red")
        daemon.signal(signal.SIGINT)
        daemon.wait_for("event=stop_asked signal=SIGINT")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 130


def test_the_log_says_what_runs(settings: dict[str, Any], tmp_path: Path) -> None:
    with Running("serve", settings, tmp_path) as daemon:
        daemon.wait_for(rf"event=ready .*bind={settings['front']['bind']}")
        daemon.wait_for("event=bundle .*notice='the tiny test bundle knows colours")
        daemon.wait_for(r"event=encoder backend=\w+ image=.*backend.*text=.*CPUExecutionProvider")
        daemon.wait_for("event=encoder_passed_over backend=openvino reason='no faster than")
        daemon.wait_for(rf"cloud={settings['uplink']['connect']} codec=.*jpeg.*kernel=")
        with pytest.raises(AssertionError, match="cannot listen there"):
            Running("serve", settings, tmp_path)


@pytest.mark.parametrize("command", ["serve", "cloud"])
def test_an_open_address_is_refused_without_permission(
    settings: dict[str, Any], tmp_path: Path, command: str
) -> None:
    for table in ("front", "cloud"):
        settings[table]["bind"] = "tcp://0.0.0.0:*"
    with pytest.raises(AssertionError, match="non-loopback address without encryption"):
        Running(command, settings, tmp_path)
