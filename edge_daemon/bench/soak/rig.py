"""A daemon, a cloud and the link between them, to be killed and cut."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from edge_daemon.bench.soak.proxy import FlakyProxy
from edge_daemon.client import Client
from edge_daemon.demo.processes import free_port
from edge_daemon.errors import EdgeError, LinkError
from edge_daemon.wire import StatusReply

Role = Literal["serve", "cloud"]
"""The command that a process runs."""

STOP_S = 60.0
_LINK_PARAMETERS = """
connect = "{proxy}"
ack_timeout_s = 3.0
heartbeat_s = 0.5
back_off_max_s = 1.0
drain_s = 2.0
"""


class Killable(Protocol):
    """A process, however it was started."""

    @property
    def pid(self) -> int | None:
        """Its number, once it was started."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    def terminate(self) -> None:
        """SIGTERM."""
        ...

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit code, once it is gone; raises or returns `None` if that takes longer."""
        ...


Start = Callable[[Role, Path, Path], Killable]
"""Starts a process: its role, its settings file, and the log that it appends to."""


def start_program(role: Role, settings: Path, log: Path) -> Killable:
    """The command as an operator would run it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "edge_daemon", role, "--config", str(settings)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )


class Rig:
    """Both processes on free ports of this machine, with a proxy between them.

    Args:
        directory: Gets settings, logs, the spool and what the cloud receives.
        start: How processes are started.
        extra: More TOML, tables of their own.
    """

    def __init__(self, directory: Path, *, start: Start = start_program, extra: str = "") -> None:
        self._start = start
        self._directory = directory
        front, cloud = free_port(), free_port()
        self.proxy = FlakyProxy(f"tcp://127.0.0.1:{cloud}").open()
        self.endpoint = f"tcp://127.0.0.1:{front}"
        self.log = directory / "received" / "log.jsonl"
        self.settings = directory / "settings.toml"
        self.settings.write_text(
            f'[front]\nbind = "{self.endpoint}"\n'
            f'[spool]\ndirectory = "{directory / "spool"}"\n'
            f"[uplink]{_LINK_PARAMETERS.format(proxy=self.proxy.endpoint)}"
            f'[cloud]\nbind = "tcp://127.0.0.1:{cloud}"\n'
            f'directory = "{directory / "received"}"\n{extra}',
            encoding="utf-8",
        )
        self._processes: dict[Role, Killable] = {}
        self.begun: dict[Role, float] = {}
        self.starts: dict[Role, int] = {"serve": 0, "cloud": 0}

    def start(self, role: Role) -> None:
        """Starts a process; it need not be ready when this returns."""
        self._processes[role] = self._start(role, self.settings, self.log_of(role))
        self.begun[role] = time.monotonic()
        self.starts[role] += 1

    def kill(self, role: Role) -> None:
        """Ends a process as a power cut would, and waits until it is gone."""
        self._end(role, gently=False)

    def stop(self, role: Role) -> int | None:
        """Asks a process to end (SIGTERM); its exit code, `None` if it had to be killed."""
        return self._end(role, gently=True)

    def close(self) -> None:
        """Ends everything."""
        for role in list(self._processes):
            self.kill(role)
        self.proxy.close()

    def log_of(self, role: Role) -> Path:
        """What a process has written, over all its lives."""
        return self._directory / f"{role}.log"

    def pid(self, role: Role) -> int | None:
        """The number of the running process."""
        process = self._processes.get(role)
        return None if process is None else process.pid

    def status(self, timeout_s: float = 2.0) -> StatusReply | None:
        """The daemon's word on itself; `None` if it does not answer."""
        try:
            with Client(self.endpoint, client_id="rig", timeout_s=timeout_s) as client:
                return client.status()
        except EdgeError:
            return None

    def settle(self, patience_s: float) -> StatusReply:
        """Waits until the daemon is up and all that it holds is delivered.

        Raises:
            LinkError: That took too long.
        """
        deadline = time.monotonic() + patience_s
        status = None
        while time.monotonic() < deadline:
            status = self.status()
            if status is not None and status.link == "up" and not any(status.queues.values()):
                return status
            time.sleep(0.2)
        raise LinkError(
            f"the daemon still holds frames after {patience_s:.0f} s",
            value=None if status is None else status.queues,
            remedy=f"read {self.log_of('serve')}",
        )

    def ended(self, role: Role) -> int | None:
        """The exit code of a process that ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._processes[role].wait(0.0)
        return None

    def _end(self, role: Role, *, gently: bool) -> int | None:
        process = self._processes.pop(role)
        if not gently:
            process.kill()
            return process.wait()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(STOP_S)
            if code is not None:
                return code
        process.kill()
        process.wait()
        return None


def resident_mib(pid: int) -> float | None:
    """Memory of a process in MiB; `None` if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return None if found is None else int(found[1]) / 1024
