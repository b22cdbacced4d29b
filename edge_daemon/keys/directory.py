"""Making and changing key directories."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from edge_daemon.errors import KeysError
from edge_daemon.keys.certificate import (
    Certificate,
    new_pair,
    read_certificate,
    write_certificate,
)
from edge_daemon.keys.client import SERVER_FILE
from edge_daemon.keys.files import (
    DIRECTORY_MODE,
    PEERS_MODE,
    check_closed,
    make_directory,
    sync_directory,
    unreadable,
    unwritable,
)
from edge_daemon.keys.identity import PUBLIC_FILE, SECRET_FILE
from edge_daemon.keys.peers import (
    PEERS_DIRECTORY,
    SUFFIX,
    Peer,
    check_name,
    patterns_of,
    read_peer,
)


class BadPeer(NamedTuple):
    """A file among the peers' that admits nobody, and why."""

    file: str
    problem: str


def new_identity(directory: Path, *, server: Path | None = None, force: bool = False) -> str:
    """Makes a pair of keys, and a place for the peers of a server or the key of one.

    Args:
        directory: Made if it is not there.
        server: For a client: the file of the server's public key; `None`: this is a server's.
        force: Replace keys that are there.

    Returns:
        The public key, in Z85.

    Raises:
        KeysError: It is there already, or something cannot be read or written.
    """
    served = None if server is None else Certificate(read_certificate(server).public)
    pair = new_pair()
    make_directory(directory, DIRECTORY_MODE)
    check_closed(directory, readable=False)
    # First what refuses to overwrite: if that stops us, everything is as it was.
    write_certificate(directory / SECRET_FILE, pair, replace=force)
    # A public half without its secret says nothing.
    write_certificate(directory / PUBLIC_FILE, Certificate(pair.public), replace=True)
    if served is None:
        make_directory(directory / PEERS_DIRECTORY, PEERS_MODE)
    else:
        write_certificate(directory / SERVER_FILE, served, replace=True)
    return pair.public


def new_client(
    directory: Path, name: str, to: Path, *, clients: str | None = None, force: bool = False
) -> str:
    """Makes a client's key directory, complete, and lets the client in.

    Args:
        directory: The server's.
        name: The client's.
        to: Where the client's is made.
        clients: Client ids that it may speak for, as `add_peer` takes them.
        force: Replace keys and a peer that are there.

    Returns:
        The client's public key, in Z85.

    Raises:
        KeysError: Something is there already, malformed, or cannot be read or written.
    """
    # All that can be refused is refused before anything is written.
    public_key_of(directory)
    file = _peer_file(directory, name)
    if clients is not None:
        patterns_of(clients)
    if file.exists() and not force:
        raise _taken(file)
    public = new_identity(to, server=directory / PUBLIC_FILE, force=force)
    add_peer(directory, name, public, clients=clients, force=force)
    return public


def add_peer(
    directory: Path, name: str, public: str, *, clients: str | None = None, force: bool = False
) -> None:
    """Lets a peer in; a server that runs knows it within a second.

    Args:
        directory: The server's.
        name: 1 to 64 of A-Z a-z 0-9 _ . -
        public: Its public key, in Z85.
        clients: Client ids that it may speak for, as in file names, separated by spaces; `None`:
            the one that equals its name.
        force: Replace a peer of that name.

    Raises:
        KeysError: The name is taken, the key belongs to another peer, or something is malformed or
            cannot be written.
    """
    public_key_of(directory)
    file = _peer_file(directory, name)
    for other in list_peers(directory):
        if isinstance(other, Peer) and other.key == public and other.name != name:
            raise KeysError(
                "this key is let in already, under another name",
                value=other.name,
                remedy="make a key for each peer, or revoke the other name first",
            )
    if file.exists() and not force:
        raise _taken(file)
    metadata = {} if clients is None else {"clients": " ".join(patterns_of(clients))}
    metadata["added"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    make_directory(file.parent, PEERS_MODE)
    write_certificate(file, Certificate(public, None, metadata), replace=force)


def revoke_peer(directory: Path, name: str) -> None:
    """Shuts a peer out; a server that runs refuses its messages within a second.

    Raises:
        KeysError: There is no such peer, or its file cannot be removed.
    """
    file = _peer_file(directory, name)
    try:
        file.unlink()
        sync_directory(file.parent)
    except FileNotFoundError:
        raise KeysError(
            "there is no such peer", value=name, remedy="see edge-daemon keys list"
        ) from None
    except OSError as mistake:
        raise unwritable(file, mistake) from None


def list_peers(directory: Path) -> list[Peer | BadPeer]:
    """The peers of a server's directory by name, and files there that admit nobody.

    Raises:
        KeysError: It cannot be listed.
    """
    found: list[Peer | BadPeer] = []
    try:
        names = sorted(path.name for path in (directory / PEERS_DIRECTORY).iterdir())
    except FileNotFoundError:
        return found
    except OSError as mistake:
        raise unreadable(directory / PEERS_DIRECTORY, mistake) from None
    for name in names:
        if name.startswith(".") or not name.endswith(SUFFIX):
            continue
        try:
            found.append(read_peer(directory / PEERS_DIRECTORY / name))
        except KeysError as mistake:
            found.append(BadPeer(name, mistake.problem))
    return found


def public_key_of(directory: Path) -> str:
    """The public key of a directory, in Z85.

    Raises:
        KeysError: There is none.
    """
    return read_certificate(directory / PUBLIC_FILE).public


def _peer_file(directory: Path, name: str) -> Path:
    return directory / PEERS_DIRECTORY / f"{check_name(name)}{SUFFIX}"


def _taken(file: Path) -> KeysError:
    return KeysError(
        "there is a peer of this name already",
        value=str(file),
        remedy="choose another name, or --force to replace its key",
    )
