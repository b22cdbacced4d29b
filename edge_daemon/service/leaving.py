"""The end of a frame: to the uplink when its turn has come, or its error to whoever asked."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Protocol

from edge_daemon.errors import DeadlineError, DroppedError, EdgeError, InternalError, Verbatim
from edge_daemon.service.job import Finished, Job, Outcome
from edge_daemon.service.memory import Memory
from edge_daemon.service.observing import Observer
from edge_daemon.service.order import Turnstile
from edge_daemon.service.waiting import WaitingRoom
from edge_daemon.uplink import Delivery
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_TURNS_TO_ANSWER = 2
"""Turns of the event loop after which who waited for an outcome has had it: the answer is sent, and
accounts, which take as long as writing it, do not hold it up."""


class WayOut(Protocol):
    """Of the uplink, what the stages and admission use. Every place is reserved first."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the link."""
        ...

    @property
    def durable(self) -> bool:
        """Whether what is submitted survives this process."""
        ...

    @property
    def cloud_answers(self) -> bool:
        """Whether a delivery is the cloud's own word."""
        ...

    def reserve(self, client: str) -> None:
        """Keeps a place for one envelope; raises `BusyError` or `SpoolFullError`."""
        ...

    def release(self) -> None:
        """Gives back a place that was not used."""
        ...

    async def submit(self, key: Key, envelope: bytes, spare: bytes | None = None) -> Delivery:
        """Takes an envelope over, as durably as the uplink does.

        The place is used up, whether this returns or raises an `EdgeError`.
        """
        ...


class Leaving:
    """Lets frames out in the order of their clients' tickets, and ends those that fail.

    Each client's frames are submitted one after another, by a task that lives as long as there are
    any whose turn it is; different clients' at the same time.
    """

    def __init__(
        self,
        room: WaitingRoom,
        memory: Memory,
        uplink: WayOut,
        counters: Counter[str],
        observer: Observer,
    ) -> None:
        self._room = room
        self._memory = memory
        self._uplink = uplink
        self._counters = counters
        self._observer = observer
        self._turnstile: Turnstile[Finished] = Turnstile()
        self._out: dict[str, asyncio.Task[None]] = {}

    @property
    def held(self) -> int:
        """Frames that are done and have not left."""
        return self._turnstile.held

    def enter(self, job: Job) -> None:
        """A frame was let in, after all of its client's that were let in before."""
        job.ticket = self._turnstile.enter(job.header.client)

    def finished(self, done: Finished) -> None:
        """The stages are done with a frame; it leaves when its turn comes."""
        client = done.job.header.client
        if not self._turnstile.lay_down(client, done.job.ticket, done):
            self._room.set_aside(done.job)
        self._let_out(client)

    def failed(self, job: Job, mistake: Exception) -> None:
        """A frame that was begun failed; those of its client behind it move up at once."""
        if isinstance(mistake, DeadlineError):
            self._observer.dropped("deadline", job.header.client)
        self._turnstile.give_way(job.header.client, job.ticket)
        self._uplink.release()
        self._end(job, mistake)
        self._let_out(job.header.client)

    def replaced(self, job: Job) -> None:
        """A frame was replaced before it was begun; its place on the uplink is its successor's."""
        self._counters["frames_replaced"] += 1
        self._observer.dropped("replaced", job.header.client)
        self._turnstile.give_way(job.header.client, job.ticket)
        error = DroppedError(
            "replaced by a newer frame before it was begun",
            value=Verbatim(f"{job.header.client} {job.header.sequence}"),
            remedy="nothing; the rules of this camera keep its latest frame only",
        )
        self._memory.fail(job.key, error)

    def stop(self) -> None:
        """Lets nothing more out."""
        for task in self._out.values():
            task.cancel()

    def _let_out(self, client: str) -> None:
        if client not in self._out:
            first = self._turnstile.take_up(client)
            if first is not None:
                task = asyncio.create_task(self._submit_all(client, first), name=f"out-{client}")
                self._out[client] = task

    async def _submit_all(self, client: str, first: Finished) -> None:
        done: Finished | None = first
        try:
            while done is not None:
                try:
                    await self._submit(done)
                except Exception:
                    _log.exception("event=defect client=%s sequence=%d", *done.job.key)
                done = self._turnstile.take_up(client)
        finally:
            del self._out[client]

    async def _submit(self, done: Finished) -> None:
        job, begun = done.job, time.monotonic()
        if done.unchanged:
            self._keep_quiet(done)
            return
        try:
            delivery = await self._uplink.submit(job.key, done.envelope, done.spare)
        except Exception as mistake:
            self._end(job, mistake)
            return
        # First of all the answer: whatever goes wrong behind it does not hold it up.
        outcome = Outcome(done.facts, done.envelope, delivery, self._uplink.durable)
        self._memory.succeed(job.key, outcome)
        spent_s = time.monotonic() - begun
        job.service_s += spent_s
        self._room.left(job, "done")
        if done.sent is not None:
            done.sent()
        try:
            for _ in range(_TURNS_TO_ANSWER):
                await asyncio.sleep(0)
        finally:
            self._tell(done, spent_s)

    def _tell(self, done: Finished, spent_s: float) -> None:
        self._observer.observe("submit", spent_s)
        for stage, spent_ms in done.facts["timings_ms"].items():
            self._observer.observe(stage, spent_ms / 1000)
        self._account(done)

    def _keep_quiet(self, done: Finished) -> None:
        """A frame of which nothing is sent, so that there is no delivery to wait for."""
        job = done.job
        self._uplink.release()
        delivery: Delivery = asyncio.get_running_loop().create_future()
        delivery.set_result(None)
        self._room.left(job, "done")
        self._counters["frames_unchanged"] += 1
        self._observer.dropped("unchanged", job.header.client)
        self._memory.succeed(job.key, Outcome(done.facts, b"", delivery))
        _log.info(
            "event=frame client=%s sequence=%d mode=unchanged changed_share=%.4f",
            *job.key,
            done.facts["report"]["changed_share"],
        )

    def _end(self, job: Job, mistake: Exception) -> None:
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
        self._room.left(job, "late" if isinstance(mistake, DeadlineError) else "failed")
        self._memory.fail(job.key, error)

    def _account(self, done: Finished) -> None:
        job, facts = done.job, done.facts
        spent_s = time.monotonic() - job.received
        self._counters["frames_done"] += 1
        self._counters["envelope_bytes"] += len(done.envelope)
        self._counters["encodes"] += int(facts["encodes"])
        self._observer.frame(
            job.header.client,
            mode=facts["mode"],
            codec=facts["codec"]["id"],
            source_bytes=job.payload_bytes,
            envelope_bytes=len(done.envelope),
            seconds=spent_s,
        )
        _log.info(
            "event=frame client=%s sequence=%d mode=%s codec=%s source_bytes=%d envelope_bytes=%d "
            "budget_bytes=%s encodes=%s ms=%.0f",
            *job.key,
            facts["mode"],
            facts["codec"]["id"],
            job.payload_bytes,
            len(done.envelope),
            facts["budget_bytes"] or "none",
            facts["encodes"],
            1000 * spent_s,
        )
