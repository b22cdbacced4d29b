"""Whose frame is begun next: start-time fair queueing, and how much of a queue one client may fill.

Every client with frames is a *flow* with a weight. Time here is virtual: it is the start tag of the
frame that was begun last. A frame's start tag is the finish tag of its client's frame before, or
the virtual time if that is later; its finish tag is its start tag plus its cost over the weight.
The least start tag is begun next. So clients that always have frames waiting share the work by
their weights, to within one frame each, and what a client did not use yesterday buys it nothing
today.

The cost of a frame is the work that it makes, in seconds. Bytes would let a camera with small
files of large pictures, many prompts or a slow codec take most of the machine for the price of a
thumbnail. The work is not known beforehand; start tags do not need it. It is estimated when a frame
is begun, and `done` charges the client the difference once it was measured.

Where deadlines are short nothing may wait, and there is no queue that could be fair: whoever asks
first when there is time for a frame would get it. So a client that was refused for want of time has
a *claim*: for a while it counts as if its frame waited, for others that ask, and for itself when it
asks again.

No clock and no event loop here.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST_FLOWS = 4096
"""Clients without frames whose debt is remembered."""


@dataclass
class _Flow(Generic[Item]):
    """One client's frames.

    Attributes:
        weight: Share of the work, relative to other clients.
        start: Start tag of the frame that waits longest, or of the next to come.
        arrived: When that frame became the client's first; equal tags are served in this order.
        waiting: Frames that were not begun, and the cost of each.
        begun: Frames that were begun and are not done.
        claimed: Cost of the frame that was refused, while that counts; else 0.
        until: When its claim ends, in seconds.
    """

    weight: float
    start: float
    arrived: int = 0
    waiting: deque[tuple[Item, float]] = field(default_factory=deque[tuple[Item, float]])
    begun: int = 0
    claimed: float = 0.0
    until: float = 0.0

    @property
    def idle(self) -> bool:
        return not self.waiting and not self.begun

    def head(self, now: float) -> float:
        """Cost of the frame that waits longest, or is claimed; 0 if there is none."""
        if self.waiting:
            return self.waiting[0][1]
        return self.claimed if now < self.until else 0.0


class FairQueue(Generic[Item]):
    """Frames of many clients; those of one leave in the order in which they came.

    Args:
        most_begun: Frames of one client that may be begun and not done. While so many are, its
            others wait, and those of other clients pass them.
        most_flows: Clients without frames whose finish tags are remembered.
    """

    def __init__(self, most_begun: int, most_flows: int = MOST_FLOWS) -> None:
        self._most_begun = most_begun
        self._most_flows = most_flows
        self._flows: OrderedDict[str, _Flow[Item]] = OrderedDict()
        self._virtual = 0.0
        self._arrivals = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def flows(self) -> int:
        """Clients that are known."""
        return len(self._flows)

    def waiting(self, client: str) -> int:
        """Frames of this client that were not begun."""
        flow = self._flows.get(client)
        return 0 if flow is None else len(flow.waiting)

    def begun(self, client: str) -> int:
        """Frames of this client that were begun and are not done."""
        flow = self._flows.get(client)
        return 0 if flow is None else flow.begun

    def put(self, client: str, item: Item, *, cost: float, weight: float, now: float = 0.0) -> None:
        """Takes a frame in.

        Args:
            client: Whose it is.
            item: The frame.
            cost: What it is expected to cost, greater than 0.
            weight: The client's share of the work relative to others, greater than 0.
            now: The clock that claims go by, in seconds.
        """
        flow = self._flow(client, weight, now)
        if not flow.waiting:
            self._first_in_line(flow)
        flow.waiting.append((item, cost))
        flow.until = 0.0
        self._size += 1

    def claim(self, client: str, *, cost: float, weight: float, now: float, until: float) -> None:
        """A frame was refused for want of time; arguments are those of `put`.

        Args:
            client: Whose it is.
            cost: What it would have cost.
            weight: The client's share of the work.
            now: The clock, in seconds.
            until: By when the client should ask again.
        """
        flow = self._flow(client, weight, now)
        flow.claimed, flow.until = cost, until
        if len(self._flows) > self._most_flows:
            self._forget(now)

    def swap(self, client: str, item: Item, *, cost: float) -> Item:
        """Puts a frame in the place of the client's newest, which must not be begun yet.

        Returns:
            The frame whose place it took.
        """
        flow = self._flows[client]
        replaced, _ = flow.waiting.pop()
        flow.waiting.append((item, cost))
        return replaced

    def pop(self) -> Item | None:
        """The frame to begin now; `None` if none waits, or all who wait have begun enough."""
        chosen: _Flow[Item] | None = None
        for flow in self._flows.values():
            if not flow.waiting or flow.begun >= self._most_begun:
                continue
            if chosen is None or (flow.start, flow.arrived) < (chosen.start, chosen.arrived):
                chosen = flow
        if chosen is None:
            return None
        item, cost = chosen.waiting.popleft()
        self._size -= 1
        self._virtual = max(self._virtual, chosen.start)
        chosen.start += cost / chosen.weight
        chosen.begun += 1
        self._first_in_line(chosen)
        return item

    def done(self, client: str, surplus: float = 0.0, *, now: float = 0.0) -> None:
        """A frame that was begun is done.

        Args:
            client: Whose it was.
            surplus: What it cost beyond what was expected; negative if it was less.
            now: The clock that claims go by, in seconds.
        """
        flow = self._flows[client]
        flow.begun -= 1
        flow.start += surplus / flow.weight
        if flow.idle:
            self._forget(now)

    def work_ahead(
        self, client: str, *, weight: float, instead: bool = False, now: float = 0.0
    ) -> float:
        """Cost of what is begun before a frame of this client that would come now.

        Everybody else is taken to have frames waiting until then, for they may yet send them.

        Args:
            client: Whose frame.
            weight: Its share of the work.
            instead: The frame would take the place of the client's newest.
            now: The clock that claims go by, in seconds.
        """
        own = self._flows.get(client)
        before, start = 0.0, self._virtual
        if own is not None:
            before = sum(cost for _, cost in own.waiting)
            if instead:
                before -= own.waiting[-1][1]
            start = self._start(own, now) + before / weight
        for name, flow in self._flows.items():
            theirs = self._start(flow, now)
            if name != client and theirs <= start:
                # What is begun is done whole: the frame that begins last counts in full.
                before += (start - theirs) * flow.weight + flow.head(now)
        return before

    def _flow(self, client: str, weight: float, now: float) -> _Flow[Item]:
        """The client's flow, with the start tag that a frame would have now."""
        flow = self._flows.get(client)
        if flow is None:
            flow = self._flows[client] = _Flow(weight, self._virtual)
        flow.weight = weight
        flow.start = self._start(flow, now)
        return flow

    def _start(self, flow: _Flow[Item], now: float) -> float:
        """Start tag of the flow's first frame, or of one that would come now."""
        return flow.start if flow.head(now) else max(flow.start, self._virtual)

    def _first_in_line(self, flow: _Flow[Item]) -> None:
        self._arrivals += 1
        flow.arrived = self._arrivals

    def _forget(self, now: float) -> None:
        """Drops the flows that mean nothing any more, and of the others the oldest."""
        idle = [name for name, flow in self._flows.items() if flow.idle and not flow.head(now)]
        if len(idle) == len(self._flows):
            # Nobody has frames: what the busy times were about is settled.
            self._flows.clear()
            return
        for name in idle:
            if self._flows[name].start <= self._virtual:
                del self._flows[name]
        rest = [name for name, flow in self._flows.items() if flow.idle]
        for name in rest[: -self._most_flows or None]:
            del self._flows[name]


def within_share(own: float, total: float, capacity: float, share: float) -> bool:
    """Whether one client may hold this much of a bounded queue.

    A client that is alone may fill its share. What is still free is shared alike: a client may hold
    at most share / (1 - share) times as much as stays free, so the more clients wait, the less each
    may hold, and something is left for whoever comes next (dynamic thresholds, as in switches that
    share one memory among their ports). Nobody has to be pushed out for a newcomer. With a share of
    1 nothing is kept free.

    Args:
        own: What the client would hold, in any unit.
        total: What all would hold together.
        capacity: What the queue holds.
        share: 0 to 1.
    """
    return total <= capacity and own * (1.0 - share) <= share * (capacity - total)
