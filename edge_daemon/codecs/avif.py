"""AVIF through Pillow, libavif and libaom.

A bitstream is an ordinary AVIF file: one 8-bit AV1 picture, BT.601 full range with sRGB primaries
and transfer. The AV1 samples decode to the same values everywhere; their conversion to RGB is
libavif's and may differ by a level between its versions.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import AvifImagePlugin, Image, features

from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.failures import check_room, damaged, encoder_failed, foreign
from edge_daemon.errors import NoEncoderError

_LONGEST_SIDE = 32_768  # what libavif's decoder takes
_MOST_PIXELS = 16_384 * 16_384
_SUBSAMPLINGS = {"420": "4:2:0", "444": "4:4:4"}
_ENCODER = "aom"
_THREADS = 4  # not the machine's: libaom writes other bytes with several threads than with one


@dataclass(frozen=True)
class Avif(Codec):
    """One AVIF still picture, which current browsers and systems open.

    Args:
        quality: libavif's quality, 0 (smallest) to 100 (best).
        subsampling: "420" halves the colour resolution in both directions, "444" keeps it.
        speed: libaom's speed, 0 (slowest) to 10. On photographs 8 saves about 10 % of the bytes
            over 9 at equal PSNR for 2 to 3 times the time, 6 another 5 % for 2 to 3 times that of
            8; 10 does what 9 does.
    """

    quality: int = 60
    subsampling: str = "420"
    speed: int = 9

    codec_id: ClassVar[str] = "avif"
    media_type: ClassVar[str] = "image/avif"
    file_suffix: ClassVar[str] = ".avif"
    qualities: ClassVar[tuple[int, int]] = (0, 100)

    @classmethod
    def status(cls) -> CodecStatus:
        """Whether this Pillow was built with libavif and libaom; wheels since 11.3 are."""
        version = AvifImagePlugin.get_codec_version(_ENCODER) if features.check("avif") else None
        if version is None:
            return CodecStatus(
                "", "", problem="this Pillow cannot write AVIF; install Pillow's wheel"
            )
        return CodecStatus("libaom (Pillow)", f"{version}, libavif {features.version('avif')}")

    @property
    def coarseness(self) -> float:
        """The quality stands for one of 64 quantisers, four of AV1's 256 indices each."""
        quantiser = ((100 - self.quality) * 63 + 50) // 100
        index = min(4 * quantiser, 255)
        if index == 0:  # AV1 codes without loss there
            return -1.0
        # AV1's steps in eighths: 8, 9, 10... up to index 95, then about 2 % each, up to 1828
        return math.log2((7 + min(index, 95)) / 8) + 0.0261 * max(0, index - 95)

    def __post_init__(self) -> None:
        check_whole("avif quality", self.quality, 0, 100, "libavif's scale, higher is better")
        check_choice(
            "avif subsampling", self.subsampling, tuple(_SUBSAMPLINGS), "colour resolution"
        )
        check_whole("avif speed", self.speed, 0, 10, "libaom's speed, from small to fast")

    def _encode(self, pixels: Pixels) -> bytes:
        problem = self.status().problem
        if problem:
            raise NoEncoderError(problem, value="avif", remedy="or use another codec")
        check_room("an AVIF", pixels, _LONGEST_SIDE, _MOST_PIXELS)
        file = io.BytesIO()
        try:
            Image.fromarray(pixels).save(
                file,
                "AVIF",
                quality=self.quality,
                subsampling=_SUBSAMPLINGS[self.subsampling],
                speed=self.speed,
                codec=_ENCODER,
                range="full",
                max_threads=_THREADS,
                autotiling=False,  # tiles would depend on the machine's threads
            )
        except (OSError, ValueError) as error:
            raise encoder_failed("libaom", pixels, error) from error
        return file.getvalue()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        try:
            # not Image.open, which warns of large pictures; this one is as large as announced
            image = AvifImagePlugin.AvifImageFile(io.BytesIO(bitstream))
            size, mode, frames = image.size, image.mode, image.n_frames  # from the header
        except Exception as error:  # Pillow's failures arrive as many types
            raise damaged("AVIF file", error, bitstream) from error
        if size != (width, height):
            raise size_mismatch("avif", *size, width, height)
        if mode != "RGB" or frames != 1:
            raise foreign(
                "the AVIF file holds more than one picture without alpha",
                f"{frames} of mode {mode}",
            )
        try:
            return np.asarray(image, np.uint8)
        except Exception as error:  # Pillow's failures arrive as many types
            raise damaged("AVIF file", error, bitstream) from error
