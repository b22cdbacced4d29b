"""The notification protocol of sd_notify(3): lines of NAME=VALUE in one datagram.

Without NOTIFY_SOCKET nothing is sent. Telling the service manager never blocks and never raises:
a daemon that works and cannot say so is better than one that does neither. What could not be sent
goes along with the next message, so that a service manager that was busy for a moment still learns
of the start.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)

_LONGEST_STATUS = 400
"""Characters of a status line; people read it in one line of a terminal."""

_NOT_KEPT = frozenset({"WATCHDOG", "EXTEND_TIMEOUT_USEC"})
"""Only true at their time."""


class Notifier:
    """Tells the service manager how this process is.

    Args:
        address: The datagram socket to send to: a path, or "@NAME" for an abstract socket; `None`
            if nobody listens.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._unsent: dict[str, str] = {}
        self._trouble = ""
        self._socket: socket.socket | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """The notifier that NOTIFY_SOCKET asks for."""
        return cls(environment.get("NOTIFY_SOCKET") or None)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self, status: str = "") -> None:
        """The start, or a reload, is done."""
        self._tell({"READY": "1", **_status(status)})

    def status(self, text: str) -> None:
        """One line for `systemctl status`; line breaks become spaces, the end is cut off."""
        self._tell(_status(text))

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        # systemd 253 and later tell by the time which reload is meant; older ones ignore it.
        now_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell({"RELOADING": "1", "MONOTONIC_USEC": str(now_usec)})

    def stopping(self, status: str = "") -> None:
        """The orderly stop begins."""
        self._tell({"STOPPING": "1", **_status(status)})

    def alive(self, status: str = "") -> None:
        """The watchdog may wait another period."""
        self._tell({"WATCHDOG": "1", **_status(status)})

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping takes this long from now on, at most."""
        self._tell({"EXTEND_TIMEOUT_USEC": str(round(seconds * 1e6))})

    def close(self) -> None:
        """Gives the socket back; a later message opens another one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, fields: Mapping[str, str]) -> None:
        if self._address is None or not fields:
            return
        if "READY" in fields:
            # A reload whose begin was not heard is over.
            self._unsent.pop("RELOADING", None)
            self._unsent.pop("MONOTONIC_USEC", None)
        message = {**self._unsent, **fields}
        try:
            self._send("\n".join(f"{name}={value}" for name, value in message.items()))
        except (OSError, ValueError) as error:
            self._unsent = {k: v for k, v in message.items() if k not in _NOT_KEPT}
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("event=notify_failed address=%r error=%r", self._address, str(error))
        else:
            self._unsent, self._trouble = {}, ""

    def _send(self, message: str) -> None:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        address = str(self._address)
        # "@" stands for the zero byte that begins the name of an abstract socket.
        target = "\0" + address[1:] if address.startswith("@") else address
        self._socket.sendto(message.encode("utf-8", "replace"), target)


def _status(text: str) -> dict[str, str]:
    line = " ".join(text.split())
    if not line:
        return {}
    return {"STATUS": line if len(line) <= _LONGEST_STATUS else f"{line[:_LONGEST_STATUS]}..."}
