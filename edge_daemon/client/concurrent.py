"""The client for asyncio programs: many frames in flight over one connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

import zmq
import zmq.asyncio

from edge_daemon.client.frames import (
    FrameWriter,
    Image,
    Outgoing,
    Result,
    check_client_id,
    no_answer,
    result_of,
)
from edge_daemon.errors import EdgeError, LinkError, MessageError
from edge_daemon.settings import Allocation
from edge_daemon.wire import (
    AckLevel,
    AnyReply,
    ErrorHeader,
    Mode,
    PingHeader,
    ResultHeader,
    pack,
    read_reply,
)
from edge_daemon.wire.liveness import Liveness

_log = logging.getLogger(__name__)


class _Pending(NamedTuple):
    frame: Outgoing
    answer: asyncio.Future[tuple[AnyReply, bytes]]


class AsyncClient:
    """Sends frames to a daemon; any number may wait at once. Use it as an async context manager.

    Args:
        endpoint: ZeroMQ endpoint of the daemon, e.g. "tcp://127.0.0.1:5591".
        client_id: Names this camera: 1 to 64 of A-Z a-z 0-9 _ . -; no two clients may share one,
            since (client, sequence) names a frame.
        timeout_s: Longest wait for an answer, in seconds.
        heartbeat_s: Seconds between pings while waiting; three without an answer make a new
            connection.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        client_id: str,
        timeout_s: float = 60.0,
        heartbeat_s: float = 2.0,
    ) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._frames = FrameWriter(check_client_id(client_id))
        self._pending: dict[int, _Pending] = {}
        self._liveness = Liveness(heartbeat_s, time.monotonic())

    async def __aenter__(self) -> AsyncClient:
        self._context = zmq.asyncio.Context()
        self._socket = self._open()
        self._attendant = asyncio.create_task(self._attend())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._attendant.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._attendant
        self._socket.close(linger=0)
        self._context.term()

    async def send(
        self,
        image: Image,
        prompt: str | Sequence[str],
        *,
        codec: dict[str, Any] | None = None,
        mode: Mode = "prefilter",
        allocation: Allocation | None = None,
        budget_bytes: int | None = None,
        deadline_s: float | None = None,
        ack: AckLevel = "accepted",
        return_bitstream: bool = False,
        sequence: int | None = None,
    ) -> Result:
        """Sends one frame and waits for what became of it; arguments as for `Client.send`.

        Raises:
            LinkError: No answer within `timeout_s`.
            EdgeError: What the daemon answered, as its own type.
        """
        frame = self._frames.write(
            image,
            prompt,
            codec=codec,
            mode=mode,
            allocation=allocation,
            budget_bytes=budget_bytes,
            deadline_s=deadline_s,
            ack=ack,
            return_bitstream=return_bitstream,
            sequence=sequence,
        )
        if frame.sequence in self._pending:
            raise MessageError(
                "this frame is already being waited for",
                value=frame.sequence,
                remedy="await the first call",
            )
        if not self._pending:
            self._liveness.restart(time.monotonic())
            self._liveness.ever_heard = False
        answer: asyncio.Future[tuple[AnyReply, bytes]] = asyncio.get_running_loop().create_future()
        self._pending[frame.sequence] = _Pending(frame, answer)
        try:
            await self._socket.send_multipart(frame.parts)
            reply, payload = await asyncio.wait_for(answer, self._timeout_s)
        except asyncio.TimeoutError:
            raise no_answer(
                self._endpoint, self._timeout_s, alive=self._liveness.ever_heard
            ) from None
        finally:
            del self._pending[frame.sequence]
        return result_of(reply, payload)

    def _open(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        try:
            socket.connect(self._endpoint)
        except zmq.ZMQError as mistake:
            socket.close()
            self._context.term()
            raise LinkError(
                f"not an endpoint to connect to: {mistake}",
                value=self._endpoint,
                remedy="write tcp://ADDRESS:PORT or ipc:///PATH",
            ) from None
        return socket

    async def _attend(self) -> None:
        """Reads answers and keeps the connection alive, for as long as the client is open."""
        while True:
            if await self._socket.poll(round(1000 * self._heartbeat_s / 2)):
                self._hear(await self._socket.recv_multipart())
            if not self._pending:
                continue
            now = time.monotonic()
            advice = self._liveness.advice(now)
            if advice == "reconnect":
                await self._reconnect(now)
            elif advice == "ping":
                await self._socket.send_multipart(pack(PingHeader()))

    def _hear(self, parts: list[bytes]) -> None:
        self._liveness.heard(time.monotonic())
        try:
            reply, payload = read_reply(parts)
        except EdgeError as mistake:
            _log.warning("event=unreadable_reply endpoint=%s error=%s", self._endpoint, mistake)
            return
        if not isinstance(reply, ResultHeader | ErrorHeader):
            return
        sequence = reply.sequence
        if sequence is None and len(self._pending) == 1:
            # An error about a frame whose number the daemon could not read: there is only one.
            (sequence,) = self._pending
        waiting = None if sequence is None else self._pending.get(sequence)
        if waiting is None:
            _log.warning(
                "event=unexpected_reply endpoint=%s kind=%s sequence=%s",
                self._endpoint,
                reply.kind,
                reply.sequence,
            )
        elif not waiting.answer.done():
            waiting.answer.set_result((reply, payload))

    async def _reconnect(self, now: float) -> None:
        self._socket.close(linger=0)
        self._socket = self._open()
        self._liveness.restart(now)
        for waiting in list(self._pending.values()):
            await self._socket.send_multipart(waiting.frame.parts)
