from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest

from edge_daemon.errors import BindError
from edge_daemon.telemetry import Health, Snapshot, Telemetry, TelemetryServer
from edge_daemon.telemetry.server import MOST_CONNECTIONS
from support.scrapes import Scrape, publish

PATIENCE_S = 30.0


@contextmanager
def serving(
    telemetry: Telemetry, health: Health, bind: str = "127.0.0.1:0", connection_s: float = 30.0
) -> Generator[str, None, None]:
    server = TelemetryServer(bind, telemetry, health, connection_s=connection_s)
    address = server.open()
    try:
        yield address
    finally:
        server.close()


def _get(address: str, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(address, timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


async def get(address: str, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    return await asyncio.to_thread(_get, address, path, method)


def connect(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), PATIENCE_S)


async def test_metrics_are_what_prometheus_reads(telemetry: Telemetry) -> None:
    await publish(telemetry, Snapshot(queues={"waiting": 3}))
    with serving(telemetry, Health()) as address:
        response, body = await get(address, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert Scrape(body.decode())("edge_queue_entries", queue="waiting") == 3


async def test_health_and_readiness_answer_by_code_and_name_what_is_wrong(
    telemetry: Telemetry,
) -> None:
    full = False
    health = Health()

    async def queues() -> str | None:
        return "16 of 16 frames wait" if full else None

    async def link() -> str | None:
        return "down"

    health.add("queues", queues, "ready")
    health.add("link", link, "note")
    with serving(telemetry, health) as address:
        response, body = await get(address, "/readyz")
        assert response.status == 200
        assert json.loads(body) == {"status": "ready", "problems": {}, "notes": {"link": "down"}}
        full = True
        response, body = await get(address, "/readyz")
        assert response.status == 503
        assert json.loads(body)["problems"] == {"queues": "16 of 16 frames wait"}
        response, body = await get(address, "/healthz")
        assert response.status == 200
        assert json.loads(body)["status"] == "alive"


async def test_a_blocked_loop_fails_the_health_check_but_not_the_metrics(
    telemetry: Telemetry,
) -> None:
    health = Health(answer_s=0.05)
    answers: list[tuple[HTTPResponse, bytes]] = []
    with serving(telemetry, health) as address:

        def probe() -> None:
            answers.extend(_get(address, path) for path in ("/healthz", "/readyz", "/metrics"))

        thread = threading.Thread(target=probe)
        thread.start()
        # Deliberately: the loop is blocked until all three have been answered.
        thread.join(PATIENCE_S)
    assert [response.status for response, _ in answers] == [503, 503, 200]
    assert "event_loop" in json.loads(answers[0][1])["problems"]


async def test_other_paths_and_methods_are_refused(telemetry: Telemetry) -> None:
    with serving(telemetry, Health()) as address:
        response, body = await get(address, "/")
        assert response.status == 404
        assert b"/metrics" in body
        assert (await get(address, "/metrics", "POST"))[0].status == 501
        response, body = await get(address, "/healthz", "HEAD")
        assert (response.status, body) == (200, b"")


async def test_clients_that_say_nothing_are_cut_and_others_still_served(
    telemetry: Telemetry,
) -> None:
    with serving(telemetry, Health(), connection_s=0.05) as address:
        silent = [connect(address) for _ in range(MOST_CONNECTIONS + 4)]
        silent[0].sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
        for one in silent:
            # All are closed from the other end, the first ones when their time is up.
            assert await asyncio.to_thread(one.recv, 1) == b""
            one.close()
        assert (await get(address, "/healthz"))[0].status == 200


async def test_no_more_than_so_many_threads_serve(telemetry: Telemetry) -> None:
    with serving(telemetry, Health()) as address:
        held = [connect(address) for _ in range(MOST_CONNECTIONS)]
        for one in held:
            one.sendall(b"G")
        over = connect(address)
        assert await asyncio.to_thread(over.recv, 1) == b""
        over.close()
        serving_threads = [one for one in threading.enumerate() if "process_request" in one.name]
        assert len(serving_threads) == MOST_CONNECTIONS
        held.pop().close()
        for one in held:
            one.close()


async def test_closing_cuts_what_is_open(telemetry: Telemetry) -> None:
    with serving(telemetry, Health()) as address:
        hung = connect(address)
        hung.sendall(b"GET /metrics")
        await get(address, "/healthz")
    assert hung.recv(1) == b""
    hung.close()
    with pytest.raises(ConnectionRefusedError):
        connect(address)


async def test_an_address_that_is_taken_is_a_typed_error(telemetry: Telemetry) -> None:
    health = Health()
    with serving(telemetry, health) as address, pytest.raises(BindError, match=address):
        TelemetryServer(address, telemetry, health).open()
    for bad in ("127.0.0.1:99999", "203.0.113.1:9", "999.1.1.1:80"):
        with pytest.raises(BindError, match=r"metrics\.bind"):
            TelemetryServer(bad, telemetry, health).open()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_it_listens_on_ipv6(telemetry: Telemetry) -> None:
    with serving(telemetry, Health(), "[::1]:0") as address:
        assert address.startswith("[::1]:")
        assert (await get(address, "/healthz"))[0].status == 200
