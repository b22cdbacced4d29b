"""Why a connection does not come about, in words.

ZeroMQ keeps silent about it: a refused key looks like a daemon that is not there. It tells a
monitor, though.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import zmq
from zmq.utils.monitor import parse_monitor_message

from edge_daemon.errors import EdgeError, ForbiddenError, KeysError, LinkError, Verbatim

_RETRY_AFTER_S = 1.0

Watched = TypeVar("Watched", bound=zmq.Socket[Any])

_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


def watch(socket: Watched) -> Watched:
    """A socket, of the same kind, from which to read how handshakes of this one end."""
    return socket.get_monitor_socket(_EVENTS)


def unwatch(socket: zmq.Socket[Any], monitor: zmq.Socket[Any]) -> None:
    """Ends what `watch` began; both sockets must still be open."""
    plain = cast("zmq.Socket[bytes]", zmq.Socket.shadow(monitor.underlying))
    # A full queue of reports holds up the thread that writes them, and that holds up the end.
    while plain.poll(0):
        plain.recv_multipart()
    socket.disable_monitor()
    monitor.close(linger=0)


def setback_of(parts: list[bytes], endpoint: str, *, encrypted: bool) -> EdgeError | None:
    """Why a handshake failed; `None` if it did not.

    Args:
        parts: A message from a socket of `watch`.
        endpoint: To which the watched socket connects, for the message.
        encrypted: Whether it has keys.
    """
    report = parse_monitor_message(parts)
    event, value = report["event"], report["value"]
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return ForbiddenError(
            "the daemon refused this key",
            value=Verbatim(endpoint),
            remedy="have its operator allow it (edge-daemon keys add)",
        )
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return _mismatch(endpoint, encrypted=encrypted)
        return LinkError(
            "what listens there does not speak ZeroMQ as it should",
            value=Verbatim(endpoint),
            remedy="check what that is",
        )
    if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return _hung_up(endpoint, encrypted=encrypted)
    return None


def is_final(setback: EdgeError | None) -> bool:
    """Whether ZeroMQ gave up: from then on only a new socket may do better."""
    return setback is not None and setback.retry_after_s is None


def _mismatch(endpoint: str, *, encrypted: bool) -> KeysError:
    if encrypted:
        return KeysError(
            "the daemon there does not encrypt",
            value=Verbatim(endpoint),
            remedy="give it keys (front.keys), or connect without",
        )
    return KeysError(
        "the daemon there talks encrypted only",
        value=Verbatim(endpoint),
        remedy="connect with the keys that its operator made for you (edge-daemon keys new)",
    )


def _hung_up(endpoint: str, *, encrypted: bool) -> LinkError:
    # A server that does not like what it hears closes at once, often before it has said why.
    remedy = (
        "check that server.public is its public key (identity.public there)"
        if encrypted
        else "check that it runs; if it encrypts, connect with keys (edge-daemon keys new)"
    )
    return LinkError(
        "the daemon hung up before the connection was made",
        value=Verbatim(endpoint),
        remedy=remedy,
        retry_after_s=_RETRY_AFTER_S,
    )
