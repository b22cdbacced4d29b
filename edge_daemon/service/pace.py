"""How long work takes here, as measured lately: what promises about deadlines rest on.

The *cost* of a client's frame is the work that it makes in the stages that all frames share, in
seconds; that of a batch counts in equal parts. The *speed* is how much cost is begun per second
while there is enough of it waiting: about the number of threads. So the cost of the frames before
one, over the speed, foretells when its turn comes. The *rest* is what it took beyond that: its own
stages, its turn among its client's frames, the uplink, and all that was foretold wrongly, so a
promise that counts it in corrects itself. The *service* is the work on the frame alone.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

MOST_CLIENTS = 4096
"""Clients whose measures are remembered; of more, those seen last."""

FIRST_GUESS_S = 0.2
"""Seconds that a frame is taken to cost before any was measured."""

FRESH_S = 5.0
"""Seconds after which what was measured is no reason any more to refuse a client: try it again."""

_DEVIATIONS = 3.0
"""In as many mean deviations lie 98 of 100 values, if they are spread as errors usually are."""
_NEWEST_MEAN = 1 / 8
_NEWEST_DEVIATION = 1 / 4
_LEAST_SPEED = 1.0
_KEPT = 0.97


@dataclass
class Estimate:
    """Mean and mean deviation of what was measured lately, as TCP does it (RFC 6298).

    Attributes:
        mean: In seconds; the plain mean of the first eight, then a moving one.
        deviation: Mean distance from it, in seconds.
        count: How much was measured.
        at: When the last was measured.
    """

    mean: float = 0.0
    deviation: float = 0.0
    count: int = 0
    at: float = 0.0

    def add(self, seconds: float, now: float) -> None:
        """Takes a measurement in."""
        self.count += 1
        self.at = now
        if self.count == 1:
            self.mean, self.deviation = seconds, abs(seconds) / 2
            return
        off = seconds - self.mean
        self.deviation += max(_NEWEST_DEVIATION, 1 / self.count) * (abs(off) - self.deviation)
        self.mean += max(_NEWEST_MEAN, 1 / self.count) * off

    @property
    def high(self) -> float:
        """What is seldom exceeded."""
        return self.mean + _DEVIATIONS * self.deviation

    @property
    def low(self) -> float:
        """What is seldom undercut."""
        return self.mean - _DEVIATIONS * self.deviation


@dataclass
class _Measured:
    cost: Estimate = field(default_factory=Estimate)
    service: Estimate = field(default_factory=Estimate)
    rest: Estimate = field(default_factory=Estimate)


class Pace:
    """The measures of all clients.

    Args:
        threads: Threads for frames: the first guess of the speed.
        most: How many clients to remember.
    """

    def __init__(self, threads: int, most: int = MOST_CLIENTS) -> None:
        self._most = most
        self._all = _Measured()
        self._known: OrderedDict[str, _Measured] = OrderedDict()
        # As if a second of such work had been seen.
        self._cost = float(threads)
        self._elapsed_s = self._weight = 1.0
        self._last: tuple[float, float] | None = None

    def cost_s(self, client: str) -> float:
        """What a frame of this client will cost, in seconds; greater than 0."""
        own = self._known.get(client, self._all).cost
        for cost in (own, self._all.cost):
            if cost.count:
                return max(1e-6, cost.mean)
        return FIRST_GUESS_S

    def rest_s(self, client: str, now: float, *, in_work: bool) -> float:
        """Seconds beyond what is foretold that a frame of this client is likely to be done within.

        0 if there is no telling: nothing was measured lately, and none is in work to be measured
        soon. Else a client that was slow once would be refused for ever.
        """
        own = self._known.get(client)
        if own is not None and own.rest.count and now - own.rest.at <= FRESH_S:
            return own.rest.high
        return self._all.rest.high if in_work else 0.0

    def least_s(self, client: str, now: float) -> float:
        """Seconds that a frame of this client needs at least; 0 if nothing was measured lately."""
        own = self._known.get(client)
        if own is None or now - own.service.at > FRESH_S:
            return 0.0
        return max(0.0, own.service.low)

    def speed(self, now: float) -> float:
        """Cost that is begun per second while there is enough of it; at least 1."""
        elapsed_s = self._elapsed_s
        if self._last is not None:
            # If nothing was begun for longer than usual, that counts already.
            usual_s = self._elapsed_s / self._weight
            elapsed_s += max(0.0, now - self._last[0] - usual_s)
            return self._cost / elapsed_s
        return max(_LEAST_SPEED, self._cost / elapsed_s)

    def begun(self, cost_s: float, now: float, *, more: bool) -> None:
        """A frame was begun.

        Args:
            cost_s: What it was expected to cost.
            now: The monotonic clock.
            more: Another waits, so the time to the next one is the time that this one takes up.
        """
        if self._last is not None:
            since, cost = self._last
            self._cost = _KEPT * self._cost + cost
            self._elapsed_s = _KEPT * self._elapsed_s + now - since
            self._weight = _KEPT * self._weight + 1.0
        self._last = (now, cost_s) if more else None

    def done(self, client: str, cost_s: float, service_s: float, now: float) -> None:
        """A frame went through all stages."""
        for measured in (self._of(client), self._all):
            measured.cost.add(cost_s, now)
            measured.service.add(service_s, now)

    def took(self, client: str, rest_s: float, now: float) -> None:
        """A frame left, or its time was up, so many seconds after its turn was foretold to come."""
        for measured in (self._of(client), self._all):
            measured.rest.add(rest_s, now)

    def _of(self, client: str) -> _Measured:
        own = self._known.setdefault(client, _Measured())
        self._known.move_to_end(client)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return own
