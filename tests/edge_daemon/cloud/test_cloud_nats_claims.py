from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.cloud.nats_claims import Claims, last_logged, worker_of
from edge_daemon.cloud.store import Seen
from edge_daemon.errors import StorageError
from support.nats_rig import apart, jetstream
from support.nats_server import NatsServer, needs_nats_server, plain_server

SEEN = Seen("0" * 64, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with plain_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@needs_nats_server
async def test_a_claim_is_taken_over_only_after_patience_and_only_once(
    server: NatsServer, request: pytest.FixtureRequest
) -> None:
    key, alone = ("cam", 1), apart(request)
    async with jetstream(server.url) as js:
        stream = await js.add_stream(name=alone["stream"], subjects=[alone["subject"]])
        first, second, hasty, third = (Claims(name * 16) for name in "1234")
        for claims, ack_wait_s in ((first, 60.0), (second, 60.0), (hasty, 0.0), (third, 0.0)):
            await claims.open(js, stream, ack_wait_s)
        mine = await first.take(key, SEEN)
        assert mine.state == "ours"
        assert (await first.take(key, SEEN)) == mine
        waiting = await second.take(key, SEEN)
        assert (waiting.state, waiting.retry_after_s) == ("others", 15.0)
        taken, lost = await asyncio.gather(hasty.take(key, SEEN), third.take(key, SEEN))
        assert "ours" in (taken.state, lost.state)
        assert not await first.done(key, mine)
        holder, claim = (hasty, taken) if taken.revision > lost.revision else (third, lost)
        assert await holder.done(key, claim)
        assert await holder.done(key, claim)
        assert (await second.take(key, SEEN)).state == "done"


@needs_nats_server
async def test_a_claim_that_is_given_back_is_free(
    server: NatsServer, request: pytest.FixtureRequest
) -> None:
    key, alone = ("gate.1", 1), apart(request)
    async with jetstream(server.url) as js:
        stream = await js.add_stream(
            name=alone["stream"], subjects=[alone["subject"]], duplicate_window=120
        )
        one, two = Claims("1" * 16), Claims("2" * 16)
        await one.open(js, stream, 60.0)
        await two.open(js, stream, 60.0)
        await one.give_back(key, await one.take(key, SEEN))
        assert (await two.take(key, SEEN)).state == "ours"
        assert (await one.take(key, SEEN)).state == "others"
        bucket = await js.stream_info(f"KV_{alone['stream']}-claims")
        assert bucket.config.max_age == 120


def test_a_workers_id_lasts_as_long_as_its_directory(tmp_path: Path) -> None:
    first = worker_of(tmp_path / "one")
    assert worker_of(tmp_path / "one") == first
    assert worker_of(tmp_path / "two") != first
    (tmp_path / "one" / "worker-id").write_text("nonsense")
    with pytest.raises(StorageError, match="not a worker's id"):
        worker_of(tmp_path / "one")


def test_the_last_frames_of_a_log_with_unreadable_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"client": "cam", "sequence": number}) for number in range(5)]
    (tmp_path / "log.jsonl").write_text("\n".join([*lines, "{}", '{"client":']))
    assert last_logged(tmp_path, 4) == [("cam", 3), ("cam", 4)]
    (tmp_path / "log.jsonl").write_text("")
    assert last_logged(tmp_path, 4) == []
