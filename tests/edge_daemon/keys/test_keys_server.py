"""Who gets in, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from edge_daemon.client import AsyncClient
from edge_daemon.errors import BindError, ForbiddenError, LinkError, SettingsError
from edge_daemon.keys import (
    ClientKeys,
    ServerKeys,
    add_peer,
    new_client,
    new_identity,
    public_key_of,
    revoke_peer,
    secure_client,
)
from edge_daemon.wire.router import Incoming, bind_router, sender_of

Serve = Callable[..., Any]
PROMPT = "Where is the red bicycle?"


def camera(endpoint: str, keys: ClientKeys | Path | None, client_id: str = "gate-3") -> AsyncClient:
    return AsyncClient(endpoint, client_id=client_id, timeout_s=10.0, keys=keys)


async def test_a_known_key_is_let_in_and_named(serve: Serve, door: Path, gate: Path) -> None:
    async with serve(door) as front, camera(front.endpoint, gate) as client:
        assert (await client.send(b"picture", PROMPT)).client == "gate-3"
    assert front.heard == [("gate-3", "gate-3")]


async def test_an_unknown_key_is_refused_and_logged_once_in_a_while(
    serve: Serve, door: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    public = new_identity(tmp_path / "stranger", server=door / "identity.public")
    async with serve(door) as front:
        for _ in range(3):
            async with camera(front.endpoint, tmp_path / "stranger") as client:
                with pytest.raises(ForbiddenError, match="refused this key"):
                    await client.send(b"picture", PROMPT)
    assert front.heard == []
    (line,) = [line for line in caplog.messages if "event=peer_refused" in line]
    assert f"key={public!r} address=127.0.0.1" in line


async def test_a_key_speaks_for_its_own_clients_only(
    serve: Serve, door: Path, gate: Path, tmp_path: Path
) -> None:
    new_client(door, "yard", tmp_path / "yard", clients="yard-*")
    async with serve(door) as front:
        async with camera(front.endpoint, gate, "gate-4") as client:
            with pytest.raises(ForbiddenError, match="gate-3 may not speak"):
                await client.send(b"", "")
        async with camera(front.endpoint, tmp_path / "yard", "yard-7") as client:
            await client.send(b"", "")
    assert front.heard == [("yard", "yard-7")]


async def test_revoking_cuts_a_connection_that_stands(
    serve: Serve, door: Path, gate: Path, tmp_path: Path
) -> None:
    new_client(door, "gate-4", tmp_path / "gate-4")
    async with (
        serve(door) as front,
        camera(front.endpoint, gate) as revoked,
        camera(front.endpoint, tmp_path / "gate-4", "gate-4") as kept,
    ):
        await revoked.send(b"", "")
        await kept.send(b"", "")
        revoke_peer(door, "gate-3")
        with pytest.raises(ForbiddenError, match="may not talk here any more") as caught:
            await revoked.send(b"", "")
        assert caught.value.retry_after_s is not None
        await kept.send(b"", "")
    assert front.heard == [("gate-3", "gate-3"), ("gate-4", "gate-4"), ("gate-4", "gate-4")]


async def test_a_new_key_under_the_old_name_cuts_the_old_one(
    serve: Serve, door: Path, gate: Path, tmp_path: Path
) -> None:
    async with serve(door) as front, camera(front.endpoint, gate) as old:
        await old.send(b"", "")
        new_client(door, "gate-3", tmp_path / "new", force=True)
        with pytest.raises(ForbiddenError):
            await old.send(b"", "")
        async with camera(front.endpoint, tmp_path / "new") as new:
            await new.send(b"", "")
    assert front.heard == [("gate-3", "gate-3")] * 2


async def test_adding_lets_in_without_a_restart(serve: Serve, door: Path, tmp_path: Path) -> None:
    public = new_identity(tmp_path / "late", server=door / "identity.public")
    async with (
        serve(door) as front,
        camera(front.endpoint, tmp_path / "late", "late") as client,
    ):
        with pytest.raises(ForbiddenError):
            await client.send(b"", "")
        add_peer(door, "late", public)
        assert (await client.send(b"", "")).client == "late"


async def test_a_revoked_key_may_come_back(serve: Serve, door: Path, gate: Path) -> None:
    async with serve(door) as front, camera(front.endpoint, gate) as client:
        revoke_peer(door, "gate-3")
        with pytest.raises(ForbiddenError):
            await client.send(b"", "")
        add_peer(door, "gate-3", public_key_of(gate))
        await client.send(b"", "")


async def test_keys_hold_on_ipc_too(serve: Serve, door: Path, gate: Path, tmp_path: Path) -> None:
    new_identity(tmp_path / "stranger", server=door / "identity.public")
    async with serve(door, bind=f"ipc://{tmp_path}/front.sock") as front:
        async with camera(front.endpoint, gate) as client:
            await client.send(b"", "")
        async with camera(front.endpoint, tmp_path / "stranger") as client:
            with pytest.raises(ForbiddenError):
                await client.send(b"", "")
    assert front.heard == [("gate-3", "gate-3")]


async def test_two_servers_in_one_process_have_lists_of_their_own(
    serve: Serve, door: Path, gate: Path, tmp_path: Path
) -> None:
    other_door, other_gate = tmp_path / "other-door", tmp_path / "other-gate"
    new_identity(other_door)
    new_client(other_door, "gate-3", other_gate)
    # The first one's camera that expects the second one: known here, not there.
    first_keys = ClientKeys.load(gate)
    mixed = ClientKeys(first_keys.identity, public_key_of(other_door))
    async with serve(door) as first, serve(other_door) as second:
        async with camera(second.endpoint, other_gate) as client:
            await client.send(b"", "")
        async with camera(second.endpoint, mixed) as client:
            with pytest.raises(ForbiddenError):
                await client.send(b"", "")
        async with camera(first.endpoint, first_keys) as client:
            await client.send(b"", "")
    assert (len(first.heard), len(second.heard)) == (1, 1)


async def test_when_nobody_answers_who_may_connect_nobody_can(
    serve: Serve, door: Path, gate: Path
) -> None:
    async with serve(door) as front:
        front.keys.close()
        async with AsyncClient(
            front.endpoint, client_id="gate-3", timeout_s=0.5, keys=gate
        ) as client:
            with pytest.raises(LinkError):
                await client.send(b"", "")
    assert front.heard == []


async def test_a_list_that_fails_lets_nobody_in_and_recovers(
    serve: Serve,
    door: Path,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = asyncio.Event()

    def broken(_: object, __: str) -> bool:
        failed.set()
        raise RuntimeError("a defect")

    async with serve(door) as front:
        with monkeypatch.context() as patch:
            # The handler was given the method when the socket was made.
            patch.setattr(ServerKeys, "_admits", broken)
            async with serve(door) as other, camera(other.endpoint, gate) as client:
                send = asyncio.create_task(client.send(b"", ""))
                await asyncio.wait_for(failed.wait(), 10.0)
                assert other.heard == []
                send.cancel()
                await asyncio.gather(send, return_exceptions=True)
        async with camera(front.endpoint, gate) as client:
            await client.send(b"", "")
    assert "event=defect part=zap" in caplog.messages


async def test_a_failed_bind_leaves_nothing_behind(serve: Serve, door: Path, gate: Path) -> None:
    async with serve(door) as front:
        context = zmq.asyncio.Context()
        keys = ServerKeys.load(door, "edge-front")
        with pytest.raises(BindError):
            bind_router(
                context, front.endpoint, allow_insecure=False, max_payload_bytes=1, keys=keys
            )
        context.term()
        async with camera(front.endpoint, gate) as client:
            await client.send(b"", "")


async def test_keys_permit_the_network_and_their_absence_does_not(door: Path) -> None:
    context = zmq.asyncio.Context()
    with pytest.raises(SettingsError, match="without encryption"):
        bind_router(context, "tcp://0.0.0.0:*", allow_insecure=False, max_payload_bytes=1)
    keys = ServerKeys.load(door, "edge-cloud")
    socket, endpoint = bind_router(
        context, "tcp://0.0.0.0:*", allow_insecure=False, max_payload_bytes=1, keys=keys
    )
    assert endpoint.startswith("tcp://0.0.0.0:")
    socket.close()
    keys.close()
    context.term()


async def test_in_plain_text_anyone_talks(serve: Serve) -> None:
    async with serve(None) as front, camera(front.endpoint, None) as client:
        await client.send(b"", "")
    assert front.heard == [("", "gate-3")]


def test_a_message_without_a_key_is_refused_where_keys_are_asked_for(door: Path) -> None:
    with pytest.raises(ForbiddenError):
        sender_of(Incoming(b"", [], None), ServerKeys.load(door, "edge-front"))


async def test_a_bare_socket_that_is_secured_talks_to_it(
    serve: Serve, door: Path, gate: Path
) -> None:
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.DEALER)
    secure_client(socket, ClientKeys.load(gate, "edge-uplink"))
    async with serve(door) as front:
        socket.connect(front.endpoint)
        await socket.send(b'{"version":1,"kind":"ping"}')
        assert await asyncio.wait_for(socket.recv(), 10.0) == b'{"version":1,"kind":"pong"}'
        socket.close(linger=0)
    context.term()


@contextlib.asynccontextmanager
async def wiretap(endpoint: str) -> AsyncGenerator[tuple[str, bytearray]]:
    """A proxy in between that keeps all that passes; its own endpoint."""
    seen = bytearray()
    host, port = endpoint.removeprefix("tcp://").split(":")
    pumps: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            seen.extend(data)
            writer.write(data)
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writers.extend((writer, far_writer))
        pumps.add(asyncio.create_task(pump(reader, far_writer)))
        pumps.add(asyncio.create_task(pump(far_reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()
        for task in pumps:
            task.cancel()
        for writer in writers:
            writer.close()
        closed = (writer.wait_closed() for writer in writers)
        await asyncio.gather(*pumps, *closed, return_exceptions=True)


@pytest.mark.parametrize("encrypted", [True, False])
async def test_what_is_said_can_be_read_on_the_wire_without_keys_only(
    serve: Serve, door: Path, gate: Path, encrypted: bool
) -> None:
    picture = b"the pixels of a picture " * 100
    async with (
        serve(door if encrypted else None) as front,
        wiretap(front.endpoint) as (endpoint, seen),
        camera(endpoint, gate if encrypted else None) as client,
    ):
        await client.send(picture, PROMPT)
        said = (PROMPT.encode(), b"gate-3", b"the pixels", b"bitstream_sha256")
        assert [words in seen for words in said] == [not encrypted] * len(said)
        assert len(seen) > len(picture)
