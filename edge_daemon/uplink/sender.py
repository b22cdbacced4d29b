"""The sending loop: what is due goes from the spool to the transport; verdicts come back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from edge_daemon.errors import EdgeError, EscalateError, LatentsError, StorageError
from edge_daemon.uplink.deliveries import damaged
from edge_daemon.uplink.spool import SpoolThread
from edge_daemon.uplink.transports import Transport
from edge_daemon.uplink.window import Parcel, Window
from edge_daemon.wire import Key

_log = logging.getLogger(__name__)

_PATIENCE_S = 5.0
"""Longest time between two turns of the loop."""

End = Callable[[Key, str, "EdgeError | None"], None]
"""Called when an envelope's way ends: its key, how ("delivered", "refused", "dropped"), and why."""


class Sender:
    """Sends until it is answered whatever is in the window. Implements `Verdicts`.

    Args:
        window: What waits and what is in flight.
        spool: Where the bytes are.
        transport: What carries them.
        end: What to do when an envelope's way ends.
        look_after: Awaited on every turn of the loop, at least every 5 s.
    """

    def __init__(
        self,
        window: Window,
        spool: SpoolThread,
        transport: Transport,
        *,
        end: End,
        look_after: Callable[[], Awaitable[None]],
    ) -> None:
        self._window = window
        self._spool = spool
        self._transport = transport
        self._end = end
        self._look_after = look_after
        self._wake = asyncio.Event()
        self._replacements: set[asyncio.Task[None]] = set()
        self._turned = time.monotonic()
        self.up = False
        self.counts: Counter[str] = Counter()

    @property
    def still_s(self) -> float:
        """Seconds since the loop last turned, for a watchdog."""
        return time.monotonic() - self._turned

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def run(self) -> None:
        """Sends for ever."""
        try:
            while True:
                self._turned = time.monotonic()
                self._wake.clear()
                await self._looked_after()
                took_all = not self.up or await self._send_due()
                due_s = self._window.next_due_s(time.monotonic())
                await self._woken(min(_PATIENCE_S, due_s) if self.up and took_all else _PATIENCE_S)
        finally:
            for task in self._replacements:
                task.cancel()

    async def _looked_after(self) -> None:
        try:
            await self._look_after()
        except StorageError as mistake:
            _log.error("event=spool_not_looked_after error=%r", str(mistake))

    async def _send_due(self) -> bool:
        """Sends what is due; False if no more can be sent for now."""
        while self.up and (parcel := self._window.next(time.monotonic())) is not None:
            if time.monotonic() - self._turned > _PATIENCE_S:
                self.wake()  # a long backlog: whatever else has to be looked after gets its turn
                return True
            try:
                stored = await self._spool.read(parcel.id)
            except StorageError as mistake:
                _log.error("event=spool_unreadable error=%r", str(mistake))
                return False
            if stored is None:
                if self._window.find(parcel.key) is parcel:
                    self._end(parcel.key, "dropped", damaged(parcel.key))
                continue
            insist = parcel.insisting
            if not await self._transport.send(parcel.key, stored.envelope, insist=insist):
                return False
            if self._window.find(parcel.key) is parcel:  # its answer may have been quicker
                self.counts["resent"] += parcel.attempts > 0
                self._window.sent(parcel, time.monotonic(), len(stored.envelope))
        return True

    async def _woken(self, patience_s: float) -> None:
        """Waits until there is something to do, or for this long."""
        # Not `wait_for`, which until Python 3.12 may swallow a cancellation.
        wake = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({wake}, timeout=max(0.0, patience_s))
        finally:
            wake.cancel()

    def delivered(self, key: Key) -> None:
        """See `Verdicts`."""
        self._end(key, "delivered", None)

    def refused(self, key: Key, error: EdgeError) -> None:
        """See `Verdicts`."""
        parcel = self._window.find(key)
        if parcel is not None and isinstance(error, LatentsError | EscalateError):
            if parcel.replaced or parcel.insisting:
                return  # about the copy before: neither can be said of this one
            parcel.replaced = True
            task = asyncio.create_task(self._replace(parcel, error))
            self._replacements.add(task)
            task.add_done_callback(self._replacements.discard)
        else:
            self._end(key, "refused", error)

    def again(self, key: Key, error: EdgeError, after_s: float) -> None:
        """See `Verdicts`."""
        if self._window.postpone(key, time.monotonic() + after_s):
            _log.warning(
                "event=envelope_postponed client=%s sequence=%d error=%r", *key, str(error)
            )
        self.wake()

    def link(self, *, up: bool) -> None:
        """See `Verdicts`."""
        self.up = up
        if up:
            self._window.reconnected(time.monotonic())
        else:
            self._window.disconnected()
        _log.log(
            logging.INFO if up else logging.WARNING,
            "event=link_%s waiting=%d %s",
            "up" if up else "down",
            len(self._window),
            " ".join(f"{name}={value}" for name, value in self._transport.describe().items()),
        )
        self.wake()

    def ready(self) -> None:
        """See `Verdicts`."""
        self.wake()

    async def _replace(self, parcel: Parcel, error: LatentsError | EscalateError) -> None:
        """The cloud wants something else instead: the spare takes its place, if there is one."""
        escalated = isinstance(error, EscalateError)
        try:
            record = await self._spool.use_spare(parcel.id)
        except StorageError as mistake:
            parcel.replaced = False
            self.again(parcel.key, mistake, mistake.retry_after_s or _PATIENCE_S)
            return
        if self._window.find(parcel.key) is not parcel:
            return  # another cloud, or another copy, has settled it meanwhile
        if record is None and not escalated:
            self._end(parcel.key, "refused", error)
            return
        if record is None:
            parcel.replaced, parcel.insisting = False, True
            how = "insisted_on"
        else:
            how = "escalated" if escalated else "recoded"
            self.counts[how] += 1
        self._window.anew(record or parcel.record, time.monotonic())
        _log.warning("event=envelope_%s client=%s sequence=%d", how, *parcel.key)
        self.wake()
