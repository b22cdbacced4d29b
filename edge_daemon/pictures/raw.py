"""Raw pixel buffers, as cameras and array libraries hold them, to pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import BadPixelsError
from edge_daemon.pictures.convert import NOTE_SIXTEEN, sixteen_to_eight, to_rgb
from edge_daemon.pictures.picture import Picture, PictureLimits

DTYPES: dict[str, np.dtype[Any]] = {
    "uint8": np.dtype("<u1"),
    "uint16": np.dtype("<u2"),
    "float32": np.dtype("<f4"),
}


def from_raw(
    buffer: bytes | bytearray | memoryview,
    shape: Sequence[int],
    dtype: str,
    limits: PictureLimits | None = None,
    *,
    copy: bool = True,
) -> Picture:
    """Take raw pixels.

    Args:
        buffer: Samples in row-major order, little-endian, without padding between rows.
        shape: (H, W) or (H, W, 1) grey, (H, W, 3) RGB, (H, W, 4) RGB with straight alpha.
        dtype: "uint8" (0..255), "uint16" (0..65535) or "float32" (0..1), all sRGB-encoded.
        limits: Bounds on bytes and pixels.
        copy: Whether 8-bit RGB, which needs no conversion, is copied. Without, the picture is the
            buffer, which must stay as it is.

    Returns:
        A picture, of its own memory if `copy`: the buffer may be reused then.

    Raises:
        PayloadTooLargeError: More bytes than allowed.
        TooManyPixelsError: More pixels than allowed.
        BadPixelsError: Another dtype, a shape that is none of the above, a buffer of another
            length, or floats that are NaN, infinite or outside 0..1.
    """
    limits = limits or PictureLimits()
    data = memoryview(buffer).cast("B")
    limits.check_bytes(data.nbytes)
    if not isinstance(dtype, str) or dtype not in DTYPES:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise BadPixelsError(
            "raw pixels of this dtype are not supported",
            value=dtype,
            remedy=f"use one of: {', '.join(DTYPES)} (little-endian)",
        )
    size = _checked_shape(shape)
    limits.check_size(size[1], size[0])
    expected = math.prod(size) * DTYPES[dtype].itemsize
    if data.nbytes != expected:
        raise BadPixelsError(
            f"shape {list(size)} and dtype {dtype} make {expected} bytes",
            value=f"{data.nbytes} bytes",
            remedy="send rows without padding, and the shape as [height, width, channels]",
        )
    samples: NDArray[Any] = np.frombuffer(data, DTYPES[dtype]).reshape(size)
    notes: tuple[str, ...] = ()
    if dtype == "uint16":
        samples, notes = sixteen_to_eight(samples), (NOTE_SIXTEEN,)
    elif dtype == "float32":
        samples = _floats_to_eight(samples)
    pixels, more = to_rgb(samples)
    if copy:
        # 8-bit RGB is handed through, and would be the caller's buffer: copy what is not ours
        pixels = np.require(pixels, requirements=["C", "O"])
    return Picture(pixels, "raw", notes + more)


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    problem = None
    if isinstance(shape, str | bytes) or any(type(n) is not int or n < 1 for n in shape):
        problem = "a shape is made of whole numbers of at least 1"
    elif len(shape) not in {2, 3} or (len(shape) == 3 and shape[2] not in {1, 3, 4}):
        problem = "a shape is [height, width] or [height, width, 1, 3 or 4]"
    if problem:
        raise BadPixelsError(
            problem,
            value=shape,
            remedy="send [height, width], or [height, width, channels] with 1, 3 or 4 channels",
        )
    return tuple(shape)


def _floats_to_eight(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(samples.min()), float(samples.max())  # NaN if any sample is
    if not (low >= 0 and high <= 1):
        wrong = samples[~((samples >= 0) & (samples <= 1))]
        raise BadPixelsError(
            f"{wrong.size} of {samples.size} float samples are NaN, infinite or outside 0 to 1",
            value=float(wrong[0]),
            remedy="scale the samples to 0..1, and replace what is not a number",
        )
    return (samples * np.float32(255) + np.float32(0.5)).astype(np.uint8)
