"""A worker of the cloud that takes envelopes from a JetStream stream. Any number of them share it.

What an envelope that the stream has stored can count on:

1. It is in at least one worker's log. A worker acknowledges it after picture and log line are on
   the disk, and waits for the server's word that it knows (a double ack). Until then it comes
   again, here or elsewhere, after `ack_wait_s` of silence; who decodes long says so meanwhile.
2. It is in exactly one log, as long as
   a. a worker that dies between the log line and the note that the claim is done comes back with
      its directory before another takes its claim over, which is after three times `ack_wait_s`
      (it then finds the frame in its log and settles the claim), and
   b. no worker is cut off from the server for so long while it goes on keeping an envelope, and
   c. a repeat comes within the stream's duplicate window, or to the worker that has it in its log.
   Otherwise it may be in two. In the cases a and b the log then says so (`event=claim_taken_over`
   of one worker, `event=kept_twice` of the other, if it lives), and the line that counts is that of
   the worker in the claim. Dying at any other moment, and dying for ever, costs nothing but time.
3. What can never be kept is set aside in `refused/` with the reason, and not delivered again.

Order: one worker keeps each client's envelopes in the order in which the stream gives them out.
Across workers a frame may be logged after later ones of its client: no more than 256
(`max_ack_pending`) of the stream are out at a time, except that one which is delivered again comes
when it comes. The log's sequence numbers tell the order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from edge_daemon.cloud.keeping import Keeper
from edge_daemon.cloud.nats_claims import Claims, last_logged, worker_of
from edge_daemon.cloud.nats_handling import TROUBLES, Handler, Line
from edge_daemon.codecs import close_codecs, configure_codecs
from edge_daemon.errors import SettingsError
from edge_daemon.lifecycle import EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.settings import Settings
from edge_daemon.uplink.transports.nats_access import redacted
from edge_daemon.uplink.transports.nats_session import (
    Connection,
    Connector,
    end,
    first_of,
)
from edge_daemon.uplink.transports.nats_stream import find_stream

_log = logging.getLogger(__name__)

MAX_ACK_PENDING = 256
"""Envelopes that may be out with all workers together."""

_FETCH_S = 1.0
_IN_WORK_PER_THREAD = 2


def run_worker(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Runs a worker until SIGTERM or SIGINT.

    Args:
        settings: `cloud` and `limits` are used.
        ready: Called with the server's URL once envelopes are taken for the first time.

    Returns:
        The process's exit code: 0, or 1 for a defect.

    Raises:
        SettingsError: A URL is malformed, or a file of credentials or authorities unusable.
        StorageError: The directory cannot be used.
    """
    configure_codecs(settings)
    return asyncio.run(NatsWorker(settings).serve(ready))


class NatsWorker:
    """Takes envelopes from the stream, has them kept, and acknowledges them.

    Args:
        settings: `cloud` and `limits` are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._all = settings
        self._settings = settings.cloud
        self._directory = Path(settings.cloud.directory)
        self._most_in_work = _IN_WORK_PER_THREAD * settings.cloud.threads
        self._works: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._ready: Callable[[str], None] | None = None
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        self._ready = ready
        self.startup()
        whole = await self.main_loop()
        await self.shutdown()
        return EXIT_CLEAN if whole else EXIT_DEFECT

    def startup(self) -> None:
        """Opens the store and begins to connect."""
        self._connector = Connector(self._settings.nats, "edge-daemon-cloud")
        self._keeper = Keeper(self._all)
        try:
            worker = worker_of(self._directory)
        except BaseException:
            self._keeper.close()
            raise
        self._claims = Claims(worker)
        self._line = Line()
        self._threads = ThreadPoolExecutor(self._settings.threads, "cloud")
        self._handler = Handler(
            self._directory, self._keeper, self._claims, self._line, self._threads
        )
        self._task = asyncio.create_task(self._attend(), name="cloud-nats")
        _log.info("event=worker worker=%s directory=%s", worker, self._directory)

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if it could not go on."""
        return await self.stop.wait_beside(self._task)

    async def shutdown(self) -> None:
        """Finishes and acknowledges what is in work, and takes nothing new."""
        self._stopping.set()
        self._line.leave()
        if self._works:
            await asyncio.wait(self._works)
        await asyncio.wait({self._task}, timeout=2 * _FETCH_S)
        await end(self._task)
        self._threads.shutdown()
        close_codecs()
        self._keeper.close()
        _log.info("event=stopped")

    async def _attend(self) -> None:
        """Works on one connection after another."""
        while not self._stopping.is_set():
            connection = await self._connector.connect()
            try:
                await self._use(connection)
            except (*TROUBLES, SettingsError) as mistake:
                reason = redacted(str(mistake) or type(mistake).__name__)
                _log.warning("event=link_down server=%s error=%r", connection.server, reason)
            finally:
                self._line.use(None)
                await connection.close()

    async def _use(self, connection: Connection) -> None:
        """Takes envelopes until the connection ends, or a stop is asked for and all is settled."""
        settings = self._settings.nats
        stream = await find_stream(connection.js, settings)
        subscription = await connection.js.pull_subscribe(
            f"{settings.subject}.*",
            durable=settings.consumer,
            stream=settings.stream,
            config=api.ConsumerConfig(
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=settings.ack_wait_s,
                max_ack_pending=MAX_ACK_PENDING,
            ),
        )
        ack_wait_s = await self._ack_wait_s(subscription)
        await self._claims.open(connection.js, stream, ack_wait_s)
        # Before anybody else loses patience with them. Anything older was settled in its time.
        await self._claims.settle(last_logged(self._directory, self._most_in_work))
        self._line.use(connection)
        self._announce(connection)
        lost = asyncio.create_task(connection.lost())
        heart = asyncio.create_task(self._beat(ack_wait_s))
        try:
            await self._take(connection, subscription, lost)
            if self._works and connection.alive:
                await first_of(lost, asyncio.wait(self._works))
        finally:
            lost.cancel()
            heart.cancel()

    async def _take(
        self,
        connection: Connection,
        subscription: JetStreamContext.PullSubscription,
        lost: asyncio.Task[None],
    ) -> None:
        """Fetches while there is room, until the connection ends or a stop is asked for."""
        swept = False
        while connection.alive and not self._stopping.is_set():
            if len(self._works) >= self._most_in_work:
                await asyncio.wait({lost, *self._works}, return_when=asyncio.FIRST_COMPLETED)
                continue
            message = await _next(subscription)
            if message is None:
                # A consumer that was deleted answers a fetch like one that has nothing.
                consumer = await subscription.consumer_info()
                swept = swept or await self._sweep(connection, consumer)
            elif self._stopping.is_set():
                await self._handler.decline(message)
            else:
                self._begin(message)

    async def _sweep(self, connection: Connection, consumer: api.ConsumerInfo) -> bool:
        """Deletes what is acknowledged and still there; `False`: not yet, there is work to do.

        A server that dies between an acknowledgement and the deletion that follows from it never
        deletes that envelope. Nobody would get it again, but it would take up room for ever.
        """
        if consumer.num_pending or consumer.num_ack_pending:
            return False
        acknowledged = 0 if consumer.ack_floor is None else consumer.ack_floor.stream_seq
        if not acknowledged:
            # To the server, "up to the first" means "all", also what comes at this moment.
            return True
        try:
            await connection.js.purge_stream(
                self._settings.nats.stream,
                seq=acknowledged + 1,
                subject=f"{self._settings.nats.subject}.*",
            )
        except TROUBLES as mistake:
            _log.info("event=not_swept error=%r", redacted(str(mistake)))
        return True

    def _begin(self, message: Msg) -> None:
        work = asyncio.create_task(self._handler.handle(message))
        self._works.add(work)
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._works.discard(work)
        if not work.cancelled() and (mistake := work.exception()) is not None:
            _log.critical("event=defect task=handle", exc_info=mistake)

    async def _beat(self, ack_wait_s: float) -> None:
        """Says every now and then that what is in work is still being worked on."""
        while True:
            await asyncio.sleep(ack_wait_s / 3)
            with contextlib.suppress(*TROUBLES):
                await self._handler.encourage()

    async def _ack_wait_s(self, subscription: JetStreamContext.PullSubscription) -> float:
        """The consumer's own, which whoever made it first has chosen for all."""
        wanted_s = self._settings.nats.ack_wait_s
        ack_wait_s = float((await subscription.consumer_info()).config.ack_wait or wanted_s)
        if abs(ack_wait_s - wanted_s) > 1e-6:
            _log.warning(
                "event=other_ack_wait consumer_s=%g settings_s=%g remedy=%r",
                ack_wait_s,
                wanted_s,
                "delete the consumer, and a worker makes it anew",
            )
        return ack_wait_s

    def _announce(self, connection: Connection) -> None:
        _log.info(
            "event=ready transport=nats bind=%s stream=%s consumer=%s directory=%s remembered=%d",
            connection.server,
            self._settings.nats.stream,
            self._settings.nats.consumer,
            self._directory,
            self._keeper.remembered,
        )
        if self._ready is not None:
            self._ready(connection.server)
            self._ready = None


async def _next(subscription: JetStreamContext.PullSubscription) -> Msg | None:
    """The next message, or `None` if none came for a while.

    One at a time, since some servers hold back part of a batch until the rest has come.

    Raises:
        nats.errors.Error: The server is gone.
    """
    try:
        return (await subscription.fetch(1, timeout=_FETCH_S))[0]
    except (nats.errors.TimeoutError, asyncio.TimeoutError):
        return None
