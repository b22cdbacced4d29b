"""Cameras that send what they are told to, and count the answers.

All of them share one thread that does next to nothing per frame: on a small machine every cycle
that they take is one that the daemon does not have.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import zmq
from numpy.typing import NDArray

from edge_daemon.demo.scenes import make_scene

PROMPTS = ("Where is the bicycle?", "Is there a dog?", "a red car", "people at the door")
IN_FLIGHT = 4
"""Frames per camera that wait for their answer while the best throughput is sought."""
UNHURRIED_S = 60.0
"""Seconds that count as in time where nobody says otherwise."""

_GRACE_S = 5.0
_SETTLE_S = 60.0


@dataclass
class Tally:
    """What became of the frames of one phase.

    Attributes:
        offered: Sent.
        results: Done; `in_phase` of them before the phase was over.
        in_phase: See `results`.
        in_time: Done within the deadline.
        failed: Accepted, and answered with an error.
        unanswered: Neither accepted nor refused, as far as anybody knows.
        busy: Refused.
        retriable: Of those, told when to try again.
        per_camera: Results of each camera.
        spent_s: Seconds from sending to the answer, of the results.
        tiles_reused: Tiles of the results that the encoder was not run for.
    """

    offered: int = 0
    results: int = 0
    in_phase: int = 0
    in_time: int = 0
    failed: int = 0
    unanswered: int = 0
    busy: int = 0
    retriable: int = 0
    per_camera: list[int] = field(default_factory=list[int])
    spent_s: list[float] = field(default_factory=list[float])
    tiles_reused: int = 0


def jpeg_file(seed: int, width: int, height: int) -> bytes:
    """A made-up scene as the file that a camera sends."""
    return jpeg_of(make_scene(seed, width=width, height=height, count=3).pixels)


def jpeg_of(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels, uint8 (H, W, 3), as a JPEG file at OpenCV's quality of 95."""
    _, file = cv2.imencode(".jpg", pixels[..., ::-1])
    return np.asarray(file, np.uint8).tobytes()


class Cameras:
    """Connections to a daemon, and the frames that wait for their answers.

    Args:
        endpoint: The daemon's.
        count: How many cameras.
        pictures: JPEG files; each camera sends them in turn, and begins with another.
        deadline_s: Of the frames, where they have one.
        in_flight: Frames of each that wait for their answer in `closed`.
        codec: Of the frames; `None` for the daemon's default.
        name: Client ids begin with it. No two that talk to one daemon may share it.
    """

    def __init__(
        self,
        endpoint: str,
        count: int,
        pictures: Sequence[bytes],
        *,
        deadline_s: float = UNHURRIED_S,
        in_flight: int = IN_FLIGHT,
        codec: Mapping[str, Any] | None = None,
        name: str = "load",
    ) -> None:
        self._endpoint = endpoint
        self._count = count
        self._pictures = pictures
        self._deadline_s = deadline_s
        self._in_flight = in_flight
        self._codec = None if codec is None else dict(codec)
        self._name = name
        self._sequence = 0
        self._frames = [0] * count
        self._sent: dict[int, float] = {}

    def __enter__(self) -> Cameras:
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._sockets: list[zmq.Socket[bytes]] = []
        for _ in range(self._count):
            connection = self._context.socket(zmq.DEALER)
            connection.set(zmq.LINGER, 0)
            connection.connect(self._endpoint)
            self._poller.register(connection, zmq.POLLIN)
            self._sockets.append(connection)
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            connection.close()
        self._context.term()

    def closed(self, seconds: float) -> Tally:
        """Sends a frame for every answer, so that always as many wait."""
        tally = Tally(per_camera=[0] * self._count)
        begun = time.monotonic()
        for camera in range(self._count):
            for _ in range(self._in_flight):
                self._send(camera, tally, None)
        while time.monotonic() < begun + seconds:
            for camera in self._hear(0.1, tally):
                self._send(camera, tally, None)
        tally.in_phase = tally.results
        self._settle(_SETTLE_S, tally)
        tally.unanswered = len(self._sent)
        return tally

    def open(self, seconds: float, per_s: float, sample: Callable[[], None]) -> Tally:
        """Sends so many frames per second, whatever becomes of them.

        Args:
            seconds: For how long.
            per_s: Frames per second of all cameras together.
            sample: Called about once a second.
        """
        tally = Tally(per_camera=[0] * self._count)
        begun = time.monotonic()
        sample_at = begun
        while (now := time.monotonic()) < begun + seconds:
            for _ in range(int((now - begun) * per_s) - tally.offered):
                self._send(tally.offered % self._count, tally, self._deadline_s)
            if now >= sample_at:
                sample_at += 1.0
                sample()
            self._hear(max(0.001, begun + (tally.offered + 1) / per_s - now), tally)
        tally.in_phase = tally.results
        self._settle(self._deadline_s + _GRACE_S, tally)
        tally.unanswered = len(self._sent)
        return tally

    def _settle(self, patience_s: float, tally: Tally) -> None:
        until = time.monotonic() + patience_s
        while self._sent and time.monotonic() < until:
            self._hear(0.1, tally)

    def _send(self, camera: int, tally: Tally, deadline_s: float | None) -> None:
        self._sequence += 1
        header = {
            "version": 1,
            "kind": "frame",
            "client": f"{self._name}-{camera}",
            "sequence": self._sequence,
            "prompt": PROMPTS[camera % len(PROMPTS)],
            "codec": self._codec,
            "deadline_s": deadline_s,
        }
        picture = self._pictures[(camera + self._frames[camera]) % len(self._pictures)]
        self._frames[camera] += 1
        tally.offered += 1
        self._sent[self._sequence] = time.monotonic()
        with contextlib.suppress(zmq.Again):
            self._sockets[camera].send_multipart(
                [json.dumps(header).encode(), picture], zmq.DONTWAIT
            )

    def _hear(self, patience_s: float, tally: Tally) -> list[int]:
        """Reads the answers that are there; returns the camera of each."""
        answered: list[int] = []
        if not self._poller.poll(round(1000 * patience_s)):
            return answered
        for camera, connection in enumerate(self._sockets):
            with contextlib.suppress(zmq.Again):
                while True:
                    answer = json.loads(connection.recv_multipart(zmq.DONTWAIT)[0])
                    self._note(answer, tally, camera)
                    answered.append(camera)
        return answered

    def _note(self, answer: dict[str, Any], tally: Tally, camera: int) -> None:
        spent_s = time.monotonic() - self._sent.pop(answer["sequence"])
        if answer["kind"] == "result":
            tally.results += 1
            tally.per_camera[camera] += 1
            tally.in_time += spent_s <= self._deadline_s
            tally.spent_s.append(spent_s)
            if answer["report"] is not None:
                tally.tiles_reused += answer["report"]["tiles_reused"]
        elif answer["code"] == "busy":
            tally.busy += 1
            tally.retriable += answer["retry_after_s"] is not None
        else:
            tally.failed += 1
