"""How much each sender may send: the room for envelopes in work, shared by those who want it.

No sockets and no clock here: time goes in, numbers come out.
"""

from __future__ import annotations

_LATELY_S = 10.0


class Credit:
    """The shares of the senders seen lately.

    A sender takes part once it sends an envelope, or is told that there is no room now; one that
    only pings takes nobody's share. A share is a promise that several senders may take up at the
    same moment, so the room itself has to be guarded as well.

    Args:
        room: Most envelopes in work, of all senders together.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._seen: dict[bytes, float] = {}

    def sent(self, route: bytes, now: float) -> None:
        """This sender sent an envelope."""
        # Taken out first, so that the order is that of the last sign.
        self._seen.pop(route, None)
        self._seen[route] = now

    def of(self, route: bytes, own: int, taken: int, now: float) -> int:
        """Most envelopes that this sender may have unanswered.

        Args:
            route: The sender.
            own: How many of its envelopes are in work.
            taken: How many are in work, of all senders together.
            now: A monotonic clock's reading, in seconds.
        """
        self._forget(now)
        sharing = len(self._seen.keys() | {route})
        share = min(max(1, self._room // sharing), own + max(0, self._room - taken))
        if share == 0:
            self.sent(route, now)
        return share

    def _forget(self, now: float) -> None:
        for route, seen in list(self._seen.items()):
            if now - seen < _LATELY_S:
                return
            del self._seen[route]
