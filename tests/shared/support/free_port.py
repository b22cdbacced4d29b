"""A port for a process that must come back at the same endpoint."""

from __future__ import annotations

import socket


def free_endpoint() -> str:
    """A TCP endpoint on this machine where nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"
