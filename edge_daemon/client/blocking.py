"""The client for programs that wait: one frame at a time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

import zmq

from edge_daemon.client.frames import (
    FrameWriter,
    Image,
    Result,
    check_client_id,
    no_answer,
    result_of,
)
from edge_daemon.errors import EdgeError, LinkError
from edge_daemon.keys import ClientKeys, is_final, secure_client, setback_of, unwatch, watch
from edge_daemon.settings import Allocation
from edge_daemon.wire import (
    AckLevel,
    AnyReply,
    Bytes,
    ErrorHeader,
    Mode,
    PingHeader,
    ResultHeader,
    StatusReply,
    StatusRequest,
    error_of,
    pack,
    read_reply,
)
from edge_daemon.wire.liveness import Liveness

Answer = TypeVar("Answer")

_WITHDRAWAL_S = 1.0
"""Longest wait until a closed connection has let go of what was to be sent, in seconds."""


class Client:
    """Sends frames to a daemon and waits for each answer. Not thread-safe.

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
        LinkError: The endpoint is malformed.
        MessageError: The client id is.
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
        self._frames = FrameWriter(check_client_id(client_id))
        self._liveness = Liveness(heartbeat_s, time.monotonic())
        self._posted: zmq.MessageTracker | None = None
        self._context = zmq.Context()
        try:
            self._socket = self._open()
        except LinkError:
            self._context.term()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection. What was not answered may or may not have been done."""
        self._close()
        self._context.term()

    def send(
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
        """Sends one frame and waits for what became of it.

        Args:
            image: An image file's bytes or path, or an array of (H, W), (H, W, 1), (H, W, 3) or
                (H, W, 4) of uint8, uint16 or float32 from 0 to 1. A one-dimensional uint8 array is
                taken for an image file's bytes.
            prompt: One prompt or several; "" means no filtering.
            codec: Codec id and options, e.g. {"id": "hevc", "quality": 32}; `None` for the
                daemon's default. In mode "semantic": of the picture that is kept in case the cloud
                wants it.
            mode: "plain" encodes the picture as it is; "semantic" sends a few hundred bytes of text
                in its place.
            caption: What is known of the picture; for mode "semantic", whose text starts from it.
            allocation: What relevance is spent on: "smooth", "quantiser", "both" or "auto"; `None`
                for the daemon's default.
            budget_bytes: Most bytes that the envelope may take. The daemon gives up quality,
                smoothness of the rest, and size, in its operator's order, until it fits; a codec
                with a quality of its own is never coded better than that.
            deadline_s: Seconds after receipt from which on the answer is of no use.
            ack: "accepted": answered when the picture is encoded and queued in the daemon's memory;
                "delivered": when the cloud has it on disk.
            return_bitstream: Send the envelope back as well.
            sequence: The frame's number, to repeat a frame; `None` for the next one.

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
        )

        def answers(reply: AnyReply, payload: bytes) -> Result | None:
            if isinstance(reply, ErrorHeader):
                ours = reply.sequence in (frame.sequence, None)
            else:
                ours = isinstance(reply, ResultHeader) and reply.sequence == frame.sequence
            return result_of(reply, payload) if ours else None

        return self._exchange(frame.parts, answers)

    def status(self) -> StatusReply:
        """Asks the daemon how it is.

        Raises:
            LinkError: No answer within `timeout_s`.
            ForbiddenError: The daemon refused this camera's key.
            KeysError: One side encrypts and the other does not.
        """

        def answers(reply: AnyReply, _: bytes) -> StatusReply | None:
            if isinstance(reply, ErrorHeader) and reply.sequence is None:
                raise error_of(reply)
            return reply if isinstance(reply, StatusReply) else None

        return self._exchange(pack(StatusRequest()), answers)

    def _open(self) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        socket.set(zmq.LINGER, 0)
        if self._keys is not None:
            secure_client(socket, self._keys)
        self._monitor = watch(socket)
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._setback: EdgeError | None = None
        try:
            socket.connect(self._endpoint)
        except zmq.ZMQError as mistake:
            unwatch(socket, self._monitor)
            socket.close()
            raise LinkError(
                f"not an endpoint to connect to: {mistake}",
                value=self._endpoint,
                remedy="write tcp://ADDRESS:PORT or ipc:///PATH",
            ) from None
        return socket

    def _close(self) -> None:
        unwatch(self._socket, self._monitor)
        self._socket.close(linger=0)

    def _exchange(
        self,
        parts: list[Bytes],
        answers: Callable[[AnyReply, bytes], Answer | None],
    ) -> Answer:
        """Sends a message until it is answered or the time is up."""
        answered = False
        try:
            begun = time.monotonic()
            self._poll(0.0)
            if is_final(self._setback):
                # Of an earlier connection: keys may have changed since.
                self._reconnect(begun)
            self._liveness.restart(begun)
            self._liveness.ever_heard = False
            self._posted = self._post(parts)
            while (now := time.monotonic()) - begun < self._timeout_s:
                advice = self._liveness.advice(now)
                if advice == "reconnect":
                    self._reconnect(now)
                    self._posted = self._post(parts)
                elif advice == "ping":
                    self._post(pack(PingHeader()))
                patience_s = min(self._liveness.next_s(now), begun + self._timeout_s - now)
                readable = self._poll(max(0.001, patience_s))
                if self._setback is not None and is_final(self._setback):
                    raise self._setback
                if not readable:
                    continue
                reply, payload = read_reply(self._socket.recv_multipart())
                self._liveness.heard(time.monotonic())
                answered = True
                answer = answers(reply, payload)  # which raises it, if it is an error
                if answer is not None:
                    return answer
                answered = False
            raise self._setback or no_answer(
                self._endpoint, self._timeout_s, alive=self._liveness.ever_heard
            )
        finally:
            if not answered:
                self._withdraw()

    def _post(self, parts: list[Bytes]) -> zmq.MessageTracker | None:
        """Sends a message; a large part from where it lies, for its owner waits for the answer."""
        # A connection that was refused takes nothing any more; why, the monitor tells.
        with contextlib.suppress(zmq.Again):
            return self._socket.send_multipart(parts, flags=zmq.DONTWAIT, copy=False, track=True)
        return None

    def _withdraw(self) -> None:
        """Makes sure that nothing of an unanswered message is sent any more.

        Its memory is the caller's again; and an answer that comes too late must not be taken for
        that to the next request.
        """
        self._reconnect(time.monotonic())
        if self._posted is not None:
            with contextlib.suppress(zmq.NotDone):
                self._posted.wait(_WITHDRAWAL_S)

    def _poll(self, patience_s: float) -> bool:
        """Whether there is an answer to read; sees how handshakes went meanwhile."""
        ready = dict(self._poller.poll(round(1000 * patience_s)))
        while self._monitor.poll(0):
            self._setback = setback_of(
                self._monitor.recv_multipart(), self._endpoint, encrypted=self._keys is not None
            )
        return self._socket in ready

    def _reconnect(self, now: float) -> None:
        self._close()
        self._socket = self._open()
        self._liveness.restart(now)
