"""The link to the cloud: a DEALER that sends every envelope until it is answered.

The queue is in memory. What that is a guarantee of, and what it is not, stands at the head of
`edge_daemon.uplink`.
"""

from __future__ import annotations

import asyncio
import logging
import time

import zmq
import zmq.asyncio

from edge_daemon.errors import BusyError, EdgeError, LatentsError, LinkError, SettingsError
from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink.window import Parcel, Window
from edge_daemon.wire import (
    AckHeader,
    EnvelopeNotice,
    ErrorHeader,
    Key,
    PingHeader,
    error_of,
    pack,
    read_reply,
)
from edge_daemon.wire.liveness import Liveness

_log = logging.getLogger(__name__)

_PARTS_UNSENT = 1000
_PATIENCE_WITHOUT_LINK_S = 0.1

Delivery = asyncio.Future[None]
"""Done when the cloud has it; fails with its final refusal, or with `LinkError` at the end."""


class Uplink:
    """Envelopes on their way to one cloud.

    A slot is reserved before any work is done on a frame, so that a frame that was begun always
    finds room: `reserve`, then `submit` or `release`.
    """

    def __init__(self, settings: UplinkSettings) -> None:
        self._settings = settings
        self._window = Window(settings.in_flight, settings.ack_timeout_s)
        self._deliveries: dict[Key, Delivery] = {}
        self._reserved = 0
        self._wake = asyncio.Event()
        self._liveness = Liveness(settings.heartbeat_s, time.monotonic())
        self._up = False
        self._delivered = self._resent = self._refused = self._recoded = 0

    @property
    def up(self) -> bool:
        """Whether the cloud gave a sign of life lately."""
        return self._up

    @property
    def idle(self) -> bool:
        """Whether the link is up and nothing waits for it."""
        return self._up and len(self._window) == 0

    def queues(self) -> dict[str, int]:
        """Entries per queue."""
        return {
            "uplink_waiting": len(self._window) - self._window.in_flight,
            "uplink_in_flight": self._window.in_flight,
        }

    def counters(self) -> dict[str, int]:
        """Events since the start."""
        return {
            "envelopes_delivered": self._delivered,
            "envelopes_resent": self._resent,
            "envelopes_refused": self._refused,
            "envelopes_recoded": self._recoded,
        }

    def reserve(self) -> None:
        """Keeps a place for one envelope.

        Raises:
            BusyError: All places are taken.
        """
        taken = len(self._window) + self._reserved
        if taken >= self._settings.queue_frames:
            raise BusyError(
                "the queue to the cloud is full" + ("" if self._up else " and the link is down"),
                value=taken,
                remedy="send the frame again later",
                retry_after_s=1.0 if self._up else self._settings.ack_timeout_s,
            )
        self._reserved += 1

    def release(self) -> None:
        """Gives back a place that was not used."""
        self._reserved -= 1

    def submit(self, key: Key, envelope: bytes, spare: bytes | None = None) -> Delivery:
        """Takes over an envelope in a place that was reserved.

        Args:
            key: (client, sequence).
            envelope: Its bytes.
            spare: What to send if the cloud finds that it decodes the envelope to other latents.
        """
        self._reserved -= 1
        known = self._deliveries.get(key)
        if known is not None:
            # Its result was forgotten, its envelope still waits: one copy is enough.
            return known
        delivery: Delivery = asyncio.get_running_loop().create_future()
        # Nobody has to wait for it; an outcome that nobody asked for is not an error.
        delivery.add_done_callback(Delivery.exception)
        self._deliveries[key] = delivery
        self._window.put(Parcel(key, envelope, spare=spare))
        self._wake.set()
        return delivery

    def open(self) -> None:
        """Begins to connect and to send.

        Raises:
            SettingsError: The endpoint is malformed.
        """
        self._context = zmq.asyncio.Context()
        try:
            self._connect()
        except zmq.ZMQError as mistake:
            self._context.term()
            raise SettingsError(
                f"not an endpoint to connect to: {mistake}",
                value=self._settings.connect[0],
                remedy="write tcp://ADDRESS:PORT or ipc:///PATH",
            ) from None
        self.task = asyncio.create_task(self._attend())

    async def close(self, drain_s: float) -> int:
        """Waits for answers for a bounded time, then closes.

        Returns:
            How many envelopes were abandoned.
        """
        if self._deliveries:
            await asyncio.wait(list(self._deliveries.values()), timeout=drain_s)
        self.task.cancel()
        self._reader.cancel()
        await asyncio.gather(self.task, self._reader, return_exceptions=True)
        for delivery in self._deliveries.values():
            delivery.set_exception(
                LinkError(
                    "the daemon stopped before the cloud acknowledged",
                    value=self._settings.connect[0],
                    remedy="send the frame again when the daemon is back",
                    retry_after_s=5.0,
                )
            )
        self._socket.close(linger=0)
        self._context.term()
        return len(self._window)

    def _connect(self) -> None:
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        # With a connection or not at all: otherwise what is sent into the void counts as in flight.
        socket.set(zmq.IMMEDIATE, 1)
        socket.set(zmq.SNDHWM, _PARTS_UNSENT)
        socket.set(zmq.RECONNECT_IVL, 100)
        socket.set(zmq.RECONNECT_IVL_MAX, 2000)
        if "[" in self._settings.connect[0]:
            socket.set(zmq.IPV6, 1)
        try:
            socket.connect(self._settings.connect[0])
        except zmq.ZMQError:
            socket.close()
            raise
        self._socket = socket
        self._reader = asyncio.create_task(self._read(socket))
        self._liveness.restart(time.monotonic())

    async def _attend(self) -> None:
        """Sends what is due, pings, and makes a new connection when the cloud falls silent."""
        while True:
            now = time.monotonic()
            advice = self._liveness.advice(now)
            if advice == "reconnect":
                self._reconnect()
            if advice == "ping" or not self._up:
                await self._send(pack(PingHeader()))
            self._wake.clear()
            if self._up and await self._send_due(now):
                patience_s = min(self._liveness.next_s(now), self._window.next_due_s(now))
            else:
                patience_s = _PATIENCE_WITHOUT_LINK_S
            await self._woken(patience_s)
            if self._reader.done():
                self._reader.result()  # a defect: let it end this task too, and be seen

    async def _woken(self, patience_s: float) -> None:
        """Waits until there is something to do, or for this long."""
        # Not `wait_for`, which until Python 3.12 may swallow a cancellation.
        wake = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({wake}, timeout=patience_s)
        finally:
            wake.cancel()

    async def _send_due(self, now: float) -> bool:
        """Sends what is due; False if the connection took no more."""
        for parcel in self._window.due(now):
            client, sequence = parcel.key
            notice = EnvelopeNotice(client=client, sequence=sequence)
            if not await self._send(pack(notice, parcel.envelope)):
                return False
            if parcel.attempts:
                self._resent += 1
            self._window.sent(parcel, now)
        return True

    async def _send(self, parts: list[bytes | memoryview]) -> bool:
        try:
            await self._socket.send_multipart(parts, flags=zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def _reconnect(self) -> None:
        if self._up:
            _log.warning(
                "event=link_down cloud=%s waiting=%d", self._settings.connect[0], len(self._window)
            )
        self._up = False
        self._reader.cancel()
        self._socket.close(linger=0)
        self._connect()

    async def _read(self, socket: zmq.asyncio.Socket) -> None:
        """Reads what the cloud says, for as long as this connection lasts."""
        while True:
            parts = await socket.recv_multipart()
            now = time.monotonic()
            self._liveness.heard(now)
            if not self._up:
                self._up = True
                self._window.reconnected(now)
                _log.info(
                    "event=link_up cloud=%s waiting=%d", self._settings.connect[0], len(self._window)
                )
            try:
                self._hear(parts)
            except EdgeError as mistake:
                _log.warning(
                    "event=unreadable_answer cloud=%s error=%r",
                    self._settings.connect[0],
                    str(mistake),
                )
            self._wake.set()

    def _hear(self, parts: list[bytes]) -> None:
        reply, _ = read_reply(parts)
        if isinstance(reply, AckHeader):
            key = (reply.client, reply.sequence)
            if self._window.done(key):
                self._delivered += 1
                self._deliveries.pop(key).set_result(None)
        elif isinstance(reply, ErrorHeader):
            self._refusal(reply)

    def _refusal(self, reply: ErrorHeader) -> None:
        error = error_of(reply)
        if reply.client is None or reply.sequence is None:
            _log.error("event=cloud_error cloud=%s error=%r", self._settings.connect[0], str(error))
            return
        key = (reply.client, reply.sequence)
        if reply.retry_after_s is not None:
            if self._window.postpone(key, time.monotonic() + reply.retry_after_s):
                _log.warning(
                    "event=envelope_postponed client=%s sequence=%d error=%r", *key, str(error)
                )
        elif isinstance(error, LatentsError) and self._window.swap(key, time.monotonic()):
            self._recoded += 1
            _log.warning("event=envelope_recoded client=%s sequence=%d error=%r", *key, str(error))
        elif self._window.done(key):
            self._refused += 1
            _log.error("event=envelope_refused client=%s sequence=%d error=%r", *key, str(error))
            self._deliveries.pop(key).set_exception(error)
