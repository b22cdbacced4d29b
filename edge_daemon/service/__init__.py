"""The daemon: frames in over ZeroMQ, through the stages, out over the uplink.

`front` reads and answers. `admission` and `limits` decide who comes in, `memory` knows who is in
already. `waiting` (`fairness`, `pace`) says who is begun and when, `stages` (`batching`, `work`) do
the work (`shaping` fits a frame to its budget, `sealing` says what became of it), `leaving`
(`order`) lets it out. `daemon` starts and stops them all, `starting` checks before, `overview`
watches, `reconfiguring` puts new settings in their place.
"""

from edge_daemon.service.daemon import Daemon, run
from edge_daemon.service.sealing import relevance_summary
from edge_daemon.service.starting import check, load_prefilter

__all__ = ["Daemon", "check", "load_prefilter", "relevance_summary", "run"]
