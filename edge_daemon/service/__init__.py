"""The daemon: frames in over ZeroMQ, through the stages, out over the uplink.

`front` reads and answers, `admission` decides who comes in, `memory` knows who is in already,
`stages` do the work (`shaping` fits a frame to its budget, `sealing` says what became of it),
`daemon` starts and stops them all.
"""

from edge_daemon.service.daemon import Daemon, check, load_prefilter, run
from edge_daemon.service.sealing import relevance_summary

__all__ = ["Daemon", "check", "load_prefilter", "relevance_summary", "run"]
