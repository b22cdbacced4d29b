"""The least that can stand above a transport: sends everything until each has its verdict."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from edge_daemon.errors import EdgeError
from edge_daemon.uplink.transports.abc import Transport
from edge_daemon.wire import Key

PATIENCE_S = 30.0


class Forwarder:
    """Keeps the contract of `edge_daemon.uplink.transports.abc` and writes down what it is told.

    Attributes:
        waiting: What has no verdict yet.
        under_way: What the transport took since the link came up.
        kept: Delivered, in the order of the verdicts.
        rejected: Refused, and why.
        postponed: Every `again`.
        stray: Verdicts of what was not under way.
        links: Every change of the link.
        most_under_way: Most that were under way at once.
        sends: Envelopes that the transport took.
        readies: Calls of `ready`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._news = asyncio.Event()
        self._wake = asyncio.Event()
        self.waiting: dict[Key, bytes] = {}
        self.under_way: set[Key] = set()
        self.kept: list[Key] = []
        self.rejected: dict[Key, EdgeError] = {}
        self.postponed: list[tuple[Key, EdgeError, float]] = []
        self.stray: list[Key] = []
        self.links: list[bool] = []
        self._resting: set[Key] = set()
        self.most_under_way = self.sends = self.readies = 0

    def add(self, envelopes: Mapping[Key, bytes]) -> None:
        self.waiting.update(envelopes)
        self._wake.set()

    async def until(self, what: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Waits until something is so; it is looked at after every call of the transport."""

        async def so() -> None:
            while not what():
                self._news.clear()
                await self._news.wait()

        await asyncio.wait_for(so(), patience_s)

    async def drive(self) -> None:
        """Sends what waits, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key, envelope in list(self.waiting.items()):
                if key in self.under_way | self._resting:
                    continue
                self.under_way.add(key)
                if not await self._transport.send(key, envelope):
                    self.under_way.discard(key)
                    break
                self.sends += 1
                self.most_under_way = max(self.most_under_way, len(self.under_way))

    @property
    def settled(self) -> bool:
        return not self.waiting

    @property
    def up(self) -> bool:
        return bool(self.links) and self.links[-1]

    # What the transport calls.

    def _judged(self, key: Key) -> None:
        if key not in self.under_way:
            self.stray.append(key)
        self.under_way.discard(key)

    def _over(self, key: Key) -> None:
        self._judged(key)
        self.waiting.pop(key, None)
        self._tell()

    def _rested(self, key: Key) -> None:
        self._resting.discard(key)
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._wake.set()

    def delivered(self, key: Key) -> None:
        self.kept.append(key)
        self._over(key)

    def refused(self, key: Key, error: EdgeError) -> None:
        self.rejected[key] = error
        self._over(key)

    def again(self, key: Key, error: EdgeError, after_s: float) -> None:
        self.postponed.append((key, error, after_s))
        self._judged(key)
        self._resting.add(key)
        asyncio.get_running_loop().call_later(after_s, self._rested, key)
        self._news.set()

    def link(self, *, up: bool) -> None:
        self.links.append(up)
        if not up:
            self.under_way.clear()
        self._tell()

    def ready(self) -> None:
        self.readies += 1
        self._tell()


@asynccontextmanager
async def forwarding(transport: Transport) -> AsyncGenerator[Forwarder]:
    """Opens a transport and drives it."""
    forwarder = Forwarder(transport)
    await transport.open(forwarder)
    driving = asyncio.create_task(forwarder.drive())
    try:
        yield forwarder
        assert not forwarder.stray
        assert not transport.task.done()
        assert not driving.done()
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
        await transport.close()


async def until_logged(caplog: pytest.LogCaptureFixture, forwarder: Forwarder, text: str) -> None:
    """Waits for a log line, where nothing else tells of what it stands for."""
    nudge = _Nudge(forwarder)
    logging.getLogger("edge_daemon").addHandler(nudge)
    try:
        await forwarder.until(lambda: text in caplog.text)
    finally:
        logging.getLogger("edge_daemon").removeHandler(nudge)


class _Nudge(logging.Handler):
    """Has a forwarder look again at every log line."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__()
        self._forwarder = forwarder

    def emit(self, record: logging.LogRecord) -> None:
        self._forwarder.ready()
