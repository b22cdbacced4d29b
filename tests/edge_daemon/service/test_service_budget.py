"""Frames that have to fit, over real sockets: daemon, client, and a receiver where it counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.client import AsyncClient
from edge_daemon.cloud import Receiver, decode_envelope
from edge_daemon.codecs import registry
from edge_daemon.codecs.abc import Pixels
from edge_daemon.codecs.jpeg import Jpeg
from edge_daemon.errors import (
    BusyError,
    DeadlineError,
    EdgeError,
    LatentsError,
    NoEncoderError,
    OverBudgetError,
    SettingsError,
    UnknownCodecError,
    UnsupportedError,
)
from edge_daemon.prefilter import Prefilter
from edge_daemon.service import Daemon
from edge_daemon.service.daemon import check_settings
from edge_daemon.settings import Settings
from edge_daemon.wire import Envelope, unpack_envelope
from models import Bundle, load_bundle
from support.free_port import free_endpoint
from support.pictures import busy_picture
from support.tiny_bundle import make_tiny_bundle

PATIENCE_S = 30.0
PROMPT = "Where is the red sign?"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory = tmp_path_factory.mktemp("bundle")
    make_tiny_bundle(directory)
    return load_bundle(directory, threads=1)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """Something to spend bytes on, with a red square."""
    pixels = busy_picture(400, 320)
    pixels[40:120, 40:120] //= 6
    pixels[40:120, 40:120, 0] += 200
    return pixels


def settings_of(**tables: Any) -> Settings:
    return Settings.model_validate(
        {
            "front": {"bind": "tcp://127.0.0.1:*"},
            "stages": {"drain_s": 0.2},
            "uplink": {"connect": free_endpoint(), "drain_s": 0.0, "heartbeat_s": 0.2},
            **tables,
        }
    )


@asynccontextmanager
async def running(bundle: Bundle, **tables: Any) -> AsyncGenerator[tuple[Daemon, AsyncClient]]:
    settings = settings_of(**tables)
    daemon = Daemon(settings, Prefilter(bundle, settings.prefilter))
    endpoint = await daemon.startup()
    try:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=PATIENCE_S) as client:
            yield daemon, client
    finally:
        await daemon.shutdown()


@asynccontextmanager
async def receiving(settings: Settings, directory: Path) -> AsyncGenerator[Receiver]:
    cloud = settings.cloud.model_copy(
        update={"bind": settings.uplink.connect[0], "directory": str(directory)}
    )
    receiver = Receiver(settings.model_copy(update={"cloud": cloud}))
    await receiver.startup()
    try:
        yield receiver
    finally:
        await receiver.shutdown()


def files_in(directory: Path, pattern: str) -> list[Path]:
    return sorted(directory.glob(pattern))


def envelope_of(data: bytes | None) -> Envelope:
    assert data is not None
    return unpack_envelope(data)


@pytest.mark.parametrize("codec", [None, {"id": "hevc"}])
@pytest.mark.parametrize("budget", [12_000, 5_000])
async def test_the_envelope_fits_and_uses_its_budget(
    bundle: Bundle, picture: NDArray[np.uint8], codec: dict[str, Any] | None, budget: int
) -> None:
    async with running(bundle) as (daemon, client):
        result = await client.send(
            picture, PROMPT, codec=codec, budget_bytes=budget, return_bitstream=True
        )
        assert result.envelope is not None
        assert len(result.envelope) == result.envelope_bytes <= budget
        assert result.envelope_bytes >= 0.6 * budget
        assert result.budget_bytes == budget
        assert 1 <= result.encodes <= 6
        assert daemon.status().counters["encodes"] == result.encodes
        account = daemon.status().budgets["cam"]
        assert (account["frames"], account["within"]) == (1, 1)
        assert account["mean_encodes"] == result.encodes
        assert decode_envelope(envelope_of(result.envelope)).shape == picture.shape


async def test_an_asked_quality_is_a_ceiling(bundle: Bundle, picture: NDArray[np.uint8]) -> None:
    async with running(bundle) as (_, client):
        codec = {"id": "jpeg", "quality": 40}
        roomy = await client.send(picture, PROMPT, codec=codec, budget_bytes=10**6)
        plain = await client.send(picture, PROMPT, codec=codec)
        free = await client.send(picture, PROMPT, codec={"id": "jpeg"}, budget_bytes=10**6)
    assert roomy.codec["quality"] == 40
    assert roomy.bitstream_bytes == plain.bitstream_bytes
    assert roomy.encodes == 1
    assert free.codec["quality"] > 80
    assert plain.budget_bytes is None


async def test_scale_comes_last_and_the_cloud_gets_the_source_size_back(
    bundle: Bundle, picture: NDArray[np.uint8]
) -> None:
    async with running(bundle, rate={"worst_quality": {"jpeg": 60}}) as (_, client):
        result = await client.send(picture, PROMPT, budget_bytes=4_000, return_bitstream=True)
    envelope = envelope_of(result.envelope)
    assert (result.width, result.height) == (400, 320)
    assert result.coded_width is not None
    assert result.coded_width < 400
    assert result.codec["quality"] == 60
    assert (envelope.header.width, envelope.header.height) == (
        result.coded_width,
        result.coded_height,
    )
    assert (envelope.header.source_width, envelope.header.source_height) == (400, 320)
    decoded = decode_envelope(envelope)
    assert decoded.shape == picture.shape
    red = (slice(60, 100), slice(60, 100))
    assert np.abs(decoded[red].mean((0, 1)) - picture[red].mean((0, 1))).max() < 8


async def test_what_cannot_fit_says_by_how_much_and_costs_one_frame(
    bundle: Bundle, picture: NDArray[np.uint8]
) -> None:
    async with running(bundle, rate={"least_scale": 0.5}) as (daemon, client):
        with pytest.raises(OverBudgetError, match=r"\d+ more than the 700 allowed"):
            await client.send(picture, PROMPT, budget_bytes=700)
        assert (await client.send(picture, PROMPT, budget_bytes=8_000)).envelope_bytes <= 8_000
        assert daemon.status().counters["errors_over_budget"] == 1


async def test_a_camera_keeps_to_its_rate(bundle: Bundle, picture: NDArray[np.uint8]) -> None:
    rate = {"budget_kbps": 80.0, "burst_s": 2.0, "least_scale": 0.9, "worst_quality": {"jpeg": 50}}
    async with running(bundle, rate=rate) as (_, client):
        begun = asyncio.get_running_loop().time()
        sent = 0
        waits: list[float | None] = []
        for _ in range(12):
            try:
                sent += (await client.send(picture, PROMPT)).envelope_bytes
            except OverBudgetError as error:
                waits.append(error.retry_after_s)
        elapsed_s = asyncio.get_running_loop().time() - begun
    assert 0 < sent <= 10_000 * (2.0 + elapsed_s)
    assert waits
    assert all(wait_s is not None and wait_s > 0 for wait_s in waits)


async def test_a_frame_names_its_allocation(bundle: Bundle, picture: NDArray[np.uint8]) -> None:
    async with running(bundle) as (_, client):
        kinds = {
            allocation: await client.send(
                picture, PROMPT, codec={"id": "hevc", "quality": 30}, allocation=allocation
            )
            for allocation in ("smooth", "quantiser", "both", "auto")
        }
        plain = await client.send(
            picture, PROMPT, codec={"id": "hevc", "quality": 30}, mode="plain"
        )
        for refused in ("quantiser", "both"):
            with pytest.raises(UnsupportedError, match="heif takes no quantiser map"):
                await client.send(picture, PROMPT, codec={"id": "heif"}, allocation=refused)
        auto = await client.send(picture, PROMPT, codec={"id": "heif"}, allocation="auto")
    spent = {name: (result.report or {})["allocation"] for name, result in kinds.items()}
    assert spent == {**{name: name for name in kinds}, "auto": "quantiser"}
    assert (auto.report or {})["allocation"] == "smooth"
    assert all(result.bitstream_bytes < plain.bitstream_bytes for result in kinds.values())
    assert kinds["auto"].bitstream_sha256 == kinds["quantiser"].bitstream_sha256


def test_an_allocation_that_the_default_codec_cannot_follow_stops_the_start() -> None:
    tables = {"codec": {"id": "heif"}, "prefilter": {"allocation": "quantiser"}}
    with pytest.raises(UnsupportedError, match="heif takes no quantiser map"):
        check_settings(settings_of(**tables))


@pytest.mark.parametrize(
    ("bounds", "error", "problem"),
    [
        ({"jpeg": 400}, SettingsError, "worst_quality of jpeg must be within 1 to 100"),
        ({"jpg": 40}, UnknownCodecError, "no such codec"),
    ],
)
def test_a_bound_that_no_codec_can_keep_stops_the_start(
    bounds: dict[str, int], error: type[EdgeError], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        check_settings(settings_of(rate={"worst_quality": bounds}))


@pytest.mark.parametrize(("rule", "filtered"), [([], True), (["idle-link"], False)])
async def test_an_idle_link_is_left_to_the_rule(
    bundle: Bundle, picture: NDArray[np.uint8], tmp_path: Path, rule: list[str], filtered: bool
) -> None:
    prefilter = {"skip": rule}
    settings = settings_of(prefilter=prefilter)
    async with (
        receiving(settings, tmp_path),
        running(bundle, prefilter=prefilter, uplink=settings.uplink.model_dump()) as (_, client),
    ):
        await client.send(picture, PROMPT, ack="delivered")  # the link is up, and idle again
        result = await client.send(picture, PROMPT, ack="delivered")
        budgeted = await client.send(picture, PROMPT, budget_bytes=20_000)
    report, bound = result.report or {}, budgeted.report or {}
    assert "idle-link" in report["doubts"]
    assert (report["skipped"] is None) == filtered
    assert any("nothing waits for the link" in note for note in report["notes"])
    assert bound["doubts"] == []  # a budget binds, so bytes count


class Elsewhere(Jpeg):
    """A stand-in for a learned codec whose decoder, on other hardware, finds other latents."""

    codec_id: ClassVar[str] = "elsewhere"
    exact_everywhere: ClassVar[bool] = False

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        raise LatentsError("the latents differ", remedy="send the picture in a classical codec")

    def expected_encode_s(self, width: int, height: int) -> float:
        return width * height / 1e6


@dataclass(frozen=True)
class Absent(Jpeg):
    """A stand-in for a codec whose encoder is not installed."""

    codec_id: ClassVar[str] = "absent"

    @classmethod
    def status(cls) -> Any:
        return registry.CodecStatus("", "", problem="its library is missing")


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {**registry._loaded, "elsewhere": Elsewhere, "absent": Absent}  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(registry, "_loaded", loaded)


@pytest.mark.parametrize("budget", [None, 9_000])
@pytest.mark.usefixtures("foreign")
async def test_a_picture_whose_latents_differ_at_the_cloud_comes_in_another_codec(
    bundle: Bundle, picture: NDArray[np.uint8], tmp_path: Path, budget: int | None
) -> None:
    settings = settings_of()
    async with (
        receiving(settings, tmp_path),
        running(bundle, uplink=settings.uplink.model_dump()) as (daemon, client),
    ):
        result = await client.send(
            picture, PROMPT, codec={"id": "elsewhere"}, ack="delivered", budget_bytes=budget
        )
        counters = daemon.status().counters
    assert result.ack == "delivered"
    assert counters["envelopes_recoded"] == 1
    assert counters["envelopes_refused"] == 0
    assert len(files_in(tmp_path, "cam/*.png")) == 1
    assert '"codec":{"id":"jpeg"' in (tmp_path / "log.jsonl").read_text()


@pytest.mark.usefixtures("foreign")
async def test_a_spare_does_without_a_map_where_its_codec_takes_none(
    bundle: Bundle, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    tables: dict[str, Any] = {"codec": {"id": "webp"}}
    settings = settings_of(**tables)
    async with (
        receiving(settings, tmp_path),
        running(bundle, uplink=settings.uplink.model_dump(), **tables) as (_, client),
    ):
        result = await client.send(
            picture, PROMPT, codec={"id": "elsewhere"}, allocation="quantiser", ack="delivered"
        )
    assert (result.report or {})["allocation"] == "quantiser"
    assert '"codec":{"id":"webp"' in (tmp_path / "log.jsonl").read_text()


@pytest.mark.usefixtures("foreign")
async def test_a_spare_that_cannot_fit_costs_the_spare_and_not_the_frame(
    bundle: Bundle, picture: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    tables: dict[str, Any] = {
        "codec": {"id": "jpeg", "quality": 95},
        "rate": {"order": ["quality"], "worst_quality": {"jpeg": 95}},
    }
    async with running(bundle, **tables) as (_, client):
        result = await client.send(
            picture, PROMPT, codec={"id": "elsewhere"}, allocation="smooth", budget_bytes=9_000
        )
    assert result.codec["id"] == "elsewhere"
    assert "event=no_spare client=cam" in caplog.text


@pytest.mark.usefixtures("foreign")
async def test_a_deadline_that_a_slow_codec_cannot_meet_is_refused(
    bundle: Bundle, picture: NDArray[np.uint8]
) -> None:
    async with running(bundle) as (_, client):
        with pytest.raises(DeadlineError, match=r"elsewhere would take longer.*0\.128 s of work"):
            await client.send(picture, "", codec={"id": "elsewhere"}, deadline_s=0.12)


@pytest.mark.usefixtures("foreign")
async def test_a_codec_without_an_encoder_is_refused_at_the_door(
    bundle: Bundle, picture: NDArray[np.uint8]
) -> None:
    async with running(bundle) as (daemon, client):
        with pytest.raises(NoEncoderError, match="absent cannot encode here: its library"):
            await client.send(picture, PROMPT, codec={"id": "absent"})
        status = daemon.status()
    assert status.counters["errors_no_encoder"] == 1
    assert status.codec_problems["absent"] == "its library is missing"
    assert "jpeg" in status.codecs
    assert "absent" not in status.codecs
    with pytest.raises(NoEncoderError):
        check_settings(settings_of(codec={"id": "absent"}))


class Sluggish(Jpeg):
    """A stand-in for a codec that takes seconds: it waits until it is let go."""

    codec_id: ClassVar[str] = "sluggish"
    go: ClassVar[threading.Event] = threading.Event()

    @classmethod
    def takes_map(cls) -> bool:
        return False

    def _encode(self, pixels: Pixels) -> bytes:
        assert self.go.wait(PATIENCE_S)
        return super()._encode(pixels)

    def expected_encode_s(self, width: int, height: int) -> float:
        return 10.0


@pytest.mark.parametrize("prompt", [PROMPT, ""])
async def test_a_slow_codec_holds_up_nobody_else(
    bundle: Bundle,
    picture: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
    prompt: str,
) -> None:
    loaded = {**registry._loaded, "sluggish": Sluggish}  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(registry, "_loaded", loaded)
    Sluggish.go.clear()
    stages = {"drain_s": 0.2, "threads": 1, "batch_frames": 2}
    async with running(bundle, stages=stages) as (daemon, client):
        tasks = [
            asyncio.create_task(client.send(picture, prompt, codec={"id": "sluggish"}))
            for _ in range(6)
        ]
        # One is being encoded and two wait; the others are told so.
        while sum(task.done() for task in tasks) < 3:
            waiting = [task for task in tasks if not task.done()]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        refused = [task.exception() for task in tasks if task.done()]
        assert all(isinstance(error, BusyError) and error.retry_after_s for error in refused)
        assert daemon.status().queues["slow"] == 2
        endpoint = client._endpoint  # pyright: ignore[reportPrivateUsage]
        async with AsyncClient(endpoint, client_id="other", timeout_s=PATIENCE_S) as other:
            quick = await other.send(picture, PROMPT)
        assert quick.codec["id"] == "jpeg"
        own = asyncio.create_task(client.send(picture, PROMPT))
        while daemon.status().queues["held"] == 0:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        # Its own camera's frames leave in order, so this one waits for those before it.
        assert not own.done()
        Sluggish.go.set()
        results = await asyncio.gather(*(task for task in tasks if not task.done()), own)
    assert [result.codec["id"] for result in results] == ["sluggish"] * 3 + ["jpeg"]
