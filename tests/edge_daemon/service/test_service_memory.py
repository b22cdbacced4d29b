from __future__ import annotations

import asyncio

import pytest

from edge_daemon.errors import BusyError
from edge_daemon.service.job import Outcome
from edge_daemon.service.memory import Mark, Memory, fingerprint
from edge_daemon.wire import FrameHeader


def outcome(size: int = 10) -> Outcome:
    return Outcome({}, bytes(size), asyncio.get_running_loop().create_future())


def header(**changes: object) -> FrameHeader:
    fields = {"client": "cam", "sequence": 1, "prompt": "x"} | changes
    return FrameHeader.model_validate(fields)


def test_copies_of_a_frame_have_one_fingerprint_however_they_want_their_answer() -> None:
    copy = header(ack="delivered", deadline_s=5.0, return_bitstream=True)
    assert fingerprint(header(), b"abc") == fingerprint(copy, b"abc")


@pytest.mark.parametrize(
    "other",
    [{"prompt": "y"}, {"mode": "plain"}, {"codec": {"id": "hevc"}}, {"prompt": ["x", "y"]}],
)
def test_other_frames_have_other_fingerprints(other: dict[str, object]) -> None:
    assert fingerprint(header(), b"abc") != fingerprint(header(**other), b"abc")
    assert fingerprint(header(), b"abc") != fingerprint(header(), b"abd")


async def test_a_frame_is_found_while_in_work_and_when_done() -> None:
    memory = Memory()
    assert memory.find(("cam", 1)) is None
    entry = memory.begin(("cam", 1), Mark())
    assert memory.find(("cam", 1)) is entry
    memory.succeed(("cam", 1), outcome())
    assert memory.find(("cam", 1)) is entry
    assert entry.outcome.done()


async def test_a_number_is_known_from_its_beginning_until_it_is_forgotten() -> None:
    memory = Memory(most_results=1)
    for number in (1, 2):
        assert memory.find(("cam", number)) is None
        memory.begin(("cam", number), Mark())
        assert memory.find(("cam", number)) is not None
        memory.succeed(("cam", number), outcome())
    assert memory.find(("cam", 1)) is None
    assert memory.find(("cam", 2)) is not None


async def test_errors_are_not_remembered() -> None:
    memory = Memory()
    entry = memory.begin(("cam", 1), Mark())
    memory.fail(("cam", 1), BusyError("full", remedy="wait"))
    with pytest.raises(BusyError):
        await entry.outcome
    assert memory.find(("cam", 1)) is None


async def test_the_oldest_results_are_forgotten_first_and_what_is_in_work_never() -> None:
    memory = Memory(most_results=2)
    for number in range(4):
        memory.begin(("cam", number), Mark())
    for number in (1, 2, 3):
        memory.succeed(("cam", number), outcome())
    known = [number for number in range(4) if memory.find(("cam", number))]
    assert known == [0, 2, 3]


async def test_results_are_bounded_in_bytes() -> None:
    memory = Memory(most_bytes=100)
    for number, size in ((1, 60), (2, 30), (3, 30)):
        memory.begin(("cam", number), Mark())
        memory.succeed(("cam", number), outcome(size))
    assert [number for number in (1, 2, 3) if memory.find(("cam", number))] == [2, 3]


async def test_idle_waits_for_the_last_frame() -> None:
    memory = Memory()
    await asyncio.wait_for(memory.idle(60.0), 5.0)
    memory.begin(("cam", 1), Mark())
    waiting = asyncio.create_task(memory.idle(60.0))
    await memory.idle(0.01)
    assert not waiting.done()
    memory.succeed(("cam", 1), outcome())
    await asyncio.wait_for(waiting, 5.0)


async def test_abandoning_tells_all_who_wait() -> None:
    memory = Memory()
    entries = [memory.begin(("cam", number), Mark()) for number in range(3)]
    assert memory.abandon(BusyError("stopping", remedy="wait")) == 3
    for entry in entries:
        with pytest.raises(BusyError):
            await entry.outcome
    assert memory.in_work == 0
