"""A daemon and a receiver as processes of their own, on free ports of this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.client import Client
from edge_daemon.errors import LinkError

_START_S = 60.0
_STOP_S = 20.0


@dataclass(frozen=True)
class Running:
    """A daemon that answers, and where its receiver writes.

    Attributes:
        endpoint: ZeroMQ endpoint for cameras.
        received: Folder of the receiver: `CLIENT/SEQUENCE.png` and `log.jsonl`.
        pid: The daemon's process number.
    """

    endpoint: str
    received: Path
    pid: int


@contextmanager
def daemon_and_cloud(directory: Path, *, bundle: str, tables: str = "") -> Generator[Running]:
    """Start both, wait until the daemon answers, and stop both in the end.

    Args:
        directory: Gets the settings file, both logs and what the cloud receives.
        bundle: Name or path of the model bundle.
        tables: More of the settings file, in TOML: tables other than front, uplink and cloud.

    Raises:
        LinkError: One of them ended, or did not answer within a minute; its log is named.
    """
    front, uplink = free_port(), free_port()
    received = directory / "received"
    settings = directory / "settings.toml"
    settings.write_text(
        f"bundle = '{bundle}'\n"
        f"[front]\nbind = 'tcp://127.0.0.1:{front}'\n"
        f"[uplink]\nconnect = 'tcp://127.0.0.1:{uplink}'\n"
        f"[cloud]\nbind = 'tcp://127.0.0.1:{uplink}'\ndirectory = '{received}'\n"
        f"{tables}",
        encoding="utf-8",
    )
    with (
        _process("cloud", settings, directory / "cloud.log") as cloud,
        _process("serve", settings, directory / "daemon.log") as daemon,
    ):
        endpoint = f"tcp://127.0.0.1:{front}"
        _await_answer(endpoint, {"cloud.log": cloud, "daemon.log": daemon}, directory)
        yield Running(endpoint, received, daemon.pid)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: str, settings: Path, log: Path) -> Generator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_daemon", command, "--config", str(settings)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(
    endpoint: str, processes: dict[str, subprocess.Popen[bytes]], directory: Path
) -> None:
    deadline = time.monotonic() + _START_S
    with Client(endpoint, client_id="start", timeout_s=1.0) as client:
        while time.monotonic() < deadline:
            for log, process in processes.items():
                if process.poll() is not None:
                    raise LinkError(
                        f"the process that writes {log} ended at its start",
                        value=f"exit code {process.returncode}",
                        remedy=f"read {directory / log}",
                    )
            try:
                if client.status().link == "up":
                    return
                time.sleep(0.1)
            except LinkError:
                continue
    raise LinkError(
        f"the daemon did not reach its receiver within {_START_S:.0f} s",
        value=endpoint,
        remedy=f"read {directory / 'daemon.log'}",
    )
