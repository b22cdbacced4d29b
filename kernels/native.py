"""The C backend: loads the shared library that the installation built, and calls it.

The library (`csrc/smooth.h`) knows nothing of Python, so this module mirrors its structures. ctypes
releases the interpreter's lock for the duration of each call.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from kernels import scales, workers
from kernels.coarse import CoarseSigma

_LIBRARY = Path(__file__).with_name("_smooth.so")
_INTERFACE = 2
_MAX_SCALES = 40
_ONE = 32768  # of a weight

Scalar = TypeVar("Scalar", np.uint8, np.float32)


class _ScalesStruct(ctypes.Structure):
    """`struct smooth_scales`."""

    _fields_: ClassVar = [
        ("count", ctypes.c_int32),
        ("level", ctypes.c_int32 * _MAX_SCALES),
        ("radius", ctypes.c_int32 * _MAX_SCALES),
        ("taps", ctypes.c_int16 * (scales.MAX_RADIUS + 1) * _MAX_SCALES),
        ("bend", ctypes.c_int16 * _MAX_SCALES),
    ]


class _SigmaStruct(ctypes.Structure):
    """`struct smooth_sigma`."""

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
    """`struct smooth_job`."""

    _fields_: ClassVar = [
        ("source", ctypes.c_void_p),
        ("source_row_bytes", ctypes.c_ssize_t),
        ("target", ctypes.c_void_p),
        ("target_row_bytes", ctypes.c_ssize_t),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("levels", ctypes.c_int32),
        ("pyramid", ctypes.c_void_p),
        ("scales", ctypes.POINTER(_ScalesStruct)),
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
        interface = library.smooth_interface()
    except (OSError, AttributeError) as error:
        raise LibraryError(f"cannot be loaded: {error}; reinstall on this machine") from error
    if interface != _INTERFACE:
        raise LibraryError(f"{path.name} was built from other sources; reinstall")
    job, counter = ctypes.POINTER(_JobStruct), ctypes.POINTER(ctypes.c_int32)
    number, memory = ctypes.c_int, ctypes.c_void_p
    library.smooth_pyramid_bytes.argtypes = [number, number, number, number]
    library.smooth_pyramid_bytes.restype = ctypes.c_size_t
    library.smooth_scratch_bytes.argtypes = [number, number, number, number]
    library.smooth_scratch_bytes.restype = ctypes.c_size_t
    library.smooth_accepts.argtypes = [job, number]
    library.smooth_reduce.argtypes = [job, number, counter, memory, number]
    library.smooth_reduce.restype = None
    library.smooth_tiles.argtypes = [job, counter, memory, number]
    library.smooth_tiles.restype = None
    return library


def status() -> str:
    """`"available"`, or why the library cannot serve."""
    try:
        load()
    except LibraryError as error:
        return str(error)
    return "available"


def best_vectors() -> int:
    """The fastest vector level here: 0 SSE2 or NEON, 1 AVX2, 2 AVX-512."""
    return int(load().smooth_best_vectors())


def scratch_bytes(
    height: int, width: int, channels: int, max_sigma: float, threads: int = 1
) -> int:
    """Bytes of memory that smoothing one image works in, beside the image and the result.

    They grow with the image, because the levels of its pyramid are kept: 2.7 bytes per pixel for
    1080p in colour up to sigma 16, 4.9 up to 64, nearly nothing up to 2. A thread keeps them for
    its next image.
    """
    pyramid, scratch = _sizes(height, width, channels, scales.level_for(max_sigma), best_vectors())
    return pyramid + threads * scratch


def smooth(
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    max_sigma: float,
    out: NDArray[np.uint8],
    *,
    threads: int = 1,
    vectors: int | None = None,
) -> None:
    """Smooth one image into `out`.

    Args:
        image: uint8 `(H, W, C)`, C 1 or 3.
        sigma: float32 `(H, W)`, or a coarse map of a single image.
        max_sigma: The largest value in `sigma`.
        out: uint8 `(H, W, C)`, sharing no memory with `image` or `sigma`.
        threads: How many threads work on it.
        vectors: Vector level; the best by default. The result is the same at every level.

    Raises:
        MemoryError: The memory to work in cannot be allocated.
    """
    vectors = best_vectors() if vectors is None else vectors
    library, levels = load(), scales.level_for(max_sigma)
    height, width, channels = image.shape
    image, target = _with_packed_rows(image), _with_packed_rows(out)
    values = _with_packed_rows(sigma.values if isinstance(sigma, CoarseSigma) else sigma)
    pyramid_bytes, scratch = _sizes(height, width, channels, levels, vectors)
    ladder = _ladder_up_to(levels)
    job = _JobStruct(
        source=image.ctypes.data,
        source_row_bytes=image.strides[0],
        target=target.ctypes.data,
        target_row_bytes=target.strides[0],
        width=width,
        height=height,
        channels=channels,
        levels=levels,
        pyramid=_memory.pyramid(pyramid_bytes),
        scales=ctypes.pointer(ladder),
        sigma=_describe_sigma(values, sigma),
    )
    if not library.smooth_accepts(ctypes.byref(job), vectors):
        raise RuntimeError(f"the smoothing kernel refused its job, at vector level {vectors}")

    def reduce(level: int, pieces: ctypes.c_int32) -> None:
        memory = _memory.scratch(scratch, vectors)
        library.smooth_reduce(ctypes.byref(job), level, ctypes.byref(pieces), memory, vectors)

    def tiles(pieces: ctypes.c_int32) -> None:
        memory = _memory.scratch(scratch, vectors)
        library.smooth_tiles(ctypes.byref(job), ctypes.byref(pieces), memory, vectors)

    for level in range(1, levels + 1):
        workers.together(threads, functools.partial(reduce, level, ctypes.c_int32()))
    workers.together(threads, functools.partial(tiles, ctypes.c_int32()))
    if target is not out:
        out[...] = target


class _Memory(threading.local):
    """What a thread works in.

    It is kept from call to call: fresh memory would cost as much time, in page faults, as the
    pyramid that is made in it.
    """

    def __init__(self) -> None:
        self._pyramid = np.zeros(0, np.uint8)
        self._scratch: dict[int, NDArray[np.uint8]] = {}

    def pyramid(self, size: int) -> int:
        """The address of memory for a pyramid of so many bytes."""
        if self._pyramid.nbytes < size:
            self._pyramid = np.zeros(size, np.uint8)
        return self._pyramid.ctypes.data

    def scratch(self, size: int, vectors: int) -> int:
        """The address of so many bytes for one thread, at a multiple of a cache line."""
        memory = self._scratch.get(vectors)  # levels lay it out differently
        if memory is None or memory.nbytes < size + 64:
            memory = self._scratch[vectors] = np.zeros(size + 64, np.uint8)
        return (memory.ctypes.data + 63) // 64 * 64


_memory = _Memory()


@functools.cache
def _ladder_up_to(levels: int) -> _ScalesStruct:
    """The ladder as far as a pyramid of so many levels carries it."""
    ladder = scales.ladder(levels)
    struct = _ScalesStruct(count=len(ladder))
    for k, scale in enumerate(ladder):
        taps = np.rint(scale.taps * _ONE).astype(int)
        taps[0] = _ONE - 2 * taps[1:].sum()
        struct.level[k] = scale.level
        struct.radius[k] = len(taps) - 1
        for distance, tap in enumerate(taps):
            struct.taps[k][distance] = min(int(tap), _ONE - 1)
        struct.bend[k] = round(scale.bend * _ONE)
    return struct


def _sizes(height: int, width: int, channels: int, levels: int, vectors: int) -> tuple[int, int]:
    """Bytes of a picture's pyramid, and of a thread's scratch."""
    library = load()
    return (
        int(library.smooth_pyramid_bytes(width, height, channels, levels)),
        int(library.smooth_scratch_bytes(width, channels, levels, vectors)),
    )


def _describe_sigma(
    values: NDArray[np.float32], sigma: NDArray[np.float32] | CoarseSigma
) -> _SigmaStruct:
    struct = _SigmaStruct(
        values=values.ctypes.data,
        row_bytes=values.strides[0],
        rows=values.shape[0],
        columns=values.shape[1],
    )
    if isinstance(sigma, CoarseSigma):
        struct.is_coarse = 1
        struct.scale_x, struct.offset_x = sigma.x.scale, sigma.x.offset
        struct.scale_y, struct.offset_y = sigma.y.scale, sigma.y.offset
    return struct


def _with_packed_rows(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """The array itself if each of its rows is contiguous (rows may lie anywhere), else a copy."""
    expected = array.itemsize
    packed = array.flags.aligned  # no: a field of packed records, say
    for length, stride in zip(array.shape[:0:-1], array.strides[:0:-1], strict=True):
        packed = packed and (stride == expected or length <= 1)
        expected *= length
    return array if packed else np.require(array, requirements=["C", "A"])
