"""Texts over real sockets: a daemon, its camera, and a cloud that may want the picture instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.client import AsyncClient, Result
from edge_daemon.cloud import Receiver
from edge_daemon.errors import BusyError, MessageError, SequenceError, SettingsError
from edge_daemon.prefilter import Prefilter
from edge_daemon.semantic.coding import decode_payload
from edge_daemon.service import Daemon, check
from edge_daemon.service.texts import NO_PICTURE
from edge_daemon.settings import Settings
from edge_daemon.wire import EnvelopeHeader, unpack_envelope
from models import Bundle, load_bundle
from support.free_port import free_endpoint
from support.pictures import busy_picture
from support.scripted_cloud import ScriptedCloud
from support.stand_in_describer import WORDS, StandInDescriber, making
from support.tiny_bundle import make_tiny_bundle

PATIENCE_S = 30.0
PROMPT = "Where is the red sign?"
PICTURE = busy_picture(160, 120)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def bundle(directory: Path) -> Bundle:
    return load_bundle(directory, threads=1)


@asynccontextmanager
async def running(
    bundle: Bundle, cloud: str, describer: StandInDescriber | None = None, **tables: Any
) -> AsyncGenerator[tuple[Daemon, AsyncClient]]:
    settings = Settings.model_validate(
        {
            "front": {"bind": "tcp://127.0.0.1:*"},
            "stages": {"drain_s": 0.2, "threads": 1, "batch_frames": 2},
            "uplink": {"connect": cloud, "drain_s": 0.0, "heartbeat_s": 0.2, "back_off_max_s": 0.2},
            **tables,
        }
    )
    make = making(describer or StandInDescriber())
    daemon = Daemon(settings, Prefilter(bundle), make_describer=make)
    endpoint = await daemon.startup()
    try:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=PATIENCE_S) as client:
            yield daemon, client
    finally:
        await daemon.shutdown()


def semantic(client: AsyncClient, **options: Any) -> asyncio.Task[Result]:
    options = {"mode": "semantic", "ack": "delivered"} | options
    return asyncio.create_task(client.send(PICTURE, PROMPT, **options))


def headers(cloud: ScriptedCloud) -> list[EnvelopeHeader]:
    return [unpack_envelope(envelope).header for envelope in cloud.envelopes]


async def test_a_camera_gets_its_text_delivered_and_is_told_how_good_it_is(bundle: Bundle) -> None:
    endpoint = free_endpoint()
    async with (
        ScriptedCloud(endpoint, acknowledges=True) as cloud,
        running(bundle, endpoint) as (daemon, client),
    ):
        result = await semantic(client, caption="a yard", return_bitstream=True)
        drops = daemon.status().drops
        latency = daemon.status().latency_ms
    assert (result.mode, result.ack) == ("semantic", "delivered")
    assert result.semantic is not None
    assert (result.semantic.text_score, result.semantic.pixels_kept) == (0.25, True)
    assert result.to_dict()["semantic"]["critic"] == "tiny-colours"
    assert (result.report or {})["prompts"][0]["raw"] == PROMPT
    assert "describe" in result.timings_ms
    assert latency["describe"]["count"] == 1
    assert result.envelope == cloud.envelopes[0]
    envelope = unpack_envelope(cloud.envelopes[0])
    text = decode_payload(envelope.bitstream, envelope.header.codec).text
    assert text == f"{PROMPT} a yard {WORDS}"[:400].rstrip()
    assert drops == {}


async def test_a_picture_comes_in_the_texts_place_through_a_cut_and_a_restart(
    bundle: Bundle, tmp_path: Path
) -> None:
    endpoint = free_endpoint()
    spool: dict[str, Any] = {"spool": {"directory": str(tmp_path)}}
    async with running(bundle, endpoint, **spool) as (daemon, client):
        async with ScriptedCloud(endpoint) as first:
            waiting = semantic(client, codec={"id": "webp"}, sequence=7)
            await first.until_held(1)
            await first.refuse("escalate")
            await first.until_held(1)
            texts = headers(first)
        assert [header.mode for header in texts] == ["semantic", "prefilter"]
        assert texts[0].fingerprint == texts[1].fingerprint
        assert not waiting.done()
        async with ScriptedCloud(endpoint) as second:
            await second.until_held(1)
            assert headers(second)[0].codec["id"] == "webp"
            counters = daemon.status().counters
            assert counters["envelopes_escalated"] == 1
        waiting.cancel()
    async with (
        ScriptedCloud(endpoint) as third,
        running(bundle, endpoint, **spool) as (daemon, client),
    ):
        # The daemon remembers nothing of the frame, but its picture waits in the spool.
        repeated = semantic(client, codec={"id": "webp"}, sequence=7)
        while not daemon.status().counters.get("frames_done"):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        await third.until_held(1)
        assert headers(third)[0].mode == "prefilter"
        await third.acknowledge()
        result = await asyncio.wait_for(repeated, PATIENCE_S)
        assert third.received == [("cam", 7)]
        assert third.insisted == []
    assert result.mode == "semantic"


async def test_a_text_without_a_picture_is_insisted_on(bundle: Bundle) -> None:
    endpoint = free_endpoint()
    tables: dict[str, Any] = {"semantic": {"keep_pixels": False}}
    async with (
        ScriptedCloud(endpoint) as cloud,
        running(bundle, endpoint, **tables) as (daemon, client),
    ):
        waiting = semantic(client)
        await cloud.until_held(1)
        key = await cloud.refuse("escalate")
        await cloud.until_held(1)
        assert cloud.insisted == [key]
        await cloud.acknowledge()
        result = await waiting
        counters = daemon.status().counters
    assert [header.mode for header in headers(cloud)] == ["semantic", "semantic"]
    assert result.semantic is not None
    assert not result.semantic.pixels_kept
    assert counters["envelopes_escalated"] == counters["envelopes_refused"] == 0


async def test_whoever_is_asked_for_texts_holds_up_nobody_else(bundle: Bundle) -> None:
    describer = StandInDescriber(local=False)
    describer.go.clear()
    async with running(bundle, free_endpoint(), describer) as (daemon, client):
        tasks = [semantic(client, ack="accepted") for _ in range(6)]
        # One is being asked for and two wait; the others are told so.
        while sum(task.done() for task in tasks) < 3:
            waiting = [task for task in tasks if not task.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.exception() for task in tasks if task.done()]
        assert all(isinstance(error, BusyError) and error.retry_after_s for error in refused)
        assert "takes seconds already (mode semantic)" in str(refused[0])
        assert daemon.status().queues["slow"] == 2
        bound = client._endpoint  # pyright: ignore[reportPrivateUsage]
        async with AsyncClient(bound, client_id="other", timeout_s=PATIENCE_S) as other:
            assert (await other.send(PICTURE, PROMPT)).mode == "prefilter"
        describer.go.set()
        done = await asyncio.gather(*(task for task in tasks if not task.done()))
    assert [result.mode for result in done] == ["semantic"] * 3


async def test_a_misplaced_caption_does_not_pass_silently(bundle: Bundle) -> None:
    async with running(bundle, free_endpoint()) as (_, client):
        for mode in ("prefilter", "plain"):
            with pytest.raises(MessageError, match=f"a caption has no place in mode {mode}"):
                await semantic(client, mode=mode, caption="a yard")


async def test_another_mode_or_caption_is_another_frame(bundle: Bundle) -> None:
    async with running(bundle, free_endpoint()) as (_, client):
        options = {"ack": "accepted", "sequence": 3, "caption": "a yard"}
        first = await semantic(client, **options)
        assert (await semantic(client, **options)).duplicate
        for change in ({"caption": "a gate"}, {"caption": None, "mode": "prefilter"}):
            with pytest.raises(SequenceError):
                await semantic(client, **options | change)
    assert not first.duplicate


async def test_a_change_of_caption_is_a_change_of_the_scene(bundle: Bundle) -> None:
    cameras: dict[str, Any] = {"cameras": [{"min_change": 0.5}]}
    async with running(bundle, free_endpoint(), **cameras) as (_, client):
        modes = [
            (await semantic(client, ack="accepted", caption=caption)).mode
            for caption in ("a yard", "a yard", "a gate")
        ]
    assert modes == ["semantic", "unchanged", "semantic"]


NO_KEY = {"api_key_env": "EDGE_NO_SUCH_KEY"}


@pytest.mark.parametrize(
    ("semantic", "problem"),
    [
        ({"vocabulary": "/nowhere/words.toml"}, "words.toml"),
        ({"refiner": "openai", "chat": NO_KEY}, "EDGE_NO_SUCH_KEY"),
        ({"generator": "openai-images", "drawing": NO_KEY}, "EDGE_NO_SUCH_KEY"),
    ],
)
def test_what_texts_cannot_be_found_with_stops_the_start(
    directory: Path, bundle: Bundle, semantic: dict[str, Any], problem: str
) -> None:
    settings = Settings.model_validate({"bundle": str(directory), "semantic": semantic})
    with pytest.raises(SettingsError, match=problem):
        check(settings)
    with pytest.raises(SettingsError, match=problem):
        Daemon(settings, Prefilter(bundle))


def test_a_key_that_nobody_needs_may_be_missing(directory: Path) -> None:
    semantic = {"chat": NO_KEY, "drawing": NO_KEY}
    check(Settings.model_validate({"bundle": str(directory), "semantic": semantic}))


async def test_the_question_leads_the_text_that_the_phrases_make(bundle: Bundle) -> None:
    settings = Settings.model_validate(
        {
            "front": {"bind": "tcp://127.0.0.1:*"},
            "uplink": {"connect": free_endpoint(), "drain_s": 0.0},
        }
    )
    daemon = Daemon(settings, Prefilter(bundle))
    endpoint = await daemon.startup()
    try:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=PATIENCE_S) as client:
            result = await semantic(client, ack="accepted", return_bitstream=True)
    finally:
        await daemon.shutdown()
    assert result.envelope is not None
    envelope = unpack_envelope(result.envelope)
    text = decode_payload(envelope.bitstream, envelope.header.codec).text
    assert "red sign" in text.lower().split(".")[0]
    assert len(text.encode("utf-8")) <= 400
    assert result.semantic is not None
    assert result.semantic.refiner == "phrases"


@asynccontextmanager
async def receiving(endpoint: str, directory: Path, **semantic: Any) -> AsyncGenerator[Receiver]:
    cloud = {"bind": endpoint, "directory": str(directory), "semantic": semantic}
    receiver = Receiver(Settings.model_validate({"cloud": cloud}))
    await receiver.startup()
    try:
        yield receiver
    finally:
        await receiver.shutdown()


def kept(directory: Path) -> list[dict[str, Any]]:
    """The lines of a cloud's log."""
    text = (directory / "log.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("threshold", "keep_pixels", "mode", "escalated"),
    [(0.2, True, "semantic", 0), (0.3, True, "prefilter", 1), (0.3, False, "semantic", 0)],
)
async def test_our_own_cloud_has_the_text_or_the_picture_once(
    bundle: Bundle, tmp_path: Path, threshold: float, keep_pixels: bool, mode: str, escalated: int
) -> None:
    endpoint = free_endpoint()
    async with (
        receiving(endpoint, tmp_path, escalate_text_below=threshold),
        running(bundle, endpoint, semantic={"keep_pixels": keep_pixels}) as (daemon, client),
    ):
        result = await semantic(client)  # the stand-in's score is 0.25
        counters = daemon.status().counters
    (line,) = kept(tmp_path)
    assert (result.mode, line["mode"]) == ("semantic", mode)
    assert counters["envelopes_escalated"] == escalated
    suffix = ".txt" if mode == "semantic" else ".png"
    assert (tmp_path / "cam" / f"{result.sequence}{suffix}").is_file()


async def test_text_that_takes_a_pictures_place_says_so_to_the_cloud(
    bundle: Bundle, tmp_path: Path
) -> None:
    endpoint = free_endpoint()
    rate = {"order": ["quality", "semantic"]}
    async with (
        receiving(endpoint, tmp_path, escalate_text_below=0.9),
        running(bundle, endpoint, rate=rate) as (_, client),
    ):
        result = await semantic(client, mode="prefilter", budget_bytes=800)
    (line,) = kept(tmp_path)
    assert (result.mode, line["mode"]) == ("semantic", "semantic")
    assert line["envelope_bytes"] == result.envelope_bytes <= 800
    assert line["semantic"]["notice"].startswith(NO_PICTURE)
    assert WORDS[:100] in (tmp_path / line["text"]).read_text(encoding="utf-8")
