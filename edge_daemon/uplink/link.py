"""From the spool to the cloud: what is put in is sent until it is answered.

The spool keeps the bytes, `Window` decides what goes next, a transport carries it, and `Sender`
turns the crank. This module is what the daemon sees of them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Literal

from edge_daemon.errors import EdgeError
from edge_daemon.settings import UplinkSettings, WhenFull
from edge_daemon.uplink.deliveries import Deliveries, Delivery, gave_way, spool_full
from edge_daemon.uplink.sender import Sender
from edge_daemon.uplink.spool import Entry, Facts, Record, SpoolThread, Stored
from edge_daemon.uplink.transports import Transport
from edge_daemon.uplink.window import Parcel, Window
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_EXPIRE_EVERY_S = 5.0

DropReason = Literal["gave_way", "expired", "damaged", "refused"]
"""Why an envelope was given up: the spool was full, it was too old, the disk damaged it, or the
cloud will never take it."""


class Uplink:
    """Envelopes on their way to the cloud.

    A place is reserved before any work is done on a frame, so that a frame that was begun is seldom
    refused at the end: `reserve`, then `submit` or `release`.

    Args:
        settings: How to send.
        spool: Where envelopes wait; opened and closed here.
        transport: What carries them; opened and closed here.
        when_full: What a client's rules say of a full spool.
        dropped: Told why an envelope was given up, and whose it was.
    """

    def __init__(
        self,
        settings: UplinkSettings,
        spool: SpoolThread,
        transport: Transport,
        *,
        when_full: Callable[[str], WhenFull] = lambda _: "drop-oldest",
        dropped: Callable[[DropReason, str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._transport = transport
        self._when_full = when_full
        self._dropped = dropped or _unheard
        self._window = Window(
            settings.in_flight,
            settings.ack_timeout_s,
            live_first=settings.backlog == "live-first",
            backlog_bytes_per_s=_bytes_per_s(settings.backlog_kbps),
        )
        self._sender = Sender(
            self._window, spool, transport, end=self._end, look_after=self._expire
        )
        self._deliveries = Deliveries()
        self._reserved = 0
        self._expire_at = 0.0

    @property
    def up(self) -> bool:
        """Whether there is somebody to send to."""
        return self._sender.up

    @property
    def durable(self) -> bool:
        """Whether what is submitted survives this process."""
        return self._spool.facts().durable

    @property
    def cloud_answers(self) -> bool:
        """Whether a delivery is the cloud's own word; see `Transport`."""
        return self._transport.cloud_answers

    @property
    def idle(self) -> bool:
        """Whether the link is up and nothing waits for it."""
        return self.up and len(self._window) == 0

    @property
    def still_s(self) -> float:
        """Seconds since the sending loop last turned; it does so at least every 5 s."""
        return self._sender.still_s

    def queues(self) -> dict[str, int]:
        """Entries per queue."""
        return {
            "uplink_waiting": len(self._window) - self._window.in_flight,
            "uplink_in_flight": self._window.in_flight,
            "uplink_backlog": self._window.backlog,
        }

    def counters(self) -> dict[str, int]:
        """Events since the start."""
        names = ("delivered", "resent", "refused", "recoded", "escalated", "dropped")
        return {f"envelopes_{name}": self._sender.counts[name] for name in names}

    def link_facts(self) -> dict[str, str | int | None]:
        """The link, for people."""
        return {"state": "up" if self.up else "down", **self._transport.describe()}

    def spool_facts(self) -> Facts:
        """The spool, for people."""
        return self._spool.facts()

    async def probe(self) -> None:
        """Returns when the spool's thread has answered: proof of life for a watchdog."""
        await self._spool.probe()

    def tune(self, settings: UplinkSettings) -> None:
        """Takes over from new settings what can change while running: how the backlog is sent."""
        self._window.tune(
            live_first=settings.backlog == "live-first",
            backlog_bytes_per_s=_bytes_per_s(settings.backlog_kbps),
        )
        self._sender.wake()

    def reserve(self, client: str) -> None:
        """Keeps a place for one envelope of this client. The last word is `submit`'s.

        Raises:
            SpoolFullError: There is no room, and nothing in the spool may give way.
        """
        if self.durable:
            room = self._spool.room_for(under_way=self._window.sent_records())
        else:
            # The spool's own figures are a moment old, which matters where there are few places.
            taken = len(self._window) + self._reserved
            room = taken < self._settings.queue_frames or self._when_full(client) == "drop-oldest"
        if not room:
            raise spool_full(
                self._spool.facts(), up=self.up, patience_s=self._settings.ack_timeout_s
            )
        self._reserved += 1

    def release(self) -> None:
        """Gives back a place that was not used."""
        self._reserved -= 1

    async def submit(self, key: Key, envelope: bytes, spare: bytes | None = None) -> Delivery:
        """Takes over an envelope in a place that was reserved; with a spool it is on disk then.

        Args:
            key: (client, sequence).
            envelope: Its bytes.
            spare: What to send if the cloud wants something else instead: it decodes the envelope
                to other latents, or wants the picture of which this is a text.

        Raises:
            SpoolFullError: There is no room, and nothing in the spool may give way.
            StorageError: It could not be written.
        """
        try:
            waiting = self._deliveries.find(key)
            if waiting is not None:
                # Its result was forgotten, its envelope still waits: one copy is enough.
                return waiting
            entry = Entry(key, envelope, spare, self._when_full(key[0]))
            stored = await self._put(entry)
            while not stored.fresh and self._window.find(key) is None:
                # Its first copy was answered just now: put anew, behind the delete.
                self._spool.delete(stored.record.id)
                stored = await self._put(entry)
        finally:
            self._reserved -= 1
        if self._window.find(key) is None:
            self._window.put(Parcel(stored.record, backlog=not self.up))
        self._sender.wake()
        return self._deliveries.expect(key)

    async def open(self) -> None:
        """Opens the spool, begins to connect and to send what it holds.

        Raises:
            StorageError: The spool's directory cannot be used.
            SettingsError: An endpoint, key or path of the transport cannot be used.
        """
        for record in await self._spool.open():
            self._window.put(Parcel(record, backlog=True))
        if len(self._window):
            _log.info("event=backlog_found envelopes=%d", len(self._window))
        try:
            await self._transport.open(self._sender)
        except EdgeError:
            await self._spool.close()
            raise
        self.tasks = (
            asyncio.create_task(self._sender.run(), name="uplink"),
            self._transport.task,
        )
        """Those that run for ever."""

    async def close(self, drain_s: float) -> int:
        """Waits for answers for a bounded time, then closes.

        Returns:
            How many envelopes were abandoned; with a spool on disk none are, they wait there.
        """
        if self.up or not self.durable:
            await self._deliveries.drain(drain_s)
        self.tasks[0].cancel()
        await asyncio.gather(self.tasks[0], return_exceptions=True)
        await self._transport.close()
        await self._spool.close()
        self._deliveries.stop(str(self._transport.describe().get("peer")), durable=self.durable)
        left = len(self._window)
        if self.durable and left:
            _log.info("event=spooled_for_later envelopes=%d", left)
        return 0 if self.durable else left

    async def _put(self, entry: Entry) -> Stored:
        stored = await self._spool.put(entry, under_way=self._window.under_way())
        self._let_go(stored.dropped, "gave_way")
        return stored

    async def _expire(self) -> None:
        """Now and then: drops what is too old."""
        if time.monotonic() >= self._expire_at:
            self._expire_at = time.monotonic() + _EXPIRE_EVERY_S
            expired = await self._spool.expire(under_way=self._window.under_way())
            self._let_go(expired, "expired")

    def _end(self, key: Key, how: str, error: EdgeError | None) -> None:
        """An envelope's way ends here."""
        parcel = self._window.find(key)
        if parcel is None:
            return
        self._window.drop([key])
        self._spool.delete(parcel.id)
        self._sender.counts[how] += 1
        if error is not None:
            _log.error("event=envelope_%s client=%s sequence=%d error=%r", how, *key, str(error))
        if how != "delivered":
            self._dropped("damaged" if how == "dropped" else "refused", key[0])
        self._deliveries.end(key, error)
        self._sender.wake()

    def _let_go(self, records: Iterable[Record], reason: DropReason) -> None:
        """The spool has let these go."""
        for record in records:
            self._window.drop([record.key])
            self._sender.counts["dropped"] += 1
            self._dropped(reason, record.key[0])
            self._deliveries.end(record.key, gave_way(record.key, reason))


def _bytes_per_s(kbps: float | None) -> float | None:
    return None if kbps is None else kbps * 1000 / 8


def _unheard(reason: DropReason, client: str) -> None:
    """Nobody wants to know why, or whose."""
