"""WebP, lossy, through Pillow and libwebp.

A bitstream is a file of the simple form: a RIFF header and one VP8 picture, without alpha,
animation or metadata. Other forms of WebP are refused when decoding, so a size read from the first
bytes is the size of the picture.

VP8 stores limited-range BT.601 4:2:0 and has no quantiser step below 4, so soft gradients are off
by up to 6 of 255 levels even at the best quality; flat primaries come back within 1.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image, WebPImagePlugin, features

from edge_daemon.codecs.abc import Codec, CodecStatus, Pixels, check_whole, size_mismatch
from edge_daemon.codecs.failures import check_room, damaged, encoder_failed, foreign
from edge_daemon.errors import NoEncoderError

_LONGEST_SIDE = 16_383  # 14 bits in the VP8 header
_MOST_PIXELS = 178_000_000  # Pillow opens no WebP file larger than twice its MAX_IMAGE_PIXELS

_HEADER_BYTES = 30
_KEY_FRAME_START = b"\x9d\x01\x2a"


@dataclass(frozen=True)
class WebP(Codec):
    """Lossy WebP, which every browser opens.

    Args:
        quality: libwebp's quality, 0 (smallest) to 100 (best).
        method: libwebp's effort, 0 to 6. On photographs 3 saves about 20 % of the bytes over 0 at
            equal PSNR for about twice the time; 6 saves 4 % more for four times the time of 3.
    """

    quality: int = 75
    method: int = 3

    codec_id: ClassVar[str] = "webp"
    media_type: ClassVar[str] = "image/webp"
    file_suffix: ClassVar[str] = ".webp"
    qualities: ClassVar[tuple[int, int]] = (0, 100)

    @classmethod
    def status(cls) -> CodecStatus:
        """Whether this Pillow was built with libwebp; wheels are."""
        version = features.version("webp") if features.check("webp") else None
        if version is None:
            return CodecStatus("", "", problem="this Pillow has no WebP; install Pillow's wheel")
        return CodecStatus("libwebp (Pillow)", version)

    @property
    def coarseness(self) -> float:
        """The quality stands for one of VP8's 128 quantiser indices."""
        share = self.quality / 100
        linear = share * 2 / 3 if share < 0.75 else 2 * share - 1
        index = 127 * (1 - linear ** (1 / 3))
        # VP8's steps in halves: 4, 5, 6... and from the middle on ever faster, up to 284
        return math.log2((4 + index + 0.032 * max(0.0, index - 57) ** 2) / 2)

    def __post_init__(self) -> None:
        check_whole("webp quality", self.quality, 0, 100, "libwebp's scale, higher is better")
        check_whole("webp method", self.method, 0, 6, "libwebp's effort, from fast to small")

    def _encode(self, pixels: Pixels) -> bytes:
        problem = self.status().problem
        if problem:
            raise NoEncoderError(problem, value="webp", remedy="or use another codec")
        check_room("a WebP", pixels, _LONGEST_SIDE, _MOST_PIXELS)
        file = io.BytesIO()
        try:
            Image.fromarray(pixels).save(file, "WEBP", quality=self.quality, method=self.method)
        except (OSError, ValueError) as error:
            raise encoder_failed("libwebp", pixels, error) from error
        return file.getvalue()

    def _decode(self, bitstream: bytes, width: int, height: int) -> Pixels:
        size = _size(bitstream)
        if size != (width, height):
            raise size_mismatch("webp", *size, width, height)
        try:
            # not Image.open, which warns of large pictures; this one is as large as announced
            image = WebPImagePlugin.WebPImageFile(io.BytesIO(bitstream))
            mode, frames = image.mode, image.n_frames
            pixels = np.asarray(image, np.uint8)
        except Exception as error:  # Pillow's failures arrive as many types
            raise damaged("WebP file", error, bitstream) from error
        if mode != "RGB" or frames != 1:
            raise damaged("WebP file", f"it holds {frames} pictures of mode {mode}", bitstream)
        return pixels


def _size(bitstream: bytes) -> tuple[int, int]:
    """Width and height, from the header of a file of the simple form.

    Raises:
        DecodeError: The file is of another form, or longer or shorter than it says.
    """
    if len(bitstream) < _HEADER_BYTES or bitstream[:4] != b"RIFF" or bitstream[8:12] != b"WEBP":
        raise damaged("WebP file", "it does not begin as one", bitstream)
    if bitstream[12:16] != b"VP8 ":
        raise foreign(
            "the WebP file is not of the simple lossy form: alpha, animation, metadata and "
            "lossless coding are not taken",
            bitstream[12:16],
        )
    file_size = int.from_bytes(bitstream[4:8], "little") + 8
    if file_size != len(bitstream):
        raise damaged("WebP file", f"it says that it has {file_size} bytes", bitstream)
    if bitstream[23:26] != _KEY_FRAME_START:
        raise damaged("WebP file", "it has no key frame", bitstream)
    width, height = (int.from_bytes(bitstream[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return width, height
