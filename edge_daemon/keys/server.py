"""The listening end: its own keys, and who may talk to it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import zmq
import zmq.asyncio

from edge_daemon.errors import ForbiddenError
from edge_daemon.keys.files import check_closed
from edge_daemon.keys.identity import Credential, Identity
from edge_daemon.keys.peers import PEERS_DIRECTORY, RETRY_AFTER_S, AllowList, Peer
from edge_daemon.keys.zap import ZAP_DOMAIN, ZapHandler

_log = logging.getLogger(__name__)

_HANDSHAKE_FRESH_S = 0.1


class ServerKeys:
    """A server's key and its allow-list; one object per bound socket.

    Args:
        identity: The server's pair of keys.
        peers: Who may talk.
    """

    def __init__(self, identity: Identity, peers: AllowList) -> None:
        self._identity = identity
        self._peers = peers
        self._handler: ZapHandler | None = None

    @staticmethod
    def load(
        directory: str | os.PathLike[str], credential: Credential, *, fresh_s: float = 1.0
    ) -> ServerKeys:
        """The keys of a server's directory.

        Args:
            directory: With `identity.secret`, and `peers/`, which may be missing or empty.
            credential: If systemd has a secret of this role, it is taken before the file.
            fresh_s: Seconds after which a change in `peers/` has taken effect.

        Raises:
            KeysError: The secret is missing or malformed, or other users can get at it or write
                to the list of peers.
        """
        place = Path(directory)
        identity = Identity.load(place, credential)
        listed = place / PEERS_DIRECTORY
        if listed.exists():
            check_closed(listed, readable=True)
        peers = AllowList(listed, fresh_s=fresh_s)
        if not len(peers):
            _log.warning("event=no_peers directory=%r", str(listed))
        return ServerKeys(identity, peers)

    @property
    def public(self) -> str:
        """The server's public key, in Z85."""
        return self._identity.public

    def secure(self, context: zmq.asyncio.Context, socket: zmq.asyncio.Socket) -> None:
        """Makes a socket a CURVE server, and begins to answer who may connect to it.

        Call it before `bind`, in a running event loop, and `close` after the socket was closed and
        before its context ends.
        """
        self._identity.put_on(socket)
        socket.set(zmq.CURVE_SERVER, 1)
        # Without these two a missing handler would let everybody in.
        socket.set(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        socket.set(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._handler = ZapHandler(context, self._admits)

    def close(self) -> None:
        """Lets nobody in any more."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None

    def peer(self, key: str | None) -> Peer:
        """Who sent a message, if it may still talk.

        Args:
            key: The key that the message's connection proved, in Z85.

        Raises:
            ForbiddenError: The key was revoked since the peer connected.
        """
        peer = None if key is None else self._peers.find(key)
        if peer is None:
            raise ForbiddenError(
                "the key of this connection may not talk here any more",
                remedy="have the operator allow it (edge-daemon keys add)",
                retry_after_s=RETRY_AFTER_S,
            )
        return peer

    def _admits(self, key: str) -> bool:
        return self._peers.find(key, within_s=_HANDSHAKE_FRESH_S) is not None
