"""The receiver's process: a ROUTER, and a few threads that decode and write."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import zmq.asyncio
from pydantic import BaseModel

from edge_daemon.cloud.credit import Credit
from edge_daemon.cloud.keeping import Keeper
from edge_daemon.cloud.order import Order
from edge_daemon.codecs import close_codecs, configure_codecs
from edge_daemon.errors import (
    BusyError,
    EdgeError,
    EscalateError,
    InternalError,
    Verbatim,
)
from edge_daemon.keys import ServerKeys
from edge_daemon.lifecycle import EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.settings import Settings
from edge_daemon.systemd import Notifier, Watchdog, watchdog_period_s
from edge_daemon.wire import (
    UPLINK_REQUESTS,
    AckHeader,
    Address,
    EnvelopeNotice,
    Key,
    PongHeader,
    error_header,
    glimpse_address,
    pack,
    read_request,
)
from edge_daemon.wire.router import bind_router, receive, send_to, sender_of

_log = logging.getLogger(__name__)

_MOST_IN_WORK = 64

_Copy = tuple[str, int, bool, bytes]
"""Client, sequence, `insist` and the envelope: what comes twice is answered once."""


def run_receiver(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Runs a receiver until SIGTERM or SIGINT.

    Args:
        settings: `cloud` and `limits` are used.
        ready: Called with the bound endpoint once envelopes are taken.

    Returns:
        The process's exit code: 0, or 1 for a defect.

    Raises:
        SettingsError: The endpoint is malformed, or open to the network without permission.
        BindError: The endpoint cannot be listened on.
        KeysError: The keys are missing, malformed, or open to other users.
        StorageError: The directory cannot be used.
    """
    configure_codecs(settings)
    return asyncio.run(Receiver(settings).serve(ready))


class Receiver:
    """Takes envelopes, verifies and decodes them, writes them down, and acknowledges them.

    Args:
        settings: `cloud` and `limits` are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.cloud
        self._limits = settings.limits
        self._all = settings
        # Whom to answer about each envelope in work: a sender that lost its connection comes back
        # with another route, and asks again.
        self._in_work: dict[_Copy, set[bytes]] = {}
        self._credit = Credit(_MOST_IN_WORK)
        self._order = Order()
        self._keys: ServerKeys | None = None
        self._workers: set[asyncio.Task[None]] = set()
        self._notifier = Notifier.from_environment()
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        endpoint = await self.startup()
        self._notifier.ready(f"takes envelopes on {endpoint}")
        if ready is not None:
            ready(endpoint)
        whole = await self.main_loop()
        await self.shutdown()
        return EXIT_CLEAN if whole else EXIT_DEFECT

    async def startup(self) -> str:
        """Opens the store and the socket; returns the endpoint."""
        if self._settings.keys is not None:
            self._keys = ServerKeys.load(self._settings.keys, "edge-cloud")
        self._keeper = Keeper(self._all)
        self._context = zmq.asyncio.Context()
        try:
            self._socket, endpoint = bind_router(
                self._context,
                self._settings.bind,
                allow_insecure=self._settings.allow_insecure_bind,
                max_payload_bytes=self._limits.max_payload_bytes,
                keys=self._keys,
            )
        except EdgeError:
            self._context.term()
            self._keeper.close()
            raise
        self._threads = ThreadPoolExecutor(self._settings.threads, "cloud")
        self._vital = [asyncio.create_task(self._read(), name="cloud-reader")]
        period_s = watchdog_period_s()
        self._watchdog = Watchdog(self._notifier, self._hung, period_s or 1.0)
        if period_s is not None:
            self._vital.append(asyncio.create_task(self._watchdog.run(), name="watchdog"))
        _log.info(
            "event=ready bind=%s directory=%s remembered=%d",
            endpoint,
            self._settings.directory,
            self._keeper.remembered,
        )
        return endpoint

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if it could not go on."""
        return await self.stop.wait_beside(*self._vital)

    async def shutdown(self) -> None:
        """Finishes and acknowledges what is in work, and takes nothing new."""
        self._watchdog.stopping()
        self._notifier.stopping("finishes what is in work")
        for task in self._vital:
            task.cancel()
        await asyncio.gather(*self._vital, *self._workers, return_exceptions=True)
        self._threads.shutdown()
        close_codecs()
        # The acknowledgements just sent still have to leave.
        self._socket.close(linger=1000)
        if self._keys is not None:
            self._keys.close()
        self._context.term()
        self._keeper.close()
        self._notifier.close()
        _log.info("event=stopped")

    async def _read(self) -> None:
        while True:
            incoming = await receive(self._socket)
            route, parts = incoming.route, incoming.parts
            try:
                peer = sender_of(incoming, self._keys)
                header, payload = read_request(
                    parts, UPLINK_REQUESTS, max_header_bytes=self._limits.max_header_bytes
                )
                if isinstance(header, EnvelopeNotice):
                    peer.check_client(header.client)
                    self._credit.sent(route, time.monotonic())
                    self._take(route, header, bytes(payload))
                else:
                    await self._answer(route, PongHeader(credit=self._credit_of(route)))
            except EdgeError as error:
                _log.warning("event=refused error=%r", str(error))
                address = glimpse_address(parts[0] if parts else b"")
                await self._answer(route, error_header(error, address))

    def _take(self, route: bytes, notice: EnvelopeNotice, payload: bytes) -> None:
        key = (notice.client, notice.sequence)
        # A picture must not get the answer of its text, which may still be in work.
        copy = (*key, notice.insist, payload)
        if copy in self._in_work:
            self._in_work[copy].add(route)
            return
        with self._order.watching(key, time.monotonic):
            self._order.check(key, time.monotonic())
            if len(self._in_work) >= _MOST_IN_WORK:
                raise BusyError(
                    "too many envelopes in work",
                    value=len(self._in_work),
                    remedy="send it again later",
                    retry_after_s=1.0,
                )
        self._in_work[copy] = {route}
        worker = asyncio.create_task(self._work(copy))
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, copy: _Copy) -> None:
        client, sequence, insist, payload = copy
        key = (client, sequence)
        answer: BaseModel
        try:
            duplicate = await self._keep(key, payload, insist)
            answer = AckHeader(client=client, sequence=sequence, duplicate=duplicate)
        except EscalateError as error:
            _log.info("event=escalated client=%s sequence=%d reason=%r", *key, error.problem)
            answer = error_header(error, Address(client, sequence))
        except EdgeError as error:
            _log.warning("event=refused client=%s sequence=%d error=%r", *key, str(error))
            answer = error_header(error, Address(client, sequence))
        except Exception as mistake:
            _log.exception("event=defect client=%s sequence=%d", *key)
            answer = error_header(_defect(mistake), Address(client, sequence))
        for route in self._in_work.pop(copy):
            if isinstance(answer, AckHeader):
                answer = answer.model_copy(update={"credit": self._credit_of(route)})
            await self._answer(route, answer)

    async def _keep(self, key: Key, payload: bytes, insist: bool) -> bool:
        """In its turn, in a thread; whether it was here already."""
        before = self._order.line_up(key)
        if before is not None:
            await asyncio.wait({before})
        with self._order.watching(key, time.monotonic):
            self._order.check(key, time.monotonic())
            keep = partial(self._keeper.keep, payload, key, insist=insist)
            return await asyncio.get_running_loop().run_in_executor(self._threads, keep)

    async def _hung(self) -> list[str]:
        """Whether the threads still work: a free one answers; a busy one has not been for long."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, time.monotonic)
        return []

    def _credit_of(self, route: bytes) -> int:
        own = sum(route in routes for routes in self._in_work.values())
        return self._credit.of(route, own, len(self._in_work), time.monotonic())

    async def _answer(self, route: bytes, header: BaseModel) -> None:
        if not await send_to(self._socket, route, pack(header)):
            _log.info("event=sender_gone kind=%s", getattr(header, "kind", ""))


def _defect(mistake: Exception) -> InternalError:
    return InternalError(
        "the receiver failed on this envelope",
        value=Verbatim(type(mistake).__name__),
        remedy="report it with the receiver's log",
    )
