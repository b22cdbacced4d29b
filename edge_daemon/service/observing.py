"""What the service tells of its work, to whoever counts it."""

from __future__ import annotations

from typing import Literal, Protocol

DropReason = Literal["rate", "busy", "spool_full", "deadline", "replaced", "unchanged"]
"""Why load cost a frame: its client sends too often; a queue is full, or its share of it; the spool
is; its deadline passed, or could not have been met; a newer one took its place. Or that too little
had changed."""


class Observer(Protocol):
    """Told of every piece of work as it ends. Called on the event loop; must not wait."""

    def observe(self, stage: str, seconds: float, /) -> None:
        """A frame that left spent so long in a stage: those of `timings_ms`, and "submit"."""
        ...

    def batch(self, frames: int, /) -> None:
        """So many frames shared one call of the encoder."""
        ...

    def dropped(self, reason: DropReason, client: str, /) -> None:
        """A frame of this client was not let in, or let go."""
        ...

    def frame(
        self,
        client: str,
        /,
        *,
        mode: str,
        codec: str,
        source_bytes: int,
        envelope_bytes: int,
        seconds: float,
    ) -> None:
        """A frame left, so many seconds after it came."""
        ...


class Unobserved:
    """An observer that looks away."""

    def observe(self, stage: str, seconds: float, /) -> None:
        """Nothing."""

    def batch(self, frames: int, /) -> None:
        """Nothing."""

    def dropped(self, reason: DropReason, client: str, /) -> None:
        """Nothing."""

    def frame(
        self,
        client: str,
        /,
        *,
        mode: str,
        codec: str,
        source_bytes: int,
        envelope_bytes: int,
        seconds: float,
    ) -> None:
        """Nothing."""
