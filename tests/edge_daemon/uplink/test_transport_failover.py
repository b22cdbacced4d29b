"""Several clouds, and networks that fail: over real sockets, mostly with real receivers."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.bench.soak.proxy import FlakyProxy
from edge_daemon.cloud import Receiver
from edge_daemon.settings import CloudSettings, Settings, UplinkSettings
from edge_daemon.uplink.transports.connection import Connection
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport
from edge_daemon.wire import Key, PongHeader
from support.forwarder import forwarding
from support.free_port import free_endpoint
from support.scripted_cloud import ScriptedCloud
from support.sealed import logged, sealed


def transport(*endpoints: str, **changes: Any) -> ZeroMqTransport:
    values: dict[str, Any] = {"heartbeat_s": 0.3, "back_off_max_s": 0.3}
    return ZeroMqTransport(UplinkSettings(connect=endpoints, **(values | changes)))


def frames(begin: int, end: int) -> dict[Key, bytes]:
    return {("cam", number): sealed(number) for number in range(begin, end)}


@asynccontextmanager
async def receiver(directory: Path, endpoint: str) -> AsyncGenerator[str]:
    """A real receiver at this endpoint; its directory stays for the next one."""
    cloud = Receiver(
        Settings(cloud=CloudSettings(bind=endpoint, directory=str(directory), threads=1))
    )
    bound = await cloud.startup()
    try:
        yield bound
    finally:
        await cloud.shutdown()


def once_each(directory: Path, begin: int, end: int) -> bool:
    return Counter(logged(directory)) == Counter(
        {("cam", number): 1 for number in range(begin, end)}
    )


async def test_a_real_cloud_logs_every_frame_once(tmp_path: Path) -> None:
    async with (
        receiver(tmp_path, "tcp://127.0.0.1:*") as endpoint,
        forwarding(transport(endpoint)) as forwarder,
    ):
        forwarder.add(frames(0, 40))
        await forwarder.until(lambda: forwarder.settled)
        assert forwarder.rejected == {}
    assert once_each(tmp_path, 0, 40)


async def test_two_senders_share_one_cloud(tmp_path: Path) -> None:
    async with (
        receiver(tmp_path, "tcp://127.0.0.1:*") as endpoint,
        forwarding(transport(endpoint, in_flight=100)) as one,
        forwarding(transport(endpoint, in_flight=100)) as other,
    ):
        one.add({("one", number): sealed(number, "one") for number in range(150)})
        other.add({("other", number): sealed(number, "other") for number in range(150)})
        await one.until(lambda: one.settled)
        await other.until(lambda: other.settled)
        assert max(one.most_under_way, other.most_under_way) <= 64
    assert len(logged(tmp_path)) == len(set(logged(tmp_path))) == 300


async def test_a_dead_cloud_is_passed_over_and_returned_to_when_it_lives(tmp_path: Path) -> None:
    first, second = free_endpoint(), free_endpoint()
    way = transport(first, second)
    async with receiver(tmp_path / "second", second), forwarding(way) as forwarder:
        forwarder.add(frames(0, 5))
        await forwarder.until(lambda: forwarder.settled)
        assert way.describe()["peer"] == second
        async with receiver(tmp_path / "first", first):
            await forwarder.until(lambda: forwarder.links == [True, False, True])
            assert way.describe()["peer"] == first
            forwarder.add(frames(5, 10))
            await forwarder.until(lambda: forwarder.settled)
        await forwarder.until(lambda: forwarder.links == [True, False, True, False, True])
        assert way.describe()["peer"] == second
        assert way.describe()["reconnects"] == 2
    assert once_each(tmp_path / "second", 0, 5)
    assert once_each(tmp_path / "first", 5, 10)


async def test_what_was_under_way_is_answered_before_the_preferred_cloud_is_returned_to() -> None:
    first = free_endpoint()
    async with ScriptedCloud(free_endpoint()) as second:
        way = transport(first, second.endpoint, heartbeat_s=0.5)
        async with forwarding(way) as forwarder:
            forwarder.add(frames(0, 1))
            await second.until_held(1)
            async with ScriptedCloud(first, acknowledges=True) as preferred:
                # After three answered pings it is to be switched to, and three heartbeats later it
                # is, whatever is unanswered: the fourth ping comes in between.
                await preferred.until_pinged(4)
                await second.acknowledge()
                await forwarder.until(lambda: forwarder.links == [True, False, True])
                forwarder.add(frames(1, 3))
                await forwarder.until(lambda: forwarder.settled)
                assert preferred.received == [("cam", 1), ("cam", 2)]
            assert second.received == [("cam", 0)]


async def test_what_stays_unanswered_does_not_keep_from_the_preferred_cloud() -> None:
    first = free_endpoint()
    async with ScriptedCloud(free_endpoint()) as second:
        way = transport(first, second.endpoint)
        async with forwarding(way) as forwarder:
            forwarder.add(frames(0, 2))
            await second.until_held(2)
            async with ScriptedCloud(first, acknowledges=True) as preferred:
                await forwarder.until(lambda: forwarder.settled)
                assert sorted(preferred.received) == [("cam", 0), ("cam", 1)]
                assert forwarder.links == [True, False, True]


async def test_what_a_cloud_says_while_it_is_left_does_not_bring_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close = Connection.close

    async def talks_to_the_end(connection: Connection) -> None:
        connection._hear(connection, PongHeader(), None)  # pyright: ignore[reportPrivateUsage]
        await close(connection)

    monkeypatch.setattr(Connection, "close", talks_to_the_end)
    first = free_endpoint()
    async with (
        ScriptedCloud(free_endpoint()) as second,
        forwarding(transport(first, second.endpoint)) as forwarder,
    ):
        forwarder.add(frames(0, 2))
        await second.until_held(2)
        async with ScriptedCloud(first, acknowledges=True):
            await forwarder.until(lambda: forwarder.settled)
            assert forwarder.links == [True, False, True]


async def test_a_preferred_cloud_that_comes_and_goes_is_not_returned_to() -> None:
    first = free_endpoint()
    async with ScriptedCloud(free_endpoint(), acknowledges=True) as second:
        way = transport(first, second.endpoint)
        async with forwarding(way) as forwarder:
            await forwarder.until(lambda: forwarder.up)
            for _ in range(3):
                async with ScriptedCloud(first) as flapping:
                    await flapping.until_pinged(2)
            forwarder.add(frames(0, 3))
            await forwarder.until(lambda: forwarder.settled)
            assert forwarder.links == [True]
            assert way.describe()["peer"] == second.endpoint


async def test_something_that_listens_and_says_nothing_is_passed_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        silent = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        async with ScriptedCloud(free_endpoint(), acknowledges=True) as cloud:
            with caplog.at_level(logging.WARNING):
                async with forwarding(transport(silent, cloud.endpoint)) as forwarder:
                    forwarder.add(frames(0, 3))
                    await forwarder.until(lambda: forwarder.settled)
    assert f"event=cloud_unreachable cloud={silent} reason='silent'" in caplog.text


async def test_a_cloud_that_restarts_gets_what_it_did_not_acknowledge(tmp_path: Path) -> None:
    endpoint = free_endpoint()
    async with forwarding(transport(endpoint)) as forwarder:
        async with ScriptedCloud(endpoint) as first:
            forwarder.add(frames(0, 3))
            await first.until_held(3)
            assert await first.acknowledge() == ("cam", 0)
            await forwarder.until(lambda: forwarder.kept == [("cam", 0)])
        async with receiver(tmp_path, endpoint):
            await forwarder.until(lambda: forwarder.settled)
    assert once_each(tmp_path, 1, 3)


async def test_a_reset_in_the_middle_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with receiver(tmp_path, "tcp://127.0.0.1:*") as endpoint:
        with FlakyProxy(endpoint) as proxy:
            async with forwarding(transport(proxy.endpoint, heartbeat_s=5.0)) as forwarder:
                forwarder.add(frames(0, 60))
                for share in (5, 20, 40):
                    await forwarder.until(lambda share=share: len(forwarder.kept) >= share)
                    proxy.cut()
                    await forwarder.until(lambda: not forwarder.up)
                    proxy.heal()
                await forwarder.until(lambda: forwarder.settled)
                assert forwarder.rejected == {}
                assert forwarder.links == [True, False] * 3 + [True]
    assert once_each(tmp_path, 0, 60)


async def test_a_link_that_goes_dead_without_a_word_is_noticed_and_made_anew(
    tmp_path: Path,
) -> None:
    async with receiver(tmp_path, "tcp://127.0.0.1:*") as endpoint:
        with FlakyProxy(endpoint) as proxy:
            async with forwarding(transport(proxy.endpoint)) as forwarder:
                forwarder.add(frames(0, 10))
                await forwarder.until(lambda: len(forwarder.kept) >= 5)
                proxy.mute()
                forwarder.add(frames(10, 30))
                await forwarder.until(lambda: not forwarder.up)
                assert not forwarder.settled
                proxy.heal()
                await forwarder.until(lambda: forwarder.settled)
    assert once_each(tmp_path, 0, 30)


async def test_a_cloud_behind_a_dead_link_is_left_for_the_next(tmp_path: Path) -> None:
    async with (
        receiver(tmp_path / "first", "tcp://127.0.0.1:*") as first,
        receiver(tmp_path / "second", "tcp://127.0.0.1:*") as second,
    ):
        with FlakyProxy(first) as proxy:
            async with forwarding(transport(proxy.endpoint, second)) as forwarder:
                forwarder.add(frames(0, 5))
                await forwarder.until(lambda: forwarder.settled)
                proxy.mute()
                forwarder.add(frames(5, 15))
                await forwarder.until(lambda: forwarder.settled)
                assert forwarder.links == [True, False, True]
                proxy.heal()
                await forwarder.until(lambda: forwarder.links == [True, False, True, False, True])
    # What was sent into the dead link never came through: no frame is in both logs.
    assert once_each(tmp_path / "first", 0, 5)
    assert once_each(tmp_path / "second", 5, 15)


async def test_a_frame_whose_ack_was_lost_is_in_the_logs_of_both_clouds() -> None:
    async with (
        ScriptedCloud(free_endpoint()) as first,
        ScriptedCloud(free_endpoint(), acknowledges=True) as second,
    ):
        with FlakyProxy(first.endpoint) as proxy:
            async with forwarding(transport(proxy.endpoint, second.endpoint)) as forwarder:
                forwarder.add(frames(0, 1))
                await first.until_held(1)
                proxy.mute()
                await first.acknowledge()
                await forwarder.until(lambda: forwarder.settled)
                assert first.received == second.received == forwarder.kept == [("cam", 0)]


async def test_a_radio_shadow_shorter_than_three_heartbeats_costs_nothing() -> None:
    async with ScriptedCloud(free_endpoint(), acknowledges=True) as cloud:
        with FlakyProxy(cloud.endpoint) as proxy:
            way = transport(proxy.endpoint, heartbeat_s=20.0)
            async with forwarding(way) as forwarder:
                await forwarder.until(lambda: forwarder.up)
                proxy.hold()
                forwarder.add(frames(0, 5))
                await forwarder.until(lambda: len(forwarder.under_way) == 5)
                assert forwarder.kept == []
                proxy.heal()
                await forwarder.until(lambda: forwarder.settled)
                assert forwarder.links == [True]


async def test_an_envelope_that_takes_the_line_longer_than_three_heartbeats_gets_through() -> None:
    async with ScriptedCloud(free_endpoint(), acknowledges=True) as cloud:
        with FlakyProxy(cloud.endpoint) as proxy:
            proxy.slow(100_000)
            way = transport(proxy.endpoint, heartbeat_s=0.1, back_off_max_s=0.1)
            async with forwarding(way) as forwarder:
                forwarder.add({("cam", 1): bytes(100_000)})
                await forwarder.until(lambda: forwarder.settled)
                assert forwarder.kept == [("cam", 1)]
                assert False in forwarder.links
