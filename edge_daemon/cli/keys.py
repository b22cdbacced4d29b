"""`edge-daemon keys`: who may talk to a daemon or a receiver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from edge_daemon.cli.terminal import console, errors
from edge_daemon.keys import (
    Peer,
    add_peer,
    list_peers,
    new_client,
    new_identity,
    public_key_of,
    revoke_peer,
)
from edge_daemon.keys.certificate import read_certificate

keys = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""
Encryption, and who may talk.

A key directory holds one end's own key: a server's (`front.keys`, `cloud.keys`) also lists the
peers that may talk to it, a client's (`uplink.keys`, a camera's) the server it talks to. A running
server sees changes within a second.
""",
)

DirectoryArgument = Annotated[Path, typer.Argument(help="The server's key directory.")]
NameArgument = Annotated[str, typer.Argument(help="The peer's name: A-Z a-z 0-9 _ . -")]
ClientsOption = Annotated[
    str | None,
    typer.Option(
        metavar="PATTERNS",
        help="Client ids that it may speak for, e.g. 'gate-* yard'; `*` for a daemon that sends "
        "for many cameras. Unless given: its name.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace what is there; the old key is gone then.")
]


@keys.command()
def new(
    directory: Annotated[Path, typer.Argument(help="The key directory to make, or the server's.")],
    client: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Make a client of this server, and let it in."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="With --client: where its key directory is made.")
    ] = None,
    clients: ClientsOption = None,
    server: Annotated[
        Path | None,
        typer.Option(help="Make a client's directory, for the server with this `identity.public`."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Make keys; prints the public key and nothing else on standard output.

    edge-daemon keys new front-keys

    edge-daemon keys new front-keys --client gate-3 --to gate-3-keys

    On the camera itself, so that its secret never travels:

    edge-daemon keys new my-keys --server front.public
    """
    if (client is None) != (to is None):
        raise typer.BadParameter("--client and --to belong together")
    if client is None and clients is not None:
        raise typer.BadParameter("--clients says what a --client may do")
    if client is not None and server is not None:
        raise typer.BadParameter("--server and --client exclude each other")
    if client is not None and to is not None:
        typer.echo(new_client(directory, client, to, clients=clients, force=force))
        _say(f"{client} may talk; {to} is complete: move it to the client's machine, and keep none")
        return
    typer.echo(new_identity(directory, server=server, force=force))
    if server is None:
        _say(f"made {directory}; let peers in with keys new --client, or keys add")
    else:
        _say(f"made {directory}; have the server's operator add {directory}/identity.public")


@keys.command()
def add(
    directory: DirectoryArgument,
    name: NameArgument,
    public_key: Annotated[
        Path, typer.Argument(help="The peer's `identity.public`; its secret stays with it.")
    ],
    clients: ClientsOption = None,
    force: ForceOption = False,
) -> None:
    """Let a peer in whose key was made elsewhere."""
    add_peer(directory, name, read_certificate(public_key).public, clients=clients, force=force)
    _say(f"{name} may talk")


@keys.command("list")
def list_(
    directory: DirectoryArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """List who may talk to a server, and for which clients."""
    public = public_key_of(directory)
    found = list_peers(directory)
    peers = [peer for peer in found if isinstance(peer, Peer)]
    if as_json:
        rows = {
            peer.name: {"key": peer.key, "clients": peer.clients, "added": peer.added}
            for peer in peers
        }
        typer.echo(json.dumps({"server": public, "peers": rows}))
    else:
        # As text: what begins with a bracket in a key is no markup.
        title = Text(f"{directory}, public key {public}")
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for heading in ("name", "public key", "client ids", "added"):
            table.add_column(heading, overflow="fold")
        for peer in peers:
            fields = (peer.name, peer.key, " ".join(peer.clients), peer.added)
            table.add_row(*map(Text, fields))
        console.print(table)
    for bad in found:
        if not isinstance(bad, Peer):
            _say(f"{bad.file} admits nobody: {bad.problem}")


@keys.command()
def revoke(directory: DirectoryArgument, name: NameArgument) -> None:
    """Shut a peer out; a running server refuses it within a second, connected or not."""
    revoke_peer(directory, name)
    _say(f"{name} may not talk any more")


def _say(words: str) -> None:
    errors.print(words, markup=False, highlight=False, soft_wrap=True)
