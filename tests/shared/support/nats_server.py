"""A real nats-server, started as an operator would, stopped or killed however the test ends."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from support.free_port import free_endpoint

PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/sbin")
START_S = 20.0

needs_nats_server = pytest.mark.skipif(
    PROGRAM is None, reason="nats-server is not installed (deploy/prepare-tests.sh installs it)"
)


def free_port() -> int:
    """A TCP port on this machine where nothing listens at the moment."""
    return int(free_endpoint().rpartition(":")[2])


def check_config(config: Path) -> tuple[int, str]:
    """What nats-server says of a configuration: its exit code and its words."""
    assert PROGRAM is not None
    done = subprocess.run(
        [PROGRAM, "-t", "-c", str(config)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


class NatsServer:
    """One server process and its log.

    Args:
        config: Its configuration file.
        port: On which that file lets clients in.
    """

    def __init__(self, config: Path, port: int) -> None:
        self._config = config
        self.port = port
        self.url = f"nats://127.0.0.1:{port}"
        self.log = ""
        self._grown = threading.Condition()
        self.start()

    def __enter__(self) -> NatsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it, with whatever its store holds, and waits until it listens."""
        assert PROGRAM is not None
        with self._grown:
            self.log = ""
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._config)], stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        self.wait_for("Server is ready")

    def stop(self) -> None:
        """SIGTERM, and its end."""
        self._process.terminate()
        self._process.wait(START_S)

    def kill(self) -> None:
        """SIGKILL, and its end."""
        self._process.kill()
        self._process.wait(START_S)

    def wait_for(self, text: str) -> None:
        """Waits until the log holds a text."""
        deadline = time.monotonic() + START_S
        with self._grown:
            while text not in self.log:
                left = deadline - time.monotonic()
                assert left > 0, f"{text} did not come: {self.log}"
                assert self._process.poll() is None or self._grown.wait(1.0), self.log
                self._grown.wait(min(left, 1.0))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._grown:
                self.log += line
                self._grown.notify_all()


def plain_server(directory: Path, more: str = "") -> NatsServer:
    """A server with JetStream whose store is in a directory.

    Args:
        directory: Made if it is not there; a second server there takes over the first one's store.
        more: Lines for its configuration.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = directory / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{directory / "store"}" }}\n{more}\n',
        "utf-8",
    )
    return NatsServer(config, port)
