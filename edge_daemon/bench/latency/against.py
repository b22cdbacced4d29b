"""Our pipeline against the published one: the same pictures, bundle, codec and quality, in turns.

Both begin with pixels in memory and end with a bitstream in memory. Ours is the library as the
daemon calls it, with the allocation that "auto" gives for the codec.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.bench.latency.pairing import Paired, take_turns
from edge_daemon.bench.latency.published import PublishedPipeline, published_encoder
from edge_daemon.bench.latency.workload import Size, pictures, spent_ms
from edge_daemon.codecs import Codec
from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.tiling import reference_grid

SIZE: Final = Size(1920, 1080)
BAR: Final = 3.0
"""How many times as long as ours the published one should take."""

_PROMPT = "Where is the bicycle?"


@dataclass(frozen=True)
class Against:
    """One bundle and codec.

    Attributes:
        bundle: Its name.
        codec: Id and options of ours.
        size: Of the pictures.
        tiles: Of ours.
        published_tiles: Of the published pipeline.
        paired: First ours, second the published pipeline; its ratio is how many times as fast we
            are.
    """

    bundle: str
    codec: dict[str, Any]
    size: Size
    tiles: int
    published_tiles: int
    paired: Paired

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
) -> Against:
    """Time both pipelines in turns.

    Args:
        prefilter: Ours; its bundle is the published pipeline's too.
        codec: One of `published.CODECS`.
        rounds: At least 1.
        seed: Decides the pictures.
        on_round: Called after each.

    Raises:
        NoEncoderError: The published pipeline has nothing here to encode with.
    """
    sources = pictures(SIZE, seed, rounds + 1)
    (text,) = prefilter.plan(sources[0], _PROMPT).texts
    published = PublishedPipeline(prefilter.bundle, text, published_encoder(codec))
    tiles = list[int]()

    def ours(pixels: NDArray[np.uint8]) -> bytes:
        filtered, report = prefilter(pixels, _PROMPT, quantiser=codec.quantiser)
        tiles.append(len(report.tiles))
        return codec.encode(filtered, report.offsets)

    times = take_turns(
        {"ours": _timing(ours, sources), "published": _timing(published, sources)},
        rounds,
        on_round,
    )
    grid = reference_grid(*SIZE, tile_size=prefilter.bundle.tile_size)
    return Against(
        prefilter.bundle.manifest.name,
        codec.get_config(),
        SIZE,
        tiles[0],
        grid.count,
        Paired.of(times["ours"], times["published"]),
    )


def _timing(
    pipeline: Callable[[NDArray[np.uint8]], bytes], sources: Sequence[NDArray[np.uint8]]
) -> Callable[[int], float]:
    def frame_ms(number: int) -> float:
        return spent_ms(functools.partial(pipeline, sources[number % len(sources)]))

    return frame_ms
