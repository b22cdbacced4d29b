"""Which daemon a command talks to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConnectOption = Annotated[
    str | None,
    typer.Option(help="The daemon's ZeroMQ endpoint; that of the settings unless given."),
]

KeysOption = Annotated[
    Path | None,
    typer.Option(help="This client's key directory (`edge-daemon keys new`); plain text without."),
]


def connectable(bind: str) -> str:
    """The endpoint to connect to for one that is bound: a wildcard address is this machine."""
    for wildcard in ("tcp://*:", "tcp://0.0.0.0:"):
        bind = bind.replace(wildcard, "tcp://127.0.0.1:")
    return bind.replace("tcp://[::]:", "tcp://[::1]:")
