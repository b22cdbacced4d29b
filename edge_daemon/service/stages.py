"""The stages of a frame: open and plan, score, finish; a bounded queue before each.

    waiting -(threads)-> opened -(one encoder call for several frames)-> scored -(threads)-> uplink
                                                                         slow -(one thread)-> uplink

A stage that has nowhere to put its result waits, so the queue before it fills, and in the end
admission says busy. Pictures that take their codec seconds have a lane of their own, for they would
hold up all others; when it is full, they are told busy. What one frame does wrong costs that frame
only.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from edge_daemon.errors import BusyError, EdgeError, InternalError, Verbatim
from edge_daemon.pictures import PictureLimits, from_raw, open_picture
from edge_daemon.prefilter import Plan, Prefilter
from edge_daemon.service.job import Job, Outcome
from edge_daemon.service.memory import Memory
from edge_daemon.service.sealing import sealed, shared_facts
from edge_daemon.service.shaping import Shaper
from edge_daemon.settings import Settings
from edge_daemon.uplink import Uplink
from edge_daemon.wire import pack_envelope

_log = logging.getLogger(__name__)

SLOW_S = 2.0
"""Seconds of encoding beyond which a picture goes by the slow lane."""
_FIRST_GUESS_S = 0.2
_NEWEST_WEIGHT = 0.2

Made = TypeVar("Made")


class Stages:
    """Workers on the event loop that hand the work to threads."""

    def __init__(
        self,
        settings: Settings,
        prefilter: Prefilter,
        memory: Memory,
        uplink: Uplink,
        counters: Counter[str],
    ) -> None:
        self._settings = settings.stages
        self._limits = PictureLimits(settings.limits.max_payload_bytes, settings.limits.max_pixels)
        self._prefilter = prefilter
        self._memory = memory
        self._uplink = uplink
        self._counters = counters
        self._waiting: asyncio.Queue[Job] = asyncio.Queue(self._settings.queue_frames)
        self._opened: asyncio.Queue[Job] = asyncio.Queue(self._settings.batch_frames)
        self._scored: asyncio.Queue[Job] = asyncio.Queue(self._settings.batch_frames)
        self._slow: asyncio.Queue[Job] = asyncio.Queue(self._settings.batch_frames)
        self._shaper = Shaper(settings.rate, prefilter, settings.codec)
        self._frame_s = _FIRST_GUESS_S
        self.waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """Frames that wait to be opened."""
        return self._waiting.qsize()

    def queues(self) -> dict[str, int]:
        """Frames per queue."""
        return {
            "waiting": self._waiting.qsize(),
            "opened": self._opened.qsize(),
            "scored": self._scored.qsize(),
            "slow": self._slow.qsize(),
            "in_work": self._memory.in_work,
        }

    def budgets(self) -> dict[str, dict[str, float | None]]:
        """How the cameras with budgets fared."""
        return self._shaper.accounts()

    def expected_wait_s(self) -> float:
        """Seconds until there may be room, judged by the latest frames."""
        ahead = max(1, self._memory.in_work) / self._settings.threads
        return round(min(30.0, max(0.1, ahead * self._frame_s)), 3)

    def put(self, job: Job) -> None:
        """Takes a frame over; there must be room."""
        self._waiting.put_nowait(job)
        self.waiting_bytes += job.payload_bytes

    def start(self) -> list[asyncio.Task[None]]:
        """Starts the workers, and returns them."""
        self._threads = ThreadPoolExecutor(self._settings.threads, "stage")
        # One call at a time; it has threads of its own inside.
        self._encoder = ThreadPoolExecutor(1, "encoder")
        self._slow_lane = ThreadPoolExecutor(1, "slow")
        pairs = range(self._settings.threads)
        return [
            *(asyncio.create_task(self._open_frames(), name=f"open-{i}") for i in pairs),
            asyncio.create_task(self._score_frames(), name="score"),
            *(
                asyncio.create_task(
                    self._finish_frames(self._scored, self._threads), name=f"finish-{i}"
                )
                for i in pairs
            ),
            asyncio.create_task(self._finish_frames(self._slow, self._slow_lane), name="slow"),
        ]

    def stop(self) -> None:
        """Lets the threads end when they are done with what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._encoder.shutdown(wait=False, cancel_futures=True)
        self._slow_lane.shutdown(wait=False, cancel_futures=True)

    async def _open_frames(self) -> None:
        while True:
            job = await self._waiting.get()
            self.waiting_bytes -= job.payload_bytes
            job.timings_ms["wait"] = _since_ms(job.received)
            if await self._attempt(job, self._threads, self._open) is not None:
                if job.plan is None:
                    await self._pass_on(job)
                elif job.slow and self._slow.full():
                    self._fail(job, self._lane_full(job))
                else:
                    await self._opened.put(job)

    async def _score_frames(self) -> None:
        while True:
            batch = [await self._opened.get()]
            # Whoever waits comes along; nobody is waited for.
            while len(batch) < self._settings.batch_frames and not self._opened.empty():
                batch.append(self._opened.get_nowait())
            for job in await self._score(batch):
                await self._pass_on(job)

    async def _pass_on(self, job: Job) -> None:
        """To the last stage, by the lane that is the frame's."""
        if not job.slow:
            await self._scored.put(job)
        elif self._slow.full():
            self._fail(job, self._lane_full(job))
        else:
            self._slow.put_nowait(job)

    async def _finish_frames(self, queue: asyncio.Queue[Job], executor: Executor) -> None:
        while True:
            job = await queue.get()
            made = await self._attempt(job, executor, self._finish)
            if made is None:
                continue
            facts, envelope, spare = made
            delivery = self._uplink.submit(job.key, envelope, spare)
            self._memory.succeed(job.key, Outcome(facts, envelope, delivery))
            self._account(job, facts, envelope)

    async def _attempt(
        self, job: Job, executor: Executor, work: Callable[[Job], Made]
    ) -> Made | None:
        """Does one stage of one frame in a thread; `None` if that was the end of the frame."""
        try:
            job.check_deadline()
            return await asyncio.get_running_loop().run_in_executor(executor, work, job)
        except Exception as mistake:
            self._fail(job, mistake)
            return None

    async def _score(self, batch: list[Job]) -> list[Job]:
        """Scores the frames of a batch; those that failed are left out."""
        alive: list[tuple[Job, Plan]] = []
        for job in batch:
            try:
                job.check_deadline()
            except EdgeError as late:
                self._fail(job, late)
                continue
            assert job.plan is not None
            alive.append((job, job.plan))
        if not alive:
            return []
        plans = [plan for _, plan in alive]
        loop = asyncio.get_running_loop()
        try:
            scores = await loop.run_in_executor(self._encoder, self._prefilter.score, plans)
        except Exception as mistake:
            if len(alive) == 1:
                self._fail(alive[0][0], mistake)
                return []
            # One of them is to blame: each on its own, so that it costs that one only.
            return [job for one, _ in alive for job in await self._score([one])]
        self._counters["batches"] += 1
        self._counters["batched_frames"] += len(alive)
        for (job, _), score in zip(alive, scores, strict=True):
            job.scores = score
        return [job for job, _ in alive]

    def _open(self, job: Job) -> Job:
        """In a thread: payload to pixels, and what the encoder needs of them."""
        begun = time.monotonic()
        raw = job.header.raw
        if raw is None:
            picture = open_picture(job.payload, self._limits)
        else:
            picture = from_raw(job.payload, tuple(raw.shape), raw.dtype, self._limits)
        job.payload, job.pixels = b"", picture.pixels
        height, width = picture.pixels.shape[:2]
        job.slow = job.codec.expected_encode_s(width, height) > SLOW_S
        job.timings_ms["open"] = _since_ms(begun)
        if job.header.mode == "prefilter":
            settings = self._prefilter.settings
            if job.header.allocation is not None:
                settings = settings.model_copy(update={"allocation": job.header.allocation})
            job.plan = self._prefilter.plan(
                picture.pixels,
                job.header.prompts,
                settings,
                takes_map=job.codec.takes_map(),
                link_idle=self._uplink.idle and not self._shaper.has_budget(job.header),
            )
        elif self._prefilter.settings.mask:
            # A mask is the operator's word: no client can ask for the picture without it.
            job.plan = self._prefilter.plan(picture.pixels, ())
        return job

    def _finish(self, job: Job) -> tuple[dict[str, object], bytes, bytes | None]:
        """In a thread: smoothed, encoded, sealed; and a spare in a codec that is exact anywhere."""
        shaped, packed = self._shaper.shape(job, lambda made: pack_envelope(sealed(job, made)))
        spare = None
        if not (job.codec.exact_everywhere or shaped.semantic):
            spare = self._shaper.respare(job, shaped, lambda made: pack_envelope(sealed(job, made)))
        height, width = job.pixels.shape[:2] if job.pixels is not None else (0, 0)
        facts: dict[str, object] = {
            **shared_facts(job, shaped),
            "width": width,
            "height": height,
            "coded_width": None if shaped.semantic else shaped.width,
            "coded_height": None if shaped.semantic else shaped.height,
            "encodes": shaped.encodes,
            "budget_bytes": shaped.budget_bytes,
            "bitstream_bytes": len(shaped.bitstream),
            "bitstream_sha256": hashlib.sha256(shaped.bitstream).hexdigest(),
            "envelope_bytes": len(packed),
            "report": None if shaped.report is None else shaped.report.to_dict(),
        }
        return facts, packed, spare

    def _lane_full(self, job: Job) -> BusyError:
        return BusyError(
            f"as many pictures as may are waiting for a slow codec already ({job.codec.codec_id})",
            value=self._slow.qsize(),
            remedy="send the frame again later, or in a faster codec",
            retry_after_s=SLOW_S,
        )

    def _fail(self, job: Job, mistake: Exception) -> None:
        self._uplink.release()
        if isinstance(mistake, EdgeError):
            error = mistake
        else:
            _log.error("event=defect client=%s sequence=%d", *job.key, exc_info=mistake)
            error = InternalError(
                "the daemon failed on this frame",
                value=Verbatim(type(mistake).__name__),
                remedy="report it with the daemon's log; other frames are not affected",
            )
        self._counters["frames_failed"] += 1
        self._memory.fail(job.key, error)

    def _account(self, job: Job, facts: Mapping[str, object], envelope: bytes) -> None:
        spent_s = (_since_ms(job.received) - job.timings_ms["wait"]) / 1000
        self._frame_s += _NEWEST_WEIGHT * (spent_s - self._frame_s)
        self._counters["frames_done"] += 1
        self._counters["envelope_bytes"] += len(envelope)
        self._counters["encodes"] += int(str(facts["encodes"]))
        _log.info(
            "event=frame client=%s sequence=%d mode=%s codec=%s source_bytes=%d envelope_bytes=%d "
            "budget_bytes=%s encodes=%s ms=%.0f",
            *job.key,
            facts["mode"],
            job.codec.codec_id,
            job.payload_bytes,
            len(envelope),
            facts["budget_bytes"] or "none",
            facts["encodes"],
            _since_ms(job.received),
        )


def _since_ms(moment: float) -> float:
    return 1000 * (time.monotonic() - moment)
