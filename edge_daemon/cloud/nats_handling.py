"""What a worker does with one message of the stream, and how it tells the server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import nats.errors
from nats.aio.msg import Msg

from edge_daemon.cloud.keeping import Keeper
from edge_daemon.cloud.nats_claims import Claim, Claims
from edge_daemon.cloud.order import Order
from edge_daemon.cloud.refused import set_aside
from edge_daemon.cloud.store import Seen
from edge_daemon.errors import EdgeError, InternalError, MessageError, SequenceError, Verbatim
from edge_daemon.uplink.transports.nats_access import redacted
from edge_daemon.uplink.transports.nats_session import Connection
from edge_daemon.uplink.transports.nats_stream import key_of
from edge_daemon.wire import EnvelopeHeader, Key, unpack_envelope

_log = logging.getLogger(__name__)

TROUBLES = (nats.errors.Error, asyncio.TimeoutError, OSError, ValueError)
"""What nats-py raises because of a server or a network."""

_ANSWER_S = 5.0
_PAUSE_S = 0.5
_ATTEMPTS = 5

_ACK, _NAK, _TERM, _PROGRESS = b"+ACK", b"-NAK", b"+TERM", b"+WPI"

_Result = TypeVar("_Result")


class Line:
    """The connection of the moment, for work that may outlive it."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._leaving = False

    def use(self, connection: Connection | None) -> None:
        """From now on this one; `None`: there is none."""
        self._connection = connection
        self._tell(connection is not None)

    def leave(self) -> None:
        """Nobody is going to connect again."""
        self._leaving = True
        self._tell(changed=True)

    def _tell(self, changed: bool) -> None:
        if changed or self._leaving:
            self._changed.set()
        else:
            self._changed.clear()

    async def insist(
        self, what: Callable[[Connection], Coroutine[Any, Any, _Result]]
    ) -> _Result | None:
        """Does something on this connection, or on the next; `None` if it cannot be done.

        What is given up is not lost: the server delivers the envelope again.
        """
        failures = 0
        while failures < _ATTEMPTS:
            await self._changed.wait()
            connection = self._connection
            if connection is None or not connection.alive:
                if self._leaving:
                    return None
                await asyncio.sleep(_PAUSE_S)
                continue
            try:
                return await connection.run(what(connection))
            except TROUBLES as mistake:
                failures += 1
                reason = redacted(str(mistake) or type(mistake).__name__)
                _log.info("event=unanswered server=%s error=%r", connection.server, reason)
                await asyncio.sleep(_PAUSE_S)
        return None

    async def say(self, message: Msg, word: bytes) -> None:
        """Tells the server something about a message, if there is a connection."""
        if self._connection is not None and self._connection.alive:
            await self._connection.client.publish(message.reply, word)

    async def settle(self, message: Msg, word: bytes) -> bool:
        """Tells the server, and waits for its word that it heard; `False` if that did not come."""
        heard = await self.insist(
            lambda connection: connection.client.request(message.reply, word, timeout=_ANSWER_S)
        )
        return heard is not None


class Handler:
    """Claims, keeps and settles envelopes.

    Args:
        directory: The cloud's, where refused ones are set aside.
        keeper: Decodes and writes.
        claims: Shared with the other workers.
        line: To the server.
        threads: In which envelopes are checked, decoded and written.
    """

    def __init__(
        self,
        directory: Path,
        keeper: Keeper,
        claims: Claims,
        line: Line,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._directory = directory
        self._keeper = keeper
        self._claims = claims
        self._line = line
        self._threads = threads
        self._in_work: dict[Key, Msg] = {}
        self._order = Order()

    async def encourage(self) -> None:
        """Tells the server that what is in work is still being worked on."""
        for message in list(self._in_work.values()):
            await self._line.say(message, _PROGRESS)

    async def decline(self, message: Msg, delay_s: float = 0.0) -> None:
        """Lets the server deliver it again, to whomever, after so many seconds."""
        delay = json.dumps({"delay": int(delay_s * 1e9)}).encode("ascii")
        await self._line.say(message, _NAK + b" " + delay if delay_s else _NAK)

    async def handle(self, message: Msg) -> None:
        """Sees a message through; what fails on the way comes again."""
        try:
            key = key_of(message.headers)
        except MessageError as error:
            await self._refuse(message, ("unknown", 0), error)
            return
        if key in self._in_work:
            # It came again while it is being worked on; the first one will be settled.
            return
        self._in_work[key] = message
        try:
            before = self._order.line_up(key)
            if before is not None:
                await asyncio.wait({before})
            await self._handle(message, key)
        except TROUBLES as mistake:
            _log.info("event=left_for_later client=%s sequence=%d error=%r", *key, str(mistake))
        finally:
            del self._in_work[key]

    async def _handle(self, message: Msg, key: Key) -> None:
        try:
            header = await self._in_thread(_header_of, message.data)
        except EdgeError as error:
            await self._refuse(message, key, error)
            return
        seen = Seen(header.bitstream_sha256, header.fingerprint)
        claim = await self._line.insist(lambda _: self._claims.take(key, seen))
        if claim is None:
            return
        if claim.state == "others":
            await self.decline(message, claim.retry_after_s)
        elif claim.state == "ours":
            await self._keep(message, key, claim)
        elif claim.seen.is_same(header):
            _log.info("event=duplicate client=%s sequence=%d", *key)
            await self._line.settle(message, _ACK)
        else:
            await self._refuse(message, key, _another(key))

    async def _keep(self, message: Msg, key: Key, claim: Claim) -> None:
        try:
            duplicate = await self._in_thread(self._keeper.keep, message.data, key)
        except EdgeError as error:
            if error.retry_after_s is None:
                await self._refuse(message, key, error, claim)
                return
            _log.warning("event=postponed client=%s sequence=%d error=%r", *key, str(error))
            await self._line.insist(lambda _: self._claims.give_back(key, claim))
            await self.decline(message, error.retry_after_s)
            return
        except Exception as mistake:
            _log.exception("event=defect client=%s sequence=%d", *key)
            await self._refuse(message, key, _defect(mistake), claim)
            return
        if duplicate:
            _log.info("event=duplicate client=%s sequence=%d", *key)
        await self._close_claim(key, claim)
        await self._line.settle(message, _ACK)

    async def _refuse(
        self, message: Msg, key: Key, error: EdgeError, claim: Claim | None = None
    ) -> None:
        stored = message.metadata.sequence.stream
        facts: dict[str, object] = {
            "subject": message.subject,
            "headers": message.headers,
            "stream_sequence": stored,
        }
        name = f"{key[0]}-{key[1]}-{stored}"
        try:
            file = await self._in_thread(
                set_aside, self._directory, name, message.data, error, facts
            )
        except EdgeError as full:
            _log.warning("event=postponed client=%s sequence=%d error=%r", *key, str(full))
            await self.decline(message, full.retry_after_s or _ANSWER_S)
            return
        _log.warning("event=refused client=%s sequence=%d file=%s error=%r", *key, file, str(error))
        if claim is not None:
            await self._close_claim(key, claim)
        await self._line.settle(message, _TERM)

    async def _close_claim(self, key: Key, claim: Claim) -> None:
        if await self._line.insist(lambda _: self._claims.done(key, claim)) is False:
            _log.warning("event=kept_twice client=%s sequence=%d", *key)

    async def _in_thread(self, call: Callable[..., _Result], *arguments: object) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, call, *arguments)


def _header_of(payload: bytes) -> EnvelopeHeader:
    return unpack_envelope(payload).header


def _another(key: Key) -> SequenceError:
    return SequenceError(
        "another picture was kept under this number",
        value=Verbatim(f"{key[0]} {key[1]}"),
        remedy="give every frame of a client its own number, also after a restart",
    )


def _defect(mistake: Exception) -> InternalError:
    return InternalError(
        "the worker failed on this envelope",
        value=Verbatim(type(mistake).__name__),
        remedy="report it with the worker's log",
    )
