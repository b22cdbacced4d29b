"""The transport that the settings name."""

from __future__ import annotations

from edge_daemon.settings import UplinkSettings
from edge_daemon.uplink.transports.abc import Transport
from edge_daemon.uplink.transports.connection import Secure
from edge_daemon.uplink.transports.directory import DirectoryTransport
from edge_daemon.uplink.transports.zeromq import ZeroMqTransport


def make_transport(settings: UplinkSettings, *, secure: Secure | None = None) -> Transport:
    """A transport that is not open yet.

    Args:
        settings: `transport` and the settings of that one are used.
        secure: For ZeroMQ: sets the keys of every socket before it connects; `None`: plain.
    """
    if settings.transport == "directory":
        return DirectoryTransport(settings.directory, longest_pause_s=settings.back_off_max_s)
    if settings.transport == "nats":
        # Only who uses it pays for loading its client.
        from edge_daemon.uplink.transports.nats import NatsTransport  # noqa: PLC0415

        return NatsTransport(settings.nats)
    return ZeroMqTransport(settings, secure=secure)
