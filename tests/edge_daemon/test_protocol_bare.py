"""Speaks PROTOCOL.md with bare ZeroMQ and JSON; nothing of ours is imported here.

The camera's side against a real daemon process, and the cloud's side as well: what the daemon sends
up is taken apart byte by byte as the page says.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from PIL import Image

from support.processes import Running
from support.tiny_bundle import make_tiny_bundle

PROTOCOL = Path(__file__).parents[2] / "PROTOCOL.md"
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    context = zmq.Context()
    yield context
    context.destroy(linger=0)


@pytest.fixture(scope="module")
def cloud(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    router = context.socket(zmq.ROUTER)
    router.set(zmq.RCVTIMEO, PATIENCE_MS)
    router.bind("tcp://127.0.0.1:*")
    return router


@pytest.fixture(scope="module")
def daemon(cloud: zmq.Socket[bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("daemon")
    make_tiny_bundle(directory / "bundle")
    connect = cloud.get_string(zmq.LAST_ENDPOINT)
    settings = {
        "bundle": str(directory / "bundle"),
        "front": {"bind": "tcp://127.0.0.1:*"},
        "stages": {"encoder_threads": 1, "drain_s": 1.0},
        "uplink": {"connect": connect, "ack_timeout_s": 1.0, "drain_s": 0.1, "heartbeat_s": 0.5},
    }
    with Running("serve", settings, directory) as running:
        yield running


@pytest.fixture
def camera(daemon: Running, context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[zmq.Socket[bytes]]:
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.RCVTIMEO, PATIENCE_MS)
    dealer.connect(daemon.endpoint)
    yield dealer
    dealer.close(linger=0)


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (250, 10, 10)).save(file, "PNG")
    return file.getvalue()


def frame(sequence: int, **changes: Any) -> bytes:
    header = {
        "version": 1,
        "kind": "frame",
        "client": "bare",
        "sequence": sequence,
        "prompt": "the red thing",
    }
    return json.dumps(header | changes).encode()


def from_daemon(cloud: zmq.Socket[bytes]) -> tuple[bytes, dict[str, Any], bytes]:
    """The next envelope; pings are answered on the way."""
    while True:
        route, header, *payload = cloud.recv_multipart()
        fields = json.loads(header)
        if fields != {"version": 1, "kind": "ping"}:
            assert len(payload) == 1
            return route, fields, payload[0]
        cloud.send_multipart([route, b'{"version":1,"kind":"pong"}'])


def answer_envelope(cloud: zmq.Socket[bytes], **answer: Any) -> tuple[dict[str, Any], bytes]:
    """Takes one envelope and gives this answer to it."""
    route, fields, payload = from_daemon(cloud)
    reply = {"version": 1, "client": fields["client"], "sequence": fields["sequence"]} | answer
    cloud.send_multipart([route, json.dumps(reply).encode()])
    return fields, payload


def take_apart(envelope: bytes) -> tuple[dict[str, Any], bytes]:
    """As the table in PROTOCOL.md has it."""
    assert envelope[:4] == bytes.fromhex("45 44 47 45")
    assert envelope[4] == 1
    assert envelope[5:8] == bytes(3)
    length, checksum = struct.unpack("<II", envelope[8:16])
    header = envelope[16 : 16 + length]
    assert zlib.crc32(header) == checksum
    fields, bitstream = json.loads(header), envelope[16 + length :]
    assert fields["bitstream_bytes"] == len(bitstream)
    assert fields["bitstream_sha256"] == hashlib.sha256(bitstream).hexdigest()
    return fields, bitstream


def test_the_example_on_the_page_is_an_envelope() -> None:
    text = PROTOCOL.read_text(encoding="utf-8")
    example = re.search(r"<!-- envelope example -->\n```\n(.*?)```.*?```json\n(.*?)```", text, re.S)
    assert example is not None
    fields, bitstream = take_apart(bytes.fromhex(example[1]))
    assert bitstream == b"\xff\xd8\xff\xd9"
    assert fields == json.loads(example[2])


def test_ping(camera: zmq.Socket[bytes]) -> None:
    camera.send_multipart([b'{"version":1,"kind":"ping"}'])
    (pong,) = camera.recv_multipart()
    assert json.loads(pong) == {"version": 1, "kind": "pong"}


def test_status(camera: zmq.Socket[bytes]) -> None:
    camera.send_multipart([b'{"version":1,"kind":"status"}'])
    (reply,) = camera.recv_multipart()
    status = json.loads(reply)
    assert (status["version"], status["kind"]) == (1, "status")
    assert status["limits"]["max_payload_bytes"] == 64 * 2**20
    assert {"jpeg", "hevc", "heif"} <= set(status["codecs"])
    assert "colours" in status["bundle"]["notice"]
    assert status["link"] in {"up", "down"}


def test_a_frame_all_the_way(camera: zmq.Socket[bytes], cloud: zmq.Socket[bytes]) -> None:
    camera.send_multipart([frame(1, ack="delivered", return_bitstream=True), picture()])
    notice, payload = answer_envelope(cloud, kind="ack", duplicate=False)
    header, envelope = camera.recv_multipart()
    result = json.loads(header)
    assert notice == {"version": 1, "kind": "envelope", "client": "bare", "sequence": 1}
    assert envelope == payload
    fields, bitstream = take_apart(envelope)
    assert (fields["client"], fields["sequence"]) == ("bare", 1)
    assert (fields["width"], fields["height"]) == (64, 48)
    assert fields["prompts"] == ["the red thing"]
    assert fields["created"].endswith("+00:00")
    decoded = Image.open(io.BytesIO(bitstream))
    assert (decoded.format, decoded.size) == ("JPEG", (64, 48))
    assert (result["kind"], result["ack"], result["duplicate"]) == ("result", "delivered", False)
    assert (result["width"], result["height"]) == (64, 48)
    assert result["source_bytes"] == len(picture())
    assert result["bitstream_sha256"] == fields["bitstream_sha256"]
    assert result["envelope_bytes"] == len(envelope)
    assert result["report"]["notice"] == fields["relevance"]["notice"]


def test_raw_pixels_without_the_prefilter(
    camera: zmq.Socket[bytes], cloud: zmq.Socket[bytes]
) -> None:
    raw = {"shape": [2, 3, 3], "dtype": "uint8"}
    camera.send_multipart([frame(2, raw=raw, mode="plain"), bytes(range(18))])
    fields, _ = take_apart(answer_envelope(cloud, kind="ack", duplicate=False)[1])
    result = json.loads(camera.recv_multipart()[0])
    assert (fields["width"], fields["height"], fields["relevance"]) == (3, 2, None)
    assert (result["mode"], result["report"], result["source_bytes"]) == ("plain", None, 18)


def test_an_unanswered_envelope_comes_again(
    camera: zmq.Socket[bytes], cloud: zmq.Socket[bytes]
) -> None:
    camera.send_multipart([frame(3), picture()])
    assert json.loads(camera.recv_multipart()[0])["ack"] == "accepted"
    _, _, first = from_daemon(cloud)
    _, again = answer_envelope(cloud, kind="ack", duplicate=True)
    assert first == again


def test_a_postponed_envelope_comes_again(
    camera: zmq.Socket[bytes], cloud: zmq.Socket[bytes]
) -> None:
    trouble = {"code": "storage", "problem": "disk full", "value": None, "remedy": "make room"}
    camera.send_multipart([frame(4, ack="delivered"), picture()])
    _, first = answer_envelope(cloud, kind="error", retry_after_s=0.1, **trouble)
    _, again = answer_envelope(cloud, kind="ack", duplicate=False)
    assert first == again
    assert json.loads(camera.recv_multipart()[0])["ack"] == "delivered"


def test_a_refused_envelope_is_told_and_does_not_come_again(
    camera: zmq.Socket[bytes], cloud: zmq.Socket[bytes]
) -> None:
    why = {"code": "decode_failed", "problem": "damaged", "value": "x", "remedy": "send it again"}
    camera.send_multipart([frame(5, ack="delivered"), picture()])
    answer_envelope(cloud, kind="error", retry_after_s=None, **why)
    error = json.loads(camera.recv_multipart()[0])
    assert (error["kind"], error["sequence"], error["value"]) == ("error", 5, "x")
    assert error["code"] == "decode_failed"
    camera.send_multipart([frame(6, ack="delivered"), picture()])
    notice, _ = answer_envelope(cloud, kind="ack", duplicate=False)
    assert notice["sequence"] == 6


def test_a_refusal_names_the_frame_and_the_way_out(camera: zmq.Socket[bytes]) -> None:
    camera.send_multipart([frame(7), b"no picture"])
    (text,) = camera.recv_multipart()
    error = json.loads(text)
    assert set(error) == {
        "version", "kind", "client", "sequence", "code", "problem", "value", "remedy",
        "retry_after_s",
    }  # fmt: skip
    assert (error["client"], error["sequence"], error["code"]) == ("bare", 7, "not_an_image")
