"""The credit window: what waits, what is in flight, and when to send what again.

No sockets and no clock here: time goes in, decisions come out, so every rule can be tested.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from edge_daemon.wire import Key

LONGEST_BACK_OFF_S = 300.0
"""Longest time between two copies of one envelope, in seconds."""


@dataclass
class Parcel:
    """An envelope on its way.

    Attributes:
        key: (client, sequence).
        envelope: Its bytes.
        spare: The same picture in another codec, for a cloud that cannot decode the first.
        attempts: How often it was sent.
        due: When it may be sent again, by the monotonic clock, in seconds.
    """

    key: Key
    envelope: bytes
    attempts: int = 0
    due: float = 0.0
    spare: bytes | None = None


class Window:
    """Envelopes between their acceptance and the cloud's answer.

    Args:
        in_flight: Most envelopes that are sent and not yet answered.
        ack_timeout_s: Seconds before an unanswered envelope is sent again; doubled each time.
    """

    def __init__(self, in_flight: int, ack_timeout_s: float) -> None:
        self._credit = in_flight
        self._ack_timeout_s = ack_timeout_s
        self._waiting: deque[Parcel] = deque()
        self._sent: dict[Key, Parcel] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    @property
    def in_flight(self) -> int:
        """Envelopes sent and not yet answered."""
        return len(self._sent)

    def put(self, parcel: Parcel) -> None:
        """Takes an envelope over; its key must not be here already."""
        self._waiting.append(parcel)

    def due(self, now: float) -> Iterator[Parcel]:
        """What to send now, resends first. Report each that was sent with `sent`."""
        for parcel in list(self._sent.values()):
            if parcel.due <= now:
                yield parcel
        while self._waiting and len(self._sent) < self._credit:
            yield self._waiting[0]

    def sent(self, parcel: Parcel, now: float) -> None:
        """This envelope left."""
        if parcel.key not in self._sent:
            self._waiting.remove(parcel)
            self._sent[parcel.key] = parcel
        wait = min(LONGEST_BACK_OFF_S, self._ack_timeout_s * 2.0**parcel.attempts)
        parcel.attempts += 1
        parcel.due = now + wait

    def next_due_s(self, now: float) -> float:
        """Seconds until an envelope has to be sent again."""
        dues = (max(0.0, parcel.due - now) for parcel in self._sent.values())
        return min(dues, default=LONGEST_BACK_OFF_S)

    def done(self, key: Key) -> bool:
        """Answered for good; False if it was not in flight (a second answer)."""
        return self._sent.pop(key, None) is not None

    def postpone(self, key: Key, until: float) -> bool:
        """The cloud asked for it again later; False if it was not in flight."""
        parcel = self._sent.get(key)
        if parcel is None:
            return False
        parcel.due = until
        return True

    def swap(self, key: Key, now: float) -> bool:
        """The cloud wants the spare instead; False if there is none, or it is on its way."""
        parcel = self._sent.get(key)
        if parcel is None or parcel.spare is None:
            return False
        parcel.envelope, parcel.spare = parcel.spare, None
        parcel.attempts, parcel.due = 0, now
        return True

    def reconnected(self, now: float) -> None:
        """What was in flight may be lost: all of it is due, and back-off begins anew."""
        for parcel in self._sent.values():
            parcel.attempts, parcel.due = 0, now
