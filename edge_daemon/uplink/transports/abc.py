"""What carries envelopes to the cloud.

A transport owns connections, heartbeats, back-off and fail-over. It owns no envelopes: those are
the spool's, and `Uplink` decides which goes next. The contract, on one event loop:

1. `send` takes an envelope over or says that it cannot now; it never waits for an answer.
2. Each envelope that was taken gets exactly one verdict through `Verdicts` for as long as the
   connection lives: `delivered`, `refused` or `again`. When a connection ends, `link(False)` says
   that the verdicts of all that is under way may never come; after `link(True)` it is sent again.
3. Verdicts may come in any order, and twice after a repeat: `Uplink` knows what it waits for.
4. Nothing here raises because of a peer or a network; that is what `link` and the log are for.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Protocol

from edge_daemon.errors import EdgeError
from edge_daemon.wire import Key


class Verdicts(Protocol):
    """What a transport tells of envelopes and of itself. Called on the event loop only."""

    def delivered(self, key: Key) -> None:
        """The other side has it, for good."""
        ...

    def refused(self, key: Key, error: EdgeError) -> None:
        """The other side will never take it."""
        ...

    def again(self, key: Key, error: EdgeError, after_s: float) -> None:
        """The other side could not take it now; send it again after so many seconds."""
        ...

    def link(self, *, up: bool) -> None:
        """Whether there is somebody who can answer. Called only when that changes."""
        ...

    def ready(self) -> None:
        """After `send` returned `False`: it may take an envelope now."""
        ...


class Transport(Protocol):
    """One way to the cloud.

    Attributes:
        cloud_answers: Whether `delivered` and `refused` are the cloud's own word, after it decoded
            the picture; else something in between has it safely, and what the cloud makes of it
            never comes back.
    """

    cloud_answers: ClassVar[bool]

    async def open(self, verdicts: Verdicts) -> None:
        """Begins to connect; returns before there is a connection.

        Raises:
            SettingsError: An endpoint, key or path cannot be used.
        """
        ...

    async def send(self, key: Key, envelope: bytes, *, insist: bool = False) -> bool:
        """Takes an envelope over.

        Args:
            key: (client, sequence).
            envelope: Its bytes.
            insist: It is a text, and there is no picture to be had instead. The cloud is to know
                it beforehand; where its word does not come back, nobody asks.

        Returns:
            `False` if it cannot now, and `ready` will be called.
        """
        ...

    async def close(self) -> None:
        """Ends connections and tasks; no verdict comes after it."""
        ...

    @property
    def task(self) -> asyncio.Task[None]:
        """The task that runs for ever; if it ends, the daemon has a defect."""
        ...

    def describe(self) -> dict[str, str | int | None]:
        """For people: kind, peer in use, others, reconnects so far."""
        ...
