"""The transport against a real nats-server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from nats.js import api

from edge_daemon.errors import (
    PayloadTooLargeError,
    StorageError,
)
from edge_daemon.settings import NatsSettings
from edge_daemon.uplink.transports.nats import NatsTransport
from edge_daemon.uplink.transports.nats_stream import key_of
from support.nats_rig import jetstream, transport
from support.nats_server import NatsServer, free_port, needs_nats_server, plain_server
from support.verdicts_heard import Heard
from support.waiting import eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with plain_server(tmp_path_factory.mktemp("nats"), "max_payload: 100000") as running:
        yield running


@pytest.fixture
def apart(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A stream and a subject for this test alone."""
    name = request.node.name.replace("_", "")[:60]
    return {"stream": name, "subject": f"frames.{name}"}


@needs_nats_server
async def test_delivered_means_that_the_stream_has_it_with_its_headers(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    async with transport(server.url, **apart) as (sender, heard):
        assert await heard.next() == ("link", True)
        assert await sender.send(("gate.2", 7), b"envelope")
        assert await heard.next() == ("delivered", ("gate.2", 7))
        async with jetstream(server.url) as js:
            stored = await js.get_msg(apart["stream"], seq=1)
            config = (await js.stream_info(apart["stream"])).config
    assert (stored.data, stored.subject) == (b"envelope", f"{apart['subject']}.gate=2")
    assert key_of(cast("dict[str, str]", stored.headers)) == ("gate.2", 7)
    assert (config.retention, config.discard) == ("workqueue", "new")
    assert config.duplicate_window == 86_400.0


@needs_nats_server
async def test_a_small_store_gets_a_smaller_stream_with_room_beside_it(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "nats.conf"
    store = f'store_dir: "{tmp_path / "store"}", max_file_store: 1GB'
    config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ {store} }}\n')
    with NatsServer(config, port) as server:
        async with transport(server.url) as (_, heard):
            assert await heard.next() == ("link", True)
        async with jetstream(server.url) as js:
            max_bytes = (await js.stream_info("EDGE")).config.max_bytes
            await js.create_key_value(api.KeyValueConfig(bucket="beside"))
    assert max_bytes == 3 * 2**28


@needs_nats_server
async def test_the_same_client_and_sequence_are_stored_once(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    keys = [("cam", number % 3) for number in range(9)]
    async with transport(server.url, **apart) as (sender, heard):
        assert await heard.next() == ("link", True)
        assert [await sender.send(key, b"x") for key in keys] == [True] * 9
        assert sorted([await heard.next() for _ in keys]) == sorted(
            ("delivered", key) for key in keys
        )
        assert sender.describe()["duplicates"] == 6
        async with jetstream(server.url) as js:
            assert (await js.stream_info(apart["stream"])).state.messages == 3


@needs_nats_server
async def test_what_exceeds_max_payload_is_refused_and_the_link_stays(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    async with transport(server.url, **apart) as (sender, heard):
        assert await heard.next() == ("link", True)
        for size in (100_000, 99_600):
            assert await sender.send(("cam", size), bytes(size))
            what, key, error = await heard.next()
            assert (what, key) == ("refused", ("cam", size))
            assert isinstance(error, PayloadTooLargeError)
            assert "max_payload" in error.problem
            assert "max_payload" in error.remedy
        assert await sender.send(("cam", 1), bytes(99_000))
        assert await heard.next() == ("delivered", ("cam", 1))


@needs_nats_server
async def test_what_exceeds_the_streams_message_size_is_refused(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    async with jetstream(server.url) as js:
        subjects = [f"{apart['subject']}.*"]
        await js.add_stream(name=apart["stream"], subjects=subjects, max_msg_size=1000)
    async with transport(server.url, **apart) as (sender, heard):
        assert await heard.next() == ("link", True)
        await sender.send(("cam", 1), bytes(2000))
        what, _, error = await heard.next()
    assert (what, type(error)) == ("refused", PayloadTooLargeError)
    assert "max_msg_size" in error.problem


@needs_nats_server
async def test_a_full_stream_is_asked_again_later(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    async with jetstream(server.url) as js:
        await js.add_stream(
            name=apart["stream"],
            subjects=[f"{apart['subject']}.*"],
            max_bytes=5000,
            discard=api.DiscardPolicy.NEW,
        )
        async with transport(server.url, **apart) as (sender, heard):
            assert await heard.next() == ("link", True)
            for number in range(2):
                await sender.send(("cam", number), bytes(3000))
            assert await heard.next() == ("delivered", ("cam", 0))
            what, key, error, after_s = await heard.next()
            assert (what, key, type(error)) == ("again", ("cam", 1), StorageError)
            assert after_s > 0
            await js.purge_stream(apart["stream"])
            await sender.send(("cam", 1), bytes(3000))
            assert await heard.next() == ("delivered", ("cam", 1))


@needs_nats_server
async def test_without_a_stream_that_somebody_else_makes_the_link_is_down_until_it_is_there(
    server: NatsServer, apart: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with transport(server.url, create_stream=False, **apart) as (sender, heard):
        await eventually(lambda: "create_stream is false" in caplog.text)
        assert not await sender.send(("cam", 1), b"x")
        async with jetstream(server.url) as js:
            await js.add_stream(name=apart["stream"], subjects=[f"{apart['subject']}.*"])
        assert [await heard.next(), await heard.next()] == [("link", True), ("ready",)]
        assert await sender.send(("cam", 1), b"x")
        assert await heard.next() == ("delivered", ("cam", 1))


@needs_nats_server
async def test_a_stream_that_vanishes_takes_the_link_down_and_is_made_again(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    async with transport(server.url, **apart) as (sender, heard):
        assert await heard.next() == ("link", True)
        async with jetstream(server.url) as js:
            await js.delete_stream(apart["stream"])
        assert await sender.send(("cam", 1), b"x")
        seen = [await heard.next()]
        while seen[-1] != ("link", True):
            seen.append(await heard.next())
        assert ("link", False) in seen
        assert ("delivered", ("cam", 1)) not in seen
        assert await sender.send(("cam", 1), b"x")
        assert await heard.next() == ("delivered", ("cam", 1))


@needs_nats_server
async def test_a_stream_with_another_subject_is_named_and_not_used(
    server: NatsServer, apart: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with jetstream(server.url) as js:
        await js.add_stream(name=apart["stream"], subjects=["something.else"])
    async with transport(server.url, **apart) as (sender, _):
        await eventually(lambda: "does not take this subject" in caplog.text)
        assert not await sender.send(("cam", 1), b"x")


@needs_nats_server
async def test_a_server_that_is_killed_keeps_what_was_delivered_and_gets_the_rest(
    tmp_path: Path,
) -> None:
    with plain_server(tmp_path) as server:
        async with transport(server.url) as (sender, heard):
            assert await heard.next() == ("link", True)
            for number in range(5):
                await sender.send(("cam", number), b"x")
            assert {await heard.next() for _ in range(5)} == {
                ("delivered", ("cam", number)) for number in range(5)
            }
            server.kill()
            assert await heard.next() == ("link", False)
            assert not await sender.send(("cam", 5), b"x")
            server.start()
            assert [await heard.next(), await heard.next()] == [("link", True), ("ready",)]
            # What had no verdict is sent again; some of it is there already.
            for number in range(3, 8):
                await sender.send(("cam", number), b"x")
            assert {await heard.next() for _ in range(5)} == {
                ("delivered", ("cam", number)) for number in range(3, 8)
            }
            description = sender.describe()
            async with jetstream(server.url) as js:
                assert (await js.stream_info("EDGE")).state.messages == 8
    assert (description["peer"], description["reconnects"]) == (server.url, 1)
    assert description["duplicates"] == 2


@needs_nats_server
async def test_connections_that_break_in_the_middle_of_sending_leave_no_tasks_behind(
    tmp_path: Path,
) -> None:
    with plain_server(tmp_path) as server:
        async with transport(server.url) as (sender, heard):
            assert await heard.next() == ("link", True)
            tasks: list[int] = []
            for round_ in range(4):
                for number in range(5):
                    await sender.send((f"cam{round_}", number), bytes(500_000))
                server.kill()
                while (await heard.next()) != ("link", False):
                    pass
                server.start()
                while (await heard.next()) != ("link", True):
                    pass
                await eventually(lambda: sender.describe()["under_way"] == 0)
                tasks.append(len(asyncio.all_tasks()))
    assert tasks[-1] <= tasks[0]


@needs_nats_server
async def test_too_much_at_once_is_turned_away_and_invited_later(tmp_path: Path) -> None:
    with plain_server(tmp_path) as server:
        async with transport(server.url) as (sender, heard):
            assert await heard.next() == ("link", True)
            # 900 kB each: a third does not go with two that are under way.
            taken = [await sender.send(("cam", number), bytes(900_000)) for number in range(3)]
            assert taken == [True, True, False]
            told = {await heard.next() for _ in range(3)}
            assert told == {("delivered", ("cam", 0)), ("delivered", ("cam", 1)), ("ready",)}
            assert await sender.send(("cam", 2), bytes(900_000))
            assert await heard.next() == ("delivered", ("cam", 2))


@needs_nats_server
async def test_the_next_server_serves_when_the_first_is_not_there(
    server: NatsServer, apart: dict[str, Any]
) -> None:
    nobody = f"nats://127.0.0.1:{free_port()}"
    sender, heard = NatsTransport(NatsSettings(servers=(nobody, server.url), **apart)), Heard()
    await sender.open(heard)
    assert await heard.next() == ("link", True)
    assert (sender.describe()["peer"], sender.describe()["others"]) == (server.url, nobody)
    await sender.close()
    assert heard.events.empty()
