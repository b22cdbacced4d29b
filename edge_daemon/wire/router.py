"""The listening end of both links: a ROUTER that never blocks and never leaks."""

from __future__ import annotations

from typing import NamedTuple, cast

import zmq
import zmq.asyncio

from edge_daemon.errors import BindError
from edge_daemon.keys import ANYONE, Peer, ServerKeys
from edge_daemon.settings import check_bind
from edge_daemon.wire.messages import Bytes

_UNREAD_MESSAGES = 4
_UNSENT_MESSAGES = 64
_LEAST_HARD_BOUND = 128 * 2**20


def hard_bound(max_payload_bytes: int) -> int:
    """Bytes in one part beyond which ZeroMQ closes the connection without a word.

    Well above the limit that is answered with an error, because a peer learns nothing from a closed
    connection; it only keeps one message from filling the memory.
    """
    return max(2 * max_payload_bytes, _LEAST_HARD_BOUND)


class Incoming(NamedTuple):
    """A message that arrived.

    Attributes:
        route: To which an answer goes.
        parts: Without the route. Those behind the first are views of the message, for a picture
            is large enough for a copy to be felt.
        key: The public key that the connection proved, in Z85; `None` without encryption.
    """

    route: bytes
    parts: list[Bytes]
    key: str | None


def bind_router(
    context: zmq.asyncio.Context,
    endpoint: str,
    *,
    allow_insecure: bool,
    max_payload_bytes: int,
    keys: ServerKeys | None = None,
) -> tuple[zmq.asyncio.Socket, str]:
    """A bound ROUTER, and the endpoint it really listens on (a port of `*` is chosen here).

    Args:
        context: In which it is made; with keys, no other socket of it may have any.
        endpoint: Where it listens.
        allow_insecure: Plain text is fine on any address.
        max_payload_bytes: Largest payload that is not answered with an error.
        keys: Only their peers can connect, and all is encrypted; needs a running event loop. Close
            them after the socket and before the context.

    Raises:
        SettingsError: The endpoint is malformed, or open to the network without permission.
        BindError: It cannot be listened on.
    """
    check_bind(endpoint, allow_insecure=allow_insecure, encrypted=keys is not None)
    socket = context.socket(zmq.ROUTER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.MAXMSGSIZE, hard_bound(max_payload_bytes))
    # A peer that sends faster than it is served waits in its own TCP window, not in our memory.
    socket.set(zmq.RCVHWM, _UNREAD_MESSAGES)
    socket.set(zmq.SNDHWM, _UNSENT_MESSAGES)
    # Without this, answers to peers that have gone vanish unseen.
    socket.set(zmq.ROUTER_MANDATORY, 1)
    # A ROUTER keeps a peer that vanished without closing for ever, unless TCP finds out.
    for option, seconds_or_count in (
        (zmq.TCP_KEEPALIVE, 1),
        (zmq.TCP_KEEPALIVE_IDLE, 30),
        (zmq.TCP_KEEPALIVE_INTVL, 10),
        (zmq.TCP_KEEPALIVE_CNT, 3),
    ):
        socket.set(option, seconds_or_count)
    if "[" in endpoint:
        socket.set(zmq.IPV6, 1)
    if keys is not None:
        keys.secure(context, socket)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as mistake:
        socket.close()
        if keys is not None:
            keys.close()
        raise BindError(
            f"cannot listen there: {mistake}",
            value=endpoint,
            remedy="stop what listens there, or choose another endpoint (bind)",
        ) from None
    bound = cast("bytes", socket.get(zmq.LAST_ENDPOINT))
    return socket, bound.rstrip(b"\0").decode("utf-8")


async def receive(socket: zmq.asyncio.Socket) -> Incoming:
    """The next message of a ROUTER, and whose key its connection proved."""
    frames = await socket.recv_multipart(copy=False)
    route, *header = [frame.bytes for frame in frames[:2]]
    parts = [*header, *(frame.buffer for frame in frames[2:])]
    try:
        key = str(frames[0].get("User-Id"))
    except zmq.ZMQError:
        key = None  # nobody was asked for a key
    return Incoming(route, parts, key or None)


def sender_of(incoming: Incoming, keys: ServerKeys | None) -> Peer:
    """Who sent a message; `ANYONE` where no keys are asked for.

    Raises:
        ForbiddenError: The sender's key was revoked since it connected.
    """
    return ANYONE if keys is None else keys.peer(incoming.key)


async def send_to(socket: zmq.asyncio.Socket, route: bytes, parts: list[Bytes]) -> bool:
    """Sends to one peer without ever waiting; False if it has gone or does not read."""
    try:
        await socket.send_multipart([route, *parts], flags=zmq.DONTWAIT)
    except zmq.ZMQError as mistake:
        if mistake.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
            return False
        raise
    return True
