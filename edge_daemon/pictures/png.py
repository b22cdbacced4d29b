"""Pictures out, without loss."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 1]  # several times faster than the default


def to_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode uint8 (H, W, 3) RGB as PNG, lightly compressed."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _COMPRESSION)
    return encoded.tobytes()


def save_picture(pixels: NDArray[np.uint8], path: str | Path) -> None:
    """Write uint8 (H, W, 3) RGB as a PNG file, replacing any that is there.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_bytes(to_png(pixels))
