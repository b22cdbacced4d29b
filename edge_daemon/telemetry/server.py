"""`/metrics`, `/healthz` and `/readyz` over HTTP, in threads that the daemon does not wait for.

What it is safe from, by design:

1. A client that says nothing, speaks slowly or does not read: each connection has one request and a
   few seconds altogether, then it is cut.
2. Many clients: so many are served at a time, the others are closed at once.
3. A blocked event loop: `/metrics` never asks it, and the other two give up after two seconds and
   say so.

There is no password and no encryption. Bound to the loopback, that is fine; another address in
`metrics.bind` is the operator's explicit choice for a network that may see this. Metrics name
endpoints and codecs but no camera.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from edge_daemon.errors import BindError
from edge_daemon.telemetry.health import Health, Verdict
from edge_daemon.telemetry.telemetry import Telemetry

_log = logging.getLogger(__name__)

MOST_CONNECTIONS = 8
"""Connections that are served at a time."""

CONNECTION_S = 10.0
"""Seconds that one connection may last."""

_POLL_S = 0.25


class TelemetryServer:
    """The HTTP server of one daemon.

    Args:
        bind: "ADDRESS:PORT", "[ADDRESS]:PORT" for IPv6; port 0 takes a free one.
        telemetry: What `/metrics` shows.
        health: What `/healthz` and `/readyz` ask.
        connection_s: Seconds that one connection may last.
    """

    def __init__(
        self,
        bind: str,
        telemetry: Telemetry,
        health: Health,
        *,
        connection_s: float = CONNECTION_S,
    ) -> None:
        self._bind = bind
        self._registry = telemetry.registry
        self._health = health
        self._connection_s = connection_s

    def open(self) -> str:
        """Listens and begins to serve; returns ADDRESS:PORT.

        Raises:
            BindError: It cannot be listened on.
        """
        host, _, port = self._bind.rpartition(":")
        try:
            self._server = _Server(
                (host.strip("[]"), int(port)), self._registry, self._health, self._connection_s
            )
        except (OSError, OverflowError, ValueError) as mistake:
            raise BindError(
                f"metrics cannot be served there: {mistake}",
                value=self._bind,
                remedy="change metrics.bind, or stop what listens there already",
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="telemetry", daemon=True
        )
        self._thread.start()
        bound_port = self._server.server_address[1]
        address = f"{host}:{bound_port}"
        _log.info("event=metrics bind=%s", address)
        return address

    def close(self) -> None:
        """Stops listening and cuts what is open. Blocks for a fraction of a second."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, TCPServer):
    """Bounded in threads and in time."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(
        self,
        address: tuple[str, int],
        registry: CollectorRegistry,
        health: Health,
        connection_s: float,
    ) -> None:
        self.registry = registry
        self.health = health
        self._connection_s = connection_s
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._open) >= MOST_CONNECTIONS
            if not full:
                self._open[request] = time.monotonic()
        if full:
            self.shutdown_request(request)
            return
        # No call may block for ever; `service_actions` bounds them all together.
        request.settimeout(self._connection_s)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Between polls: cuts the connections whose time is up."""
        self._cut(time.monotonic() - self._connection_s)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        self._cut(time.monotonic())

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Peers that hang up are no news; a defect in a scrape must not fill the log either.
        _log.debug("event=scrape_failed peer=%s", client_address[0], exc_info=True)

    def _cut(self, begun_by: float) -> None:
        with self._lock:
            overdue = [request for request, begun in self._open.items() if begun <= begun_by]
            for request in overdue:
                # Its thread wakes with an end of file, and closes it.
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One request; HTTP/1.0, so its connection ends with it."""

    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "edge-daemon"
    sys_version = ""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))
        elif path == "/healthz":
            self._verdict(self.server.health.ask("live"), good="alive", bad="failing")
        elif path == "/readyz":
            self._verdict(self.server.health.ask("ready"), good="ready", bad="not ready")
        else:
            self._answer(
                HTTPStatus.NOT_FOUND, "text/plain", b"Try /metrics, /healthz or /readyz.\n"
            )

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        _log.debug("event=http peer=%s text=%r", self.client_address[0], format % args)

    def _verdict(self, verdict: Verdict, *, good: str, bad: str) -> None:
        facts = {
            "status": good if verdict.good else bad,
            "problems": verdict.problems,
            "notes": verdict.notes,
        }
        status = HTTPStatus.OK if verdict.good else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, "application/json", json.dumps(facts, indent=1).encode() + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
