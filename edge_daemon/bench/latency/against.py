"""Our pipeline against the published one: the same pictures, bundle, codec and quality, in turns.

Both begin with pixels in memory and end with a bitstream in memory. Ours is the library as the
daemon calls it, with the allocation that "auto" gives for the codec. Pictures are all new, or the
frames of a camera that stands still, of which ours encodes the tiles that changed; the published
pipeline has no memory.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.bench.latency.pairing import Paired, take_turns
from edge_daemon.bench.latency.published import WAYS, PublishedPipeline, Way, published_encoder
from edge_daemon.bench.latency.workload import Size, pictures, spent_ms, watched
from edge_daemon.codecs import Codec
from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.tiling import reference_grid

SIZE: Final = Size(1920, 1080)
BAR: Final = 3.0
"""How many times as long as ours the published one should take."""

Shown = Literal["new pictures", "a camera that stands still"]
SHOWN: Final[tuple[Shown, ...]] = ("new pictures", "a camera that stands still")

_PROMPT = "Where is the bicycle?"

Pixels = NDArray[np.uint8]
Pipeline = Callable[[Pixels], bytes]


@dataclass(frozen=True)
class Against:
    """One bundle, codec, kind of pictures, and way of the published pipeline.

    Attributes:
        bundle: Its name.
        codec: Id and options of ours.
        shown: The pictures.
        way: See `published`.
        size: Of the pictures.
        tiles: That ours encoded, median.
        published_tiles: Of the published pipeline.
        paired: First ours, second the published pipeline; its ratio is how many times as fast we
            are.
        bitstream_bytes: Of ours, median.
        published_bytes: Of the published pipeline's, median.
    """

    bundle: str
    codec: dict[str, Any]
    shown: Shown
    way: Way
    size: Size
    tiles: int
    published_tiles: int
    paired: Paired
    bitstream_bytes: int
    published_bytes: int

    @property
    def met(self) -> bool:
        """Whether the median ratio is at least `BAR`."""
        return self.paired.ratio.value >= BAR


def measure_against(
    prefilter: Prefilter,
    codec: Codec,
    rounds: int,
    seed: int,
    on_round: Callable[[], None] = lambda: None,
) -> list[Against]:
    """Time the pipelines in turns, for each of `SHOWN` and `WAYS`.

    Args:
        prefilter: Ours; its bundle is the published pipeline's too.
        codec: One of `published.CODECS`.
        rounds: At least 1, for each of `SHOWN`.
        seed: Decides the pictures.
        on_round: Called after each.

    Raises:
        NoEncoderError: The published pipeline has nothing here to encode with.
    """
    found: list[Against] = []
    for shown in SHOWN:
        still = shown != "new pictures"
        sources = (watched if still else pictures)(SIZE, seed, rounds + 1)
        (text,) = prefilter.plan(sources[0], _PROMPT).texts
        ours = _Ours(prefilter, codec, f"{codec.codec_id} stands still" if still else None)
        works = {"ours": _Timed(ours, sources)}
        for way in WAYS:
            encode = published_encoder(codec, way)
            pipeline = PublishedPipeline(prefilter.bundle, text, encode, way)
            works[way] = _Timed(pipeline, sources)
        times = take_turns({name: work.frame_ms for name, work in works.items()}, rounds, on_round)
        grid = reference_grid(*SIZE, tile_size=prefilter.bundle.tile_size)
        found += [
            Against(
                prefilter.bundle.manifest.name,
                codec.get_config(),
                shown,
                way,
                SIZE,
                round(statistics.median(ours.encoded[1:])),
                grid.count,
                Paired.of(times["ours"], times[way]),
                works["ours"].median_bytes(),
                works[way].median_bytes(),
            )
            for way in WAYS
        ]
    return found


class _Ours:
    """The library, with a camera's memory if there is a camera."""

    def __init__(self, prefilter: Prefilter, codec: Codec, camera: str | None) -> None:
        self._prefilter = prefilter
        self._codec = codec
        self._camera = camera
        self.encoded: list[int] = []

    def __call__(self, pixels: Pixels) -> bytes:
        quantiser, camera = self._codec.quantiser, self._camera
        plan = self._prefilter.plan(pixels, _PROMPT, quantiser=quantiser, camera=camera)
        (scores,) = self._prefilter.score([plan])
        filtered, report = self._prefilter.smooth(pixels, plan, scores)
        self.encoded.append(scores.encoded)
        return self._codec.encode(filtered, report.offsets)


class _Timed:
    """A pipeline over pictures, one for each round; the first round does not count."""

    def __init__(self, pipeline: Pipeline, sources: Sequence[Pixels]) -> None:
        self._pipeline = pipeline
        self._sources = sources
        self._sizes: list[int] = []

    def frame_ms(self, number: int) -> float:
        """Milliseconds for the picture of a round."""
        pixels = self._sources[number % len(self._sources)]
        return spent_ms(functools.partial(self._run, pixels))

    def _run(self, pixels: Pixels) -> None:
        self._sizes.append(len(self._pipeline(pixels)))

    def median_bytes(self) -> int:
        """Of the bitstreams."""
        return round(statistics.median(self._sizes[1:]))
