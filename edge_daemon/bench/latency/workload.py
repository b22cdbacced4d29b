"""What is timed: pictures, prompts, and the settings that library and daemon share."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_daemon.bench.video import moving, recorded
from edge_daemon.demo.scenes import icon_names, make_scene
from edge_daemon.errors import SettingsError
from edge_daemon.prefilter import Prefilter
from edge_daemon.settings import EncoderBackend, PrefilterSettings

PICTURES = 4
"""Different pictures of each size, taken in turn."""
FRAMES = 32
"""Different frames of a camera that stands still, taken in turn."""
MOVING_SHARE = 0.125
"""Side of what moves before it, as a share of the picture's width."""
GRAIN = 1.0
"""Its noise, in grey levels."""
LONGEST_SIDE = 8192
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


class Size(NamedTuple):
    """Of a picture, in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read WIDTHxHEIGHT.

        Raises:
            SettingsError: It is none, or out of bounds.
        """
        found = _SIZE.fullmatch(text)
        sides = tuple(int(side) for side in found.groups()) if found else (0, 0)
        if not all(32 <= side <= LONGEST_SIDE for side in sides):
            raise SettingsError(
                f"a size is two whole numbers of pixels from 32 to {LONGEST_SIDE}",
                value=text,
                remedy="write for example 1920x1080",
            )
        return cls(*sides)


@dataclass(frozen=True)
class Machinery:
    """What runs the encoders, in this process and in the daemon's alike.

    Attributes:
        bundle: Name or path.
        backend: Of the image encoder.
        threads: Of the encoders.
        tile_budget: Most tiles of a picture; `None` leaves it to the prefilter.
    """

    bundle: str
    backend: EncoderBackend
    threads: int
    tile_budget: int | None

    def prefilter(self) -> Prefilter:
        """One of this process.

        Raises:
            models.BundleError: The bundle or the backend cannot be used.
        """
        settings = PrefilterSettings(tile_budget=self.tile_budget)
        return Prefilter.from_bundle(
            self.bundle, settings, threads=self.threads, backend=self.backend
        )

    def with_budget(self, tile_budget: int) -> Machinery:
        """The same with another budget of tiles."""
        return replace(self, tile_budget=tile_budget)

    def tables(self) -> str:
        """The same for a daemon, as tables of its settings file."""
        budget = "" if self.tile_budget is None else f"tile_budget = {self.tile_budget}\n"
        return (
            f"[encoder]\nbackend = '{self.backend}'\n"
            f"[stages]\nencoder_threads = {self.threads}\n"
            f"[prefilter]\n{budget}"
        )


def pictures(size: Size, seed: int, count: int = PICTURES) -> list[NDArray[np.uint8]]:
    """Made-up scenes, uint8 (height, width, 3), each of its own seed; at most `PICTURES`."""
    return [
        make_scene(seed * PICTURES + number, width=size.width, height=size.height).pixels
        for number in range(min(count, PICTURES))
    ]


def watched(size: Size, seed: int, count: int) -> list[NDArray[np.uint8]]:
    """At most `FRAMES` of a camera that stands still: a thing moves, and each has its own noise."""
    scene, other = pictures(size, seed, 2)
    frames = moving(scene, other, MOVING_SHARE, min(count, FRAMES))
    return [recorded(frame, GRAIN, number, coded=False) for number, frame in enumerate(frames)]


def new_prompts() -> Iterator[str]:
    """Prompts of which each is distilled to a text that none before was."""
    for one, other in itertools.permutations(icon_names(), 2):
        yield f"Where is the {one} beside the {other}?"


def spent_ms(work: Callable[[], object]) -> float:
    """Milliseconds that some work takes."""
    begun = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begun)
