"""The C backend: loads the shared library that the installation built, and calls it.

The library (`csrc/gather.h`) knows nothing of Python, so this module mirrors its structures. ctypes
releases the interpreter's lock for the duration of each call.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels.coarse import CoarseSigma

_LIBRARY = Path(__file__).with_name("_gather.so")
_INTERFACE = 1
_NO_MEMORY = 1

Scalar = TypeVar("Scalar", np.uint8, np.float32)


class _SigmaStruct(ctypes.Structure):
    """`struct gather_sigma`."""

    _fields_: ClassVar = [
        ("values", ctypes.c_void_p),
        ("row_bytes", ctypes.c_ssize_t),
        ("rows", ctypes.c_int32),
        ("columns", ctypes.c_int32),
        ("is_coarse", ctypes.c_int32),
        ("scale_x", ctypes.c_double),
        ("offset_x", ctypes.c_double),
        ("scale_y", ctypes.c_double),
        ("offset_y", ctypes.c_double),
    ]


class _JobStruct(ctypes.Structure):
    """`struct gather_job`."""

    _fields_: ClassVar = [
        ("source", ctypes.c_void_p),
        ("source_row_bytes", ctypes.c_ssize_t),
        ("target", ctypes.c_void_p),
        ("target_row_bytes", ctypes.c_ssize_t),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("max_sigma", ctypes.c_float),
        ("sigma", _SigmaStruct),
    ]


class LibraryError(Exception):
    """The shared library cannot serve; the message says why and what would help."""


@functools.cache
def load(path: Path = _LIBRARY) -> ctypes.CDLL:
    """The shared library with its functions declared; a `LibraryError` if it cannot serve."""
    if not path.exists():
        raise LibraryError(
            "not built: the installation found no working C compiler; install gcc, then reinstall"
        )
    try:
        library = ctypes.CDLL(str(path))
        interface = library.gather_interface()
    except (OSError, AttributeError) as error:
        raise LibraryError(f"cannot be loaded: {error}; reinstall on this machine") from error
    if interface != _INTERFACE:
        raise LibraryError(f"{path.name} was built from other sources; reinstall")
    library.gather_scratch_bytes.restype = ctypes.c_size_t
    library.gather_scratch_bytes.argtypes = [ctypes.c_float, ctypes.c_int]
    library.gather_run.argtypes = [ctypes.POINTER(_JobStruct), ctypes.c_int]
    return library


def status() -> str:
    """`"available"`, or why the library cannot serve."""
    try:
        load()
    except LibraryError as error:
        return str(error)
    return "available"


def best_level() -> int:
    """The fastest vector level here: 0 SSE2 or NEON, 1 AVX2, 2 AVX-512."""
    return int(load().gather_best_level())


def scratch_bytes(max_sigma: float) -> int:
    """Bytes of memory that one call works in, whatever the size of its image."""
    return int(load().gather_scratch_bytes(max_sigma, best_level()))


def smooth(
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    max_sigma: float,
    out: NDArray[np.uint8],
    *,
    level: int | None = None,
) -> None:
    """Smooth one image into `out`.

    Args:
        image: uint8 `(H, W, C)`, C 1 or 3.
        sigma: float32 `(H, W)`, or a coarse map of a single image.
        max_sigma: The largest value in `sigma`.
        out: uint8 `(H, W, C)`, sharing no memory with `image` or `sigma`.
        level: Vector level; the best by default. Levels may differ by the last rounding.

    Raises:
        MemoryError: The scratch memory cannot be allocated.
    """
    height, width, channels = image.shape
    image = _with_packed_rows(image)
    values = sigma.values if isinstance(sigma, CoarseSigma) else sigma
    values = _with_packed_rows(values)
    target = _with_packed_rows(out)
    job = _JobStruct(
        source=image.ctypes.data,
        source_row_bytes=image.strides[0],
        target=target.ctypes.data,
        target_row_bytes=target.strides[0],
        width=width,
        height=height,
        channels=channels,
        max_sigma=max_sigma,
        sigma=_SigmaStruct(
            values=values.ctypes.data,
            row_bytes=values.strides[0],
            rows=values.shape[0],
            columns=values.shape[1],
        ),
    )
    if isinstance(sigma, CoarseSigma):
        job.sigma.is_coarse = 1
        job.sigma.scale_x, job.sigma.offset_x = sigma.x.scale, sigma.x.offset
        job.sigma.scale_y, job.sigma.offset_y = sigma.y.scale, sigma.y.offset
    result = load().gather_run(ctypes.byref(job), best_level() if level is None else level)
    if result == _NO_MEMORY:
        size = scratch_bytes(max_sigma)
        raise MemoryError(f"the smoothing kernel could not allocate {size} bytes of scratch memory")
    if result:
        raise RuntimeError(f"the smoothing kernel refused its job (status {result})")
    if target is not out:
        out[...] = target


def _with_packed_rows(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """The array itself if each of its rows is contiguous (rows may lie anywhere), else a copy."""
    expected = array.itemsize
    for length, stride in zip(array.shape[:0:-1], array.strides[:0:-1], strict=True):
        if stride != expected and length > 1:
            return np.ascontiguousarray(array)
        expected *= length
    return array
