"""Requests from strangers: what is let in, what each costs, how answers come back."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from yarl import URL

from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Prefilter
from support.gateway_rig import (
    CHAT,
    asking,
    chat,
    data_url,
    gateway_before,
    picture_part,
    pixels_of,
    seen,
    text_part,
)
from support.stand_in_endpoint import Asked, Part, Pieces, answer, says, stand_in_endpoint
from support.waiting import PATIENCE_S, eventually

HELLO = chat(text_part("hello"))
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def held_until(release: Event, *pieces: bytes) -> Part:
    """Sends the first piece at once, the others when it is told to."""

    def part(asked: Asked) -> Pieces:
        yield pieces[0]
        assert release.wait(PATIENCE_S)
        yield from pieces[1:]

    return part


async def test_the_upstream_gets_a_smaller_picture_and_everything_else_as_it_was(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    request = asking(halves, "the red car", temperature=0.5, tools=[{"x": {"y": 1}}], unheard_of=1)
    with stand_in_endpoint(says("on the left")) as upstream:
        async with gateway_before(upstream, prefilter) as rig, rig.post(request) as reply:
            assert reply.status == 200
            assert (await reply.json())["choices"][0]["message"]["content"] == "on the left"
    (asked,) = upstream.asked
    sent: dict[str, Any] = asked.json()
    media_type, file = seen(sent)
    assert media_type == "image/jpeg"
    assert pixels_of(file).shape == halves.shape
    assert len(file) < len(to_png(halves)) / 2
    assert reply.headers["x-edge-daemon-picture-bytes-out"] == str(len(file))
    sent["messages"][0]["content"][0]["image_url"]["url"] = data_url(to_png(halves))
    assert sent == request


async def test_a_stream_passes_as_it_comes() -> None:
    release = Event()
    part = held_until(release, STREAM + b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n")
    with stand_in_endpoint(part) as upstream:
        async with gateway_before(upstream) as rig, rig.post({**HELLO, "stream": True}) as reply:
            assert reply.headers["Content-Type"] == "text/event-stream"
            # The rest is not even sent before the first piece has arrived here.
            assert await reply.content.readany() == b"data: one\n\n"
            release.set()
            assert await reply.read() == b"data: two\n\ndata: [DONE]\n\n"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"", "bad_message", "not JSON.*; send one JSON object"),
        (b'{"messages": [', "bad_message", "not JSON.*; send one JSON object"),
        (b"[1]", "bad_message", r"not a JSON object \(got \[1\]\); send one"),
        (b'{"a": 1, "a": 2}', "bad_message", r"a key twice \(got 'a'\); send each key once"),
        (b"\xff\xfe{}", "bad_message", "not UTF-8 at byte 0.*; encode it"),
        (chat(picture_part("data:image/png;base64,?")), "bad_message", "not in base64.*; send"),
        (chat(picture_part(data_url(b"what?"))), "not_an_image", "no supported.*b'what.*; send"),
        (chat(picture_part(data_url(b"\x89PNG\r\n\x1a\n..."))), "damaged_image", "PNG.*; send"),
    ],
)
async def test_bad_input_costs_one_request_and_says_what_to_do(
    body: object, code: str, said: str
) -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            status, error = await rig.refused(body)
            assert (status, error["code"], error["type"]) == (400, code, "invalid_request_error")
            assert re.search(said, error["message"])
            assert (await rig.post(HELLO)).status == 200
    assert len(upstream.asked) == 1


async def test_a_bad_picture_is_named_by_its_place() -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            _, error = await rig.refused(chat(text_part("a"), picture_part(data_url(b"x"))))
    assert error["param"] == "messages[0].content[1].image_url"
    assert upstream.asked == []


async def test_long_bodies_are_refused_whether_or_not_they_say_so() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream, gateway={"max_body_bytes": 2048}) as rig:
            status, error = await rig.refused(b"{" + b" " * 4000)
            assert (status, error["code"]) == (413, "payload_too_large")
            assert "2048 bytes (got '4001 bytes'); send fewer" in error["message"]
            async with rig.session.post(rig.url + CHAT, data=endless()) as reply:
                assert reply.status == 413
                assert "2048 bytes; send fewer" in (await reply.json())["error"]["message"]
            assert (await rig.post(HELLO)).status == 200


async def test_pictures_are_limited_in_number_bytes_and_pixels(halves: NDArray[np.uint8]) -> None:
    file = to_png(halves)
    tables: dict[str, Any] = {
        "limits": {"max_payload_bytes": len(file), "max_pixels": halves.size // 3},
        "gateway": {"max_pictures": 1},
    }
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream, **tables) as rig:
            fits = picture_part(data_url(file))
            assert (await rig.post(chat(fits))).status == 200
            longer = picture_part(data_url(file + b"\0"))
            wider = picture_part(data_url(to_png(np.zeros((302, 601, 3), np.uint8))))
            for content, code in (
                ([fits, fits], "payload_too_large"),
                ([longer], "payload_too_large"),
                ([wider], "too_many_pixels"),
            ):
                status, error = await rig.refused(chat(*content))
                assert (status, error["code"]) == (413, code)


async def test_what_is_not_served_never_reaches_the_upstream() -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            for url in (f"{rig.url}/embeddings", f"{rig.url}/..%2fadmin/chat/completions"):
                async with rig.session.post(URL(url, encoded=True), json=HELLO) as reply:
                    assert reply.status == 404
                    assert (await reply.json())["error"]["code"] == "not_found"
    assert upstream.asked == []


async def test_web_pages_in_a_browser_on_this_machine_are_not_let_in() -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            status, error = await rig.refused(HELLO, Origin="https://example.org")
    assert (status, error["type"]) == (403, "permission_error")
    assert upstream.asked == []


async def test_requests_beyond_the_limit_are_told_to_come_again() -> None:
    release = Event()
    part = held_until(release, b"", answer(b"{}"))
    with stand_in_endpoint(part) as upstream:
        async with gateway_before(upstream, gateway={"queue_requests": 2}) as rig:
            taken = [asyncio.create_task(rig.post(HELLO).__aenter__()) for _ in range(2)]
            await eventually(lambda: len(upstream.asked) == 2)
            async with rig.post(HELLO) as reply:
                assert reply.status == 429
                assert reply.headers["Retry-After"] == "1"
                assert (await reply.json())["error"]["code"] == "busy"
            release.set()
            assert [(await one).status for one in taken] == [200, 200]
            await eventually(lambda: rig.gateway.under_way == 0)
            assert (await rig.post(HELLO)).status == 200


async def test_a_client_that_does_not_send_its_request_is_cut_off() -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream, gateway={"timeout_s": 0.2}) as rig:
            host, port = rig.url.removeprefix("http://").removesuffix("/v1").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n")
            writer.write(b"Content-Length: 100\r\n\r\n{")
            head = await asyncio.wait_for(reader.readline(), PATIENCE_S)
            assert head == b"HTTP/1.1 408 Request Timeout\r\n"
            writer.close()


async def test_a_client_that_does_not_read_its_answer_is_cut_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    def endless(asked: Asked) -> Pieces:
        yield STREAM
        while True:
            yield b" " * 65_536

    with stand_in_endpoint(endless) as upstream:
        async with gateway_before(upstream, gateway={"timeout_s": 0.3}) as rig:
            reply = await rig.post(HELLO)
            await eventually(lambda: rig.gateway.under_way == 0)
            reply.close()
    assert "status=200 problem=deadline" in caplog.text


@pytest.mark.parametrize("coding", ["gzip", "br", "nonsense"])
async def test_a_few_compressed_bytes_may_be_gigabytes_so_none_are_read(coding: str) -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            for body in (gzip.compress(json.dumps(HELLO).encode()), b"garbage"):
                status, error = await rig.refused(body, **{"Content-Encoding": coding})
                assert (status, error["code"]) == (400, "bad_message")
                assert "send it without Content-Encoding" in error["message"]
            assert (await rig.post(HELLO, **{"Content-Encoding": "identity"})).status == 200
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nZZ\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
async def test_what_is_no_whole_http_request_costs_its_connection_and_no_traceback(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            host, port = rig.url.removeprefix("http://").removesuffix("/v1").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            writer.write_eof()
            said = await asyncio.wait_for(reader.read(), PATIENCE_S)
            assert said == b"" or b" 400 Bad Request\r\n" in said.splitlines(keepends=True)[0]
            writer.close()
            assert (await rig.post(HELLO)).status == 200
    assert len(upstream.asked) == 1
    assert [one for one in caplog.records if one.exc_info] == []


async def test_when_the_client_hangs_up_the_upstream_need_not_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    cut_off = Event()

    def part(asked: Asked) -> Pieces:
        try:
            yield STREAM
            while True:
                yield b"data: more\n\n" * 1000
        finally:
            cut_off.set()

    with stand_in_endpoint(part) as upstream:
        async with gateway_before(upstream) as rig:
            reply = await rig.post(HELLO)
            await reply.content.readany()
            reply.close()
            await eventually(cut_off.is_set)
            await eventually(lambda: rig.gateway.under_way == 0)
    assert "problem=client_gone" in caplog.text


async def test_a_defect_costs_one_request_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("edge_daemon.gateway.rewriting.pictures_of", broken)
    with stand_in_endpoint(says("hi")) as upstream:
        async with gateway_before(upstream) as rig:
            status, error = await rig.refused(HELLO)
            assert (status, error["code"]) == (500, "internal")
            assert "ZeroDivisionError" in error["message"]
            assert (await rig.session.get(f"{rig.url}/models")).status == 200
    assert "event=defect" in caplog.text


async def test_requests_of_many_clients_at_once_keep_their_own_pictures(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    widths = range(40, 56)

    async def width_seen(rig: Any, width: int) -> int:
        async with rig.post(asking(halves[:32, :width], "the red car")) as reply:
            return int((await reply.json())["choices"][0]["message"]["content"])

    def tells_width(asked: Asked) -> Pieces:
        width = pixels_of(seen(asked.json())[1]).shape[1]
        body = json.dumps({"choices": [{"message": {"content": str(width)}}]}).encode()
        yield answer(body)

    with stand_in_endpoint(tells_width) as upstream:
        async with gateway_before(upstream, prefilter) as rig:
            found = await asyncio.gather(*(width_seen(rig, width) for width in widths))
    assert found == [*widths]
