"""Small conversions between what files and cameras hold and 8-bit RGB."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

NOTE_ALPHA = "alpha composited over white"
NOTE_SIXTEEN = "16-bit samples scaled to 8 bits"


def sixteen_to_eight(samples: NDArray[np.uint16]) -> Pixels:
    """Scale 0..65535 to 0..255, rounding to nearest: x / 257, as 65535 = 255 * 257."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_rgb(samples: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    """Bring 8-bit samples to RGB.

    Args:
        samples: uint8 (H, W), (H, W, 1) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4)
            RGB and straight alpha.

    Returns:
        uint8 (H, W, 3), C-contiguous, and a note if alpha was composited.
    """
    if samples.ndim == 2:
        samples = samples[..., None]
    channels = samples.shape[2]
    notes: tuple[str, ...] = ()
    if channels in {2, 4}:
        samples = _over_white(samples)
        notes = (NOTE_ALPHA,)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    return np.ascontiguousarray(samples), notes


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels (H, W, 3) upright.

    Args:
        pixels: As stored in the file.
        orientation: EXIF tag 0x0112, 1 to 8; other values count as 1.
    """
    turned = np.swapaxes(pixels, 0, 1) if orientation in {5, 6, 7, 8} else pixels
    if orientation in {3, 4, 7, 8}:
        turned = turned[::-1]
    if orientation in {2, 3, 6, 7}:
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)


def _over_white(samples: Pixels) -> Pixels:
    """Composite the colour channels over white by the last channel, rounding to nearest."""
    alpha = samples[..., -1:].astype(np.uint16)
    colour = samples[..., :-1].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
