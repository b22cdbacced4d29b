"""Connections to NATS servers, one after another, each by a fresh client.

nats-py could reconnect by itself. It is told not to, for three reasons:

1. Some errors that a server reports (a login that ran out, a message too large) end its client for
   good, whatever was said about reconnecting. So there has to be a loop around it anyway.
2. What it buffers without a connection is sent beside what `Uplink` sends again.
3. A `tls://` address falls back to plain text if the server asks for no TLS; a password would leave
   in the clear. Here such a connection ends before anything secret is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from edge_daemon.settings import NatsSettings
from edge_daemon.uplink.transports.backoff import BackOff
from edge_daemon.uplink.transports.nats_access import access_of, redacted

_log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 15.0
"""Longest pause between attempts, in seconds."""

GOOD_AFTER_S = 10.0
"""Seconds that something must have worked before pauses begin anew."""

_CONNECT_S = 5
# A ping queues behind what is being sent: on a slow line, a large envelope takes a minute.
_PING_S = 20
_UNANSWERED_PINGS = 2
_CLOSE_S = 2.0
_LOOK_S = 1.0

_Result = TypeVar("_Result")


async def end(*tasks: asyncio.Task[Any], again_s: float = 1.0) -> None:
    """Cancels tasks until they have ended; what they ended with is left in them.

    Once is not enough: nats-py swallows a cancellation while it flushes.

    Args:
        *tasks: To end.
        again_s: Seconds after which those that have not ended are cancelled again.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_s)


async def first_of(*waits: Awaitable[Any], timeout_s: float | None = None) -> None:
    """Waits until the first of them is done, or for so many seconds; then cancels the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


class _Client(Client):
    """nats-py's client, which here never falls back to plain text, and always closes to the end."""

    def __init__(self, *, wants_tls: bool) -> None:
        super().__init__()
        self._wants_tls = wants_tls

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # The last moment before the login is sent.
        if initial_connection and self._wants_tls and not info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        await super()._process_info(info, initial_connection)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        try:
            await super()._close(status, do_cbs)
        except OSError:
            # What could not be written to a broken socket ended it half-way, with subscriptions
            # left behind that wait for ever.
            self._pending, self._pending_data_size = [], 0
            self._status = Client.DISCONNECTED
            await super()._close(status, do_cbs)


class Connection:
    """One connection, until it ends.

    Attributes:
        client: Of nats-py.
        js: JetStream through it.
        server: For people.
    """

    def __init__(self, client: Client, server: str, ended: asyncio.Event) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream()
        self.server = redacted(server)
        self._ended = ended

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.client.is_connected

    async def lost(self) -> None:
        """Waits until it has ended."""
        # It calls back, unless its socket hangs while it closes.
        while self.alive:
            await first_of(self._ended.wait(), timeout_s=_LOOK_S)

    async def run(self, call: Coroutine[Any, Any, _Result]) -> _Result:
        """What a call through this connection returns; it does not outlive the connection.

        Raises:
            nats.errors.ConnectionClosedError: The connection ended before the call did.
        """
        running, lost = asyncio.create_task(call), asyncio.create_task(self.lost())
        try:
            await asyncio.wait({running, lost}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                raise nats.errors.ConnectionClosedError
            return running.result()
        finally:
            running.cancel()
            lost.cancel()

    async def close(self) -> None:
        """Ends it, and does not wait long for a server that is silent."""
        closing = asyncio.create_task(_close(self.client))
        await asyncio.wait({closing}, timeout=_CLOSE_S)
        closing.cancel()


async def _close(client: Client) -> None:
    # Nothing is waited for any more; a socket that fails while it is closed is closed as well.
    with contextlib.suppress(Exception):
        await client.close()


class Connector:
    """Makes connections, trying the servers in their order, and pauses longer and longer.

    Args:
        settings: `servers`, `credentials` and `tls_ca` are used.
        name: What the server calls us in its own reports.

    Raises:
        SettingsError: As `access_of`.
    """

    def __init__(self, settings: NatsSettings, name: str) -> None:
        self._access = access_of(settings)
        self._name = name
        self._made = 0
        self._back_off = BackOff(LONGEST_PAUSE_S, GOOD_AFTER_S)

    @property
    def servers(self) -> list[str]:
        """For people: all servers, the best first."""
        return [redacted(server) for server in self._access.servers]

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self._made - 1)

    async def connect(self) -> Connection:
        """Tries until there is a connection; the one before must have ended."""
        if self._made:
            self._back_off.failed(time.monotonic())
            await asyncio.sleep(self._back_off.pause_s())
        while True:
            for server in self._access.servers:
                connection = await self._try(server)
                if connection is not None:
                    self._made += 1
                    self._back_off.works(time.monotonic())
                    return connection
            await asyncio.sleep(self._back_off.pause_s())

    async def _try(self, server: str) -> Connection | None:
        ended = asyncio.Event()
        heard: list[Exception] = []

        async def on_closed() -> None:
            ended.set()

        async def on_error(error: Exception) -> None:
            heard[:] = [error]
            _log.info("event=nats_error server=%s error=%r", redacted(server), _worded(error))

        client = _Client(wants_tls=self._access.wants_tls(server))
        try:
            await client.connect(
                servers=[server],
                name=self._name,
                error_cb=on_error,
                closed_cb=on_closed,
                allow_reconnect=False,
                connect_timeout=_CONNECT_S,
                # Nought would mean for ever.
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                ping_interval=_PING_S,
                max_outstanding_pings=_UNANSWERED_PINGS,
                tls=self._access.tls,
                user_credentials=self._access.credentials,
                nkeys_seed=self._access.seed,
            )
        except asyncio.CancelledError:
            await _close(client)
            raise
        except Exception as mistake:
            # nats-py lets through whatever a bad seed or a strange server provokes.
            reason = _worded(heard[-1] if heard else mistake)
            _log.warning("event=connect_failed server=%s error=%r", redacted(server), reason)
            await _close(client)
            return None
        return Connection(client, server, ended)


def _worded(error: Exception) -> str:
    return redacted(str(error) or type(error).__name__)
