"""The stages as they are, with work that is done in no time, in a random order, or not at all."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast

import pytest

from edge_daemon.errors import DeadlineError, EdgeError, EncodeError, InternalError, StorageError
from edge_daemon.prefilter import Plan, Prefilter, Scores
from edge_daemon.service import stages as module
from edge_daemon.service.activity import Activity
from edge_daemon.service.job import Job, Outcome
from edge_daemon.service.leaving import Finished
from edge_daemon.service.memory import Mark, Memory
from edge_daemon.service.stages import Stages
from edge_daemon.settings import CameraSettings, Settings
from edge_daemon.wire import Key
from support.frames_in_work import Notes, Shelf, job_of
from support.stand_in_describer import StandInDescriber

PATIENCE_S = 30.0
RULES = CameraSettings(queue_share=1.0)


class Work:
    """A stand-in for the work: how each frame fares is written in its prompt."""

    gate = threading.Event()
    remembered: ClassVar[list[Key]] = []
    threads: ClassVar[defaultdict[Key, list[str]]] = defaultdict(list)

    def __init__(self, *_: object) -> None:
        self.random = random.Random(0)

    def open(self, job: Job) -> Job:
        self._toil(job, "open")
        job.slow = job.header.prompt == "slow"
        if job.header.prompt != "plain":
            job.plan = cast("Plan", job)
        return job

    def score(self, plans: Sequence[Plan]) -> list[Scores]:
        for plan in plans:
            self._toil(cast("Job", plan), "score")
        return [cast("Scores", plan) for plan in plans]

    def finish(self, job: Job) -> Finished:
        self._toil(job, "finish")
        facts: dict[str, Any] = {
            "timings_ms": {"wait": 1.0, "codec": 2.0},
            "mode": "prefilter",
            "codec": {"id": "jpeg"},
            "encodes": 1,
            "budget_bytes": None,
        }
        return Finished(job, facts, b"envelope", None)

    def remember(self, plan: Plan) -> None:
        job = cast("Job", plan)
        self._toil(job, "remember")
        self.remembered.append(job.key)

    def budgets(self) -> dict[str, dict[str, float | None]]:
        return {}

    def _toil(self, job: Job, stage: str) -> None:
        prompt = job.header.prompt
        self.threads[job.key].append(threading.current_thread().name)
        if prompt == f"breaks in {stage}":
            raise RuntimeError(prompt)
        if prompt == f"fails in {stage}":
            raise EncodeError("it cannot be done", remedy="send another")
        if prompt == f"hangs in {stage}":
            assert self.gate.wait(PATIENCE_S)
        if prompt in {"shuffled", "slow"}:
            time.sleep(self.random.uniform(0.0, 0.002))


class Factory:
    """Stages at work, and how their frames fare."""

    def __init__(self, shelf: Shelf, **settings: Any) -> None:
        self.shelf = shelf
        self.memory = Memory()
        self.notes = Notes()
        self.activity = Activity()
        self.counters: Counter[str] = Counter()
        self.stages = Stages(
            Settings.model_validate({"stages": {"queue_frames": 4096} | settings}),
            cast("Prefilter", None),
            StandInDescriber(),
            self.memory,
            shelf,
            self.counters,
            telemetry=self.notes,
            activity=self.activity,
        )
        self.outcomes: dict[Key, asyncio.Future[Outcome]] = {}

    def put(self, client: str, sequence: int, prompt: str = "", **more: Any) -> None:
        job = job_of(client, sequence, prompt=prompt, **more)
        self.shelf.reserve(client)
        self.outcomes[job.key] = self.memory.begin(job.key, Mark()).outcome
        self.stages.put(job, RULES)

    async def error_of(self, client: str, sequence: int) -> BaseException | None:
        done, _ = await asyncio.wait({self.outcomes[client, sequence]}, timeout=PATIENCE_S)
        assert done
        return self.outcomes[client, sequence].exception()

    async def until_held(self, frames: int) -> None:
        await self.until(lambda: self.stages.queues()["held"] == frames)

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch, shelf: Shelf | None = None, **settings: Any
) -> AsyncGenerator[Factory]:
    monkeypatch.setattr(module, "Work", Work)
    Work.gate.clear()
    Work.remembered.clear()
    Work.threads.clear()
    factory = Factory(shelf or Shelf(), **settings)
    workers = factory.stages.start()
    try:
        yield factory
    finally:
        Work.gate.set()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        factory.stages.stop()


class Rough(Shelf):
    """A stand-in for an uplink whose disk takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(1)

    async def submit(
        self, key: Key, envelope: bytes, spare: bytes | None = None
    ) -> asyncio.Future[None]:
        await asyncio.sleep(self.random.uniform(0.0, 0.003))
        return await super().submit(key, envelope, spare)


async def test_nobody_waits_for_what_only_the_next_frame_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=1) as factory:
        factory.put("cam", 1, "hangs in remember")
        assert await factory.error_of("cam", 1) is None
        assert Work.remembered == []
        Work.gate.set()
        factory.put("cam", 2, "breaks in remember")
        factory.put("cam", 3, "fails in finish")
        factory.put("cam", 4, "plain")
        for sequence in (2, 4):
            assert await factory.error_of("cam", sequence) is None
        # Also of a frame that failed, for its tiles were encoded; and there are none without tiles.
        await factory.until(lambda: len(Work.remembered) == 2)
        assert Work.remembered == [("cam", 1), ("cam", 3)]


async def test_a_frame_alone_goes_straight_through_in_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=2) as factory:
        for sequence in range(3):
            factory.put("cam", sequence)
            assert await factory.error_of("cam", sequence) is None
            stages = Work.threads["cam", sequence][:3]
            assert len(stages) == 3
            assert len(set(stages)) == 1
        assert factory.counters["batches"] == factory.counters["batched_frames"] == 3


@pytest.mark.parametrize(("threads", "together"), [(2, True), (1, False)])
async def test_frames_with_others_about_change_threads_at_the_encoder(
    monkeypatch: pytest.MonkeyPatch, threads: int, together: bool
) -> None:
    async with running(monkeypatch, threads=threads) as factory:
        for sequence in range(1 + together):
            factory.put("cam", sequence)
        assert await factory.error_of("cam", 0) is None
        opened, scored, *_ = Work.threads["cam", 0]
        assert opened.startswith("stage")
        assert scored.startswith("encoder")


async def test_a_frame_steps_aside_for_one_that_came_while_it_was_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=2) as factory:
        factory.put("cam", 0, "hangs in open")
        await factory.until(lambda: len(Work.threads) == 1)
        factory.put("cam", 1)
        await factory.until(lambda: factory.stages.room.under_way == 2)
        Work.gate.set()
        assert await factory.error_of("cam", 0) is None
        assert Work.threads["cam", 0][1].startswith("encoder")


async def test_those_behind_a_frame_that_has_the_encoder_share_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=2, batch_frames=3) as factory:
        factory.put("cam", 0, "hangs in score")
        await factory.until(lambda: len(Work.threads["cam", 0]) == 2)
        for sequence in (1, 2, 3):
            factory.put("cam", sequence)
        await factory.until(lambda: factory.stages.queues()["opened"] == 3)
        Work.gate.set()
        assert await factory.error_of("cam", 3) is None
        assert factory.notes.batches == [1, 3]
        assert Work.threads["cam", 0][1].startswith("stage")


async def test_a_frame_steps_aside_though_those_that_came_fill_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=2, batch_frames=1) as factory:
        factory.put("cam", 0, "hangs in open")
        await factory.until(lambda: len(Work.threads) == 1)
        for sequence in (1, 2):
            factory.put("cam", sequence)
        await factory.until(lambda: factory.stages.queues()["opened"] == 1)
        await factory.until(lambda: len(Work.threads) == 3)
        Work.gate.set()
        for sequence in range(3):
            assert await factory.error_of("cam", sequence) is None


@pytest.mark.parametrize("stage", ["open", "score", "finish"])
async def test_what_fails_in_a_frame_alone_costs_that_frame_only(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    async with running(monkeypatch, threads=2) as factory:
        factory.put("cam", 0, f"fails in {stage}")
        assert isinstance(await factory.error_of("cam", 0), EncodeError)
        factory.put("cam", 1)
        assert await factory.error_of("cam", 1) is None
        await factory.until(lambda: ("cam", 1) in Work.remembered)
        encoded = [("cam", 0)] if stage == "finish" else []
        assert Work.remembered == [*encoded, ("cam", 1)]


async def test_a_frame_alone_gives_up_between_stages_when_its_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=2) as factory:
        factory.put("cam", 0, "hangs in open", allowed_s=0.5)
        await factory.until(lambda: len(Work.threads) == 1)
        await asyncio.sleep(0.5)
        Work.gate.set()
        assert isinstance(await factory.error_of("cam", 0), DeadlineError)
        assert len(Work.threads["cam", 0]) == 1


FATES = [*["shuffled"] * 6, "plain", "slow", "fails in open", "breaks in score", "fails in finish"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (2, 1), (4, 3)])
async def test_whatever_happens_to_them_frames_leave_in_the_order_in_which_they_came(
    monkeypatch: pytest.MonkeyPatch, seed: int, threads: int, batch: int
) -> None:
    chance = random.Random(seed)
    shelf = Rough()
    async with running(
        monkeypatch, shelf, threads=threads, batch_frames=batch, batch_wait_ms=chance.choice([0, 2])
    ) as factory:
        for sequence in range(120):
            factory.put(chance.choice("abc"), sequence, chance.choice(FATES))
            if chance.random() < 0.2:
                await asyncio.sleep(0.001)
        await factory.memory.idle(PATIENCE_S)
        assert factory.memory.in_work == 0
        queues = factory.stages.queues()
        assert not any(queues.values())
        assert factory.stages.room.under_way == 0
    left: defaultdict[str, list[int]] = defaultdict(list)
    for client, sequence in shelf.taken:
        left[client].append(sequence)
    for client, sequences in left.items():
        well = [
            key[1]
            for key, end in factory.outcomes.items()
            if key[0] == client and not end.exception()
        ]
        assert sequences == well
    assert shelf.free == 10**6 - len(shelf.taken)
    assert factory.counters["frames_done"] == len(shelf.taken)
    assert factory.counters["frames_failed"] == 120 - len(shelf.taken)


async def test_a_slow_frame_holds_up_its_own_client_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, threads=2, batch_frames=1) as factory:
        factory.put("cam", 0, "hangs in finish")
        for sequence in (1, 2, 3):
            factory.put("cam", sequence)
        for sequence in range(20):
            factory.put("other", sequence)
        assert await factory.error_of("other", 19) is None
        await factory.until_held(3)
        assert factory.shelf.taken == [("other", sequence) for sequence in range(20)]
        Work.gate.set()
        assert await factory.error_of("cam", 3) is None
        assert factory.shelf.taken[20:] == [("cam", sequence) for sequence in range(4)]


async def test_what_is_held_for_one_client_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, threads=2, batch_frames=1) as factory:
        factory.put("cam", 0, "hangs in finish")
        for sequence in range(1, 100):
            factory.put("cam", sequence)
        # Two threads and four batches of one make eight begun, of which one hangs.
        await factory.until_held(7)
        assert factory.stages.room.frames == 92
        Work.gate.set()
        assert await factory.error_of("cam", 99) is None
        assert factory.shelf.taken == [("cam", sequence) for sequence in range(100)]


@pytest.mark.parametrize("stage", ["open", "score", "finish"])
async def test_a_frame_that_fails_gives_way_at_once(
    monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    async with running(monkeypatch, threads=2, batch_frames=1) as factory:
        factory.put("cam", 0, f"fails in {stage}")
        factory.put("cam", 1)
        factory.put("cam", 2, f"breaks in {stage}")
        factory.put("cam", 3)
        assert await factory.error_of("cam", 3) is None
        assert isinstance(await factory.error_of("cam", 0), EncodeError)
        assert isinstance(await factory.error_of("cam", 2), InternalError)
        assert factory.shelf.taken == [("cam", 1), ("cam", 3)]
        assert factory.shelf.free == 10**6 - 2


async def test_what_the_uplink_cannot_take_is_that_frames_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf()
    shelf.failing["cam", 1] = StorageError("the disk is full", remedy="wait", retry_after_s=1.0)
    async with running(monkeypatch, shelf) as factory:
        for sequence in range(3):
            factory.put("cam", sequence)
        assert await factory.error_of("cam", 2) is None
        assert isinstance(await factory.error_of("cam", 1), StorageError)
        assert shelf.taken == [("cam", 0), ("cam", 2)]
        assert shelf.free == 10**6 - 2
        assert factory.counters["frames_failed"] == 1


async def test_a_deadline_that_passes_in_the_queue_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch, threads=1, batch_frames=1) as factory:
        factory.put("cam", 0, allowed_s=0.0)
        factory.put("cam", 1)
        assert isinstance(await factory.error_of("cam", 0), DeadlineError)
        assert await factory.error_of("cam", 1) is None
        assert factory.notes.drops == [("deadline", "cam")]


async def test_accounts_do_not_hold_up_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as factory:
        factory.put("cam", 0)
        # As the front waits for it.
        await asyncio.shield(factory.outcomes["cam", 0])
        assert factory.notes.frames == []
        await asyncio.sleep(0)
        assert factory.notes.frames == ["cam"]
        assert factory.counters["frames_done"] == 1


async def test_the_stages_tell_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as factory:
        factory.put("cam", 0)
        assert await factory.error_of("cam", 0) is None
        await factory.until(lambda: bool(factory.notes.frames))  # which is behind the answer
        assert factory.notes.stages["wait"] == [0.001]
        assert factory.notes.stages["codec"] == [0.002]
        assert len(factory.notes.stages["submit"]) == 1
        assert factory.notes.batches == [1]
        assert factory.notes.frames == ["cam"]


@pytest.mark.parametrize(
    ("stage", "worker"), [("open", "open-0"), ("score", "score"), ("finish", "finish-0")]
)
async def test_a_hung_stage_is_named_and_those_that_wait_for_it_are_not(
    monkeypatch: pytest.MonkeyPatch, stage: str, worker: str
) -> None:
    async with running(monkeypatch, threads=1, batch_frames=1) as factory:
        factory.put("cam", 0, f"hangs in {stage}")
        for sequence in range(1, 10):
            factory.put("cam", sequence)
        deadline = time.monotonic() + PATIENCE_S
        while (hung := factory.activity.stalled(time.monotonic(), 0.2)) != [worker]:
            assert time.monotonic() < deadline, hung
            await asyncio.sleep(0.01)
        Work.gate.set()
        assert await factory.error_of("cam", 9) is None
        assert factory.activity.stalled(time.monotonic(), -1.0) == []


async def test_a_weight_of_three_is_three_times_the_throughput(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spend(job: Job, seconds: float, **_: Any) -> None:
        job.spent_s += 0.01

    monkeypatch.setattr(Job, "spend", spend)
    heavy, light = CameraSettings(weight=3.0), CameraSettings(weight=1.0)
    async with running(monkeypatch, threads=1, batch_frames=1) as factory:
        factory.put("gate", 0, "hangs in open")
        for sequence in range(120):
            for client, rules in (("heavy", heavy), ("light", light)):
                job = job_of(client, sequence)
                factory.outcomes[job.key] = factory.memory.begin(job.key, Mark()).outcome
                factory.stages.put(job, rules)
        Work.gate.set()
        assert await factory.error_of("light", 119) is None
    first = Counter(client for client, _ in factory.shelf.taken[:121])
    assert first["heavy"] / first["light"] == pytest.approx(3.0, rel=0.1)


async def test_errors_are_edge_errors_whatever_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as factory:
        for sequence, prompt in enumerate(FATES):
            factory.put("cam", sequence, prompt)
        await factory.memory.idle(PATIENCE_S)
        errors = [end.exception() for end in factory.outcomes.values()]
    assert [error is None or isinstance(error, EdgeError) for error in errors] == [True] * len(
        FATES
    )
    assert sum(error is not None for error in errors) == 3
