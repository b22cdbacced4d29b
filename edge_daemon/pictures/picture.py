"""A picture as the daemon works with it, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import DamagedImageError, PayloadTooLargeError, TooManyPixelsError


@dataclass(frozen=True, eq=False)
class Picture:
    """Decoded pixels and where they came from.

    Attributes:
        pixels: uint8 (H, W, 3), sRGB, C-contiguous, upright.
        source_format: The file format ("JPEG", "PNG", ...), or "raw".
        notes: What was changed or ignored on the way, one clause each, for the report.
    """

    pixels: NDArray[np.uint8]
    source_format: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureLimits:
    """What one picture may cost.

    Attributes:
        max_bytes: Size of the file or buffer in bytes; 64 MiB holds any camera's JPEG.
        max_pixels: Width times height; decoding takes several bytes of memory per pixel.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 50_000_000

    def check_bytes(self, count: int) -> None:
        """Raise `PayloadTooLargeError` if the payload is over the limit."""
        if count > self.max_bytes:
            raise PayloadTooLargeError(
                f"the picture's payload exceeds the limit of {self.max_bytes} bytes",
                value=f"{count} bytes",
                remedy="send a smaller picture, or have the operator raise the limit",
            )

    def check_size(self, width: int, height: int) -> None:
        """Raise `TooManyPixelsError` over the limit, `DamagedImageError` for no pixels at all."""
        if width < 1 or height < 1:
            raise DamagedImageError(
                "the picture has no pixels",
                value=f"{width}x{height}",
                remedy="send a picture of at least 1x1",
            )
        if width * height > self.max_pixels:
            raise TooManyPixelsError(
                f"the picture exceeds the limit of {self.max_pixels} pixels",
                value=f"{width}x{height}",
                remedy="send a smaller picture, or have the operator raise the limit",
            )
