"""The uplink against a cloud made of a bare ROUTER."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq
import zmq.asyncio

from edge_daemon.errors import BusyError, DecodeError, LinkError, SettingsError
from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink import Delivery, Uplink
from support.free_port import free_endpoint

PATIENCE_S = 20.0


class Cloud:
    """Answers pings by itself; envelopes are the test's business."""

    def __init__(self, endpoint: str) -> None:
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(endpoint)

    async def __aenter__(self) -> Cloud:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()

    async def take(self) -> tuple[bytes, int]:
        """The next envelope's route and sequence."""
        while True:
            received = self.socket.recv_multipart()
            route, header, *_ = await asyncio.wait_for(received, PATIENCE_S)
            fields = json.loads(header)
            if fields["kind"] == "envelope":
                return route, fields["sequence"]
            await self.socket.send_multipart([route, b'{"version":1,"kind":"pong"}'])

    async def answer(self, route: bytes, sequence: int, **fields: Any) -> None:
        header = {"version": 1, "client": "cam", "sequence": sequence} | fields
        await self.socket.send_multipart([route, json.dumps(header).encode()])

    async def acknowledge(self) -> int:
        route, sequence = await self.take()
        await self.answer(route, sequence, kind="ack", duplicate=False)
        return sequence


@asynccontextmanager
async def uplink(endpoint: str, **changes: Any) -> AsyncGenerator[Uplink]:
    values: dict[str, Any] = {"connect": endpoint, "ack_timeout_s": 0.3, "heartbeat_s": 0.2}
    link = Uplink(UplinkSettings.model_validate(values | changes))
    link.open()
    try:
        yield link
    finally:
        await link.close(0.0)


def submit(link: Uplink, sequence: int) -> Delivery:
    link.reserve()
    return link.submit(("cam", sequence), b"envelope")


async def within(delivery: Delivery) -> None:
    await asyncio.wait_for(asyncio.shield(delivery), PATIENCE_S)


async def test_delivered_means_acknowledged() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint) as link:
        delivery = submit(link, 1)
        route, sequence = await cloud.take()
        assert not delivery.done()
        await cloud.answer(route, sequence, kind="ack", duplicate=False)
        await within(delivery)
        assert link.up
        assert link.counters()["envelopes_delivered"] == 1


async def test_a_cloud_that_comes_late_gets_everything() -> None:
    endpoint = free_endpoint()
    async with uplink(endpoint) as link:
        deliveries = [submit(link, number) for number in range(5)]
        await asyncio.sleep(0.3)
        assert not link.up
        assert link.queues()["uplink_in_flight"] == 0
        async with Cloud(endpoint) as cloud:
            assert sorted([await cloud.acknowledge() for _ in range(5)]) == [0, 1, 2, 3, 4]
            await asyncio.gather(*map(within, deliveries))


async def test_a_cloud_that_restarts_gets_what_it_did_not_acknowledge() -> None:
    endpoint = free_endpoint()
    async with uplink(endpoint) as link:
        async with Cloud(endpoint) as first:
            deliveries = [submit(link, number) for number in range(3)]
            assert await first.acknowledge() == 0
            await within(deliveries[0])
            await first.take()
        async with Cloud(endpoint) as second:
            wanted = {1, 2}
            while wanted:
                wanted.discard(await second.acknowledge())
            await asyncio.gather(*map(within, deliveries))


async def test_no_more_are_in_flight_than_settings_allow() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint, in_flight=2, ack_timeout_s=60) as link:
        deliveries = [submit(link, number) for number in range(4)]
        routes = [await cloud.take(), await cloud.take()]
        assert link.queues() == {"uplink_waiting": 2, "uplink_in_flight": 2}
        for route, sequence in routes:
            await cloud.answer(route, sequence, kind="ack", duplicate=False)
        assert {await cloud.acknowledge(), await cloud.acknowledge()} == {2, 3}
        await asyncio.gather(*map(within, deliveries))


async def test_a_final_refusal_fails_the_delivery_and_frees_the_place() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint, queue_frames=1) as link:
        delivery = submit(link, 1)
        route, sequence = await cloud.take()
        fields = {"code": "decode_failed", "problem": "torn", "value": "x", "remedy": "again"}
        await cloud.answer(route, sequence, kind="error", retry_after_s=None, **fields)
        with pytest.raises(DecodeError, match="torn"):
            await within(delivery)
        next_one = submit(link, 2)
        assert await cloud.acknowledge() == 2
        await within(next_one)


async def test_nonsense_from_the_cloud_is_survived() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint) as link:
        delivery = submit(link, 1)
        route, sequence = await cloud.take()
        await cloud.socket.send_multipart([route, b"\xff not json"])
        await cloud.answer(route, 999, kind="ack", duplicate=False)
        await cloud.answer(route, sequence, kind="ack", duplicate=False)
        await within(delivery)


async def test_a_full_queue_is_busy_and_release_makes_room() -> None:
    async with uplink(free_endpoint(), queue_frames=2) as link:
        submit(link, 1)
        link.reserve()
        with pytest.raises(BusyError, match="link is down") as caught:
            link.reserve()
        assert caught.value.retry_after_s is not None
        link.release()
        link.reserve()


async def test_one_copy_waits_however_often_it_is_submitted() -> None:
    async with uplink(free_endpoint()) as link:
        assert submit(link, 1) is submit(link, 1)
        assert link.queues()["uplink_waiting"] == 1


async def test_closing_counts_what_is_abandoned_and_tells_who_waits() -> None:
    link = Uplink(UplinkSettings(connect=free_endpoint()))
    link.open()
    deliveries = [submit(link, 1), submit(link, 2)]
    assert await link.close(0.05) == 2
    for delivery in deliveries:
        with pytest.raises(LinkError, match="stopped before"):
            await delivery


async def test_closing_drains_first() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud:
        link = Uplink(UplinkSettings(connect=endpoint))
        link.open()
        delivery = submit(link, 1)
        closing = asyncio.create_task(link.close(PATIENCE_S))
        await cloud.acknowledge()
        assert await closing == 0
        await delivery


async def test_a_malformed_endpoint_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="not an endpoint"):
        Uplink(UplinkSettings(connect="tcp://nowhere")).open()
