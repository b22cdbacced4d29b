"""What operators see of a daemon from outside: metrics, health, status figures and the log.

`telemetry` counts what the daemon's parts tell it, `snapshot` is what the event loop shows to other
threads, `collector` words both for Prometheus, `health` really checks, `server` answers over HTTP,
`logs` writes to standard error. Nothing here is global but the log: a process may hold several.

No metric carries a client's id. Ids are the clients' choice and without number, and camera names
are nobody's business on a monitoring network; `status` has the figures of the cameras seen last.
"""

from edge_daemon.telemetry.health import Health, Verdict, none_stalled, tasks_alive
from edge_daemon.telemetry.logs import set_up_log
from edge_daemon.telemetry.server import TelemetryServer
from edge_daemon.telemetry.snapshot import LinkState, Snapshot, SpoolState
from edge_daemon.telemetry.storage import WritableDirectory
from edge_daemon.telemetry.telemetry import DropReason, StatusFields, Telemetry

__all__ = [
    "DropReason",
    "Health",
    "LinkState",
    "Snapshot",
    "SpoolState",
    "StatusFields",
    "Telemetry",
    "TelemetryServer",
    "Verdict",
    "WritableDirectory",
    "none_stalled",
    "set_up_log",
    "tasks_alive",
]
