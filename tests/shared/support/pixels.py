"""Small images and sigma maps for the kernels' tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise(height: int, width: int, *, seed: int = 0, channels: int = 3) -> NDArray[np.uint8]:
    """Black and white at random: the hardest content for a smoothing kernel."""
    bits = np.random.default_rng(seed).integers(0, 2, (height, width, channels))
    return (bits * 255).astype(np.uint8)


def scene(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Natural in its statistics: amplitudes that fall with frequency, and a hard-edged object."""
    generator = np.random.default_rng(seed)
    fy = np.fft.fftfreq(height)[:, None, None]
    fx = np.fft.rfftfreq(width)[None, :, None]
    falloff = 1.0 / np.maximum(np.hypot(fy, fx), 1.0 / max(height, width))
    phases = np.exp(2j * np.pi * generator.random((height, width // 2 + 1, 3)))
    field = np.fft.irfft2(falloff * phases, s=(height, width), axes=(0, 1))
    pixels = np.clip(128.0 + 45.0 * field / field.std(), 0, 255).astype(np.uint8)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (230, 40, 20)
    return pixels


def slope(height: int, width: int, low: float, high: float) -> NDArray[np.float32]:
    """Sigma rising evenly from the upper left to the lower right corner."""
    down, across = np.linspace(0, 0.5, height)[:, None], np.linspace(0, 0.5, width)[None]
    return (low + (high - low) * (down + across)).astype(np.float32)
