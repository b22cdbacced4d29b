"""Tasks x methods x codecs x qualities: run in parallel, kept as they come, told on a page.

`work` is one question in all its ways, `backends` where such units run, `journal` what a folder
knows already, `run` all of that for one task. `trial` is what comes of it; `csv_tables` writes it
down, `series` makes the curves that `study.bdrate` compares, and `best` looks at their upper ends.

`report` is what there is to tell, with `examples` in pictures and `facts` to repeat it; `page`
tells it, in `tables` and `numbers`.
"""

from edge_daemon.study.trials.backends import BACKENDS, Backend
from edge_daemon.study.trials.run import Progress, run_task
from edge_daemon.study.trials.series import compare_methods, series_of
from edge_daemon.study.trials.trial import Failure, TaskOutcome, Trial

__all__ = [
    "BACKENDS",
    "Backend",
    "Failure",
    "Progress",
    "TaskOutcome",
    "Trial",
    "compare_methods",
    "run_task",
    "series_of",
]
