"""Every kind of bad input over a real socket, against one daemon process.

Each costs its request only: after each, the same daemon serves a good frame.
"""

from __future__ import annotations

import io
import itertools
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zmq
from PIL import Image

from edge_daemon.client import Client
from support.free_port import free_endpoint
from support.processes import Running
from support.tiny_bundle import make_tiny_bundle

PATIENCE_MS = 30_000
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("daemon")
    make_tiny_bundle(directory / "bundle")
    settings = {
        "bundle": str(directory / "bundle"),
        "front": {"bind": "tcp://127.0.0.1:*"},
        "stages": {"encoder_threads": 1, "drain_s": 1.0},
        # No cloud listens: what is accepted stays queued.
        "uplink": {"connect": free_endpoint(), "queue_frames": 1000, "drain_s": 0.1},
    }
    with Running("serve", settings, directory) as running:
        yield running


@pytest.fixture
def camera(daemon: Running) -> Iterator[zmq.Socket[bytes]]:
    """A bare socket; when the test is done with it, the daemon still has to serve a good frame."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.set(zmq.LINGER, 0)
    dealer.set(zmq.RCVTIMEO, PATIENCE_MS)
    dealer.connect(daemon.endpoint)
    yield dealer
    dealer.close()
    context.term()
    with Client(daemon.endpoint, client_id="witness", timeout_s=PATIENCE_MS / 1000) as client:
        assert client.send(png(), "the red thing").bitstream_bytes > 0
    assert daemon.alive()


def png(width: int = 40, height: int = 30) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(file, "PNG")
    return file.getvalue()


def header(**changes: Any) -> dict[str, Any]:
    number = next(_numbers)
    return {
        "version": 1,
        "kind": "frame",
        "client": "gate-3",
        "sequence": number,
        "prompt": "the red thing",
    } | changes


def ask(camera: zmq.Socket[bytes], *parts: bytes | dict[str, Any]) -> dict[str, Any]:
    camera.send_multipart(
        [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    )
    return json.loads(camera.recv_multipart()[0])


def refused(
    camera: zmq.Socket[bytes], code: str, *parts: bytes | dict[str, Any], value: str | None
) -> dict[str, Any]:
    """The error that these parts get; every error names its value and a remedy."""
    answer = ask(camera, *parts)
    assert answer["kind"] == "error", answer
    assert answer["code"] == code, answer
    assert answer["problem"]
    assert answer["remedy"]
    assert answer["retry_after_s"] is None
    if value is None:
        assert answer["value"] is None
    else:
        assert value in answer["value"], answer
    if isinstance(parts[0], dict) and isinstance(parts[0].get("sequence"), int):
        assert answer["sequence"] == parts[0]["sequence"]
    return answer


def test_truncated_image(camera: zmq.Socket[bytes]) -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    data = file.getvalue()
    refused(camera, "damaged_image", header(), data[: len(data) // 2], value="bytes")


def test_no_image(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "not_an_image", header(), b"these are words, not a picture", value="these are")


def test_empty_payload(camera: zmq.Socket[bytes]) -> None:
    answer = refused(camera, "not_an_image", header(), b"", value="b''")
    assert "empty" in answer["problem"]


def test_decompression_bomb_is_refused_by_its_header(camera: zmq.Socket[bytes]) -> None:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    idat = b"IDAT" + zlib.compress(bytes(1000))
    bomb += struct.pack(">I", len(idat) - 4) + idat + struct.pack(">I", zlib.crc32(idat))
    refused(camera, "too_many_pixels", header(), bomb, value="60000x60000")


def test_payload_of_100_megabytes(camera: zmq.Socket[bytes]) -> None:
    payload = bytes(100_000_000)
    answer = refused(camera, "payload_too_large", header(), payload, value="100000000 bytes")
    assert "67108864" in answer["problem"]


@pytest.mark.parametrize(("shape", "value"), [([0, 0, 3], "0"), ([0, 10], "0"), ([10, 0, 3], "0")])
def test_zero_size(camera: zmq.Socket[bytes], shape: list[int], value: str) -> None:
    raw = {"shape": shape, "dtype": "uint8"}
    answer = ask(camera, header(raw=raw), b"")
    assert answer["code"] in {"bad_pixels", "damaged_image"}
    assert value in answer["value"]


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_float_pixels_that_are_no_numbers(camera: zmq.Socket[bytes], poison: float) -> None:
    pixels = np.full((20, 30, 3), 0.5, np.float32)
    pixels[7, 11, 1] = poison
    raw = {"shape": [20, 30, 3], "dtype": "float32"}
    refused(camera, "bad_pixels", header(raw=raw), pixels.tobytes(), value="")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ([10, 10, 3], "float64"),
        ([10, 10, 3], "object"),
        ([10, 10, 3], "no such dtype"),
        ([10, 10, 5], "uint8"),
        ([300], "uint8"),
        ([10, 10, 3, 1], "uint8"),
        ([], "uint8"),
        ([-10, -10, 3], "uint8"),
        ([11, 10, 3], "uint8"),
        ([2**62, 2**62, 3], "uint8"),
    ],
)
def test_wrong_shape_or_dtype(camera: zmq.Socket[bytes], shape: list[int], dtype: str) -> None:
    answer = ask(camera, header(raw={"shape": shape, "dtype": dtype}), bytes(300))
    assert answer["kind"] == "error"
    assert answer["code"] in {"bad_pixels", "too_many_pixels"}, answer
    assert answer["value"]
    assert answer["remedy"]


def test_unknown_codec(camera: zmq.Socket[bytes]) -> None:
    answer = refused(camera, "unknown_codec", header(codec={"id": "mpeg17"}), png(), value="mpeg17")
    assert "jpeg" in answer["remedy"]


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        ({"id": "jpeg", "quality": 101}, "101"),
        ({"id": "hevc", "quality": -1}, "-1"),
        ({"id": "jpeg", "quality": "best"}, "best"),
        ({"id": "jpeg", "sharpness": 3}, "sharpness"),
    ],
)
def test_quality_out_of_range(camera: zmq.Socket[bytes], codec: dict[str, Any], value: str) -> None:
    refused(camera, "bad_quality", header(codec=codec), png(), value=value)


def test_prompt_of_a_megabyte(camera: zmq.Socket[bytes]) -> None:
    answer = refused(camera, "bad_message", header(prompt="word " * 200_000), png(), value="bytes")
    assert "too long" in answer["problem"]


def test_prompt_over_its_own_limit(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "bad_prompt", header(prompt="word " * 4000), png(), value="20000 bytes")


@pytest.mark.parametrize("prompts", [[], ["x"] * 17])
def test_too_few_or_too_many_prompts(camera: zmq.Socket[bytes], prompts: list[str]) -> None:
    refused(camera, "bad_prompt", header(prompt=prompts), png(), value=str(len(prompts)))


@pytest.mark.parametrize(
    "prompt",
    ["赤い自転車はどこですか", "Где красный велосипед?", "أين الدراجة", "🚲❓"],
)
def test_prompt_in_another_script_is_served(camera: zmq.Socket[bytes], prompt: str) -> None:
    frame = header(prompt=prompt)
    answer = ask(camera, json.dumps(frame, ensure_ascii=False).encode(), png())
    assert answer["kind"] == "result", answer
    assert answer["report"]["prompts"][0]["raw"] == prompt


def test_prompt_of_control_characters_is_served(camera: zmq.Socket[bytes]) -> None:
    assert ask(camera, header(prompt="\x00\x07\x1b[2J"), png())["kind"] == "result"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x00\x01\x02",
        b"GET / HTTP/1.1",
        b'{"version": 1, "kind": "frame",',
        b"[1, 2, 3]",
        b'"frame"',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'\xef\xbb\xbf{"version": 1, "kind": "ping"}',
        b'{"version": 1, "kind": "ping", "kind": "ping"}',
        b'{"version": 1, "kind": "ping", "x": NaN}',
        b'{"version": 1, "kind": "ping", "x": -Infinity}',
        b'{"version": 1, "kind": "ping", "x": 1e999}',
        b'{"version": 1, "kind": "ping", "x": ' + b"9" * 5000 + b"}",
        b'{"version": 1, "kind": "ping", "x": "\\ud800"}',
        b'{"version": 1, "kind": "p\xffng"}',
    ],
    ids=lambda text: repr(text[:24]),
)
def test_header_that_is_no_json_of_ours(camera: zmq.Socket[bytes], text: bytes) -> None:
    answer = ask(camera, text, b"")
    assert (answer["kind"], answer["code"]) == ("error", "bad_message"), answer
    assert answer["remedy"]


def test_an_unreadable_header_still_names_its_frame(camera: zmq.Socket[bytes]) -> None:
    answer = ask(camera, b'{"version":1,"kind":"frame","client":"gate-3","sequence":77,"pro', b"")
    assert (answer["client"], answer["sequence"]) == ("gate-3", 77)


def test_missing_payload(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "bad_message", header(), value="1")


def test_extra_parts(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "bad_message", header(), png(), b"more", b"and more", value="4")


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None])
def test_wrong_version(camera: zmq.Socket[bytes], version: object) -> None:
    value = None if version is None else str(version)
    refused(camera, "bad_version", header(version=version), png(), value=value)


def test_unknown_kind(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "bad_message", header(kind="fame"), png(), value="fame")


def test_unknown_field(camera: zmq.Socket[bytes]) -> None:
    answer = refused(camera, "bad_message", header(deadline_ms=5), png(), value="5")
    assert "deadline_ms" in answer["problem"]
    assert "deadline_s" in answer["remedy"]


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("client", "../../etc/passwd"),
        ("client", ""),
        ("client", "x" * 65),
        ("sequence", -1),
        ("sequence", 2**53),
        ("sequence", "7"),
        ("sequence", 7.5),
        ("prompt", 5),
        ("prompt", None),
        ("mode", "magic"),
        ("ack", "maybe"),
        ("deadline_s", 0),
        ("deadline_s", 1e9),
        ("deadline_s", "soon"),
        ("return_bitstream", 1),
        ("codec", "jpeg"),
        ("raw", [10, 10, 3]),
    ],
)
def test_field_of_a_wrong_type_or_range(camera: zmq.Socket[bytes], field: str, bad: object) -> None:
    answer = ask(camera, header(**{field: bad}), png())
    assert (answer["kind"], answer["code"]) == ("error", "bad_message"), answer
    assert field in answer["problem"]


def test_spooled_is_not_pretended(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "unsupported", header(ack="spooled"), png(), value="spooled")


def test_a_deadline_that_cannot_be_met(camera: zmq.Socket[bytes]) -> None:
    refused(camera, "deadline", header(deadline_s=1e-6), png(), value="1e-06 s")


def test_a_repeated_frame_is_answered_from_memory(camera: zmq.Socket[bytes]) -> None:
    frame, picture = header(), png()
    first, second = ask(camera, frame, picture), ask(camera, frame, picture)
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["bitstream_sha256"] == second["bitstream_sha256"]


@pytest.mark.parametrize("change", [{"prompt": "another"}, {"mode": "plain"}])
def test_a_used_number_for_another_frame(camera: zmq.Socket[bytes], change: dict[str, Any]) -> None:
    frame, picture = header(), png()
    assert ask(camera, frame, picture)["kind"] == "result"
    number = str(frame["sequence"])
    refused(camera, "sequence_reused", frame, png(50, 20), value=number)
    refused(camera, "sequence_reused", frame | change, picture, value=number)


def test_a_camera_that_vanishes(daemon: Running, camera: zmq.Socket[bytes]) -> None:
    context = zmq.Context()
    gone = context.socket(zmq.DEALER)
    gone.connect(daemon.endpoint)
    gone.send_multipart([json.dumps(header(client="gone")).encode(), png()])
    gone.send_multipart([json.dumps(header(client="gone")).encode(), png()])
    gone.close(linger=1000)
    context.term()
    assert ask(camera, header(), png())["kind"] == "result"


def test_a_connection_cut_in_the_middle_of_a_frame(
    daemon: Running, camera: zmq.Socket[bytes]
) -> None:
    host, port = daemon.endpoint.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
        raw.sendall(greeting)
        ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        raw.sendall(b"\x04" + bytes([len(ready)]) + ready)
        text = json.dumps(header(client="cut")).encode()
        # The header, flagged to be followed by more; then a payload of which only a part comes.
        raw.sendall(b"\x01" + bytes([len(text)]) + text)
        raw.sendall(b"\x02" + struct.pack(">Q", 1_000_000) + bytes(1000))
    assert ask(camera, header(), png())["kind"] == "result"


def test_bytes_that_are_no_zeromq(daemon: Running, camera: zmq.Socket[bytes]) -> None:
    host, port = daemon.endpoint.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n" * 100)
    assert ask(camera, header(), png())["kind"] == "result"


def test_the_daemon_did_not_take_any_of_this_for_a_defect(daemon: Running) -> None:
    assert "event=defect" not in daemon.log
