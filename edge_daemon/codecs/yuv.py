"""RGB to planar YCbCr, 4:2:0 or 4:4:4, and back, for video codecs.

One convention throughout, the one of JPEG and HEIC: BT.601 coefficients, full range (0..255), in
4:2:0 chroma samples in the centre of their 2x2 pixels. All arithmetic is in integers, so results
do not vary between machines. OpenCV's own I420 conversion is not used: it is limited range, and
takes chroma from one pixel of four instead of their mean.

Planes are held as one array. I420 is uint8 (3 * H / 2, W): H rows of luma, then Cb, then Cr. I444
is uint8 (3, H, W): luma, Cb, Cr.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


def padded_side(side: int, least: int, multiple: int) -> int:
    """The least length that holds `side`, is at least `least` and is a multiple of `multiple`."""
    return max(least, side + -side % multiple)


def pad(pixels: Plane, least: int, multiple: int) -> Plane:
    """Repeat the last column and row until both sides are what `padded_side` says.

    Encoders refuse very small sizes. Repeated edges cost next to nothing in bits.
    """
    height, width = pixels.shape[:2]
    bottom = padded_side(height, least, multiple) - height
    right = padded_side(width, least, multiple) - width
    if not bottom and not right:
        return pixels
    return np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge")


def pad_even(pixels: Plane, least: int) -> Plane:
    """`pad` to even sides, which are all that 4:2:0 video can express."""
    return pad(pixels, least, 2)


def rgb_to_i420(pixels: Plane) -> Plane:
    """Convert uint8 (H, W, 3) RGB, H and W even, to I420; chroma is the mean of 2x2 pixels."""
    height, width = pixels.shape[:2]
    planes = np.empty((height * 3 // 2, width), np.uint8)
    luma, blue, red = _planes(planes, height)
    full = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    cv2.extractChannel(full, 0, luma)
    half = (width // 2, height // 2)
    for channel, plane in ((1, red), (2, blue)):
        cv2.resize(cv2.extractChannel(full, channel), half, plane, 0, 0, cv2.INTER_AREA)
    return planes


def i420_to_rgb(planes: Plane) -> Plane:
    """Convert I420 to uint8 (H, W, 3) RGB; chroma is interpolated linearly."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    luma, blue, red = _planes(planes, height)
    size = (width, height)
    full = [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR_EXACT) for p in (red, blue)]
    merged = cv2.merge([luma, *full])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB), np.uint8)


def rgb_to_i444(pixels: Plane) -> Plane:
    """Convert uint8 (H, W, 3) RGB of any size to I444."""
    luma, red, blue = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))
    return np.stack([luma, blue, red]).astype(np.uint8, copy=False)


def i444_to_rgb(planes: Plane) -> Plane:
    """Convert I444 to uint8 (H, W, 3) RGB."""
    luma, blue, red = planes
    merged = cv2.merge([luma, red, blue])
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB), np.uint8)


def _planes(planes: Plane, height: int) -> tuple[Plane, Plane, Plane]:
    """Views of luma (H, W), Cb and Cr (H / 2, W / 2)."""
    half = (height // 2, planes.shape[1] // 2)
    blue, red = planes[height:].reshape(2, *half)
    return planes[:height], blue, red
