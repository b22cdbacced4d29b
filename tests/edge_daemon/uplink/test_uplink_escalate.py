"""Texts whose picture the cloud wants instead, and those that have none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from edge_daemon.errors import EscalateError, LatentsError, StorageError
from edge_daemon.settings import SpoolSettings, UplinkSettings
from edge_daemon.uplink import Delivery, SpoolThread, Uplink
from edge_daemon.uplink.spool import Record
from edge_daemon.uplink.transports import Transport
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport
from support.carrier import Carrier
from support.free_port import free_endpoint
from support.scripted_cloud import ScriptedCloud

PATIENCE_S = 20.0
KEY = ("cam", 1)
TEXT, PICTURE = b"text", b"a much larger picture"
ESCALATE = EscalateError("the score is too low", remedy="send the picture")


@asynccontextmanager
async def linked(
    spool: SpoolThread | None = None, **settings: object
) -> AsyncGenerator[tuple[Uplink, Carrier]]:
    carrier = Carrier()
    link = Uplink(
        UplinkSettings.model_validate(settings),
        spool or SpoolThread(SpoolSettings()),
        cast("Transport", carrier),
    )
    await link.open()
    try:
        yield link, carrier
    finally:
        await link.close(0.0)


async def submit(link: Uplink, spare: bytes | None = PICTURE) -> Delivery:
    link.reserve("cam")
    return await link.submit(KEY, TEXT, spare)


async def within(delivery: Delivery) -> None:
    await asyncio.wait_for(asyncio.shield(delivery), PATIENCE_S)


async def test_the_picture_takes_the_texts_place_under_its_number() -> None:
    async with linked() as (link, carrier):
        delivery = await submit(link)
        assert await carrier.next() == (KEY, TEXT, False)
        before = link.spool_facts().bytes
        carrier.verdicts.refused(KEY, ESCALATE)
        assert await carrier.next() == (KEY, PICTURE, False)
        assert link.spool_facts().bytes == before - len(TEXT)
        assert not delivery.done()
        carrier.verdicts.delivered(KEY)
        await within(delivery)
        counters = link.counters()
    assert counters["envelopes_escalated"] == counters["envelopes_delivered"] == 1
    assert counters["envelopes_recoded"] == counters["envelopes_refused"] == 0


@pytest.mark.parametrize("late", [ESCALATE, LatentsError("other latents", remedy="another codec")])
async def test_a_late_word_on_the_text_does_not_cost_the_picture(
    late: EscalateError | LatentsError,
) -> None:
    async with linked() as (link, carrier):
        delivery = await submit(link)
        await carrier.next()
        for _ in range(2):
            carrier.verdicts.refused(KEY, ESCALATE)
        assert await carrier.next() == (KEY, PICTURE, False)
        carrier.verdicts.refused(KEY, late)
        assert not delivery.done()
        carrier.verdicts.delivered(KEY)
        carrier.verdicts.refused(KEY, ESCALATE)
        await within(delivery)
        assert link.counters()["envelopes_escalated"] == 1
        assert link.queues()["uplink_in_flight"] == 0
        assert carrier.idle


async def test_without_a_picture_the_text_is_insisted_on() -> None:
    async with linked() as (link, carrier):
        delivery = await submit(link, spare=None)
        assert await carrier.next() == (KEY, TEXT, False)
        carrier.verdicts.refused(KEY, ESCALATE)
        assert await carrier.next() == (KEY, TEXT, True)
        carrier.verdicts.refused(KEY, ESCALATE)
        assert not delivery.done()
        carrier.verdicts.delivered(KEY)
        await within(delivery)
        assert link.counters()["envelopes_escalated"] == 0


async def test_what_is_busy_is_still_insisted_on_and_another_cloud_is_asked_first() -> None:
    busy = StorageError("disk full", remedy="make room")
    async with linked() as (link, carrier):
        delivery = await submit(link, spare=None)
        await carrier.next()
        carrier.verdicts.refused(KEY, ESCALATE)
        assert (await carrier.next()).insist
        carrier.verdicts.again(KEY, busy, 0.0)
        assert (await carrier.next()).insist
        carrier.verdicts.link(up=False)
        carrier.verdicts.link(up=True)
        assert not (await carrier.next()).insist
        carrier.verdicts.refused(KEY, ESCALATE)
        assert (await carrier.next()).insist
        carrier.verdicts.delivered(KEY)
        await within(delivery)


class SlowSpool(SpoolThread):
    """A stand-in for a slow disk: a spare is put in its place when the test says so."""

    def __init__(self) -> None:
        super().__init__(SpoolSettings())
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def use_spare(self, row: int) -> Record | None:
        self.asked.set()
        await self.go.wait()
        return await super().use_spare(row)


async def test_a_cloud_that_takes_the_text_meanwhile_gets_no_picture() -> None:
    spool = SlowSpool()
    async with linked(spool) as (link, carrier):
        delivery = await submit(link)
        await carrier.next()
        carrier.verdicts.refused(KEY, ESCALATE)
        await asyncio.wait_for(spool.asked.wait(), PATIENCE_S)
        carrier.verdicts.link(up=False)
        carrier.verdicts.link(up=True)
        assert await carrier.next() == (KEY, TEXT, False)
        carrier.verdicts.delivered(KEY)
        await within(delivery)
        spool.go.set()
        await link.probe()
        assert link.counters()["envelopes_escalated"] == 0
        assert link.counters()["envelopes_delivered"] == 1
        assert carrier.idle


class FullSpool(SpoolThread):
    """A stand-in for a disk that is full when a spare is put in its place for the first time."""

    refusals = 1

    async def use_spare(self, row: int) -> Record | None:
        if self.refusals:
            self.refusals -= 1
            raise StorageError("disk full", remedy="make room", retry_after_s=0.05)
        return await super().use_spare(row)


async def test_a_disk_that_refuses_costs_time_and_no_frame() -> None:
    async with linked(FullSpool(SpoolSettings())) as (link, carrier):
        delivery = await submit(link)
        await carrier.next()
        carrier.verdicts.refused(KEY, ESCALATE)
        assert await carrier.next() == (KEY, TEXT, False)
        carrier.verdicts.refused(KEY, ESCALATE)
        assert await carrier.next() == (KEY, PICTURE, False)
        carrier.verdicts.delivered(KEY)
        await within(delivery)


async def test_a_successor_goes_on_where_the_daemon_ended(tmp_path: Path) -> None:
    settings = SpoolSettings(directory=str(tmp_path))
    async with linked(SpoolThread(settings)) as (link, carrier):
        await submit(link)
        assert (await carrier.next()).envelope == TEXT
    async with linked(SpoolThread(settings)) as (_, carrier):
        assert (await carrier.next()).envelope == TEXT
        carrier.verdicts.refused(KEY, ESCALATE)
        assert (await carrier.next()).envelope == PICTURE
    async with linked(SpoolThread(settings)) as (link, carrier):
        assert await carrier.next() == (KEY, PICTURE, False)
        carrier.verdicts.delivered(KEY)
        assert link.counters()["envelopes_delivered"] == 1
    async with linked(SpoolThread(settings)) as (link, carrier):
        assert link.queues()["uplink_waiting"] == 0


async def test_the_message_says_that_it_insists() -> None:
    endpoint = free_endpoint()
    settings = UplinkSettings(connect=(endpoint,), heartbeat_s=0.2)
    link = Uplink(settings, SpoolThread(SpoolSettings()), ZeroMqTransport(settings))
    await link.open()
    async with ScriptedCloud(endpoint) as cloud:
        delivery = await submit(link, spare=None)
        await cloud.until_held(1)
        assert cloud.insisted == []
        await cloud.refuse("escalate")
        await cloud.until_held(1)
        assert cloud.insisted == [KEY]
        assert cloud.envelopes == [TEXT, TEXT]
        await cloud.acknowledge()
        await within(delivery)
    await link.close(0.0)
