"""The ways to the cloud: one contract (`abc`), one file per way."""

from edge_daemon.uplink.transports.abc import Transport, Verdicts
from edge_daemon.uplink.transports.choice import make_transport

__all__ = ["Transport", "Verdicts", "make_transport"]
