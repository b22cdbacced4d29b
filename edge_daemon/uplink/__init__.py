"""From the daemon to the cloud: what is acknowledged is never lost.

`spool` keeps envelopes and says at its head what that guarantees, `transports` are the ways to the
cloud, `window` decides what goes next, `sender` sends it until it is answered, and `link` is what
the daemon sees of all this.
"""

from edge_daemon.uplink.link import Delivery, DropReason, Uplink
from edge_daemon.uplink.spool import SpoolThread
from edge_daemon.uplink.transports import Transport, make_transport

__all__ = ["Delivery", "DropReason", "SpoolThread", "Transport", "Uplink", "make_transport"]
