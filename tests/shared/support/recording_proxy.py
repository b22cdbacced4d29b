"""An HTTP proxy on 127.0.0.1 that passes on what it is asked for, and writes down what that was."""

from __future__ import annotations

import http.client
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

_NOT_PASSED_ON = {"proxy-connection", "connection", "transfer-encoding"}


@contextmanager
def recording_proxy() -> Generator[tuple[str, list[str]]]:
    """The proxy's URL, and the URLs that it was asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            target = urlsplit(self.path)
            onward = http.client.HTTPConnection(target.netloc)
            path = f"{target.path}?{target.query}" if target.query else target.path
            onward.request("GET", path, headers=dict(self.headers))
            answer = onward.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in _NOT_PASSED_ON:
                    self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
            onward.close()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Quiet: URLs are written down."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
