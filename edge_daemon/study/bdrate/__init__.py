"""Rate at equal accuracy: BD-rates of noisy curves, with what is known of their certainty.

`results` reads a table of measurements into `series`, `monotone` makes rising curves of them,
`delta` compares two curves or says why it cannot, `bootstrap` tells the spread over questions,
`comparison` does so for every series, `charts` draws the curves and `run` is all of that.

Rates are all bits over all source pixels; `delta.Rules` says what else can be chosen.
"""

from edge_daemon.study.bdrate.comparison import Comparison, Point, compare_all, points_of
from edge_daemon.study.bdrate.delta import Rules
from edge_daemon.study.bdrate.errors import ResultsError
from edge_daemon.study.bdrate.results import read_results
from edge_daemon.study.bdrate.run import Outcome, run_bdrate
from edge_daemon.study.bdrate.series import Series

__all__ = [
    "Comparison",
    "Outcome",
    "Point",
    "ResultsError",
    "Rules",
    "Series",
    "compare_all",
    "points_of",
    "read_results",
    "run_bdrate",
]
