"""ZeroMQ's question who may connect (ZAP, RFC 27), answered on the event loop.

The library's own `zmq.auth.asyncio` does not tell its callback the address, ends for good when a
callback fails, and leaves its socket's descriptor in the event loop when it stops.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import zmq
import zmq.asyncio
from zmq.utils import z85

_log = logging.getLogger(__name__)

ZAP_ENDPOINT = "inproc://zeromq.zap.01"
ZAP_DOMAIN = b"edge"

_VERSION = b"1.0"
_REQUEST_PARTS = 7
_LOG_EVERY_S = 10.0


class ZapHandler:
    """Answers for all CURVE sockets of a context; there can be one per context.

    Args:
        context: Whose sockets ask.
        admits: Whether a public key, in Z85, may connect.

    Raises:
        zmq.ZMQError: The context has a handler already.
    """

    def __init__(self, context: zmq.asyncio.Context, admits: Callable[[str], bool]) -> None:
        self._admits = admits
        self._unlogged = 0
        self._logged: float | None = None
        self._socket = context.socket(zmq.REP)
        self._socket.set(zmq.LINGER, 0)
        try:
            self._socket.bind(ZAP_ENDPOINT)
        except zmq.ZMQError:
            self._socket.close()
            raise
        self._task = asyncio.create_task(self._serve(), name="zap")

    def close(self) -> None:
        """Answers no more; nobody can connect from then on."""
        self._task.cancel()
        self._socket.close()

    async def _serve(self) -> None:
        while True:
            request = await self._socket.recv_multipart()
            await self._socket.send_multipart(self._reply(request))

    def _reply(self, request: list[bytes]) -> list[bytes]:
        """The answer; of 200, 300 and 400, only 400 makes the peer give up."""
        request_id = request[1] if len(request) > 1 else b""
        status, words, user = b"400", b"this key may not connect", b""
        try:
            if len(request) == _REQUEST_PARTS and request[5] == b"CURVE":
                key = z85.encode(request[6])
                if self._admits(key.decode("ascii")):
                    status, words, user = b"200", b"OK", key
                else:
                    self._tell(key, request[3])
        except Exception:
            _log.exception("event=defect part=zap")
            status, words = b"300", b"try again later"
        return [_VERSION, request_id, status, words, user, b""]

    def _tell(self, key: bytes, address: bytes) -> None:
        """Logs a refusal, but does not let strangers fill the log."""
        now = time.monotonic()
        if self._logged is not None and now - self._logged < _LOG_EVERY_S:
            self._unlogged += 1
            return
        _log.warning(
            "event=peer_refused key=%r address=%s unlogged=%d",
            key.decode("ascii"),
            address.decode("ascii", "replace"),
            self._unlogged,
        )
        self._logged, self._unlogged = now, 0
