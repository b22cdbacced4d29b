"""The daemon at one moment, as its event loop shows it to other threads: immutable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_USER = re.compile(r"(?<=://)[^/?#]*@")


@dataclass(frozen=True)
class SpoolState:
    """What waits for the cloud.

    Attributes:
        bytes: Of the envelopes that wait.
        limit_bytes: That may wait.
        frames: Envelopes that wait.
        oldest_age_s: Seconds since the oldest of them was taken; 0 if none waits.
        directory: Where they lie on disk; `None`: in memory only.
    """

    bytes: int
    limit_bytes: int
    frames: int
    oldest_age_s: float
    directory: str | None = None


@dataclass(frozen=True)
class LinkState:
    """One way to the cloud.

    Attributes:
        transport: "zeromq", "nats" or "directory".
        upstream: The endpoint, server or path; a user and password in it are left out.
        up: Whether it is in use and there is somebody who can answer.
        standby: Not in use because another one is; whether it would answer is not known.
        reconnects: Connections that the transport, with all its upstreams, made anew.
    """

    transport: str
    upstream: str
    up: bool
    standby: bool = False
    reconnects: int = 0

    @classmethod
    def of(cls, described: Mapping[str, str | int | None]) -> tuple[LinkState, ...]:
        """All upstreams of a transport, the one in use first.

        Args:
            described: What a transport says of itself: `kind`, `peer` (in use; `None`: none is),
                `others` (with blanks between them) and `reconnects`.
        """
        kind, peer, others = str(described["kind"]), described["peer"], described["others"]
        # A path may have blanks in it, and has no others beside it.
        rest = str(others or "").split() if kind != "directory" else [str(others)] * bool(others)
        count = int(described["reconnects"] or 0)
        in_use = () if peer is None else (cls(kind, str(peer), up=True, reconnects=count),)
        return in_use + tuple(
            cls(kind, one, up=False, standby=peer is not None, reconnects=count) for one in rest
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "upstream", _USER.sub("", self.upstream))


@dataclass(frozen=True)
class Snapshot:
    """What the event loop knows, copied.

    Attributes:
        counters: Events since the start, by the names of the daemon's own counters.
        queues: Entries per queue.
        queue_limits: Most entries per queue, of those that have a limit of their own.
        links: One per upstream, the one in use first.
        spool: `None` while there is none.
        tiles_encoded: Tiles that went through the image encoder since the start.
        tiles_reused: Tiles that kept the embedding of an earlier frame.
    """

    counters: Mapping[str, int] = field(default_factory=dict[str, int])
    queues: Mapping[str, int] = field(default_factory=dict[str, int])
    queue_limits: Mapping[str, int] = field(default_factory=dict[str, int])
    links: tuple[LinkState, ...] = ()
    spool: SpoolState | None = None
    tiles_encoded: int = 0
    tiles_reused: int = 0

    def __post_init__(self) -> None:
        for name in ("counters", "queues", "queue_limits"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
