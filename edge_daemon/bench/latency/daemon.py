"""A daemon to be timed: started as an operator would, and left alone until it rests."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_daemon.bench.latency.workload import Machinery
from edge_daemon.demo.processes import Running, daemon_and_cloud
from edge_daemon.errors import LinkError

_RESTS: Final = ("event=describer_warm", "event=describer_not_warm")
"""What its log says once the vocabulary for texts is embedded, the last work after a start."""
_WARM_S: Final = 300.0


@contextmanager
def resting_daemon(machinery: Machinery) -> Generator[Running]:
    """A daemon and a cloud with these settings, and nothing left to do.

    Raises:
        LinkError: One of them did not start, or is not done with what follows a start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="edge-bench-") as directory,
        daemon_and_cloud(
            Path(directory), bundle=machinery.bundle, tables=machinery.tables()
        ) as running,
    ):
        _await_rest(Path(directory) / "daemon.log")
        yield running


def _await_rest(log: Path) -> None:
    until = time.monotonic() + _WARM_S
    while not any(event in log.read_text("utf-8", errors="replace") for event in _RESTS):
        if time.monotonic() > until:
            raise LinkError(
                f"the daemon has not embedded its vocabulary within {_WARM_S:.0f} s",
                remedy="time a smaller bundle, or one on a faster backend",
            )
        time.sleep(0.1)
