"""Who waits for what became of an envelope, and what they are told."""

from __future__ import annotations

import asyncio

from edge_daemon.errors import (
    DroppedError,
    EdgeError,
    LinkError,
    SpoolFullError,
    Verbatim,
)
from edge_daemon.uplink.spool import Facts
from edge_daemon.wire import Key

_RETRY_AFTER_S = 1.0

Delivery = asyncio.Future[None]
"""Done when the other side has it; fails with its final refusal, with `DroppedError` if it had to
give way, or with `LinkError` when the daemon stops before."""


class Deliveries:
    """One future per envelope that was submitted and has not reached its end."""

    def __init__(self) -> None:
        self._futures: dict[Key, Delivery] = {}

    def find(self, key: Key) -> Delivery | None:
        """The future of an envelope that is under way."""
        return self._futures.get(key)

    def expect(self, key: Key) -> Delivery:
        """A new future."""
        delivery: Delivery = asyncio.get_running_loop().create_future()
        # Nobody has to wait for it; an outcome that nobody asked for is not an error.
        delivery.add_done_callback(Delivery.exception)
        self._futures[key] = delivery
        return delivery

    def end(self, key: Key, error: EdgeError | None = None) -> None:
        """The envelope's way ended; nothing happens if nobody could wait for it."""
        delivery = self._futures.pop(key, None)
        if delivery is not None and error is None:
            delivery.set_result(None)
        elif delivery is not None and error is not None:
            delivery.set_exception(error)

    async def drain(self, patience_s: float) -> None:
        """Waits a bounded time for those that are open."""
        if self._futures:
            await asyncio.wait(list(self._futures.values()), timeout=patience_s)

    def stop(self, peer: str, *, durable: bool) -> None:
        """Ends all that are open: the daemon stops."""
        for key in list(self._futures):
            error = LinkError(
                "the daemon stopped before the cloud acknowledged"
                + ("; the envelope is in the spool" if durable else ""),
                value=peer,
                remedy="send the frame again when the daemon is back",
                retry_after_s=5.0,
            )
            self.end(key, error)


def spool_full(facts: Facts, *, up: bool, patience_s: float) -> SpoolFullError:
    """The error for a frame for which nothing in the spool may give way."""
    where = "the spool" if facts.durable else "the queue in memory"
    return SpoolFullError(
        f"{where} is full, and nothing in it may give way" + ("" if up else "; the link is down"),
        value=Verbatim(f"{facts.frames} frames, {facts.bytes} bytes"),
        remedy="send the frame again later, or give it more room "
        + ("(spool.max_bytes)" if facts.durable else "(uplink.queue_frames, or a spool on disk)"),
        retry_after_s=_RETRY_AFTER_S if up else patience_s,
    )


def gave_way(key: Key, reason: str) -> DroppedError:
    """The error for an envelope that the spool let go."""
    why = "it was too old" if reason == "expired" else "the spool was full"
    return DroppedError(
        f"the envelope was dropped before the cloud had it: {why}",
        value=Verbatim(f"{key[0]} {key[1]}"),
        remedy='give the spool more room, or the camera the rule when_full = "refuse-new"',
    )


def damaged(key: Key) -> DroppedError:
    """The error for an envelope whose bytes on the disk are no longer those that were written."""
    return DroppedError(
        "the envelope was damaged on the daemon's disk and set aside",
        value=Verbatim(f"{key[0]} {key[1]}"),
        remedy="send the frame again under a new number, and have the disk looked at",
    )
