"""Envelopes of one client are kept in the order in which they came.

1. One after another per client; different clients' at the same time.
2. When the cloud asks for one to come again (it is busy, or its disk is full), those of the same
   client that come behind it are asked to come again as well, until it came: else they would
   overtake it. A sender that gave it up (it was dropped there) holds up its client for a while.
3. One that is wanted in another form (a picture in place of its text, or in another codec) holds up
   nobody: those behind it are on their way, and to send them twice would cost a thin link more than
   their order is worth. What takes its place is kept when it comes; the numbers tell the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from edge_daemon.errors import BusyError, EdgeError, Verbatim
from edge_daemon.wire import Key

GIVEN_UP_S = 30.0
"""Seconds beyond the advised time that an envelope which was to come again is waited for."""
_RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class _Awaited:
    key: Key
    until: float


class Order:
    """Who is next of each client. For the event loop."""

    def __init__(self) -> None:
        self._latest: dict[str, asyncio.Task[Any]] = {}
        self._awaited: dict[str, _Awaited] = {}

    def check(self, key: Key, now: float) -> None:
        """Lets an envelope in, or not.

        Args:
            key: Its (client, sequence).
            now: Seconds of a monotonic clock.

        Raises:
            BusyError: An earlier one of its client was asked to come again, and has not yet.
        """
        awaited = self._awaited.get(key[0])
        if awaited is None:
            return
        if awaited.key != key and now < awaited.until:
            raise BusyError(
                "an earlier envelope of this client is to come first",
                value=Verbatim(f"{key[0]} {awaited.key[1]}"),
                remedy="send it again after that one",
                retry_after_s=_RETRY_AFTER_S,
            )
        del self._awaited[key[0]]

    def line_up(self, key: Key) -> asyncio.Task[Any] | None:
        """The current task is the last of its client now; returns the one before it."""
        client = key[0]
        worker = asyncio.current_task()
        assert worker is not None
        before = self._latest.get(client)
        self._latest[client] = worker
        worker.add_done_callback(lambda _: self._left(client, worker))
        return before

    @contextmanager
    def watching(self, key: Key, clock: Callable[[], float]) -> Generator[None]:
        """Whatever is raised within, and is to be tried again, holds up those behind it."""
        try:
            yield
        except EdgeError as error:
            if error.retry_after_s is not None:
                until = clock() + error.retry_after_s + GIVEN_UP_S
                known = self._awaited.get(key[0])
                if known is None or known.key == key:
                    self._awaited[key[0]] = _Awaited(key, until)
            raise

    def _left(self, client: str, worker: asyncio.Task[Any]) -> None:
        if self._latest.get(client) is worker:
            del self._latest[client]
