"""To the cloud through a NATS server: JetStream stores envelopes until the cloud's workers come.

`delivered` means that the stream has stored the envelope (its PubAck came), or had it already. What
the cloud makes of it never comes back. What can go wrong, and what becomes of it:

| what | verdict |
|---|---|
| no connection, or it ends | the link is down; afterwards everything under way is sent again |
| the stream is not there, or cannot be reached (a leaf node without its hub) | the link is down |
| no PubAck in time | again |
| stream or server full | again, after a while; meanwhile the spool keeps it |
| larger than the server's `max_payload` or the stream's `max_msg_size` | refused, for good |

Envelopes are published in the order of `send`; verdicts come as PubAcks do. Slow lines are given
time, down to 128 kbit/s: little is under way at once, and a PubAck is waited for as long as what is
under way takes to leave. Otherwise what is merely slow would be sent again, and be slower still.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import ClassVar

import nats.errors
import nats.js.errors

from edge_daemon.errors import (
    EdgeError,
    LinkError,
    PayloadTooLargeError,
    SettingsError,
    StorageError,
    Verbatim,
)
from edge_daemon.settings import NatsSettings
from edge_daemon.uplink.transports.abc import Verdicts
from edge_daemon.uplink.transports.backoff import BackOff
from edge_daemon.uplink.transports.nats_access import redacted
from edge_daemon.uplink.transports.nats_session import (
    GOOD_AFTER_S,
    LONGEST_PAUSE_S,
    Connection,
    Connector,
    end,
    first_of,
)
from edge_daemon.uplink.transports.nats_stream import (
    HEADER_BYTES,
    find_stream,
    headers_of,
    takes,
    token_of,
)
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_MOST_UNDER_WAY = 256
_MOST_BYTES_UNDER_WAY = 2**21
_PUBACK_S = 10.0
_LEAST_BYTES_PER_S = 16_000
_SOON_S = 1.0
_LATER_S = 5.0

# JetStream's numbers for errors.
_MESSAGE_TOO_LARGE = 10054
_FULL = frozenset({10002, 10023, 10047, 10077})


class NatsTransport:
    """Publishes envelopes to a JetStream stream.

    Args:
        settings: All but `consumer` and `ack_wait_s` are used.
    """

    cloud_answers: ClassVar[bool] = False

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._under_way: dict[asyncio.Task[None], int] = {}
        self._turned_away = False
        self._stream_gone = asyncio.Event()
        self._duplicates = 0

    async def open(self, verdicts: Verdicts) -> None:
        """Begins to connect.

        Raises:
            SettingsError: A URL is malformed, or a file of credentials or authorities unusable.
        """
        self._verdicts = verdicts
        self._connector = Connector(self._settings, "edge-daemon")
        self._task = asyncio.create_task(self._attend(), name="uplink-nats")

    async def send(self, key: Key, envelope: bytes, *, insist: bool = False) -> bool:
        """Publishes an envelope, unless there is no link or too much is under way."""
        connection = self._connection
        if connection is None or self._is_full(len(envelope)):
            self._turned_away = True
            return False
        task = asyncio.create_task(self._publish(connection, key, envelope))
        self._under_way[task] = len(envelope)
        task.add_done_callback(self._landed)
        return True

    async def close(self) -> None:
        """Leaves the server; what has no PubAck yet gets no verdict."""
        connection, self._connection = self._connection, None
        await end(self._task)
        await self._abandon()
        if connection is not None:
            await connection.close()

    @property
    def task(self) -> asyncio.Task[None]:
        """Connects, and watches the connection."""
        return self._task

    def describe(self) -> dict[str, str | int | None]:
        """Kind, server in use, the others, and what was counted; no secrets."""
        peer = None if self._connection is None else self._connection.server
        others = [server for server in self._connector.servers if server != peer]
        return {
            "kind": "nats",
            "peer": peer,
            "others": " ".join(others) or None,
            "reconnects": self._connector.reconnects,
            "stream": self._settings.stream,
            "under_way": len(self._under_way),
            "duplicates": self._duplicates,
        }

    async def _attend(self) -> None:
        while True:
            connection = await self._connector.connect()
            try:
                await self._use(connection)
            finally:
                await connection.close()

    async def _use(self, connection: Connection) -> None:
        """Carries envelopes over a connection until it ends, whenever the stream is there."""
        back_off = BackOff(LONGEST_PAUSE_S, GOOD_AFTER_S)
        while connection.alive:
            if await self._finds_stream(connection):
                back_off.works(time.monotonic())
                await self._carry(connection)
                back_off.failed(time.monotonic())
            await first_of(connection.lost(), timeout_s=back_off.pause_s())

    async def _finds_stream(self, connection: Connection) -> bool:
        subject = f"{self._settings.subject}.any"
        try:
            info = await find_stream(connection.js, self._settings)
            if not takes(info, subject):
                raise SettingsError(
                    f"stream {self._settings.stream} does not take this subject (nats.subject)",
                    value=subject,
                    remedy="give the stream the subject, or name the stream that has it",
                )
        except (EdgeError, nats.errors.Error, OSError, ValueError) as mistake:
            reason = redacted(str(mistake) or type(mistake).__name__)
            _log.error("event=no_stream server=%s error=%r", connection.server, reason)
            return False
        return True

    async def _carry(self, connection: Connection) -> None:
        self._stream_gone.clear()
        self._connection = connection
        _log.info(
            "event=link_up cloud=%s stream=%s max_payload=%d",
            connection.server,
            self._settings.stream,
            connection.client.max_payload,
        )
        try:
            self._verdicts.link(up=True)
            self._invite()
            await first_of(connection.lost(), self._stream_gone.wait())
        finally:
            self._part(connection)
            await self._abandon()

    def _part(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            _log.warning("event=link_down cloud=%s", connection.server)
            self._verdicts.link(up=False)

    def _is_full(self, envelope_bytes: int) -> bool:
        """Whether one more is too much; a single one never is."""
        if not self._under_way:
            return False
        too_many = len(self._under_way) >= _MOST_UNDER_WAY
        return too_many or self._bytes_under_way() + envelope_bytes > _MOST_BYTES_UNDER_WAY

    def _bytes_under_way(self) -> int:
        return sum(self._under_way.values())

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        if self._connection is not None:
            self._invite()

    def _invite(self) -> None:
        if self._turned_away:
            self._turned_away = False
            self._verdicts.ready()

    async def _abandon(self) -> None:
        """Lets go of what is under way on a connection that is of no use any more."""
        await end(*self._under_way, again_s=0.05)

    async def _publish(self, connection: Connection, key: Key, envelope: bytes) -> None:
        try:
            error = await self._stored(connection, key, envelope)
        except Exception:
            _log.exception("event=defect client=%s sequence=%d", *key)
            error = _again("publishing failed", self._settings.stream, _LATER_S)
        if self._connection is not connection:
            # `link` has said already that there will be no verdict.
            return
        if error is None:
            self._verdicts.delivered(key)
        elif error.retry_after_s is None:
            self._verdicts.refused(key, error)
        else:
            self._verdicts.again(key, error, error.retry_after_s)

    async def _stored(self, connection: Connection, key: Key, envelope: bytes) -> EdgeError | None:
        """Publishes, and waits for the PubAck; what went wrong, or `None`."""
        limit = connection.client.max_payload
        if len(envelope) + HEADER_BYTES > limit:
            return _too_large(len(envelope), f"the server's max_payload of {limit} bytes")
        stream = self._settings.stream
        leaving_s = self._bytes_under_way() / _LEAST_BYTES_PER_S
        try:
            receipt = await connection.js.publish(
                f"{self._settings.subject}.{token_of(key[0])}",
                envelope,
                timeout=_PUBACK_S + leaving_s,
                stream=stream,
                headers=headers_of(key),
            )
        except nats.js.errors.NoStreamResponseError:
            self._stream_gone.set()
            return _again("nobody stores what is published", stream, _SOON_S)
        except nats.js.errors.APIError as refusal:
            if refusal.err_code == _MESSAGE_TOO_LARGE:
                return _too_large(len(envelope), f"max_msg_size of stream {stream}")
            if refusal.err_code in _FULL:
                return StorageError(
                    f"the stream cannot store it: {refusal.description}",
                    value=stream,
                    remedy="let the cloud's workers catch up, or enlarge the stream's max_bytes",
                    retry_after_s=_LATER_S,
                )
            return _again(f"the server refused: {refusal.description}", stream, _LATER_S)
        except (nats.errors.Error, asyncio.TimeoutError, OSError) as mistake:
            return _again(f"no acknowledgement: {mistake}", stream, _SOON_S)
        if receipt.duplicate:
            self._duplicates += 1
            _log.info("event=stored_before client=%s sequence=%d", *key)
        return None


def _too_large(envelope_bytes: int, limit: str) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"the envelope is larger than {limit}",
        value=Verbatim(f"{envelope_bytes} bytes"),
        remedy="raise max_payload in nats-server's configuration (deploy/nats has 8MB) and"
        " max_msg_size of the stream, or give frames a smaller budget_bytes",
    )


def _again(problem: str, stream: str, after_s: float) -> LinkError:
    return LinkError(
        problem,
        value=stream,
        remedy="check the NATS server, its stream and this daemon's permissions",
        retry_after_s=after_s,
    )
