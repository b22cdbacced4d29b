"""Checks of the arguments: what passes here cannot harm a backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.coarse import CoarseSigma
from kernels.definition import MAX_SIGMA
from kernels.errors import KernelError

Scalar = TypeVar("Scalar", np.uint8, np.float32)

_COLOURS = 3
_GREY_AXES, _COLOUR_AXES, _BATCH_AXES = 2, 3, 4
_LONGEST_SIDE = 2**24  # pixels; keeps every index and offset of the backends far from overflow


def check_image(image: object) -> NDArray[np.uint8]:
    """The image, if it is uint8 `(H, W)`, `(H, W, 3)` or `(B, H, W, 3)`."""
    array = _array("image", image, np.uint8)
    coloured = array.ndim in {_COLOUR_AXES, _BATCH_AXES} and array.shape[-1] == _COLOURS
    if array.ndim != _GREY_AXES and not coloured:
        raise KernelError(f"image has shape {array.shape}; pass (H, W), (H, W, 3) or (B, H, W, 3)")
    _check_sides("image", as_batch(array).shape[1:3])
    return array


def check_out(out: object, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The output array, if it is writable and of the image's shape and dtype."""
    array = _array("out", out, np.uint8)
    if array.shape != image.shape:
        raise KernelError(f"out has shape {array.shape}; pass the image's, {image.shape}")
    if not array.flags.writeable:
        raise KernelError("out is read-only; pass a writable array, or None to have one made")
    return array


def check_sigma(sigma: object, image: NDArray[np.uint8]) -> NDArray[np.float32] | CoarseSigma:
    """The map, if its shape goes with the image. Its values are for `largest_sigma` to check."""
    batch, size = image.shape[:-_COLOUR_AXES], as_batch(image).shape[1:3]
    if isinstance(sigma, CoarseSigma):
        values = _array("sigma.values", sigma.values, np.float32)
        if values.ndim < _GREY_AXES or values.shape[:-2] not in {(), batch}:
            shapes = " or ".join(f"({', '.join(map(str, (*b, 'h', 'w')))})" for b in {(), batch})
            raise KernelError(f"sigma.values has shape {values.shape}; pass {shapes}")
        _check_sides("sigma.values", values.shape[-2:])
        for name in ("x", "y"):
            axis = sigma.x if name == "x" else sigma.y
            if not (math.isfinite(axis.scale) and math.isfinite(axis.offset)):
                raise KernelError(f"sigma.{name} is {axis}; pass a finite scale and offset")
        return sigma
    array = _array("sigma", sigma, np.float32)
    accepted = {size, (*batch, *size)}
    if array.shape not in accepted:
        shapes = " or ".join(str(shape) for shape in sorted(accepted, key=len))
        raise KernelError(
            f"sigma has shape {array.shape}; pass {shapes} for this image of shape {image.shape}"
        )
    return array


def check_threads(threads: object) -> int:
    """The number of threads, if it is one."""
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise KernelError(f"threads is {threads!r}; pass a whole number from 1")
    return threads


def largest_sigma(values: NDArray[np.float32]) -> float:
    """The largest value of a map, if all lie in 0..MAX_SIGMA pixels."""
    low, high = float(values.min()), float(values.max())  # NaN if any value is
    if not (low >= 0.0 and high <= MAX_SIGMA):
        bad = ~((values >= 0.0) & (values <= MAX_SIGMA))
        where = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise KernelError(
            f"sigma is {values[where]} at index {where}; "
            f"pass pixels from 0 (keep the pixel) to {MAX_SIGMA:g}"
        )
    return high


def as_batch(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A view of the image as `(B, H, W, C)`."""
    if image.ndim == _GREY_AXES:
        return image[None, :, :, None]
    return image if image.ndim == _BATCH_AXES else image[None]


def _array(name: str, value: object, scalar: type[Scalar]) -> NDArray[Scalar]:
    wanted = np.dtype(scalar)
    if not isinstance(value, np.ndarray):
        hint = "; for arrays on a GPU there is kernels.cuda.smooth_device"
        on_device = hint if hasattr(value, "__cuda_array_interface__") else ""
        raise KernelError(
            f"{name} is a {type(value).__name__}; pass a NumPy array of {wanted}{on_device}"
        )
    if value.dtype != wanted:  # pyright: ignore[reportUnknownMemberType]
        raise KernelError(f"{name} has dtype {value.dtype}; pass {wanted}")  # pyright: ignore[reportUnknownMemberType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _check_sides(name: str, sides: Sequence[int]) -> None:
    if min(sides) < 1 or max(sides) > _LONGEST_SIDE:
        raise KernelError(
            f"{name} has {sides[0]} rows of {sides[1]}; pass from 1 to {_LONGEST_SIDE} of each"
        )
