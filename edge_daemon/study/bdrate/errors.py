"""What can be wrong with results that are to be compared."""

from __future__ import annotations

from edge_daemon.errors import EdgeError


class ResultsError(EdgeError):
    """A table of results that cannot be read, or does not hold what was asked for."""

    code = "bad_results"
