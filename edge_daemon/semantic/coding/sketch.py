"""A drawing of a picture's outlines, black on white, in a few hundred bytes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.semantic.coding.bilevel import decode_bitmap, encode_bitmap
from edge_daemon.semantic.coding.edges import edges_of
from edge_daemon.semantic.coding.reduction import reduced

SHORT_SIDE: Final = 64
"""In pixels."""

_MOST_BYTES: Final = 320
_STRICTER: Final = 1.15
"""What the thresholds are multiplied by while the drawing takes too many bytes."""


def encode_sketch(pixels: NDArray[np.uint8]) -> bytes:
    """The drawing of a picture, with as many lines as some 300 bytes allow.

    Args:
        pixels: uint8 (H, W, 3), sRGB, of any size.
    """
    small = reduced(pixels, SHORT_SIDE)
    strictness = 1.0
    # No gradient is without bounds: in the end the drawing is blank, and fits.
    while len(drawn := encode_bitmap(edges_of(small, strictness))) > _MOST_BYTES:
        strictness *= _STRICTER
    return drawn


def decode_sketch(data: bytes) -> NDArray[np.uint8]:
    """The drawing of a bitstream: uint8 (h, w, 3), black lines on white.

    Raises:
        DecodeError: The bitstream is damaged.
    """
    grey = np.where(decode_bitmap(data), np.uint8(0), np.uint8(255))
    return np.repeat(grey[..., np.newaxis], 3, axis=2)
