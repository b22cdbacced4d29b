"""Texts over a real socket: a receiver, and a daemon made of a bare DEALER."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.asyncio
from PIL import Image

from edge_daemon.cloud import Receiver
from edge_daemon.cloud.keeping import Keeper
from edge_daemon.pictures import save_picture
from edge_daemon.semantic.generators.directory import stem_of
from edge_daemon.settings import Settings
from edge_daemon.wire import Key
from support.processes import ROOT
from support.sealed import lines_of, logged, sealed, sealed_text
from support.stand_in_endpoint import Asked, Pieces, says, slow, stand_in_endpoint
from support.waiting import PATIENCE_S, eventually

PICKY = {"escalate_text_below": 0.3}


class Daemon:
    """Stands in for the daemon: sends what a test wants, and hears what the cloud says."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.connect(endpoint)

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()

    async def post(self, key: Key, payload: bytes, **fields: Any) -> None:
        header = {"version": 1, "kind": "envelope", "client": key[0], "sequence": key[1], **fields}
        await self._socket.send_multipart([json.dumps(header).encode(), payload])

    async def ping(self) -> None:
        await self._socket.send_multipart([b'{"version":1,"kind":"ping"}'])
        assert (await self.answer())["kind"] == "pong"

    async def answer(self) -> dict[str, Any]:
        reply = await asyncio.wait_for(self._socket.recv_multipart(), PATIENCE_S)
        return json.loads(reply[0])

    async def ask(self, number: int, payload: bytes, **fields: Any) -> dict[str, Any]:
        await self.post(("cam", number), payload, **fields)
        return await self.answer()


@asynccontextmanager
async def receiving(directory: Path, **cloud: Any) -> AsyncGenerator[Daemon]:
    table = {"bind": "tcp://127.0.0.1:*", "directory": str(directory), **cloud}
    receiver = Receiver(Settings.model_validate({"cloud": table}))
    daemon = Daemon(await receiver.startup())
    try:
        yield daemon
    finally:
        daemon.close()
        await receiver.shutdown()


async def test_a_poor_text_is_answered_and_its_picture_takes_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with receiving(tmp_path, semantic=PICKY) as daemon:
        answer = await daemon.ask(1, sealed_text(1))
        assert (answer["kind"], answer["code"]) == ("error", "escalate")
        assert answer["retry_after_s"] is None
        assert "'tiny' gives text and picture 0.200, which is below 0.3" in answer["problem"]
        assert lines_of(tmp_path) == []
        answer = await daemon.ask(1, sealed(1))
        assert (answer["kind"], answer["duplicate"]) == ("ack", False)
    assert [line.get("picture") for line in lines_of(tmp_path)] == ["cam/1.png"]
    assert caplog.text.count("event=escalated client=cam sequence=1") == 1
    assert "event=refused" not in caplog.text


async def test_a_daemon_that_has_no_pixels_insists(tmp_path: Path) -> None:
    async with receiving(tmp_path, semantic=PICKY) as daemon:
        assert (await daemon.ask(1, sealed_text(1)))["code"] == "escalate"
        assert (await daemon.ask(1, sealed_text(1), insist=True))["kind"] == "ack"
        answer = await daemon.ask(1, sealed_text(1))
        assert (answer["kind"], answer["duplicate"]) == ("ack", True)
        assert (await daemon.ask(2, sealed_text(2, scores=(0.3, None))))["kind"] == "ack"
    assert logged(tmp_path) == [("cam", 1), ("cam", 2)]


async def test_the_answer_is_the_same_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        async with receiving(tmp_path, semantic=PICKY) as daemon:
            assert (await daemon.ask(1, sealed_text(1)))["code"] == "escalate"
    async with receiving(tmp_path, semantic=PICKY) as daemon:
        assert (await daemon.ask(1, sealed(1)))["kind"] == "ack"
    assert logged(tmp_path) == [("cam", 1)]


async def test_nobody_behind_a_poor_text_is_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path, semantic=PICKY) as daemon:
        await daemon.post(("cam", 1), sealed_text(1))
        for number in (2, 3):
            await daemon.post(("cam", number), sealed(number))
        await daemon.post(("cam", 1), sealed(1))
        answers = [await daemon.answer() for _ in range(4)]
    assert [(one["sequence"], one.get("code")) for one in answers] == [
        (1, "escalate"),
        (2, None),
        (3, None),
        (1, None),
    ]
    assert logged(tmp_path) == [("cam", 2), ("cam", 3), ("cam", 1)]


async def test_a_picture_does_not_get_the_answer_of_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are in work at the same time, because the text was sent twice."""
    keep, go, text = Keeper.keep, threading.Event(), sealed_text(1)

    def held_up(
        self: Keeper, payload: bytes, key: Key | None = None, *, insist: bool = True
    ) -> bool:
        go.wait(PATIENCE_S)
        return keep(self, payload, key, insist=insist)

    monkeypatch.setattr(Keeper, "keep", held_up)
    async with receiving(tmp_path, semantic=PICKY) as daemon:
        for payload in (text, text, sealed(1)):
            await daemon.post(("cam", 1), payload)
        await daemon.post(("cam", 1), text, insist=True)
        await daemon.ping()  # all of them were read
        go.set()
        answers = [await daemon.answer() for _ in range(3)]
    # The two copies of the text are one, and have one answer.
    assert [(one["kind"], one.get("code")) for one in answers[:2]] == [
        ("error", "escalate"),
        ("ack", None),
    ]
    assert answers[2]["code"] == "sequence_reused"
    assert [line.get("picture") for line in lines_of(tmp_path)] == ["cam/1.png"]


async def test_a_text_is_drawn_and_asked_about_after_its_ack(tmp_path: Path) -> None:
    drawings = tmp_path / "drawings"
    drawings.mkdir()
    red = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    save_picture(red, drawings / f"{stem_of('A bicycle.', 0)}.png")
    received = tmp_path / "received"
    semantic = {"generator": "directory", "drawings": str(drawings)}

    def once_acknowledged(asked: Asked) -> Pieces:
        acknowledged.wait(PATIENCE_S)
        return says("On the wall.")(asked)

    acknowledged = threading.Event()
    with stand_in_endpoint(once_acknowledged) as model:
        vlm = {"base_url": model.base_url, "model": "seer"}
        async with receiving(received, semantic=semantic, vlm=vlm) as daemon:
            assert (await daemon.ask(1, sealed_text(1, "A bicycle.")))["kind"] == "ack"
            acknowledged.set()
            await eventually(
                lambda: (
                    len(lines_of(received, "answers.jsonl")) == 1
                    and len(lines_of(received, "regenerated.jsonl")) == 1
                )
            )
    (line,) = lines_of(received)
    assert (line["text"], line["follow_up"]) == ("cam/1.txt", ["regenerate", "ask"])
    assert "picture" not in line
    (drawn,) = lines_of(received, "regenerated.jsonl")
    assert (drawn["client"], drawn["sequence"], drawn["picture"]) == ("cam", 1, "cam/1.png")
    assert drawn["generator"] == "directory"
    assert Image.open(received / "cam" / "1.png").size == (16, 12)
    (answer,) = lines_of(received, "answers.jsonl")
    assert (answer["answer"], answer["from"]) == ("On the wall.", "text")


async def test_a_model_that_says_nothing_holds_up_nobody(tmp_path: Path) -> None:
    with stand_in_endpoint(slow) as model:
        vlm = {"base_url": model.base_url, "timeout_s": 0.2, "attempts": 1}
        async with receiving(tmp_path, vlm=vlm) as daemon:
            for number in range(5):
                answer = await daemon.ask(number, sealed(number, prompts=["Is it?"]))
                assert answer["kind"] == "ack"
            await eventually(lambda: len(lines_of(tmp_path, "answers.jsonl")) >= 1)
    codes = {line["error"]["code"] for line in lines_of(tmp_path, "answers.jsonl")}
    assert codes == {"endpoint_slow"}


def test_a_cloud_loads_no_model() -> None:
    code = (
        "import sys, edge_daemon.cloud as c, edge_daemon.cloud.follow_up.asking\n"
        "import edge_daemon.cloud.follow_up.regeneration, edge_daemon.semantic.generators\n"
        "sys.exit(' '.join(sys.modules.keys() & {'models', 'kernels', 'onnxruntime'}) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
