"""A tiny picture: one key frame of VP8 (RFC 6386).

It is a WebP file of the simple form less its first 20 bytes, which are the same in all but the
length. Of our codecs WebP has the least overhead: on photographs, at 27 dB, a frame takes some 300
bytes, an AVIF file twice as many and a JPEG file more.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.errors import DecodeError
from edge_daemon.semantic.coding.reduction import LONGEST, reduced

SHORT_SIDE: Final = 32
"""In pixels."""

_MOST_BYTES: Final = 320
_QUALITIES: Final = range(60, -1, -10)
"""Of libwebp's scale; the best that `_MOST_BYTES` allow is taken."""

_CONTAINER: Final = struct.Struct("<4sI8sI")
_FRAME_HEADER_BYTES: Final = 10


def encode_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    """The frame of a picture, in as good a quality as some 300 bytes allow.

    Args:
        pixels: uint8 (H, W, 3), sRGB, of any size.

    Raises:
        NoEncoderError: This Pillow has no WebP.
    """
    small = reduced(pixels, SHORT_SIDE)
    frame = b""
    for quality in _QUALITIES:
        file = get_codec({"id": "webp", "quality": quality, "method": 6}).encode(small)
        length = _CONTAINER.unpack_from(file)[-1]
        frame = file[_CONTAINER.size : _CONTAINER.size + length]
        if len(frame) <= _MOST_BYTES:
            break
    return frame


def decode_thumbnail(frame: bytes) -> NDArray[np.uint8]:
    """The picture of a frame: uint8 (h, w, 3), sRGB.

    Raises:
        DecodeError: The frame is damaged, or of a larger picture than a thumbnail.
    """
    if len(frame) < _FRAME_HEADER_BYTES:
        raise DecodeError(
            "the thumbnail is too short to have a size",
            value=f"{len(frame)} bytes",
            remedy="send it again",
        )
    # 14 bits of size and 2 bits of upscaling that a viewer may do
    width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", frame, 6))
    if max(width, height) > LONGEST * SHORT_SIDE:
        raise DecodeError(
            f"the thumbnail is larger than {LONGEST * SHORT_SIDE} pixels a side",
            value=f"{width}x{height}",
            remedy="send a smaller one",
        )
    padded = frame + bytes(len(frame) % 2)
    file = _CONTAINER.pack(b"RIFF", len(padded) + 12, b"WEBPVP8 ", len(frame)) + padded
    return get_codec({"id": "webp"}).decode(file, width=width, height=height)
