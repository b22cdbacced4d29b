"""The learned codec, as the registry knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.cheng2020 import bitstream as container
from edge_daemon.codecs.cheng2020 import resources
from edge_daemon.codecs.cheng2020.coder import current_coder, missing
from edge_daemon.codecs.cheng2020.weights import METRICS, MODELS, QUALITIES, Variant

ALIGNMENT: Final = 64
"""The models halve a picture's sides six times."""


@dataclass(frozen=True)
class Cheng2020(Codec):
    """Cheng et al. 2020 through CompressAI, in a worker process, on the CPU.

    Slow: for every megapixel it takes from several seconds, on a fast core with nothing else to do,
    to minutes, and decoding takes somewhat longer than encoding; see `expected_encode_s`. Both ends
    need the same weights, which are published apart (`resources.configure` says where they lie).

    An encoder and a decoder whose arithmetic differs in the last bit can disagree on the entropy
    coder's tables, after which all is noise. The bitstream carries a check of the latents, and such
    a picture is refused as `LatentsError`: send it again in a classical codec.

    Args:
        quality: 1 (smallest) to 6 (best).
        model: "anchor", or "attention", which codes a little better.
        metric: What the weights were trained for, "mse" or "ms-ssim".
    """

    quality: int = 3
    model: str = "anchor"
    metric: str = "mse"

    codec_id: ClassVar[str] = "cheng2020"
    media_type: ClassVar[str] = "application/octet-stream"
    file_suffix: ClassVar[str] = ".cheng2020"
    qualities: ClassVar[tuple[int, int]] = QUALITIES
    exact_everywhere: ClassVar[bool] = False

    @classmethod
    def status(cls) -> CodecStatus:
        """Whether environment and weights are there; looks at files and starts nothing."""
        wanted = resources.current()
        lack = missing(wanted)
        warning = "" if wanted.untrained_seed is None else "untrained: pictures will be noise; "
        return CodecStatus(
            "CompressAI (worker process)" if wanted.compressai_version else "",
            wanted.compressai_version,
            problem="" if lack is None else "; ".join(lack),
            note=f"{warning}from seconds to minutes per megapixel on a CPU",
        )

    @property
    def coarseness(self) -> float:
        """Half an octave for each quality.

        CompressAI trained each one with about twice the weight on the squared error of the one
        below, and the squared error goes with the square of the quantiser's step. HEVC weighs the
        error against the bits as quality 1 was trained (0.0018) at about QP 42, a step of 80.
        """
        return 6.8 - self.quality / 2

    def expected_encode_s(self, width: int, height: int) -> float:
        """Seconds that encoding will take here once it begins.

        Learned from the pictures that this process encoded; before the first, a guess from an AMD
        EPYC server, which a smaller machine will exceed. Includes the worker's start if it has not
        started; not included is the wait for other pictures.
        """
        columns, rows = _aligned(width), _aligned(height)
        return current_coder().expected_s(self._variant, columns, rows)

    def __post_init__(self) -> None:
        check_whole("cheng2020 quality", self.quality, *QUALITIES, "CompressAI's, higher is better")
        check_choice("cheng2020 model", self.model, MODELS, "which of CompressAI's two")
        check_choice("cheng2020 metric", self.metric, METRICS, "what the weights were trained for")

    @property
    def _variant(self) -> Variant:
        return Variant(self.model, self.metric, self.quality)

    def _encode(self, pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        padded = pad_aligned(pixels)
        return container.pack(current_coder().encode(self._variant, padded, width, height))

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        stream = container.unpack(bitstream)
        if (stream.width, stream.height) != (width, height):
            raise size_mismatch(self.codec_id, stream.width, stream.height, width, height)
        padded = current_coder().decode(stream, _aligned(width), _aligned(height))
        return padded[:height, :width]


def pad_aligned(pixels: Pixels) -> Pixels:
    """The picture with its right and bottom edges repeated up to multiples of `ALIGNMENT`.

    Repeated, because black, which the models' own examples pad with, makes an edge along the
    picture that costs bits and rings into it.

    Args:
        pixels: uint8 (H, W, 3).

    Returns:
        uint8, C-contiguous, both sides multiples of `ALIGNMENT`.
    """
    height, width = pixels.shape[:2]
    missing_rows, missing_columns = _aligned(height) - height, _aligned(width) - width
    return np.pad(pixels, ((0, missing_rows), (0, missing_columns), (0, 0)), mode="edge")


def _aligned(side: int) -> int:
    return -(-side // ALIGNMENT) * ALIGNMENT
