"""End to end: cameras that send to a daemon with a cloud behind it, started as an operator would.

Every camera has one frame under way and sends the next when the answer is there (a closed loop). A
frame is a JPEG file, and each differs from the one before, so no tile is reused. A time is from
sending to the result: the envelope is with the uplink then, on its way to the cloud. Cameras,
daemon and cloud, which decodes and writes every picture, share this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_daemon.bench.latency.daemon import resting_daemon
from edge_daemon.bench.latency.quantiles import Quantiles
from edge_daemon.bench.latency.workload import PICTURES, Machinery, Size
from edge_daemon.bench.load_cameras import Cameras, Tally, jpeg_file
from edge_daemon.client import Client
from edge_daemon.codecs import Codec
from edge_daemon.errors import InternalError

SIZE: Final = Size(1280, 720)
CODECS: Final = ("jpeg", "hevc")
"""Of the frames, unless others are named."""


@dataclass(frozen=True)
class EndToEnd:
    """One bundle, codec and number of cameras.

    Attributes:
        bundle: Its name.
        codec: Id and options.
        size: Of the pictures.
        cameras: How many sent.
        frame_ms: From sending to the result.
        frames_per_s: Of all cameras together, until the last result.
    """

    bundle: str
    codec: dict[str, Any]
    size: Size
    cameras: int
    frame_ms: Quantiles
    frames_per_s: float


def measure_cameras(
    machinery: Machinery,
    codecs: Sequence[Codec],
    cameras: Sequence[int],
    seconds: float,
    seed: int,
    on_phase: Callable[[], None] = lambda: None,
) -> tuple[list[EndToEnd], dict[str, Any]]:
    """Let numbers of cameras send in turn.

    Args:
        machinery: The daemon's.
        codecs: Of the frames.
        cameras: Numbers of cameras.
        seconds: How long each number sends; a tenth of it more comes first and does not count.
        seed: Decides the pictures.
        on_phase: Called after each number and codec.

    Returns:
        What was found, and what the daemon says of its bundle and what it runs on.

    Raises:
        EdgeError: The daemon did not start, or did not do every frame.
    """
    files = [jpeg_file(seed * PICTURES + number, *SIZE) for number in range(PICTURES)]
    found: list[EndToEnd] = []
    with resting_daemon(machinery) as running:
        with Client(running.endpoint, client_id="bench") as client:
            described = client.status().bundle
        for codec in codecs:
            for count in cameras:
                times = _send(running.endpoint, codec, count, files, seconds)
                found.append(EndToEnd(described["name"], codec.get_config(), SIZE, count, *times))
                on_phase()
    return found, described


def _send(
    endpoint: str, codec: Codec, count: int, files: Sequence[bytes], seconds: float
) -> tuple[Quantiles, float]:
    """Milliseconds of a frame, and frames per second, while so many cameras send."""
    name = f"{codec.codec_id}-{count}"
    with Cameras(endpoint, count, files, in_flight=1, codec=codec.get_config(), name=name) as load:
        load.closed(0.1 * seconds)
        begun = time.perf_counter()
        tally = load.closed(seconds)
        elapsed_s = time.perf_counter() - begun
    check_all_done(tally, name)
    return Quantiles.of([1e3 * spent_s for spent_s in tally.spent_s]), tally.results / elapsed_s


def check_all_done(tally: Tally, name: str) -> None:
    """Latencies say nothing if frames were refused, or if some cost less than a new one.

    Raises:
        InternalError: Either is the case.
    """
    if tally.results != tally.offered or not tally.results or tally.tiles_reused:
        raise InternalError(
            "the daemon did not do every frame in full",
            value=f"{name}: {tally.offered} sent, {tally.results} done, {tally.busy} refused, "
            f"{tally.failed} failed, {tally.tiles_reused} tiles reused",
            remedy="let fewer cameras send, or name a faster codec; if none was refused, report it",
        )
