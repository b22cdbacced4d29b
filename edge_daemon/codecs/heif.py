"""HEIF still pictures (HEIC) through libheif and x265."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pillow_heif

from edge_daemon.codecs.abc import Codec, Pixels, check_choice, check_whole, size_mismatch
from edge_daemon.codecs.hevc import PRESETS
from edge_daemon.errors import DecodeError, EncodeError


@dataclass(frozen=True)
class Heif(Codec):
    """An ordinary .heic file: 8-bit 4:2:0, BT.601 full range.

    The file states its exact size, odd sizes and 1x1 included (libheif pads the coded picture and
    writes a crop), so any host shows the picture as it was.

    Args:
        quality: libheif's quality, 0 (smallest) to 100 (best); x265 gets it as the rate factor
            (100 - quality) / 2.
        preset: x265's effort. On photographs "medium" takes three to six times as long as
            "ultrafast" for about a tenth fewer bytes.
    """

    quality: int = 50
    preset: str = "ultrafast"

    codec_id: ClassVar[str] = "heif"
    media_type: ClassVar[str] = "image/heic"
    file_suffix: ClassVar[str] = ".heic"

    def __post_init__(self) -> None:
        check_whole("heif quality", self.quality, 0, 100, "libheif's scale, higher is better")
        check_choice("heif preset", self.preset, PRESETS, "x265's effort, from fast to small")

    def _encode(self, pixels: Pixels) -> bytes:
        height, width = pixels.shape[:2]
        file = io.BytesIO()
        try:
            pillow_heif.encode(
                "RGB",
                (width, height),
                pixels.tobytes(),
                file,
                quality=self.quality,
                chroma=420,
                enc_params={"preset": self.preset},
            )
        except Exception as error:  # libheif's failures arrive as several types
            raise EncodeError(
                f"libheif failed on this picture: {error}",
                value=f"{width}x{height}",
                remedy="use another codec, or send the picture in parts",
            ) from error
        return file.getvalue()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        with _damage_as_decode_error(len(bitstream)):
            picture = pillow_heif.open_heif(io.BytesIO(bitstream))
            size = picture.size  # from the header
        if size != (width, height):
            raise size_mismatch("heif", *size, width, height)
        with _damage_as_decode_error(len(bitstream)):
            return np.asarray(picture, np.uint8)


@contextmanager
def _damage_as_decode_error(size: int) -> Generator[None]:
    try:
        yield
    except Exception as error:  # libheif's failures arrive as several types
        raise DecodeError(
            f"the HEIF file is damaged: {error}",
            value=f"{size} bytes",
            remedy="send the picture again",
        ) from error
