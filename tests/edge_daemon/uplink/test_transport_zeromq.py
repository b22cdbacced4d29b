"""One connection to a cloud: verdicts, credit, and clouds that say odd things."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zmq
import zmq.asyncio

from edge_daemon.errors import (
    BusyError,
    DecodeError,
    EdgeError,
    KeysError,
    LatentsError,
    SettingsError,
)
from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport
from edge_daemon.wire import Key
from support.forwarder import Forwarder, forwarding, until_logged
from support.free_port import free_endpoint
from support.scripted_cloud import ScriptedCloud

ENVELOPE = b"an envelope, which nobody here opens"


def transport(*endpoints: str, **changes: Any) -> ZeroMqTransport:
    values: dict[str, Any] = {"heartbeat_s": 0.2, "back_off_max_s": 0.3}
    return ZeroMqTransport(UplinkSettings(connect=endpoints, **(values | changes)))


@asynccontextmanager
async def linked(
    credit: int | None = None, *, acknowledges: bool = False, **changes: Any
) -> AsyncGenerator[tuple[ScriptedCloud, Forwarder]]:
    """A cloud and a forwarder that is to find it."""
    async with (
        ScriptedCloud(free_endpoint(), credit=credit, acknowledges=acknowledges) as cloud,
        forwarding(transport(cloud.endpoint, **changes)) as forwarder,
    ):
        yield cloud, forwarder


def some(count: int) -> dict[Key, bytes]:
    return {("cam", number): ENVELOPE for number in range(count)}


async def test_delivered_means_acknowledged() -> None:
    async with linked() as (cloud, forwarder):
        forwarder.add(some(1))
        await cloud.until_held(1)
        assert forwarder.kept == []
        await cloud.acknowledge()
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.kept == [("cam", 0)]
        assert forwarder.links == [True]


@pytest.mark.parametrize(
    ("code", "kind"), [("latents_differ", LatentsError), ("decode_failed", DecodeError)]
)
async def test_an_error_without_a_time_is_final(code: str, kind: type[EdgeError]) -> None:
    async with linked() as (cloud, forwarder):
        forwarder.add(some(1))
        await cloud.until_held(1)
        key = await cloud.refuse(code)
        await forwarder.until(lambda: forwarder.settled)
        assert type(forwarder.rejected[key]) is kind
        assert forwarder.kept == []


async def test_an_error_with_a_time_asks_for_it_again() -> None:
    async with linked() as (cloud, forwarder):
        forwarder.add(some(1))
        await cloud.until_held(1)
        await cloud.refuse("busy", retry_after_s=0.01)
        await cloud.until_held(1)
        await cloud.acknowledge()
        await forwarder.until(lambda: forwarder.settled)
        ((key, error, after_s),) = forwarder.postponed
        assert (key, type(error), after_s) == (("cam", 0), BusyError, 0.01)


async def test_a_cloud_cannot_postpone_for_ever_or_into_the_past() -> None:
    async with linked() as (cloud, forwarder):
        forwarder.add(some(2))
        await cloud.until_held(2)
        await cloud.refuse("busy", retry_after_s=-5.0)
        await cloud.refuse("busy", retry_after_s=1e300)
        await forwarder.until(lambda: len(forwarder.postponed) == 2)
        assert [after_s for _, _, after_s in forwarder.postponed] == [0.0, 3600.0]


async def test_a_cloud_that_comes_late_gets_everything() -> None:
    endpoint = free_endpoint()
    async with forwarding(transport(endpoint)) as forwarder:
        forwarder.add(some(20))
        async with ScriptedCloud(endpoint, acknowledges=True):
            await forwarder.until(lambda: forwarder.settled)
    assert sorted(forwarder.kept) == sorted(some(20))


async def test_no_more_are_unanswered_than_the_cloud_gives_credit_for() -> None:
    async with linked(credit=2, in_flight=8) as (cloud, forwarder):
        forwarder.add(some(12))
        for _ in range(10):
            await cloud.until_held(2)
            await cloud.acknowledge()
        await cloud.until_held(2)
        await cloud.acknowledge()
        await cloud.acknowledge()
        await forwarder.until(lambda: forwarder.settled)
        assert cloud.most_held == 2
        assert forwarder.kept == list(some(12))


@pytest.mark.parametrize("credit", [None, 1000])
async def test_no_more_are_unanswered_than_settings_allow(credit: int | None) -> None:
    async with linked(credit=credit, in_flight=3) as (cloud, forwarder):
        forwarder.add(some(9))
        await cloud.until_held(3)
        await cloud.until_pinged(3)
        assert len(cloud.held) == 3
        cloud.acknowledges = True
        for _ in range(3):
            await cloud.acknowledge()
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.most_under_way == 3


async def test_a_credit_of_nothing_is_waited_out_by_pings() -> None:
    async with linked(credit=0, acknowledges=True) as (cloud, forwarder):
        forwarder.add(some(3))
        await cloud.until_pinged(5)
        assert cloud.received == []
        assert forwarder.links == [True]
        cloud.credit = 1
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.readies > 0
        assert forwarder.most_under_way == 1


async def test_what_is_unanswered_may_be_sent_again_and_counts_once() -> None:
    async with ScriptedCloud(free_endpoint(), credit=1) as cloud:
        way = transport(cloud.endpoint)
        async with forwarding(way) as forwarder:
            await forwarder.until(lambda: forwarder.up)
            assert await way.send(("cam", 1), ENVELOPE)
            assert await way.send(("cam", 1), ENVELOPE)
            assert not await way.send(("cam", 2), ENVELOPE)
            await cloud.until_held(2)
            forwarder.under_way.add(("cam", 1))
            await cloud.acknowledge()
            await cloud.acknowledge()
            await forwarder.until(lambda: forwarder.readies > 0)
            assert await way.send(("cam", 2), ENVELOPE)
            assert forwarder.kept == [("cam", 1)]
            forwarder.under_way.add(("cam", 2))


async def test_nonsense_and_answers_to_what_was_not_sent_change_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with linked() as (cloud, forwarder):
        forwarder.add(some(1))
        await cloud.until_held(1)
        route = cloud.held[0][0]
        for text in (
            b"\xff not json",
            b"",
            b"[]",
            b'{"version":1,"kind":"ack","client":"cam","sequence":0,"duplicate":"no"}',
            b'{"version":1,"kind":"ack","client":"cam","sequence":0,"duplicate":false,"credit":-1}',
            b'{"version":1,"kind":"ack","client":"cam","sequence":7,"duplicate":false}',
            b'{"version":2,"kind":"pong"}',
            b'{"version":1,"kind":"error","client":"cam","sequence":-99999999,"code":"x",'
            b'"problem":"y","value":null,"remedy":"z","retry_after_s":null}',
            b'{"version":1,"kind":"error","client":null,"sequence":null,"code":"x",'
            b'"problem":"' + b"y" * 100_000 + b'","value":null,"remedy":"z",'
            b'"retry_after_s":null}',
        ):
            await cloud.say(route, text)
        await cloud.acknowledge()
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.kept == [("cam", 0)]
        assert forwarder.rejected == {}
    lines = [record.getMessage() for record in caplog.records]
    assert max(map(len, lines)) < 2000
    assert sum("event=unreadable_answer" in line for line in lines) == 1


FLOOD = """
import json, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.set(zmq.SNDHWM, 200)
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
routes = set()
while True:
    for route in routes:
        for _ in range(50):
            try:
                socket.send_multipart([route, b"{}"], flags=zmq.DONTWAIT)
            except zmq.Again:
                break
    if not socket.poll(0 if routes else None):
        continue
    route, header, *_ = socket.recv_multipart()
    routes.add(route)
    answer = json.loads(header) | {"kind": "ack", "duplicate": False}
    if "client" not in answer:
        answer = {"version": 1, "kind": "pong"}
    socket.send_multipart([route, json.dumps(answer).encode()])
"""
"""A cloud that sends nonsense faster than it can be read, and now and then what is wanted."""


@pytest.fixture
def flood() -> Iterator[str]:
    """The endpoint of a process that floods."""
    with subprocess.Popen([sys.executable, "-c", FLOOD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"tcp://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


async def test_a_flood_of_nonsense_neither_floods_the_log_nor_stops_the_work(
    flood: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with forwarding(transport(flood, heartbeat_s=10.0)) as forwarder:
        for number in range(3):
            forwarder.add({("cam", number): ENVELOPE})
            await forwarder.until(lambda: forwarder.settled)
        assert len(forwarder.kept) == 3
    assert sum("unreadable_answer" in record.getMessage() for record in caplog.records) <= 10


async def test_a_cloud_that_answers_pings_with_errors_gets_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may speak another version and would refuse for good whatever it is sent."""
    async with ScriptedCloud(free_endpoint()) as old, ScriptedCloud(free_endpoint()) as good:
        old.pong = (
            b'{"version":1,"kind":"error","client":null,"sequence":null,"code":"bad_version",'
            b'"problem":"p","value":null,"remedy":"r","retry_after_s":null}'
        )
        old.acknowledges = good.acknowledges = True
        with caplog.at_level(logging.WARNING):
            async with forwarding(transport(old.endpoint, good.endpoint)) as forwarder:
                forwarder.add(some(3))
                await forwarder.until(lambda: forwarder.settled)
                assert forwarder.kept == list(some(3))
        assert old.received == []
        assert f"event=cloud_unreachable cloud={old.endpoint} reason='silent'" in caplog.text


async def test_keys_are_set_on_every_socket() -> None:
    secured: list[zmq.asyncio.Socket] = []
    async with ScriptedCloud(free_endpoint()) as second:
        settings = UplinkSettings(
            connect=(free_endpoint(), second.endpoint), heartbeat_s=0.2, back_off_max_s=0.2
        )
        async with forwarding(ZeroMqTransport(settings, secure=secured.append)) as forwarder:
            await forwarder.until(lambda: forwarder.up)
    assert len(secured) >= 4
    assert len(secured) == len({id(socket) for socket in secured})


@pytest.mark.parametrize("right", [True, False])
async def test_an_encrypted_cloud_is_reached_with_its_key_and_passed_over_with_another(
    right: bool, caplog: pytest.LogCaptureFixture
) -> None:
    public, secret = zmq.curve_keypair()
    other, _ = zmq.curve_keypair()

    def secure(socket: zmq.asyncio.Socket) -> None:
        own_public, own_secret = zmq.curve_keypair()
        socket.set(zmq.CURVE_PUBLICKEY, own_public)
        socket.set(zmq.CURVE_SECRETKEY, own_secret)
        socket.set(zmq.CURVE_SERVERKEY, public if right else other)

    async with ScriptedCloud(free_endpoint(), acknowledges=True, secret=secret) as cloud:
        settings = UplinkSettings(connect=(cloud.endpoint,), heartbeat_s=0.2, back_off_max_s=0.2)
        way = ZeroMqTransport(settings, secure=secure)
        with caplog.at_level(logging.WARNING):
            await way.open(forwarder := Forwarder(way))
            try:
                if right:
                    await forwarder.until(lambda: forwarder.up)
                else:
                    await until_logged(caplog, forwarder, "event=cloud_unreachable")
            finally:
                await way.close()
        assert forwarder.up is right


async def test_keys_that_cannot_be_used_are_told_at_once() -> None:
    def broken(_: zmq.asyncio.Socket) -> None:
        raise KeysError("no such key", value="daemon.key", remedy="make one")

    way = ZeroMqTransport(UplinkSettings(), secure=broken)
    with pytest.raises(KeysError):
        await way.open(Forwarder(way))


@pytest.mark.parametrize("endpoint", ["tcp://nowhere", "nonsense", "udp://127.0.0.1:5"])
async def test_a_malformed_endpoint_is_told_at_once(endpoint: str) -> None:
    way = transport(free_endpoint(), endpoint)
    with pytest.raises(SettingsError, match="not an endpoint"):
        await way.open(Forwarder(way))


async def test_nothing_is_told_after_closing() -> None:
    async with ScriptedCloud(free_endpoint()) as cloud:
        way = transport(cloud.endpoint)
        forwarder = Forwarder(way)
        await way.open(forwarder)
        await forwarder.until(lambda: forwarder.up)
        for key, envelope in some(2).items():
            assert await way.send(key, envelope)
        await cloud.until_held(2)
        for _ in range(2):
            await cloud.acknowledge()
        let_them_arrive()
        await way.close()
        assert forwarder.kept == []
        assert forwarder.links == [True]
        assert not await way.send(("cam", 9), ENVELOPE)


def let_them_arrive() -> None:
    """Keeps the event loop from reading what ZeroMQ's own thread receives meanwhile."""
    time.sleep(0.1)


async def test_it_says_what_it_does() -> None:
    async with ScriptedCloud(free_endpoint(), credit=5) as cloud:
        spare = free_endpoint()
        way = transport(cloud.endpoint, spare)
        assert way.describe()["peer"] is None
        async with forwarding(way) as forwarder:
            await forwarder.until(lambda: forwarder.up)
            assert way.describe() == {
                "kind": "zeromq",
                "peer": cloud.endpoint,
                "others": spare,
                "reconnects": 0,
                "credit": 5,
            }
