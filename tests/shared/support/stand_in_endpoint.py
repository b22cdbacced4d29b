"""A local HTTP server in the place of a paid or heavy API, scripted request by request.

Each part of its script is one answer, as pieces of raw HTTP: bytes are sent, numbers are seconds of
silence. The last part answers all requests that follow.
"""

from __future__ import annotations

import base64
import gzip
import json
import socketserver
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import numpy as np

from edge_daemon.pictures import to_png


@dataclass(frozen=True)
class Asked:
    """A request that came in; names of headers in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Pieces = Iterator[bytes | float]
Part = Callable[[Asked], Pieces]


@dataclass
class StandInEndpoint:
    """What a test sees of it: where it is, what it was asked, and its script."""

    base_url: str
    script: Sequence[Part]
    asked: list[Asked] = field(default_factory=list[Asked])


@contextmanager
def stand_in_endpoint(*script: Part) -> Generator[StandInEndpoint]:
    """Serves on 127.0.0.1 until the block ends."""
    over = Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, path, _ = self.rfile.readline().decode("latin-1").split(maxsplit=2)
            lines = iter(lambda: self.rfile.readline().decode("latin-1").strip(), "")
            pairs = (line.split(":", 1) for line in lines)
            headers = {name.lower(): value.strip() for name, value in pairs}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            asked = Asked(method, path, headers, body)
            endpoint.asked.append(asked)
            part = endpoint.script[min(len(endpoint.asked), len(endpoint.script)) - 1]
            try:
                for piece in part(asked):
                    if over.is_set():
                        return
                    if isinstance(piece, bytes):
                        self.wfile.write(piece)
                    else:
                        over.wait(piece)
            except OSError:
                pass  # the client has had enough

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        endpoint = StandInEndpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", script)
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield endpoint
        finally:
            over.set()
            server.shutdown()


def answer(
    body: bytes, status: str = "200 OK", *, kind: str = "application/json", **headers: str
) -> bytes:
    """A whole answer of HTTP/1.1; underscores in names of headers become dashes."""
    fields = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def raw(*pieces: bytes | float) -> Part:
    """Exactly these pieces."""
    return lambda asked: iter(pieces)


def good(value: object) -> Part:
    """A JSON answer."""
    return raw(answer(json.dumps(value).encode()))


def says(content: str, usage: tuple[int, int] | None = None) -> Part:
    """A chat completion, with the tokens that it read and wrote."""
    value: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    if usage is not None:
        value["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return good(value)


def proposes(*prompts: str, usage: tuple[int, int] | None = None) -> Part:
    """A chat completion that does as it was told."""
    return says(json.dumps({"prompts": prompts}), usage)


def plain_png(colour: tuple[int, int, int] = (255, 0, 0), side: int = 16) -> bytes:
    return to_png(np.full((side, side, 3), colour, np.uint8))


def draws(picture: bytes) -> Part:
    """An images answer with the picture in it."""
    return good({"data": [{"b64_json": base64.b64encode(picture).decode()}]})


def refuses(status: str, message: str = "no", **headers: str) -> Part:
    """An error as OpenAI words them."""
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error"}})
    return raw(answer(body.encode(), status, **headers))


def hangs_up(asked: Asked) -> Pieces:
    """Takes the request and closes the connection."""
    return iter(())


def slow(asked: Asked) -> Pieces:
    """Takes the request and says nothing for a minute."""
    yield 60.0


def drips(asked: Asked) -> Pieces:
    """Sends a sound answer of `{}`, a byte now and then, for a minute."""
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1202\r\n\r\n{"
    for _ in range(1200):
        yield 0.05
        yield b" "
    yield b"}"


def endless(asked: Asked) -> Pieces:
    """Announces no length and never ends."""
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    while True:
        yield b" " * 65_536


def announces(length: int) -> Part:
    """A short JSON object that is announced as longer or shorter than it is."""
    return raw(answer(b'{"choices": []}', Content_Length=str(length)))


html = raw(answer(b"<!DOCTYPE html><title>Sign in</title>", kind="text/html"))
"""As a hotel's network or a proxy answers."""

cut_json = raw(answer(b'{"choices": [{"message": '))
"""JSON that ends early, of the announced length."""


gzip_bomb = raw(answer(gzip.compress(b" " * 2**22, 1), Content_Encoding="gzip"))
"""Some 20 KiB that unpack to 4 MiB, though nothing compressed was asked for."""
