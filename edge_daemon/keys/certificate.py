"""One key file: a ZeroMQ certificate."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from edge_daemon.errors import KeysError
from edge_daemon.keys.files import PUBLIC_MODE, SECRET_MODE, read_small, write_whole
from edge_daemon.keys.secret import Secret

_KEY_CHARACTERS = 40
_METADATA_VALUE = re.compile(r"[^\x00-\x1f\x7f\"']*")
_PUBLIC_HEAD = "# CURVE public key of edge-daemon. Hand it to those who are to know it.\n"
_SECRET_HEAD = "# CURVE secret key of edge-daemon. Nobody else may read it.\n"


@dataclass(frozen=True)
class Certificate:
    """What a key file says.

    Attributes:
        public: The public key, in Z85.
        secret: The secret one if it is here, in Z85.
        metadata: Whatever else it says; names to values.
    """

    public: str
    secret: Secret | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


def check_curve() -> None:
    """Refuses a ZeroMQ library that was built without encryption.

    Raises:
        KeysError: It was.
    """
    if not zmq.has("curve"):
        raise KeysError(
            "the ZeroMQ library here was built without CURVE, so nothing can be encrypted",
            value=zmq.zmq_version(),
            remedy="install pyzmq's own wheel, or libzmq with libsodium",
        )


def new_pair() -> Certificate:
    """A fresh pair of keys.

    Raises:
        KeysError: This ZeroMQ library has no CURVE.
    """
    check_curve()
    public, secret = zmq.curve_keypair()
    return Certificate(public.decode("ascii"), Secret(secret))


def read_certificate(path: Path, *, private: bool = False) -> Certificate:
    """Reads a key file.

    Args:
        path: Its path.
        private: It holds a secret: refuse it if other users can read it.

    Raises:
        KeysError: It cannot be read, is malformed, or is open to other users.
    """
    found = _parse(read_small(path, private=private))
    # Worded here and not where the lines are at hand, so that no traceback can show them.
    if isinstance(found, str):
        raise KeysError(
            f"not a key file: {found}",
            value=str(path),
            remedy="make one with edge-daemon keys new, or copy it again",
        )
    return found


def write_certificate(path: Path, certificate: Certificate, *, replace: bool = False) -> None:
    """Writes a key file, mode 0600 if it holds a secret, else 0644.

    Args:
        path: In a directory that is there.
        certificate: What it is to say.
        replace: A file that is there is replaced; else it is an error.

    Raises:
        KeysError: It cannot be written, is there already, or a value of the metadata holds
            quotes or line breaks.
    """
    secret = certificate.secret
    lines = [_PUBLIC_HEAD if secret is None else _SECRET_HEAD, "metadata\n"]
    for name, value in certificate.metadata.items():
        if not _METADATA_VALUE.fullmatch(value):
            raise KeysError(
                f"{name} cannot be written into a key file",
                value=value,
                remedy="leave out quotes and line breaks",
            )
        lines.append(f'    {name} = "{value}"\n')
    lines.append(f'curve\n    public-key = "{certificate.public}"\n')
    content = "".join(lines).encode("utf-8")
    if secret is None:
        write_whole(path, Secret(content), mode=PUBLIC_MODE, replace=replace)
        return
    whole = Secret(content + b'    secret-key = "' + secret.reveal() + b'"\n')
    write_whole(path, whole, mode=SECRET_MODE, replace=replace)


def _parse(content: Secret) -> Certificate | str:
    """What a file says, or what is wrong with it without quoting it."""
    try:
        text = content.reveal().decode("utf-8")
    except UnicodeDecodeError:
        return "it is not text"
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or name.startswith("#"):
            continue  # a section's name, a comment, or nothing
        if name in values:
            return "a name stands in it twice"
        values[name] = value.strip("\"'")
    public, secret = values.pop("public-key", None), values.pop("secret-key", None)
    if public is None:
        return "it has no public-key"
    if not _is_key(public):
        return "its public-key is not 32 bytes in Z85"
    if secret is None:
        return Certificate(public, None, values)
    if not _is_key(secret):
        return "its secret-key is not 32 bytes in Z85"
    check_curve()
    if zmq.curve_public(secret.encode("ascii")).decode("ascii") != public:
        return "its two keys do not belong together"
    return Certificate(public, Secret(secret.encode("ascii")), values)


def _is_key(text: str) -> bool:
    if len(text) != _KEY_CHARACTERS or not text.isascii():
        return False
    try:
        z85.decode(text)
    except (KeyError, ValueError, struct.error):
        return False
    return True
