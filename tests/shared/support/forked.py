"""Daemons and clouds forked from a process that has imported everything: real, and up at once."""

from __future__ import annotations

import logging
import multiprocessing
import os
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from edge_daemon.bench.soak.rig import Killable, Role


class Forked:
    """A process of `multiprocessing` with `subprocess`' words."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def start_forked(role: Role, settings: Path, log: Path) -> Killable:
    """For `Rig`: the same entry points as the command's, without its start of the interpreter."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["edge_daemon.service", "edge_daemon.cloud", "edge_daemon.config", "textblob", __name__]
    )
    process = context.Process(target=_run, args=(role, str(settings), str(log)))
    process.start()
    return Forked(process)


def _run(role: Role, settings: str, log: str) -> None:
    from edge_daemon import cloud, service
    from edge_daemon.config import load_settings

    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    code = {"serve": service.run, "cloud": cloud.run}[role](load_settings(Path(settings)))
    raise SystemExit(code)
