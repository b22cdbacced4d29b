"""The uplink against a cloud made of a bare ROUTER."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import zmq
import zmq.asyncio

from edge_daemon.errors import (
    DecodeError,
    DroppedError,
    LatentsError,
    LinkError,
    SettingsError,
    SpoolFullError,
)
from edge_daemon.settings import SpoolSettings, UplinkSettings, WhenFull
from edge_daemon.uplink import Delivery, SpoolThread, Uplink
from edge_daemon.uplink.spool import Content
from edge_daemon.uplink.transports import Transport
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport
from support.carrier import Carrier
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


def make_uplink(
    settings: UplinkSettings, spool: SpoolSettings | None, when_full: WhenFull = "refuse-new"
) -> Uplink:
    spool = spool or SpoolSettings()
    most = settings.queue_frames if spool.directory is None else None
    return Uplink(
        settings,
        SpoolThread(spool, max_frames=most),
        ZeroMqTransport(settings),
        when_full=lambda _: when_full,
    )


@asynccontextmanager
async def uplink(
    endpoint: str,
    spool: SpoolSettings | None = None,
    when_full: WhenFull = "refuse-new",
    **changes: Any,
) -> AsyncGenerator[Uplink]:
    values: dict[str, Any] = {"connect": endpoint, "ack_timeout_s": 0.3, "heartbeat_s": 0.2}
    link = make_uplink(UplinkSettings.model_validate(values | changes), spool, when_full)
    await link.open()
    try:
        yield link
    finally:
        await link.close(0.0)


async def submit(link: Uplink, sequence: int) -> Delivery:
    link.reserve("cam")
    return await link.submit(("cam", sequence), b"envelope")


async def within(delivery: Delivery) -> None:
    await asyncio.wait_for(asyncio.shield(delivery), PATIENCE_S)


async def test_delivered_means_acknowledged() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint) as link:
        delivery = await submit(link, 1)
        route, sequence = await cloud.take()
        assert not delivery.done()
        await cloud.answer(route, sequence, kind="ack", duplicate=False)
        await within(delivery)
        assert link.up
        assert link.counters()["envelopes_delivered"] == 1


async def test_a_cloud_that_comes_late_gets_everything() -> None:
    endpoint = free_endpoint()
    async with uplink(endpoint) as link:
        deliveries = [await submit(link, number) for number in range(5)]
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
            deliveries = [await submit(link, number) for number in range(3)]
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
        deliveries = [await submit(link, number) for number in range(4)]
        routes = [await cloud.take(), await cloud.take()]
        assert (link.queues()["uplink_waiting"], link.queues()["uplink_in_flight"]) == (2, 2)
        for route, sequence in routes:
            await cloud.answer(route, sequence, kind="ack", duplicate=False)
        assert {await cloud.acknowledge(), await cloud.acknowledge()} == {2, 3}
        await asyncio.gather(*map(within, deliveries))


async def test_a_final_refusal_fails_the_delivery_and_frees_the_place() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint, queue_frames=1) as link:
        delivery = await submit(link, 1)
        route, sequence = await cloud.take()
        fields = {"code": "decode_failed", "problem": "torn", "value": "x", "remedy": "again"}
        await cloud.answer(route, sequence, kind="error", retry_after_s=None, **fields)
        with pytest.raises(DecodeError, match="torn"):
            await within(delivery)
        next_one = await submit(link, 2)
        assert await cloud.acknowledge() == 2
        await within(next_one)


async def test_nonsense_from_the_cloud_is_survived() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud, uplink(endpoint) as link:
        delivery = await submit(link, 1)
        route, sequence = await cloud.take()
        await cloud.socket.send_multipart([route, b"\xff not json"])
        await cloud.answer(route, 999, kind="ack", duplicate=False)
        await cloud.answer(route, sequence, kind="ack", duplicate=False)
        await within(delivery)


async def test_a_full_queue_is_busy_and_release_makes_room() -> None:
    async with uplink(free_endpoint(), queue_frames=2) as link:
        await submit(link, 1)
        link.reserve("cam")
        with pytest.raises(SpoolFullError, match="link is down") as caught:
            link.reserve("cam")
        assert caught.value.retry_after_s is not None
        link.release()
        link.reserve("cam")


async def test_one_copy_waits_however_often_it_is_submitted() -> None:
    async with uplink(free_endpoint()) as link:
        assert await submit(link, 1) is await submit(link, 1)
        assert link.queues()["uplink_waiting"] == 1


async def test_closing_counts_what_is_abandoned_and_tells_who_waits() -> None:
    link = make_uplink(UplinkSettings(connect=(free_endpoint(),)), None)
    await link.open()
    deliveries = [await submit(link, 1), await submit(link, 2)]
    assert await link.close(0.05) == 2
    for delivery in deliveries:
        with pytest.raises(LinkError, match="stopped before"):
            await delivery


async def test_closing_drains_first() -> None:
    endpoint = free_endpoint()
    async with Cloud(endpoint) as cloud:
        link = make_uplink(UplinkSettings(connect=(endpoint,)), None)
        await link.open()
        delivery = await submit(link, 1)
        closing = asyncio.create_task(link.close(PATIENCE_S))
        await cloud.acknowledge()
        assert await closing == 0
        await delivery


async def test_a_malformed_endpoint_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="not an endpoint"):
        await make_uplink(UplinkSettings(connect=("tcp://nowhere",)), None).open()


async def test_what_a_stopped_daemon_had_spooled_its_successor_sends(tmp_path: Path) -> None:
    endpoint, spool = free_endpoint(), SpoolSettings(directory=str(tmp_path))
    first = make_uplink(UplinkSettings(connect=(endpoint,)), spool)
    await first.open()
    delivery = await submit(first, 1)
    await submit(first, 2)
    assert await first.close(0.0) == 0
    with pytest.raises(LinkError, match="is in the spool"):
        await delivery
    async with Cloud(endpoint) as cloud, uplink(endpoint, spool) as second:
        assert second.queues()["uplink_backlog"] == 2
        repeated = await submit(second, 2)
        assert [await cloud.acknowledge() for _ in range(2)] == [1, 2]
        await within(repeated)
    assert await remembered(spool) == []


async def remembered(spool: SpoolSettings) -> list[int]:
    thread = SpoolThread(spool)
    left = [record.key[1] for record in await thread.open()]
    await thread.close()
    return left


async def test_live_frames_give_way_and_who_waits_for_them_is_told() -> None:
    dropped: list[str] = []
    settings = UplinkSettings(connect=(free_endpoint(),), queue_frames=2)
    link = Uplink(
        settings,
        SpoolThread(SpoolSettings(), max_frames=2),
        ZeroMqTransport(settings),
        dropped=lambda reason, client: dropped.append(f"{reason} {client}"),
    )
    await link.open()
    deliveries = [await submit(link, number) for number in range(3)]
    with pytest.raises(DroppedError, match="the spool was full"):
        await within(deliveries[0])
    assert dropped == ["gave_way cam"]
    assert link.counters()["envelopes_dropped"] == 1
    assert await link.close(0.0) == 2


async def test_after_an_outage_live_frames_go_first_and_the_backlog_in_order() -> None:
    endpoint = free_endpoint()
    async with uplink(
        endpoint, backlog="live-first", backlog_kbps=4.0, in_flight=1, ack_timeout_s=60
    ) as link:
        for number in range(4):
            await submit(link, number)
        async with Cloud(endpoint) as cloud:
            route, first = await cloud.take()
            for number in (10, 11):  # live: they came when the link was up
                await submit(link, number)
            await cloud.answer(route, first, kind="ack", duplicate=False)
            order = [first] + [await cloud.acknowledge() for _ in range(5)]
    assert order == [0, 10, 11, 1, 2, 3]


class ForgetfulSpool(SpoolThread):
    """A stand-in for a damaged disk: the first row cannot be read, as `read` says it."""

    async def read(self, row: int) -> Content | None:
        return None if row == 1 else await super().read(row)


async def test_a_row_that_the_disk_damaged_ends_with_a_word_and_holds_up_nobody() -> None:
    endpoint = free_endpoint()
    settings = UplinkSettings(connect=(endpoint,))
    link = Uplink(settings, ForgetfulSpool(SpoolSettings()), ZeroMqTransport(settings))
    await link.open()
    deliveries = [await submit(link, number) for number in (1, 2)]
    async with Cloud(endpoint) as cloud:
        assert await cloud.acknowledge() == 2
        await within(deliveries[1])
        with pytest.raises(DroppedError, match="damaged"):
            await within(deliveries[0])
    await link.close(0.0)


async def test_a_second_word_on_the_same_latents_does_not_cost_the_spare() -> None:
    carrier = Carrier()
    transport = cast("Transport", carrier)
    link = Uplink(UplinkSettings(), SpoolThread(SpoolSettings()), transport)
    await link.open()
    key = ("cam", 1)
    link.reserve("cam")
    delivery = await link.submit(key, b"learned", b"classical")
    assert await carrier.next() == (key, b"learned", False)
    differ = LatentsError("other latents", remedy="another codec")
    carrier.verdicts.refused(key, differ)
    assert await carrier.next() == (key, b"classical", False)
    carrier.verdicts.refused(key, differ)
    assert not delivery.done()
    carrier.verdicts.delivered(key)
    await within(delivery)
    assert link.counters()["envelopes_recoded"] == 1
    await link.close(0.0)
