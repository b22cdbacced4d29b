"""From the daemon to the cloud, as the uplink part of `PROTOCOL.md` says.

The queue is in memory. What it is a guarantee of:

1. An envelope is sent until the cloud acknowledges it or refuses it for good, for as long as the
   daemon lives: through a cut link, a silent cloud and a restarted one.
2. A frame is in the cloud's log once, however often it was sent (the cloud knows what it has).
3. A full queue is an error before any work is done on a frame, never a silent loss.
4. A stop waits a bounded time for acknowledgements and says how many envelopes were abandoned.

What it is not a guarantee of:

1. A daemon that is killed, crashes or loses power loses what it queued.
2. Envelopes are not promised to arrive in order.
3. What is still queued when the time for stopping is up is lost.
"""

from edge_daemon.uplink.link import Delivery, Uplink

__all__ = ["Delivery", "Uplink"]
