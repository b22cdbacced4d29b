"""Worker processes of the cloud on NATS, and envelopes for them.

As a program (`python nats_workers.py SETTINGS.toml MODE`) it is one such process. MODE says when it
hangs for ever, so that it can be killed at a known moment: "never", "before" its second envelope is
kept, or "after" that, with the picture and its line on the disk and nobody told.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge_daemon.cloud import keeping, nats_worker
from edge_daemon.codecs import get_codec
from edge_daemon.config import load_settings
from edge_daemon.wire import Key, pack_envelope, seal

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0


def sample(sequence: int, client: str = "cam", *, blue: int = 30, **changes: Any) -> bytes:
    """An envelope with a small picture of one colour."""
    pixels = np.full((8, 8, 3), (sequence % 256, sequence // 256 % 256, blue), np.uint8)
    codec = get_codec({"id": "jpeg"})
    facts: dict[str, Any] = {
        "client": client,
        "sequence": sequence,
        "mode": "plain",
        "prompts": [""],
        "codec": codec.get_config(),
        "width": 8,
        "height": 8,
        "source_bytes": 1,
        "relevance": None,
        "timings_ms": {},
    }
    return pack_envelope(seal(codec.encode(pixels), **facts | changes))


def logged(*directories: Path) -> list[Key]:
    """The frames in the logs of these workers, all together."""
    keys: list[Key] = []
    for directory in directories:
        log = directory / "log.jsonl"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        entries = [json.loads(line) for line in lines]
        keys += [(entry["client"], entry["sequence"]) for entry in entries]
    return keys


class WorkerProcess:
    """One worker process and its log.

    Args:
        url: Of the NATS server.
        directory: The worker's.
        mode: When it hangs.
        ack_wait_s: As the setting.
    """

    def __init__(
        self, url: str, directory: Path, *, mode: str = "never", ack_wait_s: float = 0.6
    ) -> None:
        self.directory = directory
        file = directory.with_suffix(".toml")
        file.write_text(
            f'[cloud]\ndirectory = "{directory}"\ntransport = "nats"\nthreads = 1\n'
            f'[cloud.nats]\nservers = ["{url}"]\nack_wait_s = {ack_wait_s}\n',
            "utf-8",
        )
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(file), mode],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/shared'}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = ""
        self._grown = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S) -> None:
        """Waits until the log matches."""
        deadline = time.monotonic() + timeout_s
        with self._grown:
            while not re.search(pattern, self.log):
                left = deadline - time.monotonic()
                assert left > 0, f"{pattern} did not come: {self.log}"
                assert self._process.poll() is None or self._grown.wait(1.0), self.log
                self._grown.wait(min(left, 1.0))

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL, and its end."""
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._grown:
                self.log += line
                self._grown.notify_all()


class _HangingKeeper(keeping.Keeper):
    """Stands in for a process that dies at a bad moment: it stops there, and is then killed."""

    mode = "never"
    _begun = 0

    def keep(self, payload: bytes, key: Key | None = None, *, insist: bool = True) -> bool:
        """Keeps the first envelope, and hangs at the second."""
        type(self)._begun += 1
        second = type(self)._begun == 2
        if second and self.mode == "before":
            _hang(key)
        duplicate = super().keep(payload, key, insist=insist)
        if second and self.mode == "after":
            _hang(key)
        return duplicate


def _hang(key: Key | None) -> None:
    logging.getLogger(__name__).info("event=hanging key=%s", key)
    threading.Event().wait()


def _main() -> int:
    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s %(message)s")
    _HangingKeeper.mode = sys.argv[2]
    nats_worker.Keeper = _HangingKeeper
    return nats_worker.run_worker(load_settings(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(_main())
