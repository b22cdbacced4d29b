"""A service manager's end of the notification protocol: a real datagram socket."""

from __future__ import annotations

import socket
from pathlib import Path

PATIENCE_S = 20.0


class Manager:
    """Listens where NOTIFY_SOCKET points to.

    Args:
        address: A path, or "@NAME" for an abstract socket.
    """

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address[0] == "@" else self.address)

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def heard(self, patience_s: float = PATIENCE_S) -> dict[str, str]:
        """The next message; `TimeoutError` if none comes. Blocks the calling thread."""
        self._socket.settimeout(patience_s)
        lines = self._socket.recv(65_536).decode("utf-8").split("\n")
        return dict(line.split("=", 1) for line in lines)

    def all_heard(self) -> list[dict[str, str]]:
        """What has come so far, without waiting."""
        messages: list[dict[str, str]] = []
        while True:
            try:
                messages.append(self.heard(0.0))
            except BlockingIOError:
                return messages
