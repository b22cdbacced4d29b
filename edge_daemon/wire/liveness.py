"""When to ping a peer, and when to give it up. No sockets here: time goes in, advice comes out."""

from __future__ import annotations

from typing import Literal

SILENT_HEARTBEATS = 3
"""Heartbeats without a sign of life after which a connection is given up."""

Advice = Literal["wait", "ping", "reconnect"]


class Liveness:
    """One connection's signs of life.

    Args:
        heartbeat_s: Seconds between pings while an answer is awaited.
        now: A monotonic clock's reading, in seconds.
    """

    def __init__(self, heartbeat_s: float, now: float) -> None:
        self._heartbeat_s = heartbeat_s
        self.restart(now)
        self.ever_heard = False

    def restart(self, now: float) -> None:
        """A fresh connection was made, or waiting begins after a pause."""
        self._last_heard = self._last_ping = now

    def heard(self, now: float) -> None:
        """Something arrived."""
        self._last_heard = now
        self.ever_heard = True

    def advice(self, now: float) -> Advice:
        """What to do now. "ping" is given once per heartbeat."""
        if now - self._last_heard >= SILENT_HEARTBEATS * self._heartbeat_s:
            return "reconnect"
        if now - max(self._last_ping, self._last_heard) >= self._heartbeat_s:
            self._last_ping = now
            return "ping"
        return "wait"

    def next_s(self, now: float) -> float:
        """Seconds until `advice` may change if nothing is heard."""
        ping = max(self._last_ping, self._last_heard) + self._heartbeat_s
        give_up = self._last_heard + SILENT_HEARTBEATS * self._heartbeat_s
        return max(0.0, min(ping, give_up) - now)
