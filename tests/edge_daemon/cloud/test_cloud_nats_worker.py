"""Workers against a real nats-server."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.cloud.keeping import Keeper
from edge_daemon.cloud.nats_worker import NatsWorker
from edge_daemon.errors import SettingsError, StorageError
from edge_daemon.wire import Key
from support.nats_rig import apart, emptied, jetstream, publish, settings, worker
from support.nats_server import NatsServer, needs_nats_server, plain_server
from support.nats_workers import logged, sample
from support.waiting import PATIENCE_S, eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with plain_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    with plain_server(tmp_path / "nats") as running:
        yield running


@needs_nats_server
async def test_three_workers_keep_each_frame_in_exactly_one_log(
    own_server: NatsServer, tmp_path: Path
) -> None:
    directories = [tmp_path / name for name in ("one", "two", "three")]
    chosen = [settings(own_server.url, directory) for directory in directories]
    keys = [(client, number) for number in range(30) for client in ("gate.1", "gate", "yard")]
    async with (
        worker(chosen[0]),
        worker(chosen[1]),
        worker(chosen[2]),
        jetstream(own_server.url) as js,
    ):
        for client, number in keys:
            await publish(js, (client, number), sample(number, client))
        await emptied(js)
    assert sorted(logged(*directories)) == sorted(keys)
    assert sum(bool(logged(directory)) for directory in directories) > 1
    for directory in directories:
        assert all((directory / c / f"{n}.png").exists() for c, n in logged(directory))


@needs_nats_server
async def test_a_repeat_that_the_stream_did_not_notice_is_kept_once_by_all_workers(
    own_server: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, two = (tmp_path / name for name in ("one", "two"))
    payload = sample(5)
    async with jetstream(own_server.url) as js:
        async with worker(settings(own_server.url, one)):
            await publish(js, ("cam", 5), payload)
            await emptied(js)
        async with worker(settings(own_server.url, two)):
            await publish(js, ("cam", 5), payload, **{"Nats-Msg-Id": "another"})
            await emptied(js)
    assert (logged(one), logged(two)) == ([("cam", 5)], [])
    assert "event=duplicate client=cam sequence=5" in caplog.text


@needs_nats_server
async def test_another_encoding_of_a_frame_that_another_worker_has_is_a_duplicate(
    own_server: NatsServer, tmp_path: Path
) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    async with jetstream(own_server.url) as js:
        async with worker(settings(own_server.url, one)):
            await publish(js, ("cam", 5), sample(5, fingerprint="equal"))
            await emptied(js)
        async with worker(settings(own_server.url, two)):
            anew = sample(5, blue=31, fingerprint="equal")
            await publish(js, ("cam", 5), anew, **{"Nats-Msg-Id": "another"})
            await emptied(js)
    assert (logged(one), logged(two)) == ([("cam", 5)], [])
    assert not (two / "refused").exists()


@needs_nats_server
async def test_what_can_never_be_kept_is_set_aside_with_its_reason(
    server: NatsServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    alone = apart(request)
    good, torn, another = sample(1), sample(4)[:-1], sample(1, blue=200)
    directory = tmp_path / "worker"
    async with worker(settings(server.url, directory, **alone)), jetstream(server.url) as js:
        sent = [
            (("cam", 1), good),
            (("cam", 2), b"no envelope at all"),
            (("cam", 4), torn),
            (("cam", 3), sample(3, "someone-else")),
            (("cam", 1), another),
        ]
        for number, (key, payload) in enumerate(sent):
            await publish(js, key, payload, alone["subject"], **{"Nats-Msg-Id": str(number)})
            await emptied(js, alone["stream"])
        await js.publish(f"{alone['subject']}.cam", good)
        await emptied(js, alone["stream"])
    assert logged(directory) == [("cam", 1)]
    reasons = {
        file.stem: json.loads(file.read_text()) for file in (directory / "refused").glob("*.json")
    }
    assert {name: reason["code"] for name, reason in reasons.items()} == {
        "cam-2-2": "decode_failed",
        "cam-4-3": "decode_failed",
        "cam-3-4": "decode_failed",
        "cam-1-5": "sequence_reused",
        "unknown-0-6": "bad_message",
    }
    assert all(reason["remedy"] and reason["subject"] for reason in reasons.values())
    assert (directory / "refused" / "cam-4-3.edge").read_bytes() == torn
    assert (directory / "refused" / "unknown-0-6.edge").read_bytes() == good


@needs_nats_server
async def test_another_picture_under_a_number_that_another_worker_has_is_set_aside(
    own_server: NatsServer, tmp_path: Path
) -> None:
    one, two = (tmp_path / name for name in ("one", "two"))
    async with jetstream(own_server.url) as js:
        async with worker(settings(own_server.url, one)):
            await publish(js, ("cam", 5), sample(5))
            await emptied(js)
        async with worker(settings(own_server.url, two)):
            await publish(js, ("cam", 5), sample(5, blue=200), **{"Nats-Msg-Id": "another"})
            await emptied(js)
    assert (logged(one), logged(two)) == ([("cam", 5)], [])
    (reason,) = [json.loads(file.read_text()) for file in (two / "refused").glob("*.json")]
    assert reason["code"] == "sequence_reused"


@needs_nats_server
async def test_what_cannot_be_written_now_comes_again(
    server: NatsServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = apart(request)
    failures = 2
    real = Keeper.keep

    def full_disk(keeper: Keeper, payload: bytes, key: Key | None = None) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise StorageError("full", remedy="make room", retry_after_s=0.2)
        return real(keeper, payload, key)

    monkeypatch.setattr(Keeper, "keep", full_disk)
    # So long a wait that only the worker's own word can bring it back in time.
    chosen = settings(server.url, tmp_path / "worker", 3600.0, **alone)
    async with worker(chosen), jetstream(server.url) as js:
        await publish(js, ("cam", 1), sample(1), alone["subject"])
        await emptied(js, alone["stream"])
    assert logged(tmp_path / "worker") == [("cam", 1)]
    assert caplog.text.count("event=postponed") == 2
    assert not (tmp_path / "worker" / "refused").exists()


@needs_nats_server
async def test_a_defect_costs_one_envelope_which_is_set_aside(
    server: NatsServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = apart(request)
    real = Keeper.keep

    def defect(keeper: Keeper, payload: bytes, key: Key | None = None) -> bool:
        if key == ("cam", 1):
            raise ZeroDivisionError
        return real(keeper, payload, key)

    monkeypatch.setattr(Keeper, "keep", defect)
    directory = tmp_path / "worker"
    async with worker(settings(server.url, directory, **alone)), jetstream(server.url) as js:
        for number in (1, 2):
            await publish(js, ("cam", number), sample(number), alone["subject"])
        await emptied(js, alone["stream"])
    assert logged(directory) == [("cam", 2)]
    assert json.loads((directory / "refused" / "cam-1-1.json").read_text())["code"] == "internal"


@needs_nats_server
async def test_a_long_decode_is_not_given_to_another_worker(
    server: NatsServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = apart(request)
    begun: list[Key | None] = []
    real = Keeper.keep

    def slow(keeper: Keeper, payload: bytes, key: Key | None = None) -> bool:
        begun.append(key)
        # Longer than an envelope may go unheard of, and than a claim may.
        time.sleep(2.0)
        return real(keeper, payload, key)

    monkeypatch.setattr(Keeper, "keep", slow)
    directories = [tmp_path / name for name in ("one", "two")]
    chosen = [settings(server.url, directory, 0.5, **alone) for directory in directories]
    async with worker(chosen[0]), worker(chosen[1]), jetstream(server.url) as js:
        await publish(js, ("cam", 1), sample(1), alone["subject"])
        await emptied(js, alone["stream"])
    assert begun == [("cam", 1)]


@needs_nats_server
async def test_a_stop_finishes_what_is_in_work_and_leaves_the_rest_to_others(
    server: NatsServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = apart(request)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = Keeper.keep

    def slow(keeper: Keeper, payload: bytes, key: Key | None = None) -> bool:
        loop.call_soon_threadsafe(begun.set)
        time.sleep(0.3)
        return real(keeper, payload, key)

    monkeypatch.setattr(Keeper, "keep", slow)
    one, two = (tmp_path / name for name in ("one", "two"))
    async with jetstream(server.url) as js:
        # No redelivery in this test's time: what the first leaves, it has to give back.
        async with worker(settings(server.url, one, 3600.0, **alone)):
            for number in range(12):
                await publish(js, ("cam", number), sample(number), alone["subject"])
            await asyncio.wait_for(begun.wait(), PATIENCE_S)
        kept = logged(one)
        left = (await js.stream_info(alone["stream"])).state.messages
        assert 0 < len(kept) == 12 - left < 12
        async with worker(settings(server.url, two, 3600.0, **alone)):
            await emptied(js, alone["stream"])
    assert sorted(logged(one, two)) == [("cam", number) for number in range(12)]


@needs_nats_server
async def test_a_consumer_that_vanishes_is_made_again(
    server: NatsServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    alone = apart(request)
    directory = tmp_path / "worker"
    async with worker(settings(server.url, directory, **alone)), jetstream(server.url) as js:
        await js.delete_consumer(alone["stream"], "cloud")
        await publish(js, ("cam", 1), sample(1), alone["subject"])
        await emptied(js, alone["stream"])
    assert logged(directory) == [("cam", 1)]


@needs_nats_server
async def test_a_worker_without_a_stream_that_it_may_make_waits_for_one(
    server: NatsServer,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = apart(request)
    running = NatsWorker(settings(server.url, tmp_path / "worker", create_stream=False, **alone))
    ready = asyncio.Event()
    serving = asyncio.create_task(running.serve(lambda _: ready.set()))
    await eventually(lambda: "create_stream is false" in caplog.text)
    async with jetstream(server.url) as js:
        await js.add_stream(name=alone["stream"], subjects=[f"{alone['subject']}.*"])
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    running.stop.ask()
    assert await asyncio.wait_for(serving, PATIENCE_S) == 0


async def test_a_malformed_url_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="NATS server's URL"):
        await NatsWorker(settings("http://host", tmp_path / "worker")).serve()
    assert not (tmp_path / "worker").exists()
