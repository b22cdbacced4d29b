"""A stand-in for the learned codec's worker: the same frames, no model.

Run as a program with a file that holds its mode: it answers as `edge_daemon/codecs/cheng2020/
worker` does, losslessly and at once, unless the mode tells it to misbehave. It appends its process
id to `<file>.pids` when it starts.

As a module, it sets up what a test needs around that program.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FRAME = struct.Struct(">4sIQ")
DIGEST = "0123456789abcdef"
OTHER_DIGEST = "fedcba9876543210"
SLOW_S = 5000.0


class StandIn:
    """The stand-in's command, mode and traces, in a directory.

    Args:
        directory: Made to look like the environment that `make cheng2020` builds.
    """

    def __init__(self, directory: Path) -> None:
        self._mode = directory / "mode"
        self._mode.write_text("")
        self.command = [sys.executable, __file__, str(self._mode)]
        self.python = directory / "bin" / "python"
        self.python.parent.mkdir()
        self.python.write_text(f'#!/bin/sh\nexec {shlex.join(self.command)} "$@"\n')
        self.python.chmod(0o755)
        packages = directory / "lib" / "python3.11" / "site-packages"
        (packages / "compressai-1.2.8.dist-info").mkdir(parents=True)

    def behave(self, mode: str = "") -> None:
        """From the next request on."""
        self._mode.write_text(mode)

    def pids(self) -> list[int]:
        """Of all stand-ins that started, and of their children, in order."""
        file = self._mode.with_suffix(".pids")
        return [int(line) for line in file.read_text().split()] if file.exists() else []


def gone(pid: int, within_s: float = 20.0) -> bool:
    """Whether a process ends within that time; one that waits for its parent has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def reaped(pid: int) -> bool:
    """Whether nothing is left of a process, not even its exit code."""
    return not Path(f"/proc/{pid}").exists()


def _send(header: Any, payload: bytes = b"") -> None:
    text = json.dumps(header).encode()
    sys.stdout.buffer.write(FRAME.pack(b"EC20", len(text), len(payload)) + text + payload)
    sys.stdout.buffer.flush()


def _coded(header: dict[str, Any], payload: bytes, mode: str) -> tuple[dict[str, Any], bytes]:
    if header["op"] == "encode":
        check = hashlib.sha256(payload).hexdigest()[:32]
        seconds = SLOW_S if mode == "slow" else 0.001
        return {"digest": DIGEST, "check": check, "z": 7, "seconds": seconds}, payload
    if header["digest"] != DIGEST:
        return {"error": "digest", "message": DIGEST}, b""
    if header["check"] != hashlib.sha256(payload).hexdigest()[:32]:
        return {"error": "latents", "message": "other latents"}, b""
    return {}, payload


def _misbehave(mode: str, pids: Path) -> None:
    if mode in {"hang", "deaf"}:
        time.sleep(600)
    elif mode == "child":
        child = subprocess.Popen(["sleep", "600"])
        with pids.open("a") as file:
            file.write(f"{child.pid}\n")
        time.sleep(600)
    elif mode == "exit":
        os._exit(3)
    elif mode == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif mode == "garbage":
        sys.stdout.buffer.write(b"torch says hello\n" * 10)
        sys.stdout.buffer.flush()
        time.sleep(600)
    elif mode == "half":
        sys.stdout.buffer.write(FRAME.pack(b"EC20", 2, 1000) + b"{}" + bytes(10))
        sys.stdout.buffer.flush()
        os._exit(0)
    elif mode == "huge":
        sys.stdout.buffer.write(FRAME.pack(b"EC20", 2, 1 << 60))
        sys.stdout.buffer.flush()
        time.sleep(600)
    elif mode == "noise":
        sys.stderr.write("first line\n" + "x" * 5000 + "\nlast line\n")
        sys.stderr.flush()


def _main(mode_file: Path) -> None:
    pids = mode_file.with_suffix(".pids")
    with pids.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if mode_file.read_text() == "deaf-from-start":
        time.sleep(600)
    while start := sys.stdin.buffer.read(FRAME.size):
        _, header_bytes, payload_bytes = FRAME.unpack(start)
        header = json.loads(sys.stdin.buffer.read(header_bytes))
        mode = mode_file.read_text()
        if header["op"] == "hello":
            _send({"protocol": 99 if mode == "protocol" else 1})
            if mode == "deaf":
                time.sleep(600)
            continue
        payload = sys.stdin.buffer.read(payload_bytes)
        _misbehave(mode, pids)
        if mode.startswith("answer "):
            _send(json.loads(mode.removeprefix("answer ")), b"payload")
        elif header["op"] == "echo":
            _send({**header, "pid": os.getpid()}, payload)
        else:
            _send(*_coded(header, payload, mode))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
