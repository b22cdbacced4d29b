"""Start, stop and what may go wrong at either, in this process and as a user starts it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from threading import Event
from typing import Any

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.cli import main
from edge_daemon.config import parse_settings
from edge_daemon.errors import (
    BindError,
    EdgeError,
    SettingsError,
    StorageError,
    UnknownCodecError,
    UnsupportedError,
)
from edge_daemon.gateway import run
from edge_daemon.gateway.process import Gateway
from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import GatewaySettings, PrefilterSettings, Settings
from edge_daemon.settings.gateway import check_gateway_bind
from support.gateway_rig import CHAT, asking, chat, gateway_before, pixels_of, seen, text_part
from support.manager import Manager
from support.processes import Running
from support.stand_in_endpoint import Asked, Part, Pieces, answer, says, stand_in_endpoint
from support.waiting import PATIENCE_S, eventually

HELLO = chat(text_part("hello"))


def answers_when(release: Event) -> Part:
    def part(asked: Asked) -> Pieces:
        release.wait(PATIENCE_S)
        yield answer(b"{}")

    return part


async def status_of(sent: Any) -> int:
    async with sent as reply:
        await reply.read()
        return reply.status


async def test_a_stop_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    release = Event()
    with stand_in_endpoint(answers_when(release)) as upstream:
        async with gateway_before(upstream) as rig:
            # A connection that stays open, to see what is said on it later.
            assert (await rig.session.get(rig.url.removesuffix("/v1"))).status == 404
            under_way = [asyncio.create_task(status_of(rig.post(HELLO))) for _ in range(5)]
            await eventually(lambda: len(upstream.asked) == 5)
            stop = asyncio.create_task(rig.gateway.shutdown())
            await eventually(lambda: rig.gateway.stopping)
            with pytest.raises(aiohttp.ClientConnectionError):
                async with aiohttp.ClientSession() as another:
                    await another.post(rig.url + CHAT, json=HELLO)
            release.set()
            assert [await one for one in under_way] == [200] * 5
            assert await stop == 0


async def test_on_a_connection_that_stands_a_stopping_gateway_says_so() -> None:
    release = Event()
    with stand_in_endpoint(answers_when(release)) as upstream:
        async with gateway_before(upstream) as rig:
            host, port = rig.url.removeprefix("http://").removesuffix("/v1").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"404" in await reader.readline()
            under_way = asyncio.create_task(status_of(rig.post(HELLO)))
            await eventually(lambda: len(upstream.asked) == 1)
            stop = asyncio.create_task(rig.gateway.shutdown())
            await eventually(lambda: rig.gateway.stopping)
            writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            said = await asyncio.wait_for(reader.readuntil(b"stopping"), PATIENCE_S)
            assert b"HTTP/1.1 503 Service Unavailable" in said
            assert b"Retry-After: 1" in said
            writer.close()
            release.set()
            assert await under_way == 200
            assert await stop == 0


async def test_what_does_not_end_in_time_is_abandoned_and_counted() -> None:
    release = Event()
    with stand_in_endpoint(answers_when(release)) as upstream:
        async with gateway_before(upstream, gateway={"drain_s": 0.1}) as rig:
            under_way = asyncio.create_task(status_of(rig.post(HELLO)))
            await eventually(lambda: len(upstream.asked) == 1)
            assert await rig.gateway.shutdown() == 1
            with pytest.raises(aiohttp.ClientConnectionError):
                await under_way
            release.set()


@pytest.mark.parametrize("bind", ["0.0.0.0:8591", "[::]:8591", "192.168.1.2:8591"])
def test_everybody_is_let_in_only_if_the_operator_says_so(bind: str) -> None:
    with pytest.raises(SettingsError, match=r"everybody.*token_file.*allow_insecure_bind"):
        check_gateway_bind(GatewaySettings(bind=bind))
    with pytest.raises(SettingsError, match="everybody"):
        Gateway(parse_settings({"gateway": {"bind": bind}}, source="test"), None)
    check_gateway_bind(GatewaySettings(bind=bind, allow_insecure_bind=True))
    check_gateway_bind(GatewaySettings(bind=bind, token_file="token"))


@pytest.mark.parametrize("bind", ["127.0.0.1:8591", "[::1]:8591", "localhost:8591", "127.9.9.9:1"])
def test_on_this_machine_nobody_has_to_be_asked(bind: str) -> None:
    check_gateway_bind(GatewaySettings(bind=bind))


async def test_an_address_in_use_and_a_port_that_is_none_are_refused() -> None:
    async with gateway_before("http://127.0.0.1:1/v1") as rig:
        taken = rig.url.removeprefix("http://").removesuffix("/v1")
        for bind in (taken, "127.0.0.1:99999"):
            gateway = Gateway(parse_settings({"gateway": {"bind": bind}}, source="test"), None)
            with pytest.raises(BindError, match="the gateway cannot listen there"):
                await gateway.startup()


@pytest.mark.parametrize(
    ("tables", "kind"),
    [
        ({"codec": {"id": "nonsense"}}, UnknownCodecError),
        ({"gateway": {"api_key_env": "NOT_SET_ANYWHERE"}}, SettingsError),
        ({"gateway": {"token_file": "/nowhere/token"}}, SettingsError),
        ({"gateway": {"ledger": "/nowhere/ledger"}}, StorageError),
    ],
)
def test_what_cannot_work_stops_the_start(tables: Any, kind: type[EdgeError]) -> None:
    tables["gateway"] = {"bind": "127.0.0.1:0"} | tables.get("gateway", {})
    with pytest.raises(kind):
        run(parse_settings(tables, source="test"), None)


def test_an_allocation_that_the_codec_cannot_do_stops_the_start(prefilter: Prefilter) -> None:
    by_map = Prefilter(prefilter.bundle, PrefilterSettings(allocation="quantiser"))
    with pytest.raises(UnsupportedError, match="the codec webp takes no quantiser map"):
        run(parse_settings({"codec": {"id": "webp"}}, source="test"), by_map)


def test_without_aiohttp_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("edge_daemon.gateway.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(UnsupportedError, match=r"needs aiohttp.*pip install 'edge-daemon\[gateway"):
        run(Settings(), None)


async def test_as_a_user_starts_it(
    halves: NDArray[np.uint8], bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Manager(tmp_path / "notify") as manager, stand_in_endpoint(says("left")) as upstream:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        settings = {
            "bundle": str(bundle),
            "encoder": {"backend": "cpu"},
            "codec": {"id": "jpeg", "quality": 40},
            "gateway": {
                "base_url": upstream.base_url,
                "bind": "127.0.0.1:0",
                "ledger": str(tmp_path / "ledger.jsonl"),
            },
        }
        with Running("gateway", settings, tmp_path) as process:
            assert manager.heard()["STATUS"] == f"takes requests on {process.endpoint}"
            async with aiohttp.ClientSession() as session:
                request = asking(halves, "the red car")
                async with session.post(process.endpoint + CHAT, json=request) as reply:
                    assert (await reply.json())["choices"][0]["message"]["content"] == "left"
            assert process.stop() == 0
            assert manager.heard()["STOPPING"] == "1"
    file = seen(upstream.asked[0].json())[1]
    assert pixels_of(file).shape == halves.shape
    assert len(file) < len(to_png(halves))
    (line,) = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert json.loads(line)["bytes"] == len(file)


def test_check_config_knows_of_the_gateway(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "edge.toml"
    file.write_text('[gateway]\nbind = "0.0.0.0:8591"\n')
    monkeypatch.setattr(sys, "argv", ["edge-daemon", "check-config", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "name a token_file, or bind 127.0.0.1" in capsys.readouterr().err


def test_the_commands_options_come_before_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chosen: list[tuple[Settings, Prefilter | None]] = []

    def noted(settings: Settings, prefilter: Prefilter | None) -> int:
        chosen.append((settings, prefilter))
        return 0

    monkeypatch.setattr("edge_daemon.cli.gateway.run", noted)
    file = tmp_path / "edge.toml"
    file.write_text('[gateway]\ntimeout_s = 9.0\nbind = "127.0.0.1:1"\n[codec]\nid = "webp"\n')
    options = ["--config", str(file), "--upstream", "http://h/v1", "--bind", "127.0.0.1:2"]
    options += ["--mode", "plain", "--codec", "hevc", "--quality", "30", "--ledger", "l.jsonl"]
    monkeypatch.setattr(sys, "argv", ["edge-daemon", "gateway", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    ((settings, prefilter),) = chosen
    assert prefilter is None
    assert settings.codec == {"id": "hevc", "quality": 30}
    assert settings.gateway == GatewaySettings(
        base_url="http://h/v1",
        bind="127.0.0.1:2",
        mode="plain",
        ledger="l.jsonl",
        timeout_s=9.0,
    )
