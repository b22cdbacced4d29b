"""JPEG through libjpeg-turbo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import simplejpeg

from edge_daemon.codecs.abc import Codec, Pixels, check_choice, check_whole, size_mismatch
from edge_daemon.errors import DecodeError, EncodeError

_LONGEST_SIDE = 65_500  # libjpeg's JPEG_MAX_DIMENSION


@dataclass(frozen=True)
class Jpeg(Codec):
    """Baseline JPEG (JFIF), which everything opens.

    Args:
        quality: libjpeg's quality, 1 (smallest) to 100 (best).
        subsampling: "420" halves the colour resolution in both directions, "444" keeps it.
    """

    quality: int = 80
    subsampling: str = "420"

    codec_id: ClassVar[str] = "jpeg"
    media_type: ClassVar[str] = "image/jpeg"
    file_suffix: ClassVar[str] = ".jpg"

    def __post_init__(self) -> None:
        check_whole("jpeg quality", self.quality, 1, 100, "libjpeg's scale, higher is better")
        check_choice("jpeg subsampling", self.subsampling, ("420", "444"), "colour resolution")

    def _encode(self, pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        if max(height, width) > _LONGEST_SIDE:
            raise EncodeError(
                f"a JPEG side has at most {_LONGEST_SIDE} pixels",
                value=f"{width}x{height}",
                remedy="use another codec, or send the picture in parts",
            )
        return simplejpeg.encode_jpeg(
            pixels, quality=self.quality, colorspace="RGB", colorsubsampling=self.subsampling
        )

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        try:
            found_height, found_width = simplejpeg.decode_jpeg_header(bitstream)[:2]
            if (found_height, found_width) != (height, width):
                raise size_mismatch("jpeg", int(found_width), int(found_height), width, height)
            # strict: libjpeg's "recoverable" errors leave grey or shifted blocks
            return simplejpeg.decode_jpeg(bitstream, colorspace="RGB", strict=True)
        except ValueError as error:
            raise DecodeError(
                f"the JPEG bitstream is damaged: {error}", remedy="send the picture again"
            ) from error
