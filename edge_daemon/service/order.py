"""Frames of one client leave in the order in which they were let in, whatever the threads do.

Each frame draws a ticket when it is let in. When it is done it is laid down here, and its worker
goes on to the next frame; it is taken up when all tickets before it are done or have given way.
Nobody waits here: what waits are results, and they hold no worker, no thread and no place in a
queue between stages.

Why that cannot deadlock. Number a client's frames by their tickets.

1. Frames are begun in the order of their tickets (`fairness.FairQueue`), so whatever a result waits
   for was begun before it, and is in a stage, in the slow lane, on its way to the uplink, or here.
2. A stage waits for the stage behind it only (room in its queue), the last for the uplink only, and
   none for a turn. So every frame that is in a stage comes out of it, or fails and gives way.
3. The least ticket that was begun and is not done is never waiting for a turn. By 2 it leaves; by
   induction all leave.
4. Frames that were not begun wait for frames to leave (`waiting.WaitingRoom` bounds how many are
   under way, and how many of one client), never the other way round.

How much may lie here: a client has at most as many frames begun and not done as `FairQueue` allows,
and has results waiting only while an earlier frame of its own is in a stage, and those are bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turnstile(Generic[Item]):
    """Results that wait for their turn, per client. No clock and no event loop here."""

    def __init__(self) -> None:
        self._lines: dict[str, OrderedDict[int, Item | None]] = {}
        self._drawn = 0

    @property
    def held(self) -> int:
        """Results that lie here."""
        return sum(item is not None for line in self._lines.values() for item in line.values())

    @property
    def outstanding(self) -> int:
        """Tickets that were neither taken up nor gave way."""
        return sum(map(len, self._lines.values()))

    def enter(self, client: str) -> int:
        """Draws a ticket: the client's next frame was let in."""
        self._drawn += 1
        self._lines.setdefault(client, OrderedDict())[self._drawn] = None
        return self._drawn

    def lay_down(self, client: str, ticket: int, item: Item) -> bool:
        """A frame is done; returns whether all frames before it are."""
        line = self._lines[client]
        line[ticket] = item
        for earlier, result in line.items():
            if earlier == ticket:
                break
            if result is None:
                return False
        return True

    def give_way(self, client: str, ticket: int) -> None:
        """A frame will have no result."""
        line = self._lines[client]
        del line[ticket]
        if not line:
            del self._lines[client]

    def take_up(self, client: str) -> Item | None:
        """The client's result whose turn it is; `None` if there is none."""
        line = self._lines.get(client)
        if line is None:
            return None
        ticket, item = next(iter(line.items()))
        if item is not None:
            self.give_way(client, ticket)
        return item
