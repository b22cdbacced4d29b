"""Cameras that never give a frame up, and note what was acknowledged."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from edge_daemon.bench.load_cameras import jpeg_file
from edge_daemon.bench.soak.account import Ledger
from edge_daemon.client import Client
from edge_daemon.errors import EdgeError
from edge_daemon.wire import AckLevel, Mode

SIZE = (320, 240)
SCENES = 12
"""Different pictures per camera, sent in turn."""


def pictures(seed: int) -> list[bytes]:
    """A camera's pictures, as JPEG files."""
    return [jpeg_file(seed * SCENES + number, *SIZE) for number in range(SCENES)]


class Camera(threading.Thread):
    """Sends one frame after the other, each until it is acknowledged or refused for good.

    Args:
        endpoint: The daemon's.
        name: The client id.
        files: Pictures to send in turn.
        prompt: What is asked; "" sends them without filtering.
        ledger: Gets the notes.
        pause_s: Mean time between frames.
        ack: The level that is asked for.
        mode: What is asked for; by default what suits the prompt.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        files: Sequence[bytes],
        prompt: str,
        ledger: Ledger,
        *,
        pause_s: float,
        ack: AckLevel = "spooled",
        mode: Mode | None = None,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._endpoint = endpoint
        self._files = files
        self._prompt = prompt
        self._ledger = ledger
        self._pause_s = pause_s
        self._ack: AckLevel = ack
        self._mode: Mode = mode or ("prefilter" if prompt else "plain")
        self._stopped = threading.Event()
        self._random = random.Random(name)

    def stop(self) -> None:
        """Ends after the attempt under way."""
        self._stopped.set()

    def run(self) -> None:
        """Sends until stopped."""
        with Client(self._endpoint, client_id=self.name, timeout_s=20.0, heartbeat_s=0.5) as client:
            sequence = 0
            while not self._stopped.is_set():
                if self._send(client, sequence):
                    sequence += 1
                    self._stopped.wait(self._random.expovariate(1 / self._pause_s))

    def _send(self, client: Client, sequence: int) -> bool:
        """One attempt; whether the next frame may come."""
        key = (self.name, sequence)
        self._ledger.offer(key)
        try:
            client.send(
                self._files[sequence % len(self._files)],
                self._prompt,
                mode=self._mode,
                ack=self._ack,
                sequence=sequence,
            )
        except EdgeError as error:
            self._ledger.fail(error.code)
            if error.retry_after_s is None and error.code != "link":
                return True
            self._stopped.wait(min(1.0, error.retry_after_s or 0.0))
            return False
        self._ledger.acknowledge(key)
        return True
