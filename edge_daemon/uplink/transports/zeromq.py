"""Over ZeroMQ to one of several clouds, as the uplink part of `PROTOCOL.md` says.

1. There is one connection at a time that envelopes go over. It is given up when the cloud refuses
   it, breaks it, or is silent for three heartbeats; then the next cloud of the list is tried.
2. After the last of the list comes a pause (exponential, full jitter), then the first again.
3. While a lesser cloud is in use, the better ones are asked now and then over a second connection
   that only pings. One that answers steadily is switched to: nothing new is sent, what is under way
   gets a moment to be answered, the link goes down and up, and the rest is sent again.
4. No more envelopes are unanswered than settings and cloud allow (credit). Pongs renew it, so a
   credit of 0 ends by itself.

Every cloud recognises what it has itself. Two clouds with different disks do not know of each
other: if the first has a frame and its ack was lost with the link, the second gets it too, and the
frame is in both logs. Whoever merges them goes by (client, sequence).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import ClassVar

import zmq
import zmq.asyncio

from edge_daemon.errors import EdgeError, SettingsError
from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink.transports.abc import Verdicts
from edge_daemon.uplink.transports.backoff import BackOff
from edge_daemon.uplink.transports.connection import SILENT, Connection, Secure, make_socket
from edge_daemon.uplink.transports.seldom import Seldom
from edge_daemon.wire import AckHeader, AnyReply, ErrorHeader, Key, error_of
from edge_daemon.wire.liveness import SILENT_HEARTBEATS

_log = logging.getLogger(__name__)

_GOOD_HEARTBEATS = 5
_PROBE_HEARTBEATS = 5
_LONGEST_SILENCE_S = 300.0
_LONGEST_RETRY_S = 3600.0
_LONGEST_TEXT = 500


class ZeroMqTransport:
    """The way to the first of several clouds that answers.

    Args:
        settings: `connect`, `in_flight`, `heartbeat_s` and `back_off_max_s` are used.
        secure: Sets the keys of every socket before it connects; `None`: plain.
        draw: A number from 0 to 1, evenly distributed: the jitter.
        clock: A monotonic clock, in seconds.
    """

    cloud_answers: ClassVar[bool] = True

    def __init__(
        self,
        settings: UplinkSettings,
        *,
        secure: Secure | None = None,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._secure = secure
        self._draw = draw
        self._clock = clock
        self._back_off = BackOff(
            settings.back_off_max_s, _GOOD_HEARTBEATS * settings.heartbeat_s, draw=draw
        )
        self._connections: set[Connection] = set()
        self._current: Connection | None = None
        self._up = self._holding = self._wanted = False
        self._patience = 1.0
        self._ups = 0
        self._told: dict[str, str] = {}
        self._errors = Seldom()

    @property
    def task(self) -> asyncio.Task[None]:
        """The task that keeps a connection up."""
        return self._task

    def describe(self) -> dict[str, str | int | None]:
        """For people: the cloud in use, the others, and how often the link came back."""
        peer = self._current.endpoint if self._up and self._current else None
        others = [endpoint for endpoint in self._settings.connect if endpoint != peer]
        return {
            "kind": "zeromq",
            "peer": peer,
            "others": " ".join(others) or None,
            "reconnects": max(0, self._ups - 1),
            "credit": self._current.credit if self._up and self._current else None,
        }

    async def open(self, verdicts: Verdicts) -> None:
        """Begins to connect.

        Raises:
            SettingsError: An endpoint is malformed.
            KeysError: From `secure`.
        """
        self._verdicts = verdicts
        self._context = zmq.asyncio.Context()
        try:
            self._try_endpoints()
        except EdgeError:
            self._context.destroy(linger=0)
            raise
        self._task = asyncio.create_task(self._run(), name="uplink-zeromq")

    async def send(self, key: Key, envelope: bytes, *, insist: bool = False) -> bool:
        """Sends an envelope, if there is a cloud that has credit left for it."""
        current = self._current if self._up and not self._holding else None
        sent = current is not None and await current.send(key, envelope, insist=insist)
        self._wanted = not sent
        return sent

    async def close(self) -> None:
        """Ends all connections."""
        # Nothing that is still heard counts.
        self._up, self._current = False, None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for connection in list(self._connections):
            await self._end(connection)
        self._context.destroy(linger=0)

    def _try_endpoints(self) -> None:
        for endpoint in self._settings.connect:
            socket = make_socket(self._context, endpoint, self._secure)
            try:
                socket.connect(endpoint)
            except zmq.ZMQError as mistake:
                raise SettingsError(
                    f"not an endpoint to connect to: {mistake}",
                    value=endpoint,
                    remedy="write tcp://ADDRESS:PORT or ipc:///PATH (uplink.connect)",
                ) from None
            finally:
                socket.close(linger=0)

    def _connect(self, place: int) -> Connection:
        endpoint = self._settings.connect[place]
        connection = Connection(
            make_socket(self._context, endpoint, self._secure),
            endpoint,
            in_flight=self._settings.in_flight,
            heartbeat_s=self._settings.heartbeat_s * self._patience,
            hear=self._hear,
            clock=self._clock,
        )
        self._connections.add(connection)
        return connection

    async def _end(self, connection: Connection) -> None:
        # Out first: who is called off in the middle must not have it closed twice.
        self._connections.remove(connection)
        await connection.close()

    async def _run(self) -> None:
        """Goes through the clouds for ever, staying with each as long as it answers."""
        place = 0
        connection = self._connect(place)
        while True:
            better = await self._use(place, connection)
            if better is not None:
                place, connection = better
                continue
            place += 1
            if place == len(self._settings.connect):
                place = 0
                await asyncio.sleep(self._back_off.pause_s())
            connection = self._connect(place)

    async def _use(self, place: int, connection: Connection) -> tuple[int, Connection] | None:
        """Uses a connection until it ends; a better one, if one was found before."""
        self._current = connection
        if connection.answers.is_set():
            self._rise(connection)
        search = asyncio.create_task(self._search(place, connection), name="uplink-search")
        try:
            await asyncio.wait({connection.task, search}, return_when=asyncio.FIRST_COMPLETED)
            found = search.result() if search.done() else None
            reason = connection.task.result() if connection.task.done() else "a better one answers"
        finally:
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)
        self._fall(connection, reason)
        # What it says until it is closed would bring it back, and be given envelopes.
        self._current = None
        await self._end(connection)
        return found

    async def _search(self, place: int, current: Connection) -> tuple[int, Connection]:
        """Waits until a cloud that is preferred to the current one answers steadily."""
        await current.answers.wait()
        pause_s = _PROBE_HEARTBEATS * self._settings.heartbeat_s
        while True:
            await asyncio.sleep(pause_s * (0.5 + self._draw()))
            for better in range(place):
                probe = self._connect(better)
                found = False
                try:
                    if await _happens(probe.steady, before=probe):
                        self._holding = True
                        patience_s = SILENT_HEARTBEATS * self._settings.heartbeat_s
                        await _happens(current.quiet, before=current, timeout_s=patience_s)
                        found = True
                        return better, probe
                finally:
                    if not found:
                        await self._end(probe)

    def _rise(self, connection: Connection) -> None:
        self._up, self._holding = True, False
        self._ups += 1
        self._told.clear()
        self._back_off.works(self._clock())
        _log.info("event=link_up cloud=%s credit=%d", connection.endpoint, connection.credit)
        self._verdicts.link(up=True)
        self._offer()

    def _fall(self, connection: Connection, reason: str) -> None:
        if reason == SILENT and not connection.quiet.is_set():
            # A large envelope on a slow line keeps the pings behind it waiting, and would for ever.
            longest = _LONGEST_SILENCE_S / (SILENT_HEARTBEATS * self._settings.heartbeat_s)
            self._patience = max(1.0, min(2.0 * self._patience, longest))
        if self._up:
            self._up = self._holding = False
            self._back_off.failed(self._clock())
            _log.warning("event=link_down cloud=%s reason=%r", connection.endpoint, reason)
            self._verdicts.link(up=False)
        elif self._told.get(connection.endpoint) != reason:
            self._told[connection.endpoint] = reason
            _log.warning("event=cloud_unreachable cloud=%s reason=%r", connection.endpoint, reason)

    def _hear(self, connection: Connection, reply: AnyReply, key: Key | None) -> None:
        if connection is not self._current or not connection.answers.is_set():
            return
        if not self._up:
            self._rise(connection)
        if key is not None:
            self._patience = 1.0
        if isinstance(reply, AckHeader):
            if key is not None:
                self._verdicts.delivered(key)
        elif isinstance(reply, ErrorHeader):
            self._hear_error(connection, reply, key)
        self._offer()

    def _hear_error(self, connection: Connection, reply: ErrorHeader, key: Key | None) -> None:
        error = error_of(
            reply.model_copy(
                update={
                    name: getattr(reply, name)[:_LONGEST_TEXT]
                    for name in ("code", "problem", "remedy")
                }
            )
        )
        if key is None:
            left_out = self._errors.admit(self._clock())
            if left_out is not None:
                _log.error(
                    "event=cloud_error cloud=%s left_out=%d error=%r",
                    connection.endpoint,
                    left_out,
                    str(error),
                )
        elif error.retry_after_s is None:
            self._verdicts.refused(key, error)
        else:
            after_s = min(max(0.0, error.retry_after_s), _LONGEST_RETRY_S)
            self._verdicts.again(key, error, after_s)

    def _offer(self) -> None:
        """Says that there is room, if somebody was told that there is none."""
        room = self._up and not self._holding and self._current is not None and self._current.room
        if self._wanted and room:
            self._wanted = False
            self._verdicts.ready()


async def _happens(
    event: asyncio.Event, *, before: Connection, timeout_s: float | None = None
) -> bool:
    """Waits for an event of a connection; `False` if that ends first, or the time does."""
    happening = asyncio.create_task(event.wait())
    try:
        await asyncio.wait(
            {happening, before.task}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        happening.cancel()
    return event.is_set() and not before.task.done()
