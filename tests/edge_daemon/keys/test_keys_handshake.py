"""What the clients say when a connection does not come about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.client import AsyncClient, Client
from edge_daemon.errors import EdgeError, ForbiddenError, KeysError, LinkError
from edge_daemon.keys import ClientKeys, add_peer, is_final, new_identity

Serve = Callable[..., Any]
Attempt = Callable[..., Any]


def _blocking(endpoint: str, keys: Path | None, timeout_s: float) -> None:
    with Client(endpoint, client_id="gate-3", timeout_s=timeout_s, keys=keys) as client:
        client.send(b"", "")


async def _from_a_thread(endpoint: str, keys: Path | None, timeout_s: float = 60.0) -> None:
    await asyncio.to_thread(_blocking, endpoint, keys, timeout_s)


async def _on_the_loop(endpoint: str, keys: Path | None, timeout_s: float = 60.0) -> None:
    async with AsyncClient(endpoint, client_id="gate-3", timeout_s=timeout_s, keys=keys) as client:
        await client.send(b"", "")


@pytest.fixture(params=[_from_a_thread, _on_the_loop], ids=["blocking", "concurrent"])
def attempt(request: pytest.FixtureRequest) -> Attempt:
    """Sends one frame through one of the two clients."""
    return request.param


async def test_a_refused_key_is_told_at_once(
    serve: Serve, door: Path, tmp_path: Path, attempt: Attempt
) -> None:
    new_identity(tmp_path / "stranger", server=door / "identity.public")
    async with serve(door) as front:
        with pytest.raises(ForbiddenError, match="the daemon refused this key") as caught:
            await attempt(front.endpoint, tmp_path / "stranger")
        assert front.endpoint in str(caught.value)
    assert "keys add" in caught.value.remedy


async def test_a_plain_client_is_told_that_the_daemon_encrypts(
    serve: Serve, door: Path, attempt: Attempt
) -> None:
    async with serve(door) as front:
        with pytest.raises(KeysError, match="talks encrypted only"):
            await attempt(front.endpoint, None)
    assert front.heard == []


async def test_a_client_with_keys_is_told_that_the_daemon_does_not_encrypt(
    serve: Serve, gate: Path, attempt: Attempt
) -> None:
    async with serve(None) as front:
        with pytest.raises(KeysError, match="does not encrypt"):
            await attempt(front.endpoint, gate)
    assert front.heard == []


async def test_a_wrong_server_key_is_told_when_the_time_is_up(
    serve: Serve, door: Path, gate: Path, tmp_path: Path, attempt: Attempt
) -> None:
    new_identity(tmp_path / "other")
    (gate / "server.public").write_bytes((tmp_path / "other" / "identity.public").read_bytes())
    async with serve(door) as front:
        with pytest.raises(LinkError, match=r"hung up.*server\.public"):
            await attempt(front.endpoint, gate, timeout_s=1.0)
    assert front.heard == []


async def test_a_daemon_that_is_not_there_is_no_matter_of_keys(
    serve: Serve, door: Path, gate: Path, attempt: Attempt
) -> None:
    async with serve(door) as front:
        pass
    with pytest.raises(LinkError, match="no daemon answered"):
        await attempt(front.endpoint, gate, timeout_s=0.3)


async def test_both_clients_work_with_keys(
    serve: Serve, door: Path, gate: Path, attempt: Attempt
) -> None:
    async with serve(door) as front:
        await attempt(front.endpoint, gate)
    assert front.heard == [("gate-3", "gate-3")]


async def test_a_blocking_client_that_was_refused_gets_in_once_it_is_added(
    serve: Serve, door: Path, tmp_path: Path
) -> None:
    public = new_identity(tmp_path / "late", server=door / "identity.public")

    def late(endpoint: str) -> str:
        keys = ClientKeys.load(tmp_path / "late")
        with Client(endpoint, client_id="late", timeout_s=10.0, keys=keys) as client:
            for _ in range(2):
                with pytest.raises(ForbiddenError):
                    client.send(b"", "")
            add_peer(door, "late", public)
            return client.send(b"", "").client

    async with serve(door) as front:
        assert await asyncio.to_thread(late, front.endpoint) == "late"


async def test_all_who_wait_are_told(serve: Serve, door: Path, tmp_path: Path) -> None:
    new_identity(tmp_path / "stranger", server=door / "identity.public")
    async with (
        serve(door) as front,
        AsyncClient(front.endpoint, client_id="gate-3", keys=tmp_path / "stranger") as client,
    ):
        sends = [client.send(b"", "", sequence=number) for number in range(3)]
        answers = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ForbiddenError] * 3


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_bad_keys_are_told_before_anything_is_sent(
    tmp_path: Path, kind: Callable[..., object]
) -> None:
    with pytest.raises(KeysError, match="cannot read a key"):
        kind("tcp://127.0.0.1:1", client_id="gate-3", keys=tmp_path / "none")


def test_only_what_zeromq_tries_again_is_not_final() -> None:
    errors: list[EdgeError | None] = [
        LinkError("x", remedy="y", retry_after_s=1.0),
        KeysError("x", remedy="y"),
        ForbiddenError("x", remedy="y"),
        None,
    ]
    assert [is_final(error) for error in errors] == [False, True, True, False]
