"""Rate against CLIPSim: texts against tiny pictures.

`cases` are what is described, `methods` ways to spend bytes on them, `run` measures each way on
each case, `table` writes the figures down, `charts` draws them and `page` shows them with the
pictures.
"""

from edge_daemon.study.semantic.run import Outcome, run_study

__all__ = ["Outcome", "run_study"]
