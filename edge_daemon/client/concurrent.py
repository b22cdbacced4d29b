"""The client for asyncio programs: many frames in flight over one connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
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
from edge_daemon.keys import ClientKeys, is_final, secure_client, setback_of, unwatch, watch
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
        keys: This camera's key directory, or what was loaded from it; `None`: plain text.

    Raises:
        KeysError: The keys are missing, malformed, or open to other users.
        MessageError: The client id is malformed.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        client_id: str,
        timeout_s: float = 60.0,
        heartbeat_s: float = 2.0,
        keys: ClientKeys | str | os.PathLike[str] | None = None,
    ) -> None:
        self._keys = ClientKeys.load(keys) if isinstance(keys, str | os.PathLike) else keys
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
        self._close()
        self._context.term()

    async def send(
        self,
        image: Image,
        prompt: str | Sequence[str],
        *,
        codec: dict[str, Any] | None = None,
        mode: Mode = "prefilter",
        caption: str | None = None,
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
            ForbiddenError: The daemon refused this camera's key, or that it speaks for this client.
            KeysError: One side encrypts and the other does not.
            EdgeError: What the daemon answered, as its own type.
        """
        frame = self._frames.write(
            image,
            prompt,
            codec=codec,
            mode=mode,
            caption=caption,
            allocation=allocation,
            budget_bytes=budget_bytes,
            deadline_s=deadline_s,
            ack=ack,
            return_bitstream=return_bitstream,
            sequence=sequence,
        ).copied()  # while this waits, others run, and may draw into the array
        if frame.sequence in self._pending:
            raise MessageError(
                "this frame is already being waited for",
                value=frame.sequence,
                remedy="await the first call",
            )
        if is_final(self._setback):
            # Of an earlier connection: keys may have changed since.
            self._attendant.cancel()  # it waits for a socket that is about to be closed
            self._close()
            self._socket = self._open()
            self._attendant = asyncio.create_task(self._attend())
        if not self._pending:
            self._liveness.restart(time.monotonic())
            self._liveness.ever_heard = False
        answer: asyncio.Future[tuple[AnyReply, bytes]] = asyncio.get_running_loop().create_future()
        self._pending[frame.sequence] = _Pending(frame, answer)
        # Not awaited alone: on a connection that was refused it would never be done.
        sending = asyncio.ensure_future(self._socket.send_multipart(frame.parts))
        try:
            reply, payload = await asyncio.wait_for(answer, self._timeout_s)
        except asyncio.TimeoutError:
            raise self._setback or no_answer(
                self._endpoint, self._timeout_s, alive=self._liveness.ever_heard
            ) from None
        finally:
            sending.cancel()
            del self._pending[frame.sequence]
        return result_of(reply, payload)

    def _open(self) -> zmq.asyncio.Socket:
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        if self._keys is not None:
            secure_client(socket, self._keys)
        self._monitor = watch(socket)
        self._setback: EdgeError | None = None
        try:
            socket.connect(self._endpoint)
        except zmq.ZMQError as mistake:
            unwatch(socket, self._monitor)
            socket.close()
            self._context.term()
            raise LinkError(
                f"not an endpoint to connect to: {mistake}",
                value=self._endpoint,
                remedy="write tcp://ADDRESS:PORT or ipc:///PATH",
            ) from None
        self._watcher = asyncio.create_task(self._watch(self._monitor))
        return socket

    def _close(self) -> None:
        self._watcher.cancel()
        unwatch(self._socket, self._monitor)
        self._socket.close(linger=0)

    async def _watch(self, monitor: zmq.asyncio.Socket) -> None:
        """Sees how the handshakes of one socket go; those who wait are told what is final."""
        while True:
            parts = await monitor.recv_multipart()
            setback = setback_of(parts, self._endpoint, encrypted=self._keys is not None)
            self._setback = setback
            if setback is None or not is_final(setback):
                continue
            for waiting in self._pending.values():
                if not waiting.answer.done():
                    waiting.answer.set_exception(setback)

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
        self._close()
        self._socket = self._open()
        self._liveness.restart(now)
        for waiting in list(self._pending.values()):
            await self._socket.send_multipart(waiting.frame.parts)
