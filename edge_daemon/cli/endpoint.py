"""Which daemon a command talks to."""

from __future__ import annotations

from typing import Annotated

import typer

ConnectOption = Annotated[
    str | None,
    typer.Option(help="The daemon's ZeroMQ endpoint; that of the settings unless given."),
]


def connectable(bind: str) -> str:
    """The endpoint to connect to for one that is bound: a wildcard address is this machine."""
    for wildcard in ("tcp://*:", "tcp://0.0.0.0:"):
        bind = bind.replace(wildcard, "tcp://127.0.0.1:")
    return bind.replace("tcp://[::]:", "tcp://[::1]:")
