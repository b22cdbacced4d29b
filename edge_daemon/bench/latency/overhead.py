"""What a frame takes in the daemon beyond the library calls that it is there for.

Both get the same bytes and do the same with them: open the picture, prefilter, encode. The daemon
is another process, so on top of that come two messages over TCP on this machine, the checks and
queues between, a comparison with the camera's last picture (which never matches here), hashes, the
envelope and the answer. The uplink works after the answer, and so does what only the camera's next
picture needs (the signature of this one's tiles, 2 ms); the next turn waits until that is done.

Of raw pixels the daemon saves a copy that the library makes: it may keep the message that they came
in, the library's caller may write to his array again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.bench.latency.daemon import resting_daemon
from edge_daemon.bench.latency.pairing import Paired, take_turns
from edge_daemon.bench.latency.workload import Machinery, Size, pictures
from edge_daemon.bench.load_cameras import jpeg_of
from edge_daemon.client import Client
from edge_daemon.codecs import Codec
from edge_daemon.errors import InternalError, LinkError
from edge_daemon.pictures import from_raw, open_picture
from edge_daemon.prefilter import Prefilter

TILES: Final = 24
"""Of the frame: the published number."""
SIZE: Final = Size(1280, 960)
"""With a budget of `TILES` tiles a picture of this size gets exactly as many."""
BAR_MS: Final = 3.0
BAR_SHARE: Final = 0.05
"""The overhead should be below one of the two; the share is of the library calls."""

Form = Literal["JPEG file", "raw pixels"]
FORMS: Final[tuple[Form, ...]] = ("JPEG file", "raw pixels")
"""How a camera sends a picture: as a file that has to be decoded, or as 3 bytes a pixel."""

_PROMPT = "Where is the bicycle?"
_REST_S = 0.02
"""Before each turn: threads that spin for a while after their work then do so no longer."""
_SETTLE_S = 60.0


@dataclass(frozen=True)
class Overhead:
    """The daemon beside the library, for one form of pictures.

    Attributes:
        bundle: Its name.
        codec: Id.
        form: How pictures were sent.
        tiles: Of each frame.
        paired: First the library, second the daemon, from the bytes to the bitstream or answer.
        library_ms: Median milliseconds per stage.
        daemon_ms: Likewise, by the daemon's own clock; `rest` is what it does not account for.
    """

    bundle: str
    codec: str
    form: Form
    tiles: int
    paired: Paired
    library_ms: dict[str, float]
    daemon_ms: dict[str, float]

    @property
    def share(self) -> float:
        """The median difference as a share of the library's median."""
        return self.paired.difference_ms.value / self.paired.first.p50

    @property
    def own_ms(self) -> float:
        """What only the daemon has, as the sum of its medians.

        Noise of what both do, which is most of the difference's on a busy machine, is not in it.
        """
        return sum(ms for name, ms in self.daemon_ms.items() if name not in self.library_ms)

    @property
    def met(self) -> bool:
        """Whether it is below `BAR_MS` or `BAR_SHARE`."""
        return self.paired.difference_ms.value < BAR_MS or self.share < BAR_SHARE


def measure_overhead(
    machinery: Machinery,
    codec: Codec,
    rounds: int,
    seed: int,
    on_round: Callable[[], None] = lambda: None,
) -> list[Overhead]:
    """Time library and daemon in turns, for each of `FORMS`.

    Args:
        machinery: Of both; its tile budget is not used.
        codec: Of the frames.
        rounds: Of each form.
        seed: Decides the pictures.
        on_round: Called after each.

    Raises:
        EdgeError: The daemon did not start, or refused a frame.
    """
    sized = machinery.with_budget(TILES)
    prefilter, sources = sized.prefilter(), pictures(SIZE, seed, rounds + 1)
    found: list[Overhead] = []
    with resting_daemon(sized) as running:
        for form in FORMS:
            frames = [jpeg_of(one) if form == "JPEG file" else one for one in sources]
            # A client id of its own, so that it numbers its frames from 1.
            name = f"bench-{form.replace(' ', '-')}"
            with Client(running.endpoint, client_id=name) as client:
                library = _Library(prefilter, codec, frames)
                daemon = _Daemon(client, codec, frames)
                works = {"library": library.frame_ms, "daemon": daemon.frame_ms}
                times = take_turns(works, rounds, on_round)
            found.append(
                Overhead(
                    prefilter.bundle.manifest.name,
                    codec.codec_id,
                    form,
                    TILES,
                    Paired.of(times["library"], times["daemon"]),
                    _medians(library.stages_ms[1:]),
                    _medians(daemon.stages_ms[1:]),
                )
            )
    return found


Payload = bytes | NDArray[np.uint8]
"""A file, or raw pixels, uint8 (H, W, 3)."""


class _Library:
    """The bare calls, in this process."""

    def __init__(self, prefilter: Prefilter, codec: Codec, frames: Sequence[Payload]) -> None:
        self._prefilter = prefilter
        self._codec = codec
        self._frames = frames
        self.stages_ms: list[dict[str, float]] = []

    def frame_ms(self, number: int) -> float:
        payload = self._frames[number % len(self._frames)]
        data = payload if isinstance(payload, bytes) else payload.tobytes()
        time.sleep(_REST_S)
        begun = time.perf_counter()
        if isinstance(payload, bytes):
            picture = open_picture(data)
        else:
            picture = from_raw(data, payload.shape, "uint8")
        opened = time.perf_counter()
        quantiser = self._codec.quantiser
        pixels, report = self._prefilter(picture.pixels, _PROMPT, quantiser=quantiser)
        filtered = time.perf_counter()
        self._codec.encode(pixels, report.offsets)
        ended = time.perf_counter()
        check_tiles(len(report.tiles), report.tiles_reused)
        self.stages_ms.append(
            {
                "open": 1e3 * (opened - begun),
                **report.timings_ms,
                "codec": 1e3 * (ended - filtered),
            }
        )
        return 1e3 * (ended - begun)


class _Daemon:
    """The same over the wire."""

    def __init__(self, client: Client, codec: Codec, frames: Sequence[Payload]) -> None:
        self._client = client
        self._codec = codec.get_config()
        self._frames = frames
        self.stages_ms: list[dict[str, float]] = []

    def frame_ms(self, number: int) -> float:
        payload = self._frames[number % len(self._frames)]
        time.sleep(_REST_S)
        begun = time.perf_counter()
        result = self._client.send(payload, _PROMPT, codec=self._codec)
        spent_ms = 1e3 * (time.perf_counter() - begun)
        report = result.report or {}
        check_tiles(len(report.get("tiles", ())), int(report.get("tiles_reused", 0)))
        stages = dict(result.timings_ms)
        stages["rest"] = spent_ms - sum(stages.values())
        self.stages_ms.append(stages)
        self._settle()
        return spent_ms

    def _settle(self) -> None:
        """Until the daemon holds nothing more, so that its uplink does not slow the next turn."""
        until = time.monotonic() + _SETTLE_S
        while any(self._client.status().queues.values()):
            if time.monotonic() > until:
                raise LinkError(
                    f"the cloud has not taken a frame within {_SETTLE_S:.0f} s",
                    remedy="run `edge-daemon selftest`",
                )
            time.sleep(0.005)


def check_tiles(count: int, reused: int) -> None:
    """A frame of another number of tiles, or with some that cost nothing, says something else.

    Raises:
        InternalError: It is such a frame.
    """
    if count != TILES or reused:
        raise InternalError(
            f"a frame that should have {TILES} new tiles has others",
            value=f"{count} tiles, {reused} of them reused",
            remedy="report it: the tiling has changed, or pictures look alike",
        )


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
