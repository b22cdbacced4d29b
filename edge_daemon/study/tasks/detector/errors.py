"""What can be wrong with a detector that an operator names."""

from __future__ import annotations

from edge_daemon.errors import EdgeError


class DetectorError(EdgeError):
    """A detector that cannot be loaded or run, or is not as described."""

    code = "bad_detector"
