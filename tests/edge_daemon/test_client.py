"""The clients against a daemon made of a bare ROUTER in a thread."""

from __future__ import annotations

import array
import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from edge_daemon.client import AsyncClient, Client, Image
from edge_daemon.errors import BadPixelsError, BusyError, LinkError, MessageError
from support.free_port import free_endpoint

Handler = Callable[[dict[str, Any], list[bytes]], list[dict[str, Any]]]
"""Frame's header and payloads to the replies it gets."""

FACTS = {
    "ack": "accepted",
    "duplicate": False,
    "mode": "plain",
    "codec": {"id": "jpeg", "quality": 80},
    "width": 3,
    "height": 2,
    "source_bytes": 18,
    "bitstream_bytes": 10,
    "bitstream_sha256": "0" * 64,
    "envelope_bytes": 300,
    "report": None,
    "timings_ms": {"codec": 1.0},
}


def result(header: dict[str, Any], **changes: Any) -> dict[str, Any]:
    named = {"client": header["client"], "sequence": header["sequence"]}
    return {"version": 1, "kind": "result"} | named | FACTS | changes


def error(sequence: int | None, **changes: Any) -> dict[str, Any]:
    fields = {"code": "busy", "problem": "full", "value": "3", "remedy": "wait"}
    named = {"client": "cam", "sequence": sequence, "retry_after_s": 0.5}
    return {"version": 1, "kind": "error"} | named | fields | changes


class Daemon:
    """Answers frames as it is told, and pings unless it is mute."""

    def __init__(self, endpoint: str, handle: Handler, *, mute: bool = False) -> None:
        self.frames: list[tuple[dict[str, Any], list[bytes]]] = []
        self.pings = 0
        self._handle = handle
        self._mute = mute
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.bind(endpoint)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Daemon:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close(linger=0)
        self._context.term()

    def _serve(self) -> None:
        while not self._ending.is_set():
            if not self._socket.poll(20):
                continue
            route, text, *payload = self._socket.recv_multipart()
            header = json.loads(text)
            replies: list[dict[str, Any]] = []
            if header["kind"] == "ping":
                self.pings += 1
                replies = [] if self._mute else [{"version": 1, "kind": "pong"}]
            else:
                self.frames.append((header, payload))
                replies = self._handle(header, payload)
            for reply in replies:
                self._socket.send_multipart([route, json.dumps(reply).encode()])


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def client(endpoint: str) -> Iterator[Client]:
    with Client(endpoint, client_id="cam", timeout_s=10.0, heartbeat_s=0.1) as client:
        yield client


def test_a_frame_and_its_result(endpoint: str, client: Client) -> None:
    with Daemon(endpoint, lambda header, _: [result(header)]) as daemon:
        answer = client.send(b"file", "a bicycle", codec={"id": "jpeg"}, sequence=5)
    assert (answer.client, answer.sequence, answer.bitstream_bytes) == ("cam", 5, 10)
    assert answer.envelope is None
    assert json.loads(json.dumps(answer.to_dict()))["codec"] == {"id": "jpeg", "quality": 80}
    header, payload = daemon.frames[0]
    assert payload == [b"file"]
    assert header["prompt"] == "a bicycle"
    assert header["raw"] is None


def test_a_text_and_what_is_told_of_it(endpoint: str, client: Client) -> None:
    semantic = {"critic": "tiny", "refiner": "phrases", "text_score": 0.25, "pixels_kept": True}

    def text(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        return [result(header, mode="semantic", codec={"id": "text"}, semantic=semantic)]

    with Daemon(endpoint, text) as daemon:
        answer = client.send(b"file", "a bicycle", mode="semantic", caption="a yard")
    assert daemon.frames[0][0]["caption"] == "a yard"
    assert answer.semantic is not None
    assert (answer.semantic.text_score, answer.semantic.image_score) == (0.25, None)
    told = json.loads(json.dumps(answer.to_dict()))["semantic"]
    assert told == {"notice": "", "generator": None, "image_score": None} | semantic


PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


@pytest.mark.parametrize(
    ("image", "shape", "dtype"),
    [
        (PIXELS, [2, 3, 3], "uint8"),
        (PIXELS[:, ::-1], [2, 3, 3], "uint8"),
        (np.asfortranarray(PIXELS), [2, 3, 3], "uint8"),
        (PIXELS.astype(np.uint16), [2, 3, 3], "uint16"),
        (PIXELS.astype(np.float32) / 255, [2, 3, 3], "float32"),
        (memoryview(bytes(6)).cast("B", (2, 3)), [2, 3], "uint8"),
    ],
)
def test_arrays_go_through_the_buffer_protocol(
    endpoint: str, client: Client, image: Any, shape: list[int], dtype: str
) -> None:
    with Daemon(endpoint, lambda header, _: [result(header)]) as daemon:
        client.send(image, "")
    header, (payload,) = daemon.frames[0]
    assert header["raw"] == {"shape": shape, "dtype": dtype}
    assert payload == np.asarray(image).tobytes("C")


def test_files_and_flat_bytes_are_image_files(
    endpoint: str, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"jpeg")
    flat = np.frombuffer(b"jpeg", np.uint8)
    images: list[Image] = [path, str(path), bytearray(b"jpeg"), memoryview(b"jpeg"), flat]
    with Daemon(endpoint, lambda header, _: [result(header)]) as daemon:
        for image in images:
            client.send(image, "")
    assert [(header["raw"], payload) for header, payload in daemon.frames] == [
        (None, [b"jpeg"])
    ] * len(images)


@pytest.mark.parametrize("image", [np.zeros((2, 2), np.float64), array.array("l", [1, 2])])
def test_other_arrays_are_refused_before_they_are_sent(client: Client, image: Any) -> None:
    with pytest.raises(BadPixelsError, match="uint8, uint16 or float32"):
        client.send(image, "")


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": "half \ud83d"},
        {"prompt": "x", "codec": {"quality": float("nan")}},
        {"prompt": "x", "codec": {"quality": {1, 2}}},
        {"prompt": "x", "deadline_s": -1.0},
        {"prompt": "x", "sequence": -1},
    ],
)
def test_what_cannot_be_said_is_refused_before_it_is_sent(
    client: Client, options: dict[str, Any]
) -> None:
    with pytest.raises(MessageError):
        client.send(b"", **options)


def test_numbers_go_up_and_are_not_used_again_after_a_restart(endpoint: str) -> None:
    with Daemon(endpoint, lambda header, _: [result(header)]) as daemon:
        for _ in range(2):
            with Client(endpoint, client_id="cam", timeout_s=10.0) as client:
                client.send(b"", "")
                client.send(b"", "")
    numbers = [header["sequence"] for header, _ in daemon.frames]
    assert numbers == sorted(set(numbers))


def test_errors_are_raised_as_their_own_type(endpoint: str, client: Client) -> None:
    with (
        Daemon(endpoint, lambda header, _: [error(header["sequence"])]),
        pytest.raises(BusyError, match="full") as caught,
    ):
        client.send(b"", "")
    assert caught.value.retry_after_s == 0.5
    assert caught.value.value == "3"


def test_an_error_without_a_number_is_ours(endpoint: str, client: Client) -> None:
    with (
        Daemon(endpoint, lambda _, __: [error(None, code="bad_message")]),
        pytest.raises(MessageError, match="full"),
    ):
        client.send(b"", "")


def test_answers_to_other_frames_are_passed_over(endpoint: str, client: Client) -> None:
    def handle(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        stale = result(header, sequence=header["sequence"] - 1, width=9)
        return [stale, error(header["sequence"] - 1), result(header)]

    with Daemon(endpoint, handle):
        assert client.send(b"", "").width == 3


def test_no_daemon_names_the_endpoint_and_the_wait(endpoint: str) -> None:
    with (
        Client(endpoint, client_id="cam", timeout_s=0.4) as client,
        pytest.raises(LinkError, match=r"no daemon answered within 0\.4 s") as caught,
    ):
        client.send(b"", "")
    assert endpoint in str(caught.value)


def test_a_daemon_that_is_alive_and_slow_is_told_from_none(endpoint: str) -> None:
    with (
        Daemon(endpoint, lambda _, __: []) as daemon,
        Client(endpoint, client_id="cam", timeout_s=1.0, heartbeat_s=0.1) as client,
        pytest.raises(LinkError, match="alive but did not answer"),
    ):
        client.send(b"", "")
    assert daemon.pings >= 3
    assert len(daemon.frames) == 1


def test_silence_makes_a_new_connection_and_sends_the_same_frame_again(
    endpoint: str, client: Client
) -> None:
    calls: list[int] = []

    def handle(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        calls.append(header["sequence"])
        return [] if len(calls) < 3 else [result(header, duplicate=True)]

    with Daemon(endpoint, handle, mute=True):
        assert client.send(b"", "").duplicate
    assert len(calls) == 3
    assert len(set(calls)) == 1


def test_what_was_not_answered_is_not_sent_any_more() -> None:
    pixels = bytearray(2_000_000)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"tcp://127.0.0.1:{deaf.getsockname()[1]}"
        with Client(endpoint, client_id="cam", timeout_s=0.3) as client:
            image = memoryview(pixels).cast("B", (1000, 2000))
            with pytest.raises(LinkError):
                client.send(image, "x")
            image.release()
            pixels.clear()  # an error if anybody still had a view of it


def test_a_daemon_that_comes_late_is_found(endpoint: str, client: Client) -> None:
    daemon = Daemon(endpoint, lambda header, _: [result(header)])
    timer = threading.Timer(0.5, daemon.__enter__)
    timer.start()
    try:
        assert client.send(b"", "").width == 3
    finally:
        timer.join()
        daemon.__exit__()


@pytest.mark.parametrize("client_id", ["", "../x", "a b", "x" * 65, ".x"])
def test_a_bad_client_id_is_refused_at_once(client_id: str) -> None:
    with pytest.raises(MessageError, match="not a client id"):
        Client("tcp://127.0.0.1:1", client_id=client_id)


def test_a_bad_endpoint_is_refused_at_once() -> None:
    with pytest.raises(LinkError, match="not an endpoint"):
        Client("127.0.0.1:5591", client_id="cam")


def test_many_frames_at_once_get_their_own_answers(endpoint: str) -> None:
    held: list[dict[str, Any]] = []

    def backwards(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        held.append(header)
        if len(held) < 5:
            return []
        return [
            error(header["sequence"]) if header["prompt"] == "3" else result(header)
            for header in reversed(held)
        ]

    async def camera() -> list[Any]:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=10.0) as client:
            sends = [client.send(b"", str(number), sequence=number) for number in range(5)]
            return await asyncio.gather(*sends, return_exceptions=True)

    with Daemon(endpoint, backwards):
        answers = asyncio.run(camera())
    assert isinstance(answers[3], BusyError)
    assert [answers[i].sequence for i in (0, 1, 2, 4)] == [0, 1, 2, 4]


def test_the_async_client_resends_all_that_waits(endpoint: str) -> None:
    seen: list[int] = []

    def handle(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        seen.append(header["sequence"])
        return [result(header)] if seen.count(header["sequence"]) > 1 else []

    async def camera() -> list[Any]:
        async with AsyncClient(
            endpoint, client_id="cam", timeout_s=10.0, heartbeat_s=0.1
        ) as client:
            return await asyncio.gather(*(client.send(b"", "", sequence=i) for i in (1, 2)))

    with Daemon(endpoint, handle, mute=True):
        assert [answer.sequence for answer in asyncio.run(camera())] == [1, 2]


def test_an_array_may_be_drawn_into_while_the_async_client_waits(endpoint: str) -> None:
    pixels = np.full((400, 400), 7, np.uint8)
    payloads: list[bytes] = []

    def handle(header: dict[str, Any], payload: list[bytes]) -> list[dict[str, Any]]:
        payloads.append(payload[0])
        pixels[:] = 0
        return [result(header)] if len(payloads) > 1 else []

    async def camera() -> None:
        async with AsyncClient(
            endpoint, client_id="cam", timeout_s=10.0, heartbeat_s=0.1
        ) as client:
            await client.send(pixels, "")

    with Daemon(endpoint, handle, mute=True):
        asyncio.run(camera())
    assert payloads == [bytes([7]) * 160_000] * 2


def test_the_async_client_without_a_daemon(endpoint: str) -> None:
    async def camera() -> None:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=0.3) as client:
            await client.send(b"", "")

    with pytest.raises(LinkError, match="no daemon answered"):
        asyncio.run(camera())


def test_the_async_client_survives_nonsense(endpoint: str) -> None:
    def handle(header: dict[str, Any], _: list[bytes]) -> list[dict[str, Any]]:
        return [{"version": 1, "kind": "nonsense"}, error(12345), result(header)]

    async def camera() -> int:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=10.0) as client:
            return (await client.send(b"", "")).width

    with Daemon(endpoint, handle):
        assert asyncio.run(camera()) == 3


def test_the_client_needs_pyzmq_and_pydantic_only() -> None:
    code = (
        "import sys, edge_daemon.client; heavy = {'numpy', 'cv2', 'PIL', 'onnxruntime', 'av'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
