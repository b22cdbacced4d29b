"""8-bit RGB to the 10-bit YCbCr 4:2:0 that vvenc codes, and back.

BT.601 in full range. Straight from 8 to 10 bits, so that any flat colour comes back exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs.abc import Pixels

_WHITE = 1023 << 6
"""White in 16 bits, so that a shift by 6 gives white in 10."""
_TO_16_BITS = np.round(np.arange(256) * (_WHITE / 255)).astype(np.uint16)
_TO_8_BITS = 255 / _WHITE * (1 + 1e-6)  # so that no product ends in exactly one half


def rgb_to_planes(pixels: Pixels) -> NDArray[np.uint16]:
    """Convert uint8 (H, W, 3) RGB, H and W even, to 10-bit YCbCr 4:2:0, in integers.

    Returns:
        uint16 (3 * H / 2, W), 0..1023: H rows of luma, then Cb, then Cr, the means of 2x2 pixels.
    """
    height, width = pixels.shape[:2]
    full = cv2.cvtColor(cv2.LUT(pixels, _TO_16_BITS), cv2.COLOR_RGB2YCrCb)
    half = (width // 2, height // 2)
    luma, red, blue = cv2.split(full)
    blue, red = (cv2.resize(part, half, None, 0, 0, cv2.INTER_AREA) for part in (blue, red))
    parts = [luma.ravel(), blue.ravel(), red.ravel()]
    planes: NDArray[np.uint16] = np.concatenate(parts).astype(np.uint16, copy=False)
    np.minimum(planes, 0xFFFF - 32, out=planes)  # or rounding would overflow
    planes += 32
    planes >>= 6
    return planes.reshape(height * 3 // 2, width)


def planes_to_rgb(planes: NDArray[np.uint16]) -> Pixels:
    """Convert what `rgb_to_planes` returns to uint8 (H, W, 3) RGB; chroma is interpolated."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    wide = planes << 6
    blue, red = wide[height:].reshape(2, height // 2, width // 2)
    size = (width, height)
    full = [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR_EXACT) for p in (red, blue)]
    rgb = cv2.cvtColor(cv2.merge([wide[:height], *full]), cv2.COLOR_YCrCb2RGB)
    return np.asarray(cv2.convertScaleAbs(rgb, alpha=_TO_8_BITS), np.uint8)
