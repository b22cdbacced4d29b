"""What opens a NATS server, and that nothing of it is ever shown."""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.errors import (
    SettingsError,
)
from edge_daemon.settings import NatsSettings
from edge_daemon.uplink.transports.nats import NatsTransport
from edge_daemon.uplink.transports.nats_access import access_of, redacted
from support.nats_rig import transport
from support.nats_server import NatsServer, needs_nats_server, plain_server
from support.verdicts_heard import Heard
from support.waiting import eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with plain_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@needs_nats_server
async def test_a_server_that_comes_late_is_found_and_secrets_are_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    login = 'authorization { user: "edge", password: "hush-hush" }'
    with plain_server(tmp_path, login) as server:
        server.stop()
        url = server.url.replace("//", "//edge:hush-hush@")
        async with transport(url) as (sender, heard):
            await eventually(lambda: "event=connect_failed" in caplog.text)
            server.start()
            assert await heard.next() == ("link", True)
            assert await sender.send(("cam", 1), b"x")
            assert await heard.next() == ("delivered", ("cam", 1))
            shown = repr(sender.describe())
    assert "hush-hush" not in caplog.text + shown
    assert "***@127.0.0.1" in shown


@needs_nats_server
async def test_a_wrong_password_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with plain_server(tmp_path, 'authorization { user: "edge", password: "right" }') as server:
        async with transport(server.url.replace("//", "//edge:wrong@")) as (sender, _):
            await eventually(lambda: caplog.text.count("Authorization Violation") >= 2)
            assert not sender.task.done()
    assert "wrong" not in caplog.text


@needs_nats_server
async def test_tls_is_never_left_out_silently(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url.replace("nats://", "tls://edge:hush-hush@")
    async with transport(url) as (sender, _):
        await eventually(lambda: "secure connection not available" in caplog.text)
        assert not await sender.send(("cam", 1), b"x")


@needs_nats_server
async def test_an_nkey_seed_opens_a_server(tmp_path: Path) -> None:
    user = Signer("U")
    login = f"authorization {{ users: [ {{ nkey: {user.name} }} ] }}"
    with plain_server(tmp_path / "server", login) as server:
        await check_that_it_opens(server, _secret_file(tmp_path, user.seed))


@needs_nats_server
async def test_a_creds_file_opens_a_server(tmp_path: Path) -> None:
    operator, system, account, user = (Signer(kind) for kind in "OAAU")
    stores = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    every = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "imports": -1, "exports": -1}
    limits = {"limits": {**every, "wildcards": True, "leaf": -1, **stores}}
    of_user = {"subs": -1, "data": -1, "payload": -1}
    login = f"""
        operator: {operator.sign(operator, "operator", {})}
        system_account: {system.name}
        resolver: MEMORY
        resolver_preload {{
          {system.name}: {operator.sign(system, "account", {"limits": every})}
          {account.name}: {operator.sign(account, "account", limits)}
        }}
    """
    creds = (
        "-----BEGIN NATS USER JWT-----\n"
        f"{account.sign(user, 'user', of_user)}\n"
        "------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    with plain_server(tmp_path / "server", login) as server:
        await check_that_it_opens(server, _secret_file(tmp_path, creds))


async def check_that_it_opens(server: NatsServer, credentials: Path) -> None:
    async with transport(server.url, credentials=str(credentials)) as (sender, heard):
        assert await heard.next() == ("link", True)
        assert await sender.send(("cam", 1), b"x")
        assert await heard.next() == ("delivered", ("cam", 1))


def _secret_file(directory: Path, text: str) -> Path:
    file = directory / "edge.secret"
    file.write_text(text)
    file.chmod(0o600)
    return file


class Signer:
    """Stands in for `nsc`, which makes the keys and tokens of a NATS installation."""

    def __init__(self, kind: str) -> None:
        nkeys = pytest.importorskip("nkeys", reason="nkeys is not installed (nats-py[nkeys])")
        prefix = {"O": nkeys.PREFIX_BYTE_OPERATOR, "A": nkeys.PREFIX_BYTE_ACCOUNT}
        raw = nkeys.encode_seed(os.urandom(32), prefix.get(kind, nkeys.PREFIX_BYTE_USER))
        self.seed: str = bytes(raw).decode("ascii")
        self._pair: Any = nkeys.from_seed(bytearray(raw))
        self.name: str = self._pair.public_key.decode("ascii")

    def sign(self, subject: Signer, kind: str, claims: dict[str, Any]) -> str:
        """A token that says what `subject` may do."""
        body = {
            "jti": "test",
            "iat": 1,
            "iss": self.name,
            "sub": subject.name,
            "name": kind,
            "nats": {**claims, "type": kind, "version": 2},
        }
        parts = [_base64({"typ": "JWT", "alg": "ed25519-nkey"}), _base64(body)]
        signed: bytes = self._pair.sign(".".join(parts).encode("ascii"))
        return ".".join([*parts, base64.urlsafe_b64encode(signed).decode("ascii").rstrip("=")])


def _base64(part: dict[str, Any]) -> str:
    text = json.dumps(part).encode("ascii")
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1",
        "http://127.0.0.1:4222",
        "nats://",
        "nats://host:port",
        "nats://a:99999",
        "tls:// x",
        "nats://user:pass/word@host:4222",
        "",
    ],
)
async def test_a_malformed_url_is_told_at_once_without_its_secrets(url: str) -> None:
    with pytest.raises(SettingsError, match="NATS server's URL") as caught:
        await NatsTransport(NatsSettings(servers=(url,))).open(Heard())
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("key", ["credentials", "tls_ca"])
async def test_a_missing_file_is_told_at_once(key: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(SettingsError, match=f"nats.{key}.*missing"):
        await NatsTransport(NatsSettings.model_validate({key: missing})).open(Heard())


def test_a_file_that_holds_no_credentials_is_told_without_its_content(tmp_path: Path) -> None:
    file = tmp_path / "creds"
    file.write_text("hush-hush")
    with pytest.raises(SettingsError, match="neither NATS credentials") as caught:
        access_of(NatsSettings(credentials=str(file)))
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nats://a:b@host:1", "nats://***@host:1"),
        ("nats://to/ken@host:1", "nats://***@host:1"),
        ("cannot reach tls://a:p@ss@host", "cannot reach tls://***@host"),
        ("nats://host:1", "nats://host:1"),
    ],
)
def test_users_and_passwords_are_cut_out_of_urls(text: str, shown: str) -> None:
    assert redacted(text) == shown
