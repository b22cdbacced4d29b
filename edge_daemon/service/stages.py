"""The stages of a frame: open and plan, score, finish; a bounded queue before each.

    waiting -(threads)-> opened -(one encoder call for several)-> scored -(threads)-> leaving
                                                                  slow -(one thread)-> leaving

`waiting` says whose frame is begun next and how many are under way. A stage that has nowhere to put
its result waits, so the queue before it fills, and in the end admission says busy. Frames that take
a codec seconds, or for whose text somebody is asked, have a lane of their own, for they would hold
up all others; when it is full, they are told busy. `leaving` gives the uplink each client's frames
in their order. What one frame does wrong costs that frame only. What only the camera's next frame
needs is done when this one has left.

A frame that finds nobody else under way goes straight through all stages in one thread: what queues
are for is several frames, and every change of threads costs a wake-up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from edge_daemon.errors import BusyError, EdgeError
from edge_daemon.prefilter import Plan, Prefilter
from edge_daemon.service.activity import Activity
from edge_daemon.service.batching import Batcher
from edge_daemon.service.job import Finished, Job
from edge_daemon.service.leaving import Leaving, WayOut
from edge_daemon.service.memory import Memory
from edge_daemon.service.observing import Observer, Unobserved
from edge_daemon.service.pace import Pace
from edge_daemon.service.shaping import SLOW_S
from edge_daemon.service.texts import Describes
from edge_daemon.service.waiting import WaitingRoom
from edge_daemon.service.work import Work
from edge_daemon.settings import CameraSettings, Settings

_log = logging.getLogger(__name__)

_LEAVE_S = 0.005
"""Seconds that a frame which is done has for itself until its answer left: two cores have enough to
do with that."""

Given = TypeVar("Given")
Made = TypeVar("Made")


class Stages:
    """Workers on the event loop that hand the work to threads.

    Args:
        settings: All of them.
        prefilter: What plans, scores and smooths.
        describer: What finds texts.
        memory: Where the answers go.
        uplink: Where the envelopes go.
        counters: Events since the start.
        telemetry: Told how long everything took.
        activity: Told what every worker is at.
    """

    def __init__(
        self,
        settings: Settings,
        prefilter: Prefilter,
        describer: Describes,
        memory: Memory,
        uplink: WayOut,
        counters: Counter[str],
        *,
        telemetry: Observer | None = None,
        activity: Activity | None = None,
    ) -> None:
        self._settings = settings.stages
        self._memory = memory
        self._counters = counters
        self._observer = telemetry or Unobserved()
        self._activity = activity or Activity()
        self.room = WaitingRoom(self._settings, Pace(self._settings.threads))
        self._work = Work(settings, prefilter, describer, uplink)
        self._leaving = Leaving(self.room, memory, uplink, counters, self._observer)
        batch = self._settings.batch_frames
        self._opened = Batcher(batch, self._settings.batch_wait_ms / 1000)
        self._scored: asyncio.Queue[Job] = asyncio.Queue(batch)
        self._slow: asyncio.Queue[Job] = asyncio.Queue(batch)
        self._later: set[asyncio.Task[None]] = set()

    def queues(self) -> dict[str, int]:
        """Frames per queue; "held" are done and have not left."""
        return {
            "waiting": self.room.frames,
            "opened": len(self._opened),
            "scored": self._scored.qsize(),
            "slow": self._slow.qsize(),
            "held": self._leaving.held,
            "in_work": self._memory.in_work,
        }

    def budgets(self) -> dict[str, dict[str, float | None]]:
        """How the cameras with budgets fared."""
        return self._work.budgets()

    def reconfigure(self, settings: Settings, describer: Describes) -> None:
        """From now on, frames are worked on by these; what sizes a queue or a pool stays."""
        self._opened.wait_s = settings.stages.batch_wait_ms / 1000
        self.room.queue_bytes = settings.stages.queue_bytes
        self._work.reconfigure(settings, describer)

    def put(self, job: Job, rules: CameraSettings) -> None:
        """Takes a frame over; there must be room."""
        replaced = self.room.put(job, rules)
        self._leaving.enter(job)
        if replaced is not None:
            self._leaving.replaced(replaced)

    def start(self) -> list[asyncio.Task[None]]:
        """Starts the workers, and returns them."""
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(self._settings.threads, "stage")
        # One call at a time; it has threads of its own inside.
        self._encoder = ThreadPoolExecutor(1, "encoder")
        self._slow_lane = ThreadPoolExecutor(1, "slow")
        workers = {"score": self._score_frames()}
        for number in range(self._settings.threads):
            opener, finisher = f"open-{number}", f"finish-{number}"
            workers[opener] = self._open_frames(opener)
            workers[finisher] = self._finish_frames(finisher, self._scored, self._threads)
        workers["slow"] = self._finish_frames("slow", self._slow, self._slow_lane)
        return [asyncio.create_task(work, name=name) for name, work in workers.items()]

    def stop(self) -> None:
        """Lets the threads end when they are done with what they are at."""
        self._leaving.stop()
        for later in self._later:
            later.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._encoder.shutdown(wait=False, cancel_futures=True)
        self._slow_lane.shutdown(wait=False, cancel_futures=True)

    async def _open_frames(self, worker: str) -> None:
        while True:
            job = await self.room.begin()
            job.timings_ms["wait"] = 1000 * (job.begun - job.received)
            # With a single thread, this one would hold up the opening of the next.
            if self._alone and self._settings.threads > 1:
                # Before it waits for a place in a queue, those in the queue must get on.
                with self._opened.encoder_taken():
                    made = await self._opened_by(worker, job, self._as_far_as_free)
                await self._place(job, made)
            else:
                with self._opened.coming():
                    await self._place(job, await self._opened_by(worker, job, self._opening))

    @property
    def _alone(self) -> bool:
        """Whether the only frame that was begun has nobody behind it."""
        return self.room.under_way == 1 and self.room.frames == 0

    async def _opened_by(
        self, worker: str, job: Job, work: Callable[[Job], Job | Finished]
    ) -> Job | Finished | None:
        return await self._attempt(worker, job, self._threads, work, self.room.least_s(job))

    async def _place(self, job: Job, made: Job | Finished | None) -> None:
        """A frame that was opened, or done, or failed: to where it belongs now."""
        if made is None:
            if job.scores is not None:  # it failed after its tiles were encoded
                self._finished(job, None)
            return
        if isinstance(made, Finished):
            if job.seen is not None:
                self._count_batch(1)
            self._finished(job, made)
        elif job.plan is None:
            await self._pass_on(job)
        elif job.slow and self._slow.full():
            self._refuse_slow(job)
        else:
            await self._opened.put(job)

    def _opening(self, job: Job) -> Job:
        self._work.open(job)
        job.seen = job.plan
        return job

    def _as_far_as_free(self, job: Job) -> Job | Finished:
        """In one thread from the first stage to the last, unless others turn up behind the frame.

        What may take seconds goes the usual way too: it has its own lane.
        """
        self._opening(job)
        if job.slow or not self._alone:
            return job
        if job.plan is not None:
            job.check_deadline()
            (job.scores,) = self._work.score([job.plan])
            self._opened.taken = False
            if not self._alone:
                # Who is begun after this finds the encoder free; the loop has its rest.
                self._loop.call_soon_threadsafe(self._opened.look_again)
        job.check_deadline()
        return self._work.finish(job)

    async def _score_frames(self) -> None:
        while True:
            batch = await self._opened.gather()
            for job in await self._score(batch):
                await self._pass_on(job)

    async def _pass_on(self, job: Job) -> None:
        """To the last stage, by the lane that is the frame's."""
        if not job.slow:
            await self._scored.put(job)
        elif self._slow.full():
            self._refuse_slow(job)
        else:
            self._slow.put_nowait(job)
            self.room.set_aside(job)

    async def _finish_frames(
        self, worker: str, queue: asyncio.Queue[Job], executor: Executor
    ) -> None:
        while True:
            job = await queue.get()
            done = await self._attempt(worker, job, executor, self._work.finish)
            self._finished(job, done)

    def _finished(self, job: Job, done: Finished | None) -> None:
        if done is not None:
            self._leaving.finished(done)
        if job.seen is not None:
            later = asyncio.create_task(self._remember(job, job.seen))
            job.seen = None
            self._later.add(later)
            later.add_done_callback(self._later.discard)

    async def _remember(self, job: Job, plan: Plan) -> None:
        """What only the camera's next frame needs; this one leaves first."""
        await asyncio.sleep(_LEAVE_S)
        worker = f"remember-{job.ticket}"
        try:
            await self._in_thread(worker, self._threads, self._work.remember, plan)
        except Exception:
            _log.exception("event=defect client=%s sequence=%d", *job.key)

    async def _attempt(
        self,
        worker: str,
        job: Job,
        executor: Executor,
        work: Callable[[Job], Made],
        least_s: float = 0.0,
    ) -> Made | None:
        """Does one stage of one frame in a thread; `None` if that was the end of the frame."""
        try:
            job.check_deadline(least_s)
            made, spent_s = await self._in_thread(worker, executor, work, job)
        except Exception as mistake:
            self._leaving.failed(job, mistake)
            return None
        job.spend(spent_s, shared=executor is not self._slow_lane)
        return made

    async def _score(self, batch: list[Job]) -> list[Job]:
        """Scores the frames of a batch; those that failed are left out."""
        alive: list[tuple[Job, Plan]] = []
        for job in batch:
            try:
                job.check_deadline()
            except EdgeError as late:
                self._leaving.failed(job, late)
                continue
            assert job.plan is not None
            alive.append((job, job.plan))
        if not alive:
            return []
        plans = [plan for _, plan in alive]
        try:
            scores, spent_s = await self._in_thread("score", self._encoder, self._work.score, plans)
        except Exception as mistake:
            if len(alive) == 1:
                self._leaving.failed(alive[0][0], mistake)
                return []
            # One of them is to blame: each on its own, so that it costs that one only.
            return [job for one, _ in alive for job in await self._score([one])]
        self._count_batch(len(alive))
        for (job, _), score in zip(alive, scores, strict=True):
            job.scores = score
            job.spend(spent_s, shared=True, among=len(alive))
        return [job for job, _ in alive]

    def _count_batch(self, frames: int) -> None:
        self._counters["batches"] += 1
        self._counters["batched_frames"] += frames
        self._observer.batch(frames)

    def _refuse_slow(self, job: Job) -> None:
        self._observer.dropped("busy", job.header.client)
        text = job.header.mode == "semantic"
        wanted = "mode semantic" if text else f"codec {job.codec.codec_id}"
        error = BusyError(
            f"as many frames as may are waiting for work that takes seconds already ({wanted})",
            value=self._slow.qsize(),
            remedy="send the frame again later, or in a faster codec",
            retry_after_s=SLOW_S,
        )
        self._leaving.failed(job, error)

    async def _in_thread(
        self, worker: str, executor: Executor, work: Callable[[Given], Made], given: Given
    ) -> tuple[Made, float]:
        """The work, and the seconds that it took once there was a thread for it."""

        def timed() -> tuple[Made, float]:
            begun = time.perf_counter()
            with self._activity.busy(worker):
                return work(given), time.perf_counter() - begun

        return await asyncio.get_running_loop().run_in_executor(executor, timed)
