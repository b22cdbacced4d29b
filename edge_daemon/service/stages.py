"""The stages of a frame: open and plan, score, finish; a bounded queue before each.

    waiting -(threads)-> opened -(one encoder call for several frames)-> scored -(threads)-> uplink

A stage that has nowhere to put its result waits, so the queue before it fills, and in the end
admission says busy. What one frame does wrong costs that frame only.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar

from edge_daemon.errors import EdgeError, InternalError, Verbatim
from edge_daemon.pictures import PictureLimits, from_raw, open_picture
from edge_daemon.prefilter import Plan, Prefilter, Report
from edge_daemon.service.job import Job, Outcome
from edge_daemon.service.memory import Memory
from edge_daemon.settings import Settings
from edge_daemon.uplink import Uplink
from edge_daemon.wire import pack_envelope, seal

_log = logging.getLogger(__name__)

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
            "in_work": self._memory.in_work,
        }

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
        pairs = range(self._settings.threads)
        return [
            *(asyncio.create_task(self._open_frames(), name=f"open-{i}") for i in pairs),
            asyncio.create_task(self._score_frames(), name="score"),
            *(asyncio.create_task(self._finish_frames(), name=f"finish-{i}") for i in pairs),
        ]

    def stop(self) -> None:
        """Lets the threads end when they are done with what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._encoder.shutdown(wait=False, cancel_futures=True)

    async def _open_frames(self) -> None:
        while True:
            job = await self._waiting.get()
            self.waiting_bytes -= job.payload_bytes
            job.timings_ms["wait"] = _since_ms(job.received)
            if await self._attempt(job, self._threads, self._open) is not None:
                await (self._scored if job.plan is None else self._opened).put(job)

    async def _score_frames(self) -> None:
        while True:
            batch = [await self._opened.get()]
            # Whoever waits comes along; nobody is waited for.
            while len(batch) < self._settings.batch_frames and not self._opened.empty():
                batch.append(self._opened.get_nowait())
            for job in await self._score(batch):
                await self._scored.put(job)

    async def _finish_frames(self) -> None:
        while True:
            job = await self._scored.get()
            made = await self._attempt(job, self._threads, self._finish)
            if made is None:
                continue
            facts, envelope = made
            self._memory.succeed(
                job.key, Outcome(facts, envelope, self._uplink.submit(job.key, envelope))
            )
            self._account(job, envelope)

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
        job.timings_ms["open"] = _since_ms(begun)
        if job.header.mode == "prefilter":
            job.plan = self._prefilter.plan(picture.pixels, job.header.prompts)
        elif self._prefilter.settings.mask:
            # A mask is the operator's word: no client can ask for the picture without it.
            job.plan = self._prefilter.plan(picture.pixels, ())
        return job

    def _finish(self, job: Job) -> tuple[dict[str, object], bytes]:
        """In a thread: smoothed, encoded, sealed."""
        assert job.pixels is not None
        pixels, report = job.pixels, None
        height, width = pixels.shape[:2]
        if job.plan is not None and job.scores is not None:
            pixels, report = self._prefilter.smooth(pixels, job.plan, job.scores)
            job.timings_ms.update(report.timings_ms)
        begun = time.monotonic()
        bitstream = job.codec.encode(pixels)
        job.timings_ms["codec"] = _since_ms(begun)
        header = job.header
        shared: dict[str, Any] = {
            "client": header.client,
            "sequence": header.sequence,
            "mode": header.mode,
            "codec": job.codec.get_config(),
            "source_bytes": job.payload_bytes,
            "timings_ms": {stage: round(spent, 3) for stage, spent in job.timings_ms.items()},
        }
        resized = pixels.shape[:2] != (height, width)
        envelope = seal(
            bitstream,
            prompts=list(header.prompts),
            width=pixels.shape[1],
            height=pixels.shape[0],
            source_width=width if resized else None,
            source_height=height if resized else None,
            relevance=None if report is None else relevance_summary(report),
            **shared,
        )
        packed = pack_envelope(envelope)
        facts: dict[str, object] = {
            **shared,
            "width": width,
            "height": height,
            "bitstream_bytes": len(bitstream),
            "bitstream_sha256": envelope.header.bitstream_sha256,
            "envelope_bytes": len(packed),
            "report": None if report is None else report.to_dict(),
        }
        return facts, packed

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

    def _account(self, job: Job, envelope: bytes) -> None:
        spent_s = (_since_ms(job.received) - job.timings_ms["wait"]) / 1000
        self._frame_s += _NEWEST_WEIGHT * (spent_s - self._frame_s)
        self._counters["frames_done"] += 1
        self._counters["envelope_bytes"] += len(envelope)
        _log.info(
            "event=frame client=%s sequence=%d mode=%s codec=%s source_bytes=%d envelope_bytes=%d "
            "ms=%.0f",
            *job.key,
            job.header.mode,
            job.codec.codec_id,
            job.payload_bytes,
            len(envelope),
            _since_ms(job.received),
        )


def relevance_summary(report: Report) -> dict[str, Any]:
    """What the cloud is told of the report: every byte of it crosses the uplink.

    Where the prompt's object is (the relevance of each tile), how strongly the rest was smoothed,
    and what to know before believing it.
    """
    facts = report.to_dict()
    return {
        "bundle": facts["bundle"],
        "notice": facts["notice"],
        "notes": facts["notes"],
        "grid": facts["grid"],
        "relevances": [round(tile.relevance, 2) for tile in report.tiles],
        "sigma_px": facts["sigma_px"],
        "kept_share": facts["kept_share"],
        "masked_share": facts["masked_share"],
    }


def _since_ms(moment: float) -> float:
    return 1000 * (time.monotonic() - moment)
