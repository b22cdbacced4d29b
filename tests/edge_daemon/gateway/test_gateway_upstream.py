"""What crosses the gateway on its way to the upstream, and what does not."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from edge_daemon.errors import SettingsError
from edge_daemon.gateway.upstream import Upstream, kept_headers
from edge_daemon.settings import GatewaySettings
from support.free_port import free_endpoint
from support.gateway_rig import KEY, chat, gateway_before, text_part
from support.stand_in_endpoint import (
    announces,
    answer,
    good,
    hangs_up,
    raw,
    refuses,
    says,
    slow,
    stand_in_endpoint,
)

HELLO = chat(text_part("hello"))
OWN_KEY = "sk-of-the-operator"


def test_headers_about_one_connection_end_there() -> None:
    came = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "TE": "trailers", "X-Yours": "2"}
    assert dict(kept_headers(came)) == {"X-Yours": "2"}
    assert dict(kept_headers(came, frozenset({"x-yours"}))) == {}


async def test_a_request_without_pictures_arrives_byte_for_byte_with_its_headers() -> None:
    body = b'{ "model":"m" ,"messages":[], "x": 1.50}'
    with stand_in_endpoint(good({"choices": []})) as upstream:
        async with gateway_before(upstream) as rig, rig.post(body, OpenAI_Project="p") as reply:
            assert reply.status == 200
            assert await reply.json() == {"choices": []}
    (asked,) = upstream.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/chat/completions", body)
    assert asked.headers["openai_project"] == "p"
    assert asked.headers["authorization"] == KEY["Authorization"]
    assert asked.headers["host"] in upstream.base_url


async def test_the_operators_key_takes_the_place_of_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", OWN_KEY)
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream, gateway={"api_key_env": "A_KEY"}) as rig:
            assert (await rig.post(HELLO)).status == 200
    assert upstream.asked[0].headers["authorization"] == f"Bearer {OWN_KEY}"


async def test_a_key_that_the_upstream_echoes_shows_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("A_KEY", OWN_KEY)
    caplog.set_level(logging.DEBUG)
    echo = raw(f"HTTP/1.1 {OWN_KEY}\r\n\r\n".encode())
    with stand_in_endpoint(echo) as upstream:
        async with gateway_before(upstream, gateway={"api_key_env": "A_KEY"}) as rig:
            status, error = await rig.refused(HELLO)
    assert (status, error["code"]) == (502, "endpoint_down")
    assert OWN_KEY not in caplog.text + json.dumps(error)


async def test_a_token_of_the_gateways_own_goes_no_further(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-long-token\n")
    token.chmod(0o600)
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream, gateway={"token_file": str(token)}) as rig:
            status, error = await rig.refused(HELLO)
            assert (status, error["code"]) == (401, "invalid_api_key")
            assert (await rig.refused(HELLO, Authorization="Bearer a-long"))[0] == 401
            assert (await rig.post(HELLO, Authorization="Bearer a-long-token")).status == 200
    assert len(upstream.asked) == 1
    assert "authorization" not in upstream.asked[0].headers


async def test_other_paths_are_passed_through_with_get_below_the_base_url() -> None:
    with stand_in_endpoint(good({"data": []})) as upstream:
        base = upstream.base_url.replace("/v1", "/api/v9?version=2")
        async with gateway_before(base) as rig:
            async with rig.session.get(f"{rig.url}/models/a%2Fb", headers=KEY) as reply:
                assert await reply.json() == {"data": []}
            await rig.session.get(f"{rig.url}/models?limit=3")
    assert [one.path for one in upstream.asked] == [
        "/api/v9/models/a%2Fb?version=2",
        "/api/v9/models?limit=3",
    ]
    assert upstream.asked[0].headers["authorization"] == KEY["Authorization"]


@pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many Requests", "500 Oops"])
async def test_errors_of_the_upstream_pass_through(status: str) -> None:
    with stand_in_endpoint(refuses(status, "its own words", Retry_After="7")) as upstream:
        async with gateway_before(upstream) as rig, rig.post(HELLO) as reply:
            assert reply.status == int(status[:3])
            assert (await reply.json())["error"]["message"] == "its own words"
            assert reply.headers["Retry-After"] == "7"


async def test_compressed_answers_pass_as_they_are() -> None:
    part = raw(answer(b"not really gzip", Content_Encoding="gzip"))
    with stand_in_endpoint(part) as upstream:
        async with gateway_before(upstream) as rig:
            rig.session._auto_decompress = False  # pyright: ignore[reportPrivateUsage]
            async with rig.post(HELLO, Accept_Encoding="gzip") as reply:
                assert reply.headers["Content-Encoding"] == "gzip"
                assert await reply.read() == b"not really gzip"


async def test_what_a_client_has_already_is_not_sent_again() -> None:
    with stand_in_endpoint(raw(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")) as upstream:
        async with gateway_before(upstream) as rig, rig.session.get(f"{rig.url}/models") as reply:
            assert (reply.status, reply.headers["ETag"]) == (304, "x")


async def test_redirects_would_lead_past_the_gateway_and_are_refused() -> None:
    moved = raw(answer(b"", "307 Temporary Redirect", Location="http://127.0.0.1:1/v1"))
    with stand_in_endpoint(moved) as upstream:
        async with gateway_before(upstream) as rig:
            status, error = await rig.refused(HELLO)
    assert status == 502
    assert "redirect" in error["message"]
    assert "base_url" in error["message"]


async def test_an_upstream_that_is_down_hangs_up_or_talks_nonsense_is_told_as_502() -> None:
    nobody = free_endpoint().replace("tcp://", "http://") + "/v1"
    async with gateway_before(nobody) as rig:
        status, error = await rig.refused(HELLO)
        assert (status, error["code"], error["type"]) == (502, "endpoint_down", "server_error")
        assert nobody[7:-3] in error["message"]
    with stand_in_endpoint(hangs_up, raw(b"SSH-2.0-OpenSSH\r\n")) as upstream:
        async with gateway_before(upstream) as rig:
            assert (await rig.refused(HELLO))[0] == 502
            assert (await rig.refused(HELLO))[0] == 502


async def test_a_silent_upstream_is_told_as_504() -> None:
    with stand_in_endpoint(slow) as upstream:
        async with gateway_before(upstream, gateway={"timeout_s": 0.2}) as rig:
            status, error = await rig.refused(HELLO)
    assert (status, error["code"]) == (504, "endpoint_slow")
    assert "silent for 0.2 s" in error["message"]


async def test_an_answer_that_breaks_off_arrives_broken_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import aiohttp

    with stand_in_endpoint(announces(5000)) as upstream:
        async with gateway_before(upstream) as rig, rig.post(HELLO) as reply:
            assert reply.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await reply.read()
    assert "event=upstream_failed" in caplog.text


@pytest.mark.parametrize("url", ["http://host:99999/v1", "http://[::1/v1"])
def test_what_is_no_url_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match=r"base_url is no URL.*write http://HOST:PORT/v1"):
        Upstream(GatewaySettings(base_url=url))
