"""A whole daemon inside the test, with a prefilter that can be held up and made to fail."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest

from edge_daemon.client import AsyncClient, Result
from edge_daemon.cloud import decode_envelope
from edge_daemon.codecs import registry
from edge_daemon.errors import BusyError, DeadlineError, InternalError, LinkError
from edge_daemon.prefilter import Plan, Prefilter, Report, Scores
from edge_daemon.service import Daemon
from edge_daemon.service.daemon import load_codecs
from edge_daemon.settings import PrefilterSettings, Region, ScorerName, Settings
from edge_daemon.wire import unpack_envelope
from models import Bundle, load_bundle
from support.free_port import free_endpoint
from support.tiny_bundle import make_tiny_bundle

PATIENCE_S = 30.0
PIXELS = np.full((40, 60, 3), (200, 30, 30), np.uint8)


class Gate(Prefilter):
    """The real prefilter, which waits at a gate before it scores, and chokes on "boom"."""

    def __init__(self, bundle: Bundle, settings: PrefilterSettings | None = None) -> None:
        super().__init__(bundle, settings)
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []

    def score(self, plans: Sequence[Plan]) -> list[Scores]:
        self.batches.append(len(plans))
        assert self.open.wait(PATIENCE_S)
        if any("boom" in text for plan in plans for text in plan.texts):
            raise RuntimeError("boom")
        return super().score(plans)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    directory = tmp_path_factory.mktemp("bundle")
    make_tiny_bundle(directory, dense=True)
    return load_bundle(directory, threads=1)


@pytest.fixture
def gate(bundle: Bundle) -> Iterator[Gate]:
    gate = Gate(bundle)
    yield gate
    gate.open.set()


@asynccontextmanager
async def running(
    gate: Gate, uplink: dict[str, Any] | None = None, **stages: Any
) -> AsyncGenerator[tuple[Daemon, AsyncClient]]:
    """A daemon without a cloud, and a client of it."""
    settings = Settings.model_validate(
        {
            "front": {"bind": "tcp://127.0.0.1:*"},
            "stages": {"drain_s": 0.2} | stages,
            "uplink": {"connect": free_endpoint(), "drain_s": 0.0} | (uplink or {}),
            "cameras": [{"when_full": "refuse-new"}],
        }
    )
    daemon = Daemon(settings, gate)
    endpoint = await daemon.startup()
    try:
        async with AsyncClient(endpoint, client_id="cam", timeout_s=PATIENCE_S) as client:
            yield daemon, client
    finally:
        gate.open.set()
        await daemon.shutdown()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def send(client: AsyncClient, prompt: str = "red", **options: Any) -> asyncio.Task[Result]:
    return asyncio.create_task(client.send(PIXELS, prompt, **options))


async def hold(gate: Gate, client: AsyncClient) -> asyncio.Task[Result]:
    """Closes the gate and puts one frame in front of it."""
    gate.open.clear()
    before = len(gate.batches)
    first = send(client)
    await until(lambda: len(gate.batches) > before)
    return first


async def fill(gate: Gate, daemon: Daemon, client: AsyncClient) -> list[asyncio.Task[Result]]:
    """Sends one frame after another until one is busy: the last."""
    tasks = [await hold(gate, client)]
    while not daemon.status().counters.get("errors_busy"):
        tasks.append(send(client))
        await until(lambda: daemon.status().counters["frames_received"] == len(tasks))
    return tasks


async def test_waiting_frames_share_one_encoder_call(gate: Gate) -> None:
    async with running(gate, batch_frames=3) as (daemon, client):
        first = await hold(gate, client)
        others = [send(client, prompt) for prompt in ("green", "blue", "red car")]
        await until(lambda: daemon.status().queues["opened"] == 3)
        gate.open.set()
        results = await asyncio.gather(first, *others)
    assert gate.batches == [1, 3]
    kept = [result.report["prompts"][0]["raw"] for result in results if result.report]
    assert kept == ["red", "green", "blue", "red car"]


@pytest.mark.parametrize("scorer", ["tiles", "dense"])
async def test_batched_frames_come_out_as_they_would_alone(
    bundle: Bundle, scorer: ScorerName
) -> None:
    gate = Gate(bundle, PrefilterSettings(scorer=scorer))
    prompts = ["red", "green", "blue", "the red one"]
    async with running(gate, batch_frames=4) as (daemon, client):
        alone = [await send(client, prompt) for prompt in prompts]
        first = await hold(gate, client)
        others = [send(client, prompt) for prompt in prompts]
        await until(lambda: daemon.status().queues["opened"] == 4)
        gate.open.set()
        together = await asyncio.gather(*others)
        await first
    assert gate.batches[-1] == 4
    assert {(one.report or {})["scorer"] for one in together} == {scorer}
    assert [one.bitstream_sha256 for one in alone] == [one.bitstream_sha256 for one in together]


async def test_a_frame_that_fails_in_a_batch_costs_itself_only(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gate) as (daemon, client):
        first = await hold(gate, client)
        prompts = ("green", "boom", "blue")
        others = [send(client, prompt) for prompt in prompts]
        await until(lambda: daemon.status().queues["opened"] == 3)
        gate.open.set()
        await first
        green, boom, blue = await asyncio.gather(*others, return_exceptions=True)
        assert isinstance(boom, InternalError)
        assert isinstance(green, Result)
        assert isinstance(blue, Result)
        assert (await send(client)).bitstream_bytes > 0
        assert daemon.status().counters["frames_failed"] == 1
    defects = [record for record in caplog.records if "event=defect" in record.message]
    assert len(defects) == 1
    assert defects[0].exc_info is not None


async def test_a_result_that_cannot_be_written_is_answered_all_the_same(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Report.to_dict

    def poisoned(report: Report) -> dict[str, Any]:
        return whole(report) | {"x": float("nan")}

    monkeypatch.setattr(Report, "to_dict", poisoned)
    async with running(gate) as (_, client):
        with pytest.raises(InternalError, match="ValueError"):
            await send(client)


async def test_a_full_queue_is_busy_and_what_was_let_in_is_done(gate: Gate) -> None:
    async with running(gate, queue_frames=2, batch_frames=1, threads=1) as (daemon, client):
        tasks = await fill(gate, daemon, client)
        with pytest.raises(BusyError, match="as many of this client's frames") as caught:
            await tasks.pop()
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s > 0
        # One is at the gate, one or two stand between the queues, two wait.
        assert 3 <= len(tasks) <= 6
        gate.open.set()
        assert len(await asyncio.gather(*tasks)) == len(tasks)


async def test_waiting_bytes_are_bounded_too(gate: Gate) -> None:
    limits: dict[str, Any] = {"queue_bytes": PIXELS.nbytes, "batch_frames": 1, "threads": 1}
    async with running(gate, **limits) as (daemon, client):
        tasks = await fill(gate, daemon, client)
        with pytest.raises(BusyError, match="as many bytes as may"):
            await tasks.pop()
        gate.open.set()
        await asyncio.gather(*tasks)


async def test_a_full_way_to_the_cloud_is_busy_before_any_work(gate: Gate) -> None:
    async with running(gate, uplink={"queue_frames": 2}) as (_, client):
        await send(client)
        await send(client)
        with pytest.raises(BusyError, match="link is down"):
            await send(client)
    assert sum(gate.batches) == 2


async def test_a_refused_frame_gives_its_place_back(gate: Gate) -> None:
    async with running(gate, uplink={"queue_frames": 1}) as (_, client):
        for _ in range(3):
            with pytest.raises(InternalError):
                await send(client, "boom")
        assert (await send(client)).bitstream_bytes > 0


async def test_a_frame_whose_deadline_passed_is_not_begun(gate: Gate) -> None:
    async with running(gate) as (daemon, client):
        first = await hold(gate, client)
        late = send(client, "green", deadline_s=0.2)
        await until(lambda: daemon.status().queues["opened"] == 1)
        await asyncio.sleep(0.3)
        gate.open.set()
        with pytest.raises(DeadlineError, match=r"0\.2 s allowed"):
            await late
        await first
    assert gate.batches == [1]


async def test_without_a_cloud_delivered_ends_at_the_deadline_and_the_frame_stays(
    gate: Gate,
) -> None:
    async with running(gate) as (daemon, client):
        with pytest.raises(DeadlineError, match="stays queued"):
            await send(client, ack="delivered", deadline_s=0.5, sequence=1)
        again = await send(client, sequence=1)
        assert (again.duplicate, again.ack) == (True, "accepted")
        assert daemon.status().queues["uplink_waiting"] == 1


async def test_a_repeat_of_a_frame_in_work_waits_for_the_same_work(gate: Gate) -> None:
    async with running(gate) as (daemon, client):
        gate.open.clear()
        first = send(client, sequence=1)
        await until(lambda: bool(gate.batches))
        endpoint = client._endpoint  # pyright: ignore[reportPrivateUsage]
        async with AsyncClient(endpoint, client_id="cam", timeout_s=PATIENCE_S) as other:
            second = send(other, sequence=1)
            await until(lambda: daemon.status().counters.get("frames_repeated") == 1)
            gate.open.set()
            one, two = await asyncio.gather(first, second)
    assert (one.duplicate, two.duplicate) == (False, True)
    assert one.bitstream_sha256 == two.bitstream_sha256
    assert gate.batches == [1]


async def test_two_clients_interleaved_get_their_own_answers(gate: Gate) -> None:
    async with running(gate) as (_, client):
        endpoint = client._endpoint  # pyright: ignore[reportPrivateUsage]
        async with AsyncClient(endpoint, client_id="other", timeout_s=PATIENCE_S) as other:
            wide, tall = np.zeros((20, 50, 3), np.uint8), np.zeros((50, 20, 3), np.uint8)
            sends = [
                one.send(image, "red", sequence=number)
                for number in range(5)
                for one, image in ((client, wide), (other, tall))
            ]
            results = await asyncio.gather(*sends)
    assert [(one.client, one.sequence, one.width) for one in results] == [
        (name, number, width) for number in range(5) for name, width in (("cam", 50), ("other", 20))
    ]


async def test_plain_mode_and_an_empty_prompt_leave_the_picture_alone(gate: Gate) -> None:
    async with running(gate) as (_, client):
        plain = await send(client, mode="plain", return_bitstream=True)
        empty = await send(client, "", return_bitstream=True)
    assert plain.report is None
    assert empty.report is not None
    assert "no filtering" in " ".join(empty.report["notes"])
    assert plain.bitstream_sha256 == empty.bitstream_sha256
    assert plain.envelope is not None
    header = unpack_envelope(plain.envelope).header
    assert (header.mode, header.relevance, header.width) == ("plain", None, 60)


async def test_the_answer_to_a_client_that_left_is_counted_and_kept(gate: Gate) -> None:
    async with running(gate) as (daemon, client):
        gate.open.clear()
        endpoint = client._endpoint  # pyright: ignore[reportPrivateUsage]
        async with AsyncClient(endpoint, client_id="gone", timeout_s=0.3) as gone:
            with pytest.raises(LinkError):
                await gone.send(PIXELS, "red", sequence=1)
        gate.open.set()
        await until(lambda: daemon.status().counters.get("answers_undeliverable") == 1)
        async with AsyncClient(endpoint, client_id="gone", timeout_s=PATIENCE_S) as back:
            assert (await back.send(PIXELS, "red", sequence=1)).duplicate


async def test_a_stop_tells_whom_it_abandons(gate: Gate) -> None:
    async with running(gate) as (daemon, client):
        first = await hold(gate, client)
        stopping = asyncio.create_task(daemon.shutdown())
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError, match="stopping"):
            await send(client, "green")
        assert await stopping == 1
        with pytest.raises(BusyError, match="stopping"):
            await first
        gate.open.set()


async def test_a_vital_part_that_ends_is_noticed(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(gate) as (daemon, _):
        daemon._workers[0].cancel()  # pyright: ignore[reportPrivateUsage]
        assert await asyncio.wait_for(daemon.main_loop(), PATIENCE_S) is False
    assert "event=vital_task_ended" in caplog.text


def test_a_codec_that_cannot_be_loaded_is_told_of_at_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = EntryPoint("broken", "no_such_module:Codec", registry.GROUP)

    installed = {**registry._available(), "broken": broken}  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(registry, "_available", lambda: installed)
    caplog.set_level("INFO")
    load_codecs()
    assert "event=codec codec=jpeg encoder=" in caplog.text
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any("event=codec_missing codec=broken" in message for message in warnings)
    assert "no_such_module" in caplog.text


async def test_masks_hold_in_mode_plain_too(bundle: Bundle) -> None:
    masked = Gate(bundle, PrefilterSettings(mask=(Region(x=0, y=0, width=0.5, height=1),)))
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    async with running(masked) as (_, client):
        result = await client.send(
            noise.data, "", mode="plain", codec={"id": "jpeg"}, return_bitstream=True
        )
    assert result.envelope is not None
    decoded = decode_envelope(unpack_envelope(result.envelope)).astype(float)
    assert decoded[:, 64:].std() > 40
    assert decoded[:, :64].std() < 20
    assert result.report is not None
    assert result.report["masked_share"] == 0.5
