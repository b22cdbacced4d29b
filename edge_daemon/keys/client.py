"""The connecting end: its own keys, and the public key of the server it expects."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from edge_daemon.keys.certificate import read_certificate
from edge_daemon.keys.identity import Credential, Identity

SERVER_FILE = "server.public"


@dataclass(frozen=True)
class ClientKeys:
    """What a client needs to talk to one server.

    Attributes:
        identity: Its own pair of keys.
        server: The server's public key, in Z85.
    """

    identity: Identity
    server: str

    @staticmethod
    def load(
        directory: str | os.PathLike[str], credential: Credential = "edge-client"
    ) -> ClientKeys:
        """The keys of a client's directory.

        Args:
            directory: With `identity.secret` and `server.public`.
            credential: If systemd has a secret of this role, it is taken before the file.

        Raises:
            KeysError: One is missing or malformed, or other users can get at the secret.
        """
        place = Path(directory)
        identity = Identity.load(place, credential)
        return ClientKeys(identity, read_certificate(place / SERVER_FILE).public)


def secure_client(socket: zmq.Socket[Any], keys: ClientKeys) -> None:
    """Makes a socket speak CURVE to the server of these keys; call it before `connect`."""
    keys.identity.put_on(socket)
    socket.set(zmq.CURVE_SERVERKEY, keys.server.encode("ascii"))
