"""Workers and servers that are killed: nothing is lost, and nothing is kept twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.nats_rig import emptied, jetstream, publish, settings, worker
from support.nats_server import NatsServer, needs_nats_server, plain_server
from support.nats_workers import WorkerProcess, logged, sample
from support.waiting import eventually


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    with plain_server(tmp_path / "nats") as running:
        yield running


@needs_nats_server
async def test_a_server_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    own_server: NatsServer, tmp_path: Path
) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    keys = [("cam", number) for number in range(60)]
    async with worker(settings(own_server.url, one)), worker(settings(own_server.url, two)):
        async with jetstream(own_server.url) as js:
            for key in keys:
                await publish(js, key, sample(key[1]))
            await eventually(lambda: len(logged(one, two)) >= 10)
        own_server.kill()
        own_server.start()
        async with jetstream(own_server.url) as js:
            await emptied(js)
    assert sorted(logged(one, two)) == keys


@needs_nats_server
def test_a_killed_workers_envelopes_are_kept_by_another(
    own_server: NatsServer, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with WorkerProcess(own_server.url, one, mode="before") as dying:
        dying.wait_for("event=ready")
        asyncio.run(_publish_all(own_server.url, 20))
        dying.wait_for("event=hanging")
        dying.kill()
    with WorkerProcess(own_server.url, two) as heir:
        asyncio.run(_until_emptied(own_server.url))
        assert "event=claim_taken_over" in heir.log
        assert heir.stop() == 0
    assert logged(one)
    assert sorted(logged(one, two)) == [("cam", number) for number in range(20)]


@needs_nats_server
def test_a_worker_killed_before_it_could_tell_comes_back_and_recognises_its_own(
    own_server: NatsServer, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with WorkerProcess(own_server.url, one, mode="after", ack_wait_s=5.0) as dying:
        dying.wait_for("event=ready")
        asyncio.run(_publish_all(own_server.url, 20))
        dying.wait_for("event=hanging")
        dying.kill()
    before = logged(one)
    assert len(before) >= 2
    # A worker that has not yet lost patience, and then the one that died.
    with WorkerProcess(own_server.url, two, ack_wait_s=5.0) as other:
        other.wait_for("event=ready")
        with WorkerProcess(own_server.url, one, ack_wait_s=5.0) as returned:
            returned.wait_for("event=claim_settled")
            asyncio.run(_until_emptied(own_server.url))
            assert (returned.stop(), other.stop()) == (0, 0)
            assert "event=claim_taken_over" not in returned.log + other.log
    assert sorted(logged(one, two)) == [("cam", number) for number in range(20)]
    assert set(before) <= set(logged(one))


async def _publish_all(url: str, count: int) -> None:
    async with jetstream(url) as js:
        for number in range(count):
            await publish(js, ("cam", number), sample(number))


async def _until_emptied(url: str) -> None:
    async with jetstream(url) as js:
        await emptied(js)
