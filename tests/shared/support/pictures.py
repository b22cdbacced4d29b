"""Synthetic pictures for tests of codecs and of picture files."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def smooth_picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Soft colour gradients: uint8 (height, width, 3) that lossy codecs keep almost exactly."""
    corners = np.random.default_rng(seed).integers(64, 192, (2, 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(corners, (width, height)), np.uint8).reshape(height, width, 3)


def busy_picture(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Gradients with grey blobs and grey noise: something for an encoder to spend bits on.

    Detail is in brightness only, so that 4:2:0 codecs can keep it.
    """
    rng = np.random.default_rng(seed)
    light = np.zeros((height, width), np.int16)
    for _ in range(6):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(light, centre, max(1, min(width, height) // 6), int(rng.integers(-50, 51)), -1)
    light += rng.integers(-12, 13, light.shape, dtype=np.int16)
    return np.clip(smooth_picture(width, height, seed) + light[..., None], 0, 255).astype(np.uint8)


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB over all channels."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return 10 * float(np.log10(255**2 / max(error, 1e-9)))
