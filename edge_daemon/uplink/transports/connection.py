"""One connection to one cloud: a socket, its heartbeat, and what is unanswered on it.

A connection is made once. When it is refused, breaks or falls silent it ends, and whoever wants
another makes another: what ZeroMQ would do by itself, out of sight, would be neither counted nor
backed off from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from edge_daemon.errors import EdgeError
from edge_daemon.uplink.transports.seldom import Seldom
from edge_daemon.wire import (
    AckHeader,
    AnyReply,
    EnvelopeNotice,
    ErrorHeader,
    Key,
    PingHeader,
    PongHeader,
    pack,
    read_reply,
)
from edge_daemon.wire.liveness import Liveness

_log = logging.getLogger(__name__)

Secure = Callable[[zmq.asyncio.Socket], None]
"""Sets the keys of a socket that is not connected yet."""

SILENT = "silent"
"""Why a connection ended whose cloud gave no sign of life for three heartbeats."""

STEADY_PONGS = 3
"""Answered pings after which a cloud counts as there to stay."""

_MOST_UNSENT = 2048
_MOST_REPLY_BYTES = 2 * 2**20

_ENDS: Mapping[int, str] = {
    zmq.EVENT_CLOSED: "refused, or no way to it",
    zmq.EVENT_DISCONNECTED: "disconnected",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "handshake failed",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "handshake failed: not the protocol, or other keys",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "handshake failed: the cloud does not know this key",
}


class Hear(Protocol):
    """Takes what the cloud says."""

    def __call__(self, connection: Connection, reply: AnyReply, key: Key | None) -> None:
        """Takes one reply.

        Args:
            connection: Where it came from.
            reply: What it says.
            key: Of the envelope that it is the verdict of, if that was unanswered here.
        """
        ...


def make_socket(
    context: zmq.asyncio.Context, endpoint: str, secure: Secure | None
) -> zmq.asyncio.Socket:
    """A DEALER with our options, not connected yet."""
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    # With a connection or not at all: otherwise what is sent into the void counts as under way.
    socket.set(zmq.IMMEDIATE, 1)
    socket.set(zmq.RECONNECT_IVL, -1)
    socket.set(zmq.SNDHWM, _MOST_UNSENT)
    socket.set(zmq.MAXMSGSIZE, _MOST_REPLY_BYTES)
    if "[" in endpoint:
        socket.set(zmq.IPV6, 1)
    if secure is not None:
        secure(socket)
    return socket


class Connection:
    """From the attempt to connect to the end, whatever that is.

    Args:
        socket: From `make_socket`; belongs to the connection from now on.
        endpoint: Where to connect to.
        in_flight: Most unanswered envelopes, if the cloud allows as many.
        heartbeat_s: Seconds between pings; three unanswered end it.
        hear: Told of every readable reply.
        clock: A monotonic clock, in seconds.

    Attributes:
        endpoint: As given.
        answers: Set once the cloud has answered a ping.
        steady: Set once it has answered several.
        quiet: Set while nothing is unanswered.
        task: Runs until the connection ends; its result says why.
    """

    def __init__(
        self,
        socket: zmq.asyncio.Socket,
        endpoint: str,
        *,
        in_flight: int,
        heartbeat_s: float,
        hear: Hear,
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.answers, self.steady, self.quiet = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.quiet.set()
        self._socket = socket
        self._in_flight = in_flight
        self._hear = hear
        self._clock = clock
        self._liveness = Liveness(heartbeat_s, clock())
        self._unanswered: set[Key] = set()
        self._credit: int | None = None
        self._pongs = 0
        self._unreadable = Seldom()
        self._monitor = socket.get_monitor_socket(sum(_ENDS) | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(endpoint)
        self.task = asyncio.create_task(self._live(), name=f"connection-{endpoint}")

    @property
    def credit(self) -> int:
        """Most envelopes that may be unanswered."""
        return self._in_flight if self._credit is None else min(self._in_flight, self._credit)

    @property
    def room(self) -> bool:
        """Whether one envelope more may be unanswered."""
        return self.answers.is_set() and len(self._unanswered) < self.credit

    async def send(self, key: Key, envelope: bytes, *, insist: bool = False) -> bool:
        """Sends an envelope, or says that it cannot now. What is unanswered may be sent again."""
        known = key in self._unanswered
        if self.task.done() or not (known or self.room):
            return False
        client, sequence = key
        self._unanswered.add(key)
        self.quiet.clear()
        notice = EnvelopeNotice(client=client, sequence=sequence, insist=insist)
        sent = await self._send(pack(notice, envelope))
        if not sent and not known:
            self._answered(key)
        return sent

    async def close(self) -> None:
        """Ends it; nothing is heard afterwards. Call it once."""
        self.task.cancel()
        try:
            await asyncio.gather(self.task, return_exceptions=True)
        finally:
            # First: ZeroMQ's own thread would wait for ever for somebody to take its reports.
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close(linger=0)

    async def _live(self) -> str:
        parts = [
            asyncio.create_task(work, name=f"{name}-{self.endpoint}")
            for name, work in (
                ("read", self._read()),
                ("watch", self._watch()),
                ("beat", self._beat()),
            )
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _watch(self) -> str:
        """Waits for ZeroMQ to say that the connection is made, and then that it is no more."""
        while True:
            event = parse_monitor_message(await self._monitor.recv_multipart())["event"]
            if event in _ENDS:
                return _ENDS[event]
            await self._send(pack(PingHeader()))

    async def _beat(self) -> str:
        """Pings, and ends when nothing comes back."""
        while True:
            advice = self._liveness.advice(self._clock())
            if advice == "reconnect":
                return SILENT
            if advice == "ping":
                await self._send(pack(PingHeader()))
            await asyncio.sleep(self._liveness.next_s(self._clock()))

    async def _read(self) -> str:
        """Reads what the cloud says."""
        while True:
            parts = await self._socket.recv_multipart()
            try:
                reply, _ = read_reply(parts)
            except EdgeError as mistake:
                self._complain(mistake)
            else:
                self._take(reply)
            # A message that is here already is read without a pause: a cloud that sends without
            # end would keep everything else on this loop waiting.
            await asyncio.sleep(0)

    def _take(self, reply: AnyReply) -> None:
        key: Key | None = None
        if isinstance(reply, AckHeader):
            key = self._answered((reply.client, reply.sequence))
        elif isinstance(reply, ErrorHeader):
            if reply.client is not None and reply.sequence is not None:
                key = self._answered((reply.client, reply.sequence))
        elif isinstance(reply, PongHeader):
            self._pongs += 1
            self.answers.set()
            if self._pongs >= STEADY_PONGS:
                self.steady.set()
        if isinstance(reply, AckHeader | PongHeader) and reply.credit is not None:
            self._credit = reply.credit
        # Until it has answered a ping it may be anything, such as a cloud of another version that
        # refuses whatever it is sent.
        if self.answers.is_set():
            self._liveness.heard(self._clock())
        self._hear(self, reply, key)

    def _answered(self, key: Key) -> Key | None:
        """Takes a key off the list; `None` if it was not on it."""
        if key not in self._unanswered:
            return None
        self._unanswered.remove(key)
        if not self._unanswered:
            self.quiet.set()
        return key

    async def _send(self, parts: list[bytes | memoryview]) -> bool:
        try:
            await self._socket.send_multipart(parts, flags=zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def _complain(self, mistake: EdgeError) -> None:
        left_out = self._unreadable.admit(self._clock())
        if left_out is not None:
            _log.warning(
                "event=unreadable_answer cloud=%s left_out=%d error=%r",
                self.endpoint,
                left_out,
                str(mistake),
            )
