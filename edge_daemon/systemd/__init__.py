"""What a service manager is told: ready, reloading, stopping, alive, and a line for people.

`notify` speaks the protocol; `watchdog` says "alive" only when that was checked. Without a service
manager both do nothing.
"""

from edge_daemon.systemd.notify import Notifier
from edge_daemon.systemd.watchdog import Watchdog, watchdog_period_s

__all__ = ["Notifier", "Watchdog", "watchdog_period_s"]
