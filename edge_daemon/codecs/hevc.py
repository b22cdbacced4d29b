"""HEVC, one picture at a time.

A bitstream is one intra access unit in Annex B form with its parameter sets (8-bit, 4:2:0 or 4:4:4,
BT.601 full range with sRGB primaries and transfer, all signalled).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import av
import numpy as np
from av.error import FFmpegError

from edge_daemon.codecs import yuv
from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.annex_b import check_signals, only_frame
from edge_daemon.codecs.failures import encoder_failed
from edge_daemon.codecs.hevc_encoder import (
    ENCODERS,
    LEAST_SIDE,
    PIXEL_FORMATS,
    EncoderKey,
    block_side,
    x265_version,
)
from edge_daemon.codecs.hevc_regions import Region, regions_of, regions_possible
from edge_daemon.quantiser import Quantiser, QuantiserMap

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
SUBSAMPLINGS = ("420", "444")

_ALIGNMENT = 64  # a stream's coded size may exceed the cropped size by one coding tree unit
_MULTIPLES = {"420": 2, "444": 1}  # what the sides of a picture must be multiples of


@dataclass(frozen=True)
class Hevc(Codec):
    """One HEVC intra picture at a constant quantiser, or at one that a map coarsens.

    Sides below 32, and odd ones in 4:2:0, are padded by repeating the edge; the true size is not in
    the bitstream then, and `decode` crops to the one it is given.

    With a quantiser map, a coding tree unit (16 pixels for "ultrafast" up to about 2 megapixels,
    else 32) has the QP `quality` plus the least offset of the cells that it touches, rounded down
    and at most 51. A map too detailed for `hevc_regions.MOST_REGIONS` is taken in larger blocks.
    One that coarsens nothing gives the bytes of no map.

    Args:
        quality: The quantisation parameter of every block, 0 (best) to 51 (smallest). Six steps
            double the quantiser's step size.
        preset: x265's effort. On photographs "superfast" saves about a fifth of the bytes over
            "ultrafast" at equal PSNR for about 6 times the processor time. From there to "fast"
            nothing changes for single pictures, and "medium" hardly saves more.
        subsampling: "420" halves the colour resolution in both directions, "444" keeps it.
    """

    quality: int = 32
    preset: str = "ultrafast"
    subsampling: str = "420"

    codec_id: ClassVar[str] = "hevc"
    media_type: ClassVar[str] = "video/H265"
    file_suffix: ClassVar[str] = ".hevc"
    qualities: ClassVar[tuple[int, int]] = (51, 0)

    @classmethod
    def status(cls) -> CodecStatus:
        """x265 comes with PyAV's wheels."""
        version = x265_version()
        if not version:
            problem = "this build of PyAV has no x265; install PyAV's wheel from PyPI"
            return CodecStatus("", "", problem=problem)
        return CodecStatus("x265 (PyAV)", f"{version} (PyAV {av.__version__})")

    @classmethod
    def takes_map(cls) -> bool:
        """By FFmpeg's regions of interest."""
        return regions_possible()

    @property
    def coarseness(self) -> float:
        """Six steps of the QP are an octave; at QP 4 the step is 1."""
        return (self.quality - 4) / 6

    @property
    def quantiser(self) -> Quantiser:
        """A map has room up to QP 51."""
        return replace(super().quantiser, room=float(self.qualities[0] - self.quality))

    def __post_init__(self) -> None:
        check_whole("hevc quality", self.quality, 0, 51, "the QP, lower is better")
        check_choice("hevc preset", self.preset, PRESETS, "x265's effort, from fast to small")
        check_choice("hevc subsampling", self.subsampling, SUBSAMPLINGS, "colour resolution")

    def _encode(self, pixels: Pixels) -> bytes:
        return self._encode_regions(pixels, [])

    def _encode_mapped(self, pixels: Pixels, offsets: QuantiserMap) -> bytes:
        height, width = pixels.shape[:2]
        padded = (self._padded_side(height), self._padded_side(width))
        block = block_side(self.preset, *padded)
        return self._encode_regions(pixels, regions_of(offsets, (height, width), padded, block))

    def _encode_regions(self, pixels: Pixels, regions: list[Region]) -> bytes:
        padded = yuv.pad(pixels, LEAST_SIDE, _MULTIPLES[self.subsampling])
        height, width = padded.shape[:2]
        planes = yuv.rgb_to_i444(padded) if self.subsampling == "444" else yuv.rgb_to_i420(padded)
        frame = av.VideoFrame.from_ndarray(planes, format=PIXEL_FORMATS[self.subsampling])
        key = EncoderKey(
            width, height, self.quality, self.preset, self.subsampling, mapped=bool(regions)
        )
        try:
            with ENCODERS.borrow(key) as encoder:
                return encoder.encode(frame, regions)
        except (FFmpegError, ValueError) as error:
            raise encoder_failed("x265", pixels, error) from error

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        padded = (self._padded_side(width), self._padded_side(height))
        most = (padded[0] + _ALIGNMENT) * (padded[1] + _ALIGNMENT)
        frame = only_frame("hevc", bitstream, most)
        if (frame.width, frame.height) != padded:
            raise size_mismatch("hevc", frame.width, frame.height, width, height)
        expected = PIXEL_FORMATS[self.subsampling]
        words = f"8-bit 4:{self.subsampling[1]}:{self.subsampling[2]}"
        check_signals(frame, (expected, expected.replace("yuv", "yuvj")), words)
        planes = np.asarray(frame.to_ndarray(), np.uint8)
        pixels = yuv.i444_to_rgb(planes) if self.subsampling == "444" else yuv.i420_to_rgb(planes)
        return pixels[:height, :width]

    def _padded_side(self, side: int) -> int:
        return yuv.padded_side(side, LEAST_SIDE, _MULTIPLES[self.subsampling])
