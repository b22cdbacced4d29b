"""One receiver process, spoken to by a daemon made of a bare DEALER."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from PIL import Image

from edge_daemon.codecs import get_codec
from edge_daemon.wire import pack_envelope, seal
from support.processes import Running

PATIENCE_MS = 30_000
_numbers = itertools.count(1)


class Sender:
    """A bare connection to the receiver."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.set(zmq.RCVTIMEO, PATIENCE_MS)
        self.socket.connect(endpoint)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close(linger=0)
        self._context.term()

    def post(self, sequence: int, payload: bytes, client: str = "cam") -> None:
        header = {"version": 1, "kind": "envelope", "client": client, "sequence": sequence}
        self.socket.send_multipart([json.dumps(header).encode(), payload])

    def answer(self) -> dict[str, Any]:
        return json.loads(self.socket.recv_multipart()[0])

    def ask(self, sequence: int, payload: bytes, client: str = "cam") -> dict[str, Any]:
        self.post(sequence, payload, client)
        return self.answer()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="module")
def cloud(directory: Path) -> Iterator[Running]:
    with Running("cloud", settings(directory), directory) as running:
        yield running


@pytest.fixture
def sender(cloud: Running) -> Iterator[Sender]:
    with Sender(cloud.endpoint) as sender:
        yield sender


def settings(directory: Path) -> dict[str, Any]:
    return {
        "cloud": {"bind": "tcp://127.0.0.1:*", "directory": str(directory / "received")},
        "limits": {"max_pixels": 10_000},
    }


def envelope(number: int, codec_id: str = "jpeg", **changes: Any) -> bytes:
    pixels = np.full((30, 40, 3), (200, 30, 30), np.uint8)
    maker = get_codec({"id": codec_id})
    facts: dict[str, Any] = {
        "client": "cam",
        "sequence": number,
        "mode": "plain",
        "prompts": [""],
        "codec": maker.get_config(),
        "width": 40,
        "height": 30,
        "source_bytes": 1,
        "relevance": None,
        "timings_ms": {},
    }
    return pack_envelope(seal(maker.encode(pixels), **facts | changes))


def log(directory: Path) -> list[dict[str, Any]]:
    text = (directory / "received" / "log.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("codec", ["jpeg", "hevc", "heif"])
def test_acknowledged_means_on_disk(sender: Sender, directory: Path, codec: str) -> None:
    number = next(_numbers)
    answer = sender.ask(number, envelope(number, codec))
    assert (answer["kind"], answer["sequence"], answer["duplicate"]) == ("ack", number, False)
    picture = Image.open(directory / "received" / "cam" / f"{number}.png")
    assert picture.size == (40, 30)
    assert np.abs(np.asarray(picture, np.int16) - (200, 30, 30)).max() < 20
    assert log(directory)[-1]["sequence"] == number
    assert log(directory)[-1]["codec"]["id"] == codec


def test_a_second_copy_is_acknowledged_and_logged_once(sender: Sender, directory: Path) -> None:
    number = next(_numbers)
    data = envelope(number)
    for _ in range(3):
        sender.post(number, data)
    answers = [sender.answer()]
    with Sender(sender.socket.get_string(zmq.LAST_ENDPOINT)) as other:
        answers.append(other.ask(number, data))
    assert {answer["kind"] for answer in answers} == {"ack"}
    assert answers[-1]["duplicate"]
    assert [line["sequence"] for line in log(directory)].count(number) == 1


def test_another_picture_under_a_used_number_is_refused(sender: Sender) -> None:
    number = next(_numbers)
    assert sender.ask(number, envelope(number))["kind"] == "ack"
    answer = sender.ask(number, envelope(number, "hevc"))
    assert (answer["code"], answer["retry_after_s"]) == ("sequence_reused", None)


@pytest.mark.parametrize(
    "damage",
    [(slice(0, -1), b""), (slice(0, 100), b""), (slice(0, 0), b""), (slice(4, None), b"JUNK")],
    ids=["short", "very short", "empty", "junk"],
)
def test_a_damaged_envelope_is_refused_for_good(
    sender: Sender, directory: Path, damage: tuple[slice, bytes]
) -> None:
    number = next(_numbers)
    kept, instead = damage
    answer = sender.ask(number, instead + envelope(number)[kept])
    assert (answer["kind"], answer["code"]) == ("error", "decode_failed")
    assert (answer["client"], answer["sequence"]) == ("cam", number)
    assert answer["retry_after_s"] is None
    assert answer["remedy"]
    assert not (directory / "received" / "cam" / f"{number}.png").exists()
    assert sender.ask(number, envelope(number))["kind"] == "ack"


def test_one_flipped_bit_of_hevc_is_seen(sender: Sender) -> None:
    number = next(_numbers)
    data = bytearray(envelope(number, "hevc"))
    data[-5] ^= 1
    assert sender.ask(number, bytes(data))["code"] == "decode_failed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"width": 41}, "decode_failed"),
        ({"width": 60_000, "height": 60_000}, "too_many_pixels"),
        ({"codec": {"id": "mpeg17"}}, "unknown_codec"),
        ({"codec": {"id": "jpeg", "quality": 1000}}, "bad_quality"),
        ({"codec": {"id": "hevc"}}, "decode_failed"),
        ({"sequence": 10**9}, "decode_failed"),
        ({"client": "someone-else"}, "decode_failed"),
    ],
)
def test_an_envelope_that_contradicts_itself(
    sender: Sender, changes: dict[str, Any], code: str
) -> None:
    number = next(_numbers)
    answer = sender.ask(number, envelope(number, **changes))
    assert (answer["kind"], answer["code"]) == ("error", code), answer
    assert answer["retry_after_s"] is None


@pytest.mark.parametrize("client", ["../cam", "/etc", "..", "a/b", ".ssh", "", "a\x00b"])
def test_no_client_leads_out_of_the_directory(sender: Sender, directory: Path, client: str) -> None:
    number = next(_numbers)
    before = sorted(directory.rglob("*"))
    answer = sender.ask(number, envelope(number), client)
    assert (answer["kind"], answer["code"]) == ("error", "bad_message")
    assert sorted(directory.rglob("*")) == before


def test_pings_and_nonsense(sender: Sender) -> None:
    sender.socket.send_multipart([b'{"version":1,"kind":"ping"}'])
    pong = sender.answer()
    assert pong["kind"] == "pong"
    assert pong["credit"] > 0
    for parts in ([b"junk"], [b'{"version":1,"kind":"envelope","client":"c","sequence":1}']):
        sender.socket.send_multipart(parts)
        assert sender.answer()["code"] == "bad_message"
    number = next(_numbers)
    assert sender.ask(number, envelope(number))["kind"] == "ack"


def test_a_restarted_receiver_knows_what_it_has(tmp_path: Path) -> None:
    data = envelope(1)
    with Running("cloud", settings(tmp_path), tmp_path) as first, Sender(first.endpoint) as sender:
        assert sender.ask(1, data)["duplicate"] is False
        first.kill()
    with Running("cloud", settings(tmp_path), tmp_path) as second, Sender(second.endpoint) as again:
        assert again.ask(1, data)["duplicate"] is True
        assert again.ask(2, envelope(2))["duplicate"] is False
        assert second.stop() == 0
    assert [line["sequence"] for line in log(tmp_path)] == [1, 2]


def test_a_receiver_that_may_not_write_says_so_and_asks_again(
    cloud: Running, sender: Sender, directory: Path
) -> None:
    number = next(_numbers)
    blocked = directory / "received" / "blocked"
    blocked.write_text("a file where a folder is wanted")
    data = envelope(number, client="blocked")
    answer = sender.ask(number, data, "blocked")
    assert (answer["kind"], answer["code"]) == ("error", "storage")
    assert answer["retry_after_s"] > 0
    blocked.unlink()
    assert sender.ask(number, data, "blocked")["kind"] == "ack"
    assert "event=defect" not in cloud.log
