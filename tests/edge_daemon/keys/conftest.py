"""Key directories, and a daemon's front in miniature: the real socket, the real checks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq.asyncio

from edge_daemon.errors import EdgeError
from edge_daemon.keys import ServerKeys, new_client, new_identity
from edge_daemon.wire import (
    FRONT_REQUESTS,
    FrameHeader,
    PongHeader,
    ResultHeader,
    error_header,
    glimpse_address,
    pack,
    read_request,
)
from edge_daemon.wire.router import bind_router, receive, send_to, sender_of

FACTS = {
    "ack": "accepted",
    "duplicate": False,
    "mode": "plain",
    "codec": {"id": "jpeg"},
    "width": 3,
    "height": 2,
    "source_bytes": 18,
    "bitstream_bytes": 10,
    "bitstream_sha256": "0" * 64,
    "envelope_bytes": 300,
    "report": None,
    "timings_ms": {},
}


@dataclass
class Front:
    """What became of a server and what it heard."""

    endpoint: str
    keys: ServerKeys | None
    heard: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Peer's name and client id of each frame."""


Serve = Callable[..., AbstractAsyncContextManager[Front]]


@contextlib.asynccontextmanager
async def _serve(
    directory: Path | None, *, bind: str = "tcp://127.0.0.1:*", fresh_s: float = 0.0
) -> AsyncGenerator[Front]:
    keys = None if directory is None else ServerKeys.load(directory, "edge-front", fresh_s=fresh_s)
    context = zmq.asyncio.Context()
    socket, endpoint = bind_router(
        context, bind, allow_insecure=False, max_payload_bytes=2**20, keys=keys
    )
    front = Front(endpoint, keys)

    async def answer() -> None:
        while True:
            incoming = await receive(socket)
            try:
                peer = sender_of(incoming, keys)
                header, _ = read_request(incoming.parts, FRONT_REQUESTS, max_header_bytes=65_536)
                if isinstance(header, FrameHeader):
                    peer.check_client(header.client)
                    front.heard.append((peer.name, header.client))
                    named = {"client": header.client, "sequence": header.sequence}
                    reply = pack(ResultHeader.model_validate({**FACTS, **named}))
                else:
                    reply = pack(PongHeader())
            except EdgeError as error:
                address = glimpse_address(incoming.parts[0])
                reply = pack(error_header(error, address))
            await send_to(socket, incoming.route, reply)

    task = asyncio.create_task(answer())
    try:
        yield front
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        socket.close(linger=0)
        if keys is not None:
            keys.close()
        context.term()


@pytest.fixture
def serve() -> Serve:
    """Serves on the keys of a directory, or in plain text."""
    return _serve


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """A server's key directory."""
    new_identity(tmp_path / "door")
    return tmp_path / "door"


@pytest.fixture
def gate(door: Path, tmp_path: Path) -> Path:
    """The key directory of its client gate-3."""
    new_client(door, "gate-3", tmp_path / "gate-3")
    return tmp_path / "gate-3"
