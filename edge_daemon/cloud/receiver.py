"""The receiver's process: a ROUTER, and a few threads that decode and write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import zmq.asyncio
from pydantic import BaseModel

from edge_daemon.cloud.keeping import Keeper
from edge_daemon.codecs import close_codecs, configure_codecs
from edge_daemon.errors import (
    BusyError,
    EdgeError,
    InternalError,
    Verbatim,
)
from edge_daemon.lifecycle import EXIT_CLEAN, EXIT_DEFECT, StopRequest
from edge_daemon.settings import Settings
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
from edge_daemon.wire.router import bind_router, send_to

_log = logging.getLogger(__name__)

_MOST_IN_WORK = 64


def run(settings: Settings, *, ready: Callable[[str], None] | None = None) -> int:
    """Runs a receiver until SIGTERM or SIGINT.

    Args:
        settings: `cloud` and `limits` are used.
        ready: Called with the bound endpoint once envelopes are taken.

    Returns:
        The process's exit code: 0, or 1 for a defect.

    Raises:
        SettingsError: The endpoint is malformed, or open to the network without permission.
        BindError: The endpoint cannot be listened on.
        StorageError: The directory cannot be used.
    """
    configure_codecs(settings)
    return asyncio.run(Receiver(settings).serve(ready))


class Receiver:
    """Takes envelopes, verifies and decodes them, writes them down, and acknowledges them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.cloud
        self._limits = settings.limits
        self._all = settings
        # Whom to answer about each envelope in work: a sender that lost its connection comes back
        # with another route, and asks again.
        self._in_work: dict[Key, set[bytes]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self.stop = StopRequest()

    async def serve(self, ready: Callable[[str], None] | None = None) -> int:
        """Starts up, works until asked to stop, and shuts down."""
        self.stop.on_signals()
        endpoint = await self.startup()
        if ready is not None:
            ready(endpoint)
        whole = await self.main_loop()
        await self.shutdown()
        return EXIT_CLEAN if whole else EXIT_DEFECT

    async def startup(self) -> str:
        """Opens the store and the socket; returns the endpoint."""
        self._keeper = Keeper(self._all)
        self._context = zmq.asyncio.Context()
        try:
            self._socket, endpoint = bind_router(
                self._context,
                self._settings.bind,
                allow_insecure=self._settings.allow_insecure_bind,
                max_payload_bytes=self._limits.max_payload_bytes,
            )
        except EdgeError:
            self._context.term()
            self._keeper.close()
            raise
        self._threads = ThreadPoolExecutor(self._settings.threads, "cloud")
        self._reader = asyncio.create_task(self._read(), name="cloud-reader")
        _log.info(
            "event=ready bind=%s directory=%s remembered=%d",
            endpoint,
            self._settings.directory,
            self._keeper.remembered,
        )
        return endpoint

    async def main_loop(self) -> bool:
        """Works until asked to stop; False if it could not go on."""
        return await self.stop.wait_beside(self._reader)

    async def shutdown(self) -> None:
        """Finishes and acknowledges what is in work, and takes nothing new."""
        self._reader.cancel()
        await asyncio.gather(self._reader, *self._workers, return_exceptions=True)
        self._threads.shutdown()
        close_codecs()
        # The acknowledgements just sent still have to leave.
        self._socket.close(linger=1000)
        self._context.term()
        self._keeper.close()
        _log.info("event=stopped")

    async def _read(self) -> None:
        while True:
            route, *parts = await self._socket.recv_multipart()
            try:
                header, payload = read_request(
                    parts, UPLINK_REQUESTS, max_header_bytes=self._limits.max_header_bytes
                )
                if isinstance(header, EnvelopeNotice):
                    self._take(route, (header.client, header.sequence), payload)
                else:
                    await self._answer(route, PongHeader())
            except EdgeError as error:
                _log.warning("event=refused error=%r", str(error))
                address = glimpse_address(parts[0] if parts else b"")
                await self._answer(route, error_header(error, address))

    def _take(self, route: bytes, key: Key, payload: bytes) -> None:
        if key in self._in_work:
            self._in_work[key].add(route)
            return
        if len(self._in_work) >= _MOST_IN_WORK:
            raise BusyError(
                "too many envelopes in work",
                value=len(self._in_work),
                remedy="send it again later",
                retry_after_s=1.0,
            )
        self._in_work[key] = {route}
        worker = asyncio.create_task(self._work(key, payload))
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, key: Key, payload: bytes) -> None:
        loop = asyncio.get_running_loop()
        client, sequence = key
        answer: BaseModel
        try:
            duplicate = await loop.run_in_executor(self._threads, self._keeper.keep, payload, key)
            answer = AckHeader(client=client, sequence=sequence, duplicate=duplicate)
        except EdgeError as error:
            _log.warning("event=refused client=%s sequence=%d error=%r", *key, str(error))
            answer = error_header(error, Address(client, sequence))
        except Exception as mistake:
            _log.exception("event=defect client=%s sequence=%d", *key)
            answer = error_header(_defect(mistake), Address(client, sequence))
        for route in self._in_work.pop(key):
            await self._answer(route, answer)

    async def _answer(self, route: bytes, header: BaseModel) -> None:
        if not await send_to(self._socket, route, pack(header)):
            _log.info("event=sender_gone kind=%s", getattr(header, "kind", ""))


def _defect(mistake: Exception) -> InternalError:
    return InternalError(
        "the receiver failed on this envelope",
        value=Verbatim(type(mistake).__name__),
        remedy="report it with the receiver's log",
    )
