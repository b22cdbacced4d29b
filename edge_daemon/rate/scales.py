"""What is known of each codec before the first frame: its useful qualities, and its usual bytes.

The useful range is what a rate controller may move in: below it pictures are of no use to a vision
model, above it bytes buy nothing. A codec that is not listed gets a tenth and 95 % of its scale.

The usual bytes are an affine correction of the picture's detail (`edge_daemon.rate.detail`), fitted
to 38 photographs from COCO and Kodak (13 of them for VVC), most of 640x480 or 768x512 pixels, over
the useful range at the codec's default options.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import Codec
from edge_daemon.rate.detail import Detail

_WORST_SHARE: Final = 0.10
_BEST_SHARE: Final = 0.95

_USEFUL: Final[dict[str, tuple[int, int]]] = {
    "jpeg": (10, 95),
    "hevc": (45, 14),
    "vvc": (50, 16),
    "heif": (15, 90),
    "webp": (5, 95),
    "avif": (10, 90),
    "cheng2020": (1, 6),
}


def useful_range(codec: type[Codec]) -> tuple[int, int]:
    """The worst and the best useful quality of a codec, in its own unit."""
    return _USEFUL.get(
        codec.codec_id, (at_share(codec, _WORST_SHARE), at_share(codec, _BEST_SHARE))
    )


def at_share(codec: type[Codec], share: float) -> int:
    """The quality at a share of a codec's whole scale: 0 is its worst, 1 its best."""
    worst, best = codec.qualities
    return worst + round(share * (best - worst))


@dataclass(frozen=True)
class Usual:
    """The bytes that a codec usually takes, before anything is learned.

    With p = coarseness + shift and D(p) the picture's detail at a step of 2^p, the log2 of the
    bytes per pixel beyond the overhead is about offset + gain D + tilt p + bend p D.

    Attributes:
        overhead: Bytes of headers and tables, whatever the picture.
        shift: Octaves from the codec's coarseness to the step that fits best.
        offset: Octaves.
        gain: Octaves of bytes per octave of detail.
        tilt: Octaves of bytes per octave of the step.
        bend: How the gain changes per octave of the step.
        offset_sd: By how many octaves this may be off for a camera as a whole.
        slope_sd: By how much the change per octave of the step may be off.
    """

    overhead: int
    shift: float
    offset: float
    gain: float
    tilt: float
    bend: float
    offset_sd: float = 0.18
    slope_sd: float = 0.05

    def log_bytes(self, detail: Detail, coarseness: NDArray[np.float64]) -> NDArray[np.float64]:
        """log2 of the bytes per pixel beyond the overhead, for any number of qualities."""
        steps = coarseness + self.shift
        bits = detail.at(steps)
        return self.offset + self.gain * bits + self.tilt * steps + self.bend * steps * bits


_MEASURED: Final[dict[str, Usual]] = {
    "jpeg": Usual(283, 0.0, -1.877, 0.765, -0.081, -0.033),
    "hevc": Usual(96, -0.583, -2.035, 0.992, -0.009, -0.006),
    "vvc": Usual(181, -0.833, -2.591, 1.195, 0.016, -0.023),
    "heif": Usual(441, -1.333, -2.109, 0.969, -0.063, 0.0),
    "webp": Usual(44, -1.0, -1.981, 1.010, -0.164, -0.017),
    "avif": Usual(305, 0.0, -1.044, 0.761, -0.288, -0.032),
    # Not fitted: HEVC's, moved to the rates that are published for the Kodak pictures.
    "cheng2020": Usual(0, -0.55, -2.035, 0.992, -0.009, -0.006, offset_sd=0.4, slope_sd=0.1),
}


def usual_bytes(codec: type[Codec], coarseness_at_best: float) -> Usual:
    """What to expect of a codec; a wide guess for one that was not measured.

    Args:
        codec: The class.
        coarseness_at_best: Of its best useful quality, which the guess takes for a step of 2, as it
            is for those measured: a codec that is new here may know its step in other units.
    """
    guess = Usual(0, 1.0 - coarseness_at_best, -2.0, 0.9, 0.0, 0.0, offset_sd=0.7, slope_sd=0.15)
    return _MEASURED.get(codec.codec_id, guess)
