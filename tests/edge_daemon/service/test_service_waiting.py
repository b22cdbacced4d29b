from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from edge_daemon.errors import BusyError
from edge_daemon.service.job import Job
from edge_daemon.service.pace import Pace
from edge_daemon.service.waiting import WaitingRoom
from edge_daemon.settings import CameraSettings, StageSettings
from support.frames_in_work import job_of

PATIENCE_S = 30.0
RULES = CameraSettings()
LATEST = CameraSettings(latest_only=True)


def room_of(cost_s: float | None = None, **settings: Any) -> WaitingRoom:
    """A waiting room; frames are known to cost so much, if anything is known."""
    stages = StageSettings.model_validate({"threads": 1, "batch_frames": 1} | settings)
    pace = Pace(stages.threads)
    if cost_s is not None:
        pace.done("some", cost_s, cost_s, now=0.0)
    return WaitingRoom(stages, pace)


def ask(
    room: WaitingRoom, client: str, rules: CameraSettings = RULES, payload: bytes = b""
) -> Job | None:
    """Lets a frame in, if there is room."""
    try:
        room.check_room(client, len(payload), rules)
    except BusyError:
        return None
    job = job_of(client, payload=payload)
    room.put(job, rules)
    return job


async def begin(room: WaitingRoom) -> Job:
    return await asyncio.wait_for(room.begin(), PATIENCE_S)


def end(room: WaitingRoom, job: Job) -> None:
    job.spend(job.cost_s, shared=True)
    room.left(job, "done")


async def test_a_flood_starves_nobody() -> None:
    room = room_of(queue_frames=16)
    begun: list[str] = []
    for number in range(100):
        for _ in range(50):
            ask(room, "greedy")
        if number % 2 == 0:
            assert ask(room, "modest") is not None, "there is always room for a newcomer"
        job = await begin(room)
        begun.append(job.header.client)
        end(room, job)
    # Each of its frames is begun at once or after one of the other's.
    assert begun.count("modest") >= 49
    positions = [at for at, client in enumerate(begun) if client == "modest"]
    assert all(later - earlier <= 3 for earlier, later in pairwise(positions))


async def test_weights_share_the_work() -> None:
    room = room_of(queue_frames=32)
    heavy, light = CameraSettings(weight=3.0), CameraSettings(weight=1.0)
    begun: Counter[str] = Counter()
    for _ in range(400):
        for _ in range(20):
            ask(room, "heavy", heavy)
            ask(room, "light", light)
        job = await begin(room)
        begun[job.header.client] += 1
        end(room, job)
    assert begun["heavy"] / begun["light"] == pytest.approx(3.0, rel=0.1)


async def test_one_client_alone_fills_its_share_and_no_more() -> None:
    room = room_of(queue_frames=16)
    while ask(room, "greedy", CameraSettings(queue_share=0.25)) is not None:
        pass
    assert room.frames == 4
    with pytest.raises(BusyError, match=r"this client's frames as may wait \(got 4\)") as caught:
        room.check_room("greedy", 0, CameraSettings(queue_share=0.25))
    assert caught.value.retry_after_s is not None
    assert ask(room, "other") is not None


async def test_a_client_may_be_given_the_whole_queue() -> None:
    room = room_of(queue_frames=4)
    while ask(room, "only", CameraSettings(queue_share=1.0)) is not None:
        pass
    assert room.frames == 4
    with pytest.raises(BusyError, match="as many frames as may"):
        room.check_room("other", 0, RULES)


async def test_bytes_are_shared_like_places() -> None:
    room = room_of(queue_frames=64, queue_bytes=100)
    payload = bytes(10)
    while ask(room, "greedy", payload=payload) is not None:
        pass
    assert room.frames == 5
    with pytest.raises(BusyError, match="as many bytes of this client"):
        room.check_room("greedy", 10, RULES)
    assert ask(room, "other", payload=payload) is not None
    with pytest.raises(BusyError, match="as many bytes as may are waiting"):
        room.check_room("third", 50, RULES)
    for _ in range(room.frames):
        end(room, await begin(room))
    # A single frame always may.
    assert ask(room, "greedy", payload=bytes(500)) is not None


async def test_the_latest_takes_the_place_of_the_one_before_it() -> None:
    room = room_of(queue_frames=4, queue_bytes=100)
    assert not room.replaceable("cam")
    first, second = job_of(sequence=1, payload=bytes(90)), job_of(sequence=2, payload=bytes(90))
    assert room.put(first, LATEST) is None
    assert room.replaceable("cam")
    assert room.put(second, LATEST) is first
    assert room.frames == 1
    assert await begin(room) is second
    # What is begun is not replaced.
    assert room.put(job_of(sequence=3), LATEST) is None


async def test_so_many_are_under_way_and_no_more_until_one_leaves_or_is_set_aside() -> None:
    room = room_of(queue_frames=64)
    rules = CameraSettings(queue_share=1.0)
    for number in range(14):
        room.put(job_of(f"cam-{number % 2}", number), rules)
    begun = [await begin(room) for _ in range(6)]
    assert room.under_way == 6
    waiting = asyncio.create_task(room.begin())
    await asyncio.sleep(0)
    assert not waiting.done()
    room.set_aside(begun[0])
    room.set_aside(begun[0])
    await asyncio.wait_for(waiting, PATIENCE_S)
    assert room.under_way == 6
    end(room, begun[1])
    await begin(room)
    assert room.under_way == 6


async def test_frames_set_aside_hold_up_their_own_client_only() -> None:
    room = room_of(queue_frames=64)
    rules = CameraSettings(queue_share=1.0)
    for number in range(10):
        room.put(job_of("slow", number), rules)
    for _ in range(6):
        room.set_aside(await begin(room))
    waiting = asyncio.create_task(room.begin())
    await asyncio.sleep(0)
    assert not waiting.done()
    quick = job_of("quick")
    room.put(quick, rules)
    assert await asyncio.wait_for(waiting, PATIENCE_S) is quick


async def test_who_waits_for_a_frame_gets_it_when_it_comes() -> None:
    room = room_of()
    waiting = [asyncio.create_task(room.begin()) for _ in range(3)]
    await asyncio.sleep(0)
    jobs = [job_of(sequence=number) for number in range(3)]
    for job in jobs:
        room.put(job, RULES)
    begun = await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE_S)
    assert sorted(job.header.sequence for job in begun) == [0, 1, 2]


async def test_what_cannot_be_done_in_time_is_refused_with_the_time_that_is_missing() -> None:
    room = room_of(cost_s=1.0, queue_frames=64)
    for number in range(8):
        room.put(job_of("other", number), RULES)
    with pytest.raises(BusyError, match=r"s needed, 2 s allowed") as caught:
        room.check_time("other", RULES, 2.0)
    assert caught.value.retry_after_s is not None
    room.check_time("other", RULES, 2.0 + caught.value.retry_after_s + 1.0)
    # Fair queueing puts a newcomer before most of them.
    room.check_time("newcomer", RULES, 2.5)


async def test_an_idle_daemon_tries_whatever_is_asked() -> None:
    room = room_of(cost_s=100.0)
    room.check_time("cam", RULES, 0.01)
    room.put(job_of(), RULES)
    with pytest.raises(BusyError):
        room.check_time("cam", RULES, 0.01)


async def test_time_is_kept_free_for_who_was_refused() -> None:
    room = room_of(cost_s=1.0, queue_frames=64)
    job = job_of("greedy")
    room.put(job, RULES)
    await begin(room)
    room.check_time("greedy", RULES, 1.5)
    with pytest.raises(BusyError):
        room.check_time("modest", RULES, 1.0)
    # There would be time for one, and it is not the greedy one's turn.
    with pytest.raises(BusyError):
        room.check_time("greedy", RULES, 1.5)
    room.check_time("modest", RULES, 1.5)


async def test_a_replacement_is_judged_by_the_place_that_it_takes() -> None:
    room = room_of(cost_s=5.0)
    room.put(job_of("cam"), LATEST)
    room.check_time("cam", LATEST, 1.0)
    with pytest.raises(BusyError):
        room.check_time("cam", RULES, 1.0)


async def test_how_wrong_a_promise_was_tells_for_the_next() -> None:
    room = room_of(cost_s=0.001, queue_frames=64)
    room.put(job_of("cam", 0), RULES)
    job = await begin(room)
    room.put(job_of("cam", 1), RULES)
    room.check_time("cam", RULES, 1.0)
    job.received -= 5.0
    room.left(job, "late")
    with pytest.raises(BusyError):
        room.check_time("cam", RULES, 1.0)
