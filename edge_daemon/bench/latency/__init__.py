"""Milliseconds per frame: stage by stage, end to end, and beside the alternatives.

`stages` times the library's pipeline, `cameras` a daemon with a cloud behind it, `overhead` the
daemon beside the bare library calls, `against` our pipeline beside the published one, which
`published` builds from its description. What is compared is timed in turns (`pairing`). `run` does
all of it and writes it down; `tables`, `charts` and `page` show it.
"""

from edge_daemon.bench.latency.run import PARTS, Outcome, Part, Plan, run_bench

__all__ = ["PARTS", "Outcome", "Part", "Plan", "run_bench"]
