"""What a transport tells its uplink, in order."""

from __future__ import annotations

import asyncio
from typing import Any

from edge_daemon.errors import EdgeError
from edge_daemon.wire import Key
from support.waiting import PATIENCE_S


class Heard:
    """In an uplink's place: it writes down each word, as a tuple that begins with its name."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()

    def delivered(self, key: Key) -> None:
        self.events.put_nowait(("delivered", key))

    def refused(self, key: Key, error: EdgeError) -> None:
        self.events.put_nowait(("refused", key, error))

    def again(self, key: Key, error: EdgeError, after_s: float) -> None:
        self.events.put_nowait(("again", key, error, after_s))

    def link(self, *, up: bool) -> None:
        self.events.put_nowait(("link", up))

    def ready(self) -> None:
        self.events.put_nowait(("ready",))

    async def next(self) -> tuple[Any, ...]:
        """The next word; it may have been said already."""
        return await asyncio.wait_for(self.events.get(), PATIENCE_S)
