"""A stand-in for a codec whose bytes are a formula, for tests of the rate controller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edge_daemon.codecs import Codec, CodecStatus
from edge_daemon.codecs.abc import Pixels, check_whole
from edge_daemon.rate import Attempt


@dataclass(frozen=True)
class Curve(Codec):
    """Quality 0 (worst) to 40 (best), eight steps to the octave; it encodes nothing itself."""

    quality: int = 20
    effort: str = "usual"

    codec_id: ClassVar[str] = "curve"
    media_type: ClassVar[str] = "application/octet-stream"
    file_suffix: ClassVar[str] = ".bin"
    qualities: ClassVar[tuple[int, int]] = (0, 40)

    @classmethod
    def status(cls) -> CodecStatus:
        return CodecStatus("none", "0")

    @property
    def coarseness(self) -> float:
        return -self.quality / 8

    def __post_init__(self) -> None:
        check_whole("curve quality", self.quality, 0, 40, "higher is better")

    def _encode(self, pixels: Pixels) -> bytes:
        raise NotImplementedError

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        raise NotImplementedError


@dataclass(frozen=True)
class Steps(Curve):
    """Six qualities, half an octave apart, as learned codecs have them."""

    quality: int = 3

    codec_id: ClassVar[str] = "steps"
    qualities: ClassVar[tuple[int, int]] = (1, 6)

    @property
    def coarseness(self) -> float:
        return -self.quality / 2


def formula_bytes(attempt: Attempt, *, best: float, slope: float = 1.0) -> int:
    """Bytes that fall evenly: `best` at quality 40, by `slope` octaves per octave of the step."""
    octaves = -slope * (40 - attempt.quality) / 8
    octaves -= 0.2 * float(np.log2(attempt.strength))
    octaves += 1.8 * float(np.log2(attempt.scale))
    return max(1, round(best * 2**octaves))


class Recorder:
    """An `encode` that makes bitstreams of a formula's size and remembers each of them.

    Attributes:
        made: The bitstreams with their attempts, in order.
    """

    def __init__(self, size_of: Callable[[Attempt], int]) -> None:
        self._size_of = size_of
        self.made: list[tuple[bytes, Attempt]] = []

    def __call__(self, attempt: Attempt) -> tuple[bytes, Attempt]:
        mark = len(self.made).to_bytes(2, "big")
        size = self._size_of(attempt)
        self.made.append(((mark * (size // 2 + 1))[:size], attempt))
        return self.made[-1]
