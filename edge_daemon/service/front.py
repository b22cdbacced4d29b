"""The socket that cameras talk to: reads requests, and answers each when it is done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable

import zmq
import zmq.asyncio
from pydantic import BaseModel

from edge_daemon.errors import DeadlineError, EdgeError, InternalError, Verbatim
from edge_daemon.keys import ANYONE, ServerKeys
from edge_daemon.service.admission import Admission
from edge_daemon.service.job import Outcome
from edge_daemon.service.memory import Entry, Mark
from edge_daemon.settings.live import Live
from edge_daemon.wire import (
    FRONT_REQUESTS,
    Address,
    Bytes,
    FrameHeader,
    PingHeader,
    PongHeader,
    ResultHeader,
    StatusReply,
    error_header,
    glimpse_address,
    pack,
    read_reply,
    read_request,
)
from edge_daemon.wire.router import bind_router, receive, send_to, sender_of

_log = logging.getLogger(__name__)

_WITHIN = "inproc://front"
"""Where the daemon's own check of itself comes in; encryption and keys are for other transports."""
_PROBE = [bytes(part) for part in pack(PingHeader())]


class Front:
    """A ROUTER that is never too busy to answer, if only with `busy`.

    Args:
        live: The settings in force.
        admission: Decides on frames.
        counters: Events since the start.
    """

    def __init__(self, live: Live, admission: Admission, counters: Counter[str]) -> None:
        self._live = live
        self._admission = admission
        self._counters = counters
        self._answering: set[asyncio.Task[None]] = set()
        self._keys: ServerKeys | None = None
        self._probes: set[zmq.asyncio.Socket] = set()

    def open(self, status: Callable[[], StatusReply]) -> str:
        """Binds and begins to read; returns the endpoint.

        Args:
            status: Makes the answer to `status`.

        Raises:
            SettingsError: The endpoint is malformed, or open to the network without permission.
            KeysError: The keys are missing, malformed, or open to other users.
            BindError: It cannot be listened on.
        """
        front = self._live.now.front
        self._status = status
        if front.keys is not None:
            self._keys = ServerKeys.load(front.keys, "edge-front")
        self._context = zmq.asyncio.Context()
        try:
            self._socket, endpoint = bind_router(
                self._context,
                front.bind,
                allow_insecure=front.allow_insecure_bind,
                max_payload_bytes=self._live.now.limits.max_payload_bytes,
                keys=self._keys,
            )
        except EdgeError:
            self._context.term()
            raise
        self._socket.bind(_WITHIN)
        self.task = asyncio.create_task(self._read(), name="front")
        return endpoint

    async def answers(self) -> str | None:
        """Whether a ping through the socket itself is answered: proof of life for a watchdog."""
        probe = self._context.socket(zmq.DEALER)
        probe.set(zmq.LINGER, 0)
        self._probes.add(probe)
        try:
            probe.connect(_WITHIN)
            await probe.send_multipart(_PROBE)
            reply, _ = read_reply(await probe.recv_multipart())
        finally:
            self._probes.discard(probe)
            probe.close()
        return None if isinstance(reply, PongHeader) else "a ping was not answered with a pong"

    async def close(self, patience_s: float) -> None:
        """Waits a bounded time for the answers under way, then closes."""
        if self._answering:
            await asyncio.wait(self._answering, timeout=patience_s)
        self.task.cancel()
        for answer in self._answering:
            answer.cancel()
        await asyncio.gather(self.task, *self._answering, return_exceptions=True)
        for probe in self._probes:
            probe.close()  # or the context would wait for it, and the loop for the context
        # What was just sent still has to leave.
        self._socket.close(linger=1000)
        if self._keys is not None:
            self._keys.close()
        self._context.term()

    async def _read(self) -> None:
        while True:
            incoming = await receive(self._socket)
            route, parts = incoming.route, incoming.parts
            address = glimpse_address(parts[0] if parts else b"")
            try:
                # From the network every message has a key, if keys are asked for.
                within = incoming.key is None and parts == _PROBE
                peer = ANYONE if within else sender_of(incoming, self._keys)
                most = self._live.now.limits.max_header_bytes
                header, payload = read_request(parts, FRONT_REQUESTS, max_header_bytes=most)
                if isinstance(header, FrameHeader):
                    peer.check_client(header.client)
                    self._take(route, header, payload)
                elif isinstance(header, PingHeader):
                    await self._send(route, PongHeader())
                else:
                    await self._send(route, self._status())
            except Exception as mistake:
                await self._refuse(route, address, mistake)

    def _take(self, route: bytes, header: FrameHeader, payload: Bytes) -> None:
        entry, copy = self._admission.admit(header, payload)
        entry.waiting += 1
        answer = asyncio.create_task(self._answer(route, header, entry, copy))
        self._answering.add(answer)
        answer.add_done_callback(self._answering.discard)

    async def _answer(
        self, route: bytes, header: FrameHeader, entry: Entry, copy: Mark | None
    ) -> None:
        begun = time.monotonic()
        allowed_s = header.deadline_s or self._live.now.stages.default_deadline_s
        repeated = copy is not None
        try:
            if copy is not None:
                await self._admission.confirm((header.client, header.sequence), entry, copy)
            outcome = await asyncio.shield(entry.outcome)
            if header.ack == "delivered":
                await _delivered(outcome, allowed_s - (time.monotonic() - begun), allowed_s)
            elif repeated and outcome.delivery.done():
                outcome.delivery.result()  # raises why it was given up since
            result = ResultHeader.model_validate(
                {**outcome.facts, "ack": _level(outcome), "duplicate": repeated}
            )
            payload = [outcome.envelope] if header.return_bitstream else []
            await self._send(route, result, *payload)
        except Exception as mistake:
            await self._refuse(route, Address(header.client, header.sequence), mistake)
        finally:
            entry.waiting -= 1

    async def _refuse(self, route: bytes, address: Address, mistake: Exception) -> None:
        if isinstance(mistake, EdgeError):
            error = mistake
            _log.info("event=refused client=%s sequence=%s error=%r", *address, str(error))
        else:
            _log.error("event=defect client=%s sequence=%s", *address, exc_info=mistake)
            error = InternalError(
                "the daemon failed on this message",
                value=Verbatim(type(mistake).__name__),
                remedy="report it with the daemon's log; other messages are not affected",
            )
        self._counters[f"errors_{error.code}"] += 1
        await self._send(route, error_header(error, address))

    async def _send(self, route: bytes, header: BaseModel, *payload: bytes) -> None:
        if not await send_to(self._socket, route, pack(header, *payload)):
            # Its frame is not lost: a repeat is answered from memory.
            self._counters["answers_undeliverable"] += 1


def _level(outcome: Outcome) -> str:
    delivery = outcome.delivery
    if delivery.done() and delivery.exception() is None:
        return "delivered"
    return "spooled" if outcome.durable else "accepted"


async def _delivered(outcome: Outcome, patience_s: float, allowed_s: float) -> None:
    """Waits for the cloud's acknowledgement.

    Raises:
        DeadlineError: It did not come in time; the envelope stays queued.
        EdgeError: The cloud refused it for good, or the daemon stops.
    """
    try:
        await asyncio.wait_for(asyncio.shield(outcome.delivery), max(0.0, patience_s))
    except asyncio.TimeoutError:
        raise DeadlineError(
            "the cloud has not acknowledged before the deadline; the envelope stays queued",
            value=Verbatim(f"{allowed_s:.3g} s allowed"),
            remedy="send the frame again to wait longer for its delivery",
        ) from None
