"""Who may talk: CURVE keys in directories, and the list of peers that are let in.

A key directory, mode 0700:

    identity.secret      this end's key pair, mode 0600
    identity.public      its public half, to be handed to others
    peers/NAME.public    server: a peer that may talk, and the client ids it may speak for
    server.public        client: the public key of the server to talk to

Every file is a ZeroMQ certificate (ZPL) as `zmq.auth` writes them; `zmq.auth.load_certificate`
reads ours, and what it writes may be put here under our names:

    metadata
        clients = "gate-* yard"
        added = "2026-01-02T03:04:05+00:00"
    curve
        public-key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
        secret-key = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

Lines that begin with # are comments. Keys are 32 bytes in Z85 (40 characters); `secret-key` stands
in `identity.secret` only. `clients` are the client ids that a peer may speak for, as in file names,
separated by spaces; without it, the one that equals NAME. `added` is for people.

1. A secret comes from `identity.secret`, or from systemd: `$CREDENTIALS_DIRECTORY/ROLE.secret`, of
   the same form, is taken before it. ROLE is one of `CREDENTIALS`. It is never logged or shown.
2. A secret that other users can read is refused, and so is a directory that they can look into; if
   the secret comes from systemd, a directory that they can write to.
3. `peers/` is read again when it changes, so peers are added and revoked while a server runs. A
   file that cannot be read admits nobody and leaves the others alone.
4. ZeroMQ asks who may connect once per connection. So every message carries the key that its
   connection proved, and is looked up again: a revoked key is refused on connections that stand.
   What identifies a peer is the key, not the name: a new key under an old name cuts the old one.
5. Where keys are given they hold on every transport, `ipc://` too.

Needs pyzmq only.
"""

from edge_daemon.keys.client import ClientKeys, secure_client
from edge_daemon.keys.directory import (
    BadPeer,
    add_peer,
    list_peers,
    new_client,
    new_identity,
    public_key_of,
    revoke_peer,
)
from edge_daemon.keys.handshake import is_final, setback_of, unwatch, watch
from edge_daemon.keys.identity import CREDENTIALS, Credential, Identity
from edge_daemon.keys.peers import ANYONE, AllowList, Peer
from edge_daemon.keys.server import ServerKeys

__all__ = [
    "ANYONE",
    "CREDENTIALS",
    "AllowList",
    "BadPeer",
    "ClientKeys",
    "Credential",
    "Identity",
    "Peer",
    "ServerKeys",
    "add_peer",
    "is_final",
    "list_peers",
    "new_client",
    "new_identity",
    "public_key_of",
    "revoke_peer",
    "secure_client",
    "setback_of",
    "unwatch",
    "watch",
]
