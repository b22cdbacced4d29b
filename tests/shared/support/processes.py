"""Real daemon and cloud processes, started as an operator would, stopped however the test ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[3]
READY = re.compile(r"event=ready .*?bind=(\S+)")
START_S = 60.0


class Running:
    """One process, its endpoint and its log."""

    def __init__(self, command: str, settings: Mapping[str, Any], directory: Path) -> None:
        self.settings_file = file = directory / f"{command}-{time.monotonic_ns()}.toml"
        file.write_text(as_toml(settings), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge_daemon", command, "--config", str(file)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = ""
        self._grown = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        self.endpoint = self.wait_for(READY, START_S)[1]

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, pattern: str | re.Pattern[str], timeout_s: float = 20.0) -> re.Match[str]:
        """Waits until the log matches."""
        deadline = time.monotonic() + timeout_s
        with self._grown:
            while (found := re.search(pattern, self.log)) is None:
                if self._process.poll() is not None and not self._grown.wait(1.0):
                    raise AssertionError(f"the process ended: {self.log}")
                left = deadline - time.monotonic()
                assert left > 0, f"{pattern} did not come: {self.log}"
                self._grown.wait(min(left, 1.0))
        return found

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        self._process.terminate()
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 30.0) -> int:
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._grown:
                self.log += line
                self._grown.notify_all()


def as_toml(settings: Mapping[str, Any], above: str = "") -> str:
    """Scalars first, then tables; JSON's scalars are TOML's."""
    lines: list[str] = []
    for name in sorted(settings, key=lambda name: _is_table(settings[name])):
        value = settings[name]
        lines += (
            [f"[{above}{name}]", as_toml(cast("dict[str, Any]", value), f"{above}{name}.")]
            if isinstance(value, dict)
            else [f"[[{name}]]\n{as_toml(one)}" for one in cast("list[dict[str, Any]]", value)]
            if _is_table(value)
            else [f"{name} = {json.dumps(value)}"]
        )
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    if isinstance(value, list):
        first: Any = next(iter(cast("list[Any]", value)), None)
        return isinstance(first, dict)
    return isinstance(value, dict)
