"""Workers on NATS inside a test, and what they are given to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext

from edge_daemon.cloud.nats_worker import NatsWorker
from edge_daemon.settings import NatsSettings, Settings
from edge_daemon.uplink.transports.nats import NatsTransport
from edge_daemon.uplink.transports.nats_stream import headers_of, token_of
from edge_daemon.wire import Key
from support.verdicts_heard import Heard
from support.waiting import PATIENCE_S


def settings(url: str, directory: Path, ack_wait_s: float = 0.6, **changes: Any) -> Settings:
    return Settings.model_validate(
        {
            "cloud": {
                "transport": "nats",
                "directory": str(directory),
                "nats": {"servers": (url,), "ack_wait_s": ack_wait_s, **changes},
            }
        }
    )


@asynccontextmanager
async def worker(chosen: Settings) -> AsyncGenerator[NatsWorker]:
    """A worker in this process, stopped in good order."""
    running, ready = NatsWorker(chosen), asyncio.Event()
    serving = asyncio.create_task(running.serve(lambda _: ready.set()))
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    try:
        yield running
    finally:
        running.stop.ask()
        assert await asyncio.wait_for(serving, PATIENCE_S) == 0


@asynccontextmanager
async def jetstream(url: str) -> AsyncGenerator[JetStreamContext]:
    client = await nats.connect(url)
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def publish(
    js: JetStreamContext, key: Key, payload: bytes, subject: str = "edge.frames", **more: str
) -> None:
    await js.publish(f"{subject}.{token_of(key[0])}", payload, headers=headers_of(key) | more)


async def emptied(js: JetStreamContext, stream: str = "EDGE") -> None:
    """Waits until nothing is left in the stream."""
    deadline = time.monotonic() + PATIENCE_S
    while (await js.stream_info(stream)).state.messages:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def apart(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A stream and a subject for this test alone."""
    name = request.node.name.replace("_", "")[:50]
    return {"stream": name, "subject": f"frames.{name}"}


@asynccontextmanager
async def transport(url: str, **changes: Any) -> AsyncGenerator[tuple[NatsTransport, Heard]]:
    sender, heard = NatsTransport(NatsSettings(servers=(url,), **changes)), Heard()
    await sender.open(heard)
    try:
        yield sender, heard
    finally:
        await sender.close()
