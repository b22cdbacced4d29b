"""This end's own pair of keys, from its directory or from systemd."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import zmq

from edge_daemon.errors import KeysError
from edge_daemon.keys.certificate import check_curve, read_certificate
from edge_daemon.keys.files import check_closed
from edge_daemon.keys.secret import Secret

SECRET_FILE = "identity.secret"
PUBLIC_FILE = "identity.public"

Credential = Literal["edge-front", "edge-uplink", "edge-cloud", "edge-client"]
"""Whose secret it is: the daemon's towards cameras, the daemon's towards the cloud, the cloud's, a
camera's."""

CREDENTIALS: tuple[Credential, ...] = get_args(Credential)


@dataclass(frozen=True)
class Identity:
    """A pair of keys.

    Attributes:
        public: In Z85.
        secret: In Z85; not shown.
    """

    public: str
    secret: Secret

    @staticmethod
    def load(directory: Path, credential: Credential) -> Identity:
        """The pair of keys of a directory, unless systemd has one for this role.

        Raises:
            KeysError: There is none, it is malformed, or other users can get at it.
        """
        check_curve()
        granted = granted_secret(credential)
        check_closed(directory, readable=granted is not None)
        path = directory / SECRET_FILE if granted is None else granted
        # systemd guards its own directory, and its files may show an access list's mask as mode.
        certificate = read_certificate(path, private=granted is None)
        if certificate.secret is None:
            raise KeysError(
                "there is no secret-key in this file",
                value=str(path),
                remedy="take identity.secret, not identity.public",
            )
        return Identity(certificate.public, certificate.secret)

    def put_on(self, socket: zmq.Socket[object]) -> None:
        """Gives a socket this pair of keys, before it binds or connects."""
        socket.set(zmq.CURVE_PUBLICKEY, self.public.encode("ascii"))
        socket.set(zmq.CURVE_SECRETKEY, self.secret.reveal())


def granted_secret(credential: Credential) -> Path | None:
    """The file of a secret that systemd hands to this process, or `None`."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / f"{credential}.secret"
    return path if path.exists() else None
