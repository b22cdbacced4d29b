"""HEIF still pictures (HEIC) through libheif and x265."""

from __future__ import annotations

import io
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, cast

import numpy as np
import pillow_heif

from edge_daemon.codecs.abc import (
    Codec,
    CodecStatus,
    Pixels,
    check_choice,
    check_whole,
    size_mismatch,
)
from edge_daemon.codecs.failures import damaged, encoder_failed, foreign
from edge_daemon.codecs.heif_file import contents
from edge_daemon.codecs.hevc import PRESETS, SUBSAMPLINGS

_ALIGNMENT = 64  # the coded size may exceed the cropped size by one coding tree unit


@dataclass(frozen=True)
class Heif(Codec):
    """An ordinary .heic file: 8-bit 4:2:0 or 4:4:4, BT.601 full range.

    The file states its exact size, odd sizes and 1x1 included (libheif pads the coded picture and
    writes a crop), so any host shows the picture as it was.

    Args:
        quality: libheif's quality, 0 (smallest) to 100 (best); x265 gets it as the rate factor
            (100 - quality) / 2.
        preset: x265's effort. On photographs "medium" takes three to six times as long as
            "ultrafast" for about a tenth fewer bytes.
        subsampling: "420" halves the colour resolution in both directions, "444" keeps it; hosts
            that leave HEVC to hardware may show 4:2:0 only.
    """

    quality: int = 50
    preset: str = "ultrafast"
    subsampling: str = "420"

    codec_id: ClassVar[str] = "heif"
    media_type: ClassVar[str] = "image/heic"
    file_suffix: ClassVar[str] = ".heic"
    qualities: ClassVar[tuple[int, int]] = (0, 100)

    @classmethod
    def status(cls) -> CodecStatus:
        """x265 comes with pillow-heif's wheels."""
        version = _x265_version()
        if not version:
            problem = "this build of pillow-heif has no x265; install its wheel from PyPI"
            return CodecStatus("", "", problem=problem)
        return CodecStatus(
            "x265 (pillow-heif)", f"{version} (pillow-heif {pillow_heif.__version__})"
        )

    @property
    def coarseness(self) -> float:
        """The rate factor is (100 - quality) / 2; six of it are an octave, as of HEVC's QP."""
        return ((100 - self.quality) / 2 - 4) / 6

    def __post_init__(self) -> None:
        check_whole("heif quality", self.quality, 0, 100, "libheif's scale, higher is better")
        check_choice("heif preset", self.preset, PRESETS, "x265's effort, from fast to small")
        check_choice("heif subsampling", self.subsampling, SUBSAMPLINGS, "colour resolution")

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
                chroma=int(self.subsampling),
                enc_params={"preset": self.preset},
            )
        except Exception as error:  # libheif's failures arrive as several types
            raise encoder_failed("libheif", pixels, error) from error
        return file.getvalue()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        with _damage_as_decode_error(bitstream):
            found = contents(bitstream)
        if found.items != 1:
            raise foreign(
                "the HEIF file holds more than one picture, such as an album, tiles or alpha",
                f"{found.items} items",
            )
        # what libheif decodes before it crops
        if found.width > width + _ALIGNMENT or found.height > height + _ALIGNMENT:
            raise size_mismatch("heif", found.width, found.height, width, height)
        with _damage_as_decode_error(bitstream):
            picture = pillow_heif.open_heif(io.BytesIO(bitstream))
            size, mode = picture.size, picture.mode  # from the header
        if size != (width, height):
            raise size_mismatch("heif", *size, width, height)
        if mode != "RGB":
            raise foreign("the HEIF file is not in colour", mode)
        with _damage_as_decode_error(bitstream):
            return np.asarray(picture, np.uint8)


@cache
def _x265_version() -> str:
    """The version of the x265 that pillow-heif carries; empty if it carries none."""
    info = cast(dict[str, Any], pillow_heif.libheif_info())
    name = str(info["encoders"].get("x265", ""))
    found = re.search(r"\((.*)\)", name)
    return found[1] if found else name


@contextmanager
def _damage_as_decode_error(bitstream: bytes) -> Generator[None]:
    try:
        yield
    except Exception as error:  # libheif's failures arrive as several types
        raise damaged("HEIF file", error, bitstream) from error
