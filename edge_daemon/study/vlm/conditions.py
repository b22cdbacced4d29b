"""What a picture goes through before it is asked: a codec at a quality, the prefilter or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Plan, Prefilter, Scores
from edge_daemon.quantiser import Quantiser, QuantiserMap

Series = Literal["plain", "prefilter"]
SERIES: Final[tuple[Series, ...]] = ("plain", "prefilter")


@dataclass(frozen=True)
class Condition:
    """One point of a curve: without or with the prefilter, by a codec at its quality."""

    series: Series
    codec: Codec

    @property
    def quality(self) -> float:
        """In the codec's own unit."""
        return self.codec.get_config()["quality"]


@dataclass(frozen=True)
class Sent:
    """A picture as a cloud has it.

    Attributes:
        bytes: Of the bitstream.
        pixels: Of the source.
        sent_pixels: Of the picture in the bitstream; other than `pixels` in reference mode only.
        png: What the bitstream decodes to.
    """

    bytes: int
    pixels: int
    sent_pixels: int
    png: bytes


class Source:
    """One picture, to be sent under any number of conditions. Not thread-safe.

    Args:
        pixels: uint8 (H, W, 3), sRGB.
        prompt: What it will be asked; goes to the prefilter.
        prefilter: `None` where no condition needs it.
    """

    def __init__(self, pixels: NDArray[np.uint8], prompt: str, prefilter: Prefilter | None) -> None:
        self._pixels = pixels
        self._prompt = prompt
        self._prefilter = prefilter
        self._scored: dict[bool, tuple[Plan, Scores]] = {}

    def sent(self, condition: Condition) -> Sent:
        """The picture under a condition.

        Raises:
            EdgeError: It cannot be filtered, encoded or decoded.
        """
        codec = condition.codec
        pixels, offsets = self._pixels, None
        if condition.series == "prefilter":
            pixels, offsets = self._through_prefilter(codec.quantiser)
        height, width, _ = pixels.shape
        bitstream = codec.encode(pixels, offsets)
        decoded = codec.decode(bitstream, width=width, height=height)
        source_height, source_width, _ = self._pixels.shape
        return Sent(len(bitstream), source_height * source_width, height * width, to_png(decoded))

    def _through_prefilter(
        self, quantiser: Quantiser
    ) -> tuple[NDArray[np.uint8], QuantiserMap | None]:
        """Scored once for codecs of a kind, smoothed for each quality."""
        prefilter = self._prefilter
        assert prefilter is not None
        if quantiser.takes_map not in self._scored:
            plan = prefilter.plan(self._pixels, self._prompt, quantiser=quantiser)
            (scores,) = prefilter.score([plan])
            self._scored[quantiser.takes_map] = plan.lean(), scores
        plan, scores = self._scored[quantiser.takes_map]
        pixels, report = prefilter.smooth(self._pixels, plan, scores, quantiser=quantiser)
        return pixels, report.offsets
