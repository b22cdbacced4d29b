"""What waits for the cloud, what is in flight, and which envelope goes next.

No sockets, no disk and no clock here: time goes in, decisions come out, so that every rule can be
tested.

1. At most `in_flight` envelopes are sent and not yet answered; those to be sent again go first.
2. Envelopes of one client leave in the order in which they were put in. When the cloud asked for
   one again later, the client's others wait behind it.
3. What waited while the link was down is the backlog. It leaves at the pace that is set for it, and
   either in order with what came later, or after that ("live first"): then rule 2 holds within the
   backlog and within what is live.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from edge_daemon.uplink.pace import Pace
from edge_daemon.uplink.spool import Record
from edge_daemon.wire import Key

LONGEST_BACK_OFF_S = 300.0
"""Longest time between two copies of one envelope, in seconds."""


@dataclass(eq=False)
class Parcel:
    """An envelope on its way; its bytes are in the spool.

    Attributes:
        record: What the spool knows of it; later ones have higher ids.
        backlog: Whether it waited while the link was down.
        attempts: How often it was sent.
        due: When it may be sent again, by the monotonic clock, in seconds.
        postponed: The cloud asked for it again, at `due`.
        replaced: The cloud wants something else instead, and its spare takes its place.
        insisting: There is no spare, and whoever is connected now has to take it as it is.
    """

    record: Record
    backlog: bool = False
    attempts: int = 0
    due: float = 0.0
    postponed: bool = False
    replaced: bool = False
    insisting: bool = False

    @property
    def id(self) -> int:
        """Its number in the spool."""
        return self.record.id

    @property
    def key(self) -> Key:
        """(client, sequence)."""
        return self.record.key


class _Line:
    """Parcels that wait, in order per client."""

    def __init__(self) -> None:
        self._clients: dict[str, deque[Parcel]] = {}
        self._keys: dict[Key, Parcel] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, parcel: Parcel) -> None:
        self._clients.setdefault(parcel.key[0], deque()).append(parcel)
        self._keys[parcel.key] = parcel

    def find(self, key: Key) -> Parcel | None:
        return self._keys.get(key)

    def take_out(self, key: Key) -> Parcel | None:
        parcel = self._keys.pop(key, None)
        if parcel is not None:
            line = self._clients[key[0]]
            line.remove(parcel)  # nearly always the first
            if not line:
                del self._clients[key[0]]
        return parcel

    def take_all(self) -> list[Parcel]:
        parcels = sorted(self._keys.values(), key=lambda parcel: parcel.id)
        self._clients.clear()
        self._keys.clear()
        return parcels

    def first(self, held: set[str]) -> Parcel | None:
        """The first of the clients that are not held."""
        heads = (line[0] for client, line in self._clients.items() if client not in held)
        return min(heads, key=lambda parcel: parcel.id, default=None)


class Window:
    """Envelopes between their acceptance and the cloud's answer.

    Args:
        in_flight: Most envelopes that are sent and not yet answered.
        ack_timeout_s: Seconds before an unanswered envelope is sent again; doubled each time.
        live_first: See rule 3.
        backlog_bytes_per_s: Pace of the backlog; `None`: no limit.
    """

    def __init__(
        self,
        in_flight: int,
        ack_timeout_s: float,
        *,
        live_first: bool = False,
        backlog_bytes_per_s: float | None = None,
    ) -> None:
        self._credit = in_flight
        self._ack_timeout_s = ack_timeout_s
        self._live_first = live_first
        self._pace = Pace(backlog_bytes_per_s)
        self._live = _Line()
        self._backlog = _Line()
        self._sent: dict[Key, Parcel] = {}

    def tune(self, *, live_first: bool, backlog_bytes_per_s: float | None) -> None:
        """Change how the backlog is sent."""
        self._live_first = live_first
        self._pace.tune(backlog_bytes_per_s)

    def __len__(self) -> int:
        return len(self._live) + len(self._backlog) + len(self._sent)

    @property
    def in_flight(self) -> int:
        """Envelopes sent and not yet answered."""
        return len(self._sent)

    @property
    def backlog(self) -> int:
        """Envelopes that waited while the link was down and have not left yet."""
        return len(self._backlog)

    def under_way(self) -> frozenset[int]:
        """Numbers of the envelopes in flight."""
        return frozenset(parcel.id for parcel in self._sent.values())

    def sent_records(self) -> list[Record]:
        """The envelopes in flight."""
        return [parcel.record for parcel in self._sent.values()]

    def find(self, key: Key) -> Parcel | None:
        """The envelope of a frame, if it is here."""
        return self._sent.get(key) or self._live.find(key) or self._backlog.find(key)

    def put(self, parcel: Parcel) -> None:
        """Takes an envelope over; its key must not be here already."""
        (self._backlog if parcel.backlog else self._live).put(parcel)

    def next(self, now: float) -> Parcel | None:
        """What to send now, if anything. Report it with `sent` when it left."""
        held: set[str] = set()
        for parcel in sorted(self._sent.values(), key=lambda parcel: parcel.id):
            if parcel.due <= now and parcel.key[0] not in held:
                return parcel
            if parcel.postponed:
                held.add(parcel.key[0])
        if len(self._sent) >= self._credit:
            return None
        live, waited = self._live.first(held), self._backlog.first(held)
        if waited is None:
            return live
        # In order, what is live has its place behind what waited, and waits with it.
        if live is not None and (self._live_first or live.id < waited.id):
            return live
        return waited if self._pace.wait_s(now) <= 0.0 else None

    def sent(self, parcel: Parcel, now: float, size: int) -> None:
        """This envelope left, in so many bytes: without its spare."""
        if parcel.key not in self._sent:
            if self._backlog.take_out(parcel.key) is not None:
                self._pace.take(size)
            else:
                self._live.take_out(parcel.key)
            self._sent[parcel.key] = parcel
        wait = min(LONGEST_BACK_OFF_S, self._ack_timeout_s * 2.0**parcel.attempts)
        parcel.attempts += 1
        parcel.due, parcel.postponed = now + wait, False

    def next_due_s(self, now: float) -> float:
        """Seconds until `next` may have something that it has not now."""
        dues: list[float] = []
        held: set[str] = set()
        for parcel in sorted(self._sent.values(), key=lambda parcel: parcel.id):
            if parcel.key[0] not in held:
                dues.append(max(0.0, parcel.due - now))
            if parcel.postponed:
                held.add(parcel.key[0])
        if self._backlog and len(self._sent) < self._credit:
            pause_s = self._pace.wait_s(now)
            dues += [pause_s] if pause_s > 0.0 else []
        return min(dues, default=LONGEST_BACK_OFF_S)

    def done(self, key: Key) -> Parcel | None:
        """Answered for good; `None` if it was not in flight (a second answer)."""
        return self._sent.pop(key, None)

    def drop(self, keys: Iterable[Key]) -> None:
        """These are no longer in the spool."""
        for key in keys:
            if self._sent.pop(key, None) is None and self._live.take_out(key) is None:
                self._backlog.take_out(key)

    def postpone(self, key: Key, until: float) -> bool:
        """The cloud asked for it again later; False if it was not in flight."""
        parcel = self._sent.get(key)
        if parcel is None:
            return False
        parcel.due, parcel.postponed = until, True
        return True

    def anew(self, record: Record, now: float) -> None:
        """What is in flight is due now, with these bytes."""
        parcel = self._sent.get(record.key)
        if parcel is not None:
            parcel.record, parcel.attempts, parcel.due, parcel.postponed = record, 0, now, False

    def disconnected(self) -> None:
        """Whatever waits now is backlog."""
        for parcel in self._live.take_all():
            parcel.backlog = True
            self._backlog.put(parcel)

    def reconnected(self, now: float) -> None:
        """What was in flight may be lost: all of it is due, and back-off begins anew.

        Nor has the cloud that is there now, which may be another, asked for anything else yet.
        """
        for parcel in self._sent.values():
            parcel.attempts, parcel.due, parcel.postponed = 0, now, False
            parcel.insisting = False
