"""The JPEG library that the installation built: one encoder, plain or with a quantiser map.

The library (`csrc/jpeg_blocks.h`) knows nothing of Python, so this module mirrors its structure.
It is linked against the system's libjpeg-turbo, which has to be there at run time too. ctypes
releases the interpreter's lock for the duration of each call.
"""

from __future__ import annotations

import ctypes
import functools
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs.failures import encoder_failed
from edge_daemon.errors import EncodeError
from edge_daemon.quantiser import QuantiserMap
from kernels import workers

AVAILABLE = "available"
"""What `status` says when all is well."""

_LIBRARY = Path(__file__).with_name("_jpeg.so")
_INTERFACE = 2
_MESSAGE_BYTES = 256
_STEPS_PER_OCTAVE = 6


class Coding(IntEnum):
    """How coefficients become bits: `enum jpeg_blocks_coding`."""

    FIXED = 0
    OPTIMISED = 1
    PROGRESSIVE = 2


class LibraryError(Exception):
    """The shared library cannot serve; the message says why and what would help."""


class _JobStruct(ctypes.Structure):
    """`struct jpeg_blocks_job`."""

    _fields_: ClassVar = [
        ("pixels", ctypes.c_void_p),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("quality", ctypes.c_int32),
        ("halved", ctypes.c_int32),
        ("coding", ctypes.c_int32),
        ("has_steps", ctypes.c_int32),
        ("luma_steps", ctypes.c_void_p),
        ("chroma_steps", ctypes.c_void_p),
        ("strip_count", ctypes.c_int32),
        ("next_strip", ctypes.c_int32),
        ("strips", ctypes.c_void_p),
        ("bitstream", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("message", ctypes.c_char * _MESSAGE_BYTES),
    ]


def status() -> str:
    """`AVAILABLE`, or why the library cannot serve and what would help."""
    try:
        load()
    except LibraryError as error:
        return str(error)
    return AVAILABLE


@functools.cache
def load(path: Path = _LIBRARY) -> ctypes.CDLL:
    """The shared library with its functions declared; a `LibraryError` if it cannot serve."""
    if not path.exists():
        raise LibraryError(
            "the JPEG library was not built: install a C compiler and libjpeg-turbo's headers "
            "(Debian: apt install gcc libc6-dev libjpeg-dev), then reinstall"
        )
    try:
        library = ctypes.CDLL(str(path))
        interface = library.jpeg_blocks_interface()
    except (OSError, AttributeError) as error:
        raise LibraryError(
            f"the JPEG library cannot be loaded: {error}; install libjpeg-dev, then reinstall"
        ) from error
    if interface != _INTERFACE:
        raise LibraryError(f"{path.name} was built from other sources; reinstall")
    job = ctypes.POINTER(_JobStruct)
    library.jpeg_blocks_open.argtypes = [job]
    library.jpeg_blocks_make.argtypes = [job]
    library.jpeg_blocks_make.restype = None
    library.jpeg_blocks_write.argtypes = [job]
    library.jpeg_blocks_close.argtypes = [job]
    library.jpeg_blocks_close.restype = None
    library.jpeg_blocks_coarsen.argtypes = [ctypes.c_void_p, ctypes.c_float]
    library.jpeg_blocks_coarsen.restype = None
    library.jpeg_blocks_version.restype = ctypes.c_char_p
    try:  # the libjpeg that is loaded may be another than the one built with
        _encode(library, np.zeros((16, 16, 3), np.uint8), 75, True, Coding.OPTIMISED, None, 1)
    except EncodeError as error:
        raise LibraryError(
            f"the JPEG library and this system's libjpeg do not fit: {error.problem}; reinstall"
        ) from error
    return library


def version() -> str:
    """The version of libjpeg-turbo that the library was built with, e.g. "2.1.5"."""
    return bytes(load().jpeg_blocks_version()).decode()


def encode(
    pixels: NDArray[np.uint8],
    *,
    quality: int,
    halved: bool,
    coding: Coding,
    offsets: QuantiserMap | None = None,
    threads: int = 1,
) -> bytes:
    """Encode a picture.

    Args:
        pixels: uint8 (H, W, 3), RGB, C-contiguous, sides of 1 to 65,500 pixels.
        quality: libjpeg's, 1 to 100.
        halved: Whether colour has half the resolution in both directions.
        coding: The entropy coding; the picture is the same with any.
        offsets: Where to be coarser. A block takes the least offset of what it covers.
        threads: How many threads make the coefficients, this one among them, at least 1; the others
            come from a pool. Writing them is one thread's work, and so is all of it where nothing
            is done to them: with `FIXED` and no offsets. The bitstream is the same with any.

    Raises:
        EncodeError: libjpeg refuses, for lack of memory for example.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return _encode(load(), pixels, quality, halved, coding, offsets, threads)


def coarsen(coefficients: NDArray[np.int16], step: float) -> NDArray[np.int16]:
    """What encoding makes of a block that is `step` times coarser.

    Args:
        coefficients: int16 (8, 8), quantised, the mean first.
        step: 1 or more.
    """
    block = np.array(coefficients, np.int16, order="C")
    if block.shape != (8, 8):
        raise ValueError(f"a block is (8, 8), not {block.shape}")
    load().jpeg_blocks_coarsen(block.ctypes.data, step)
    return block


def _encode(
    library: ctypes.CDLL,
    pixels: NDArray[np.uint8],
    quality: int,
    halved: bool,
    coding: Coding,
    offsets: QuantiserMap | None,
    threads: int,
) -> bytes:
    height, width = pixels.shape[:2]
    job = _JobStruct(
        pixels=pixels.ctypes.data,
        width=width,
        height=height,
        quality=quality,
        halved=halved,
        coding=coding,
        strip_count=threads,
    )
    steps: list[NDArray[np.float32]] = []  # has to live as long as the call
    if offsets is not None:
        steps = [_steps(offsets, height, width, 8), _steps(offsets, height, width, 8 + 8 * halved)]
        job.has_steps = 1
        job.luma_steps, job.chroma_steps = (one.ctypes.data for one in steps)
    shared = ctypes.byref(job)
    try:
        failed = library.jpeg_blocks_open(shared)
        if not failed:
            workers.together(job.strip_count, functools.partial(library.jpeg_blocks_make, shared))
            failed = library.jpeg_blocks_write(shared)
        if failed:
            raise encoder_failed("libjpeg", pixels, job.message.decode(errors="replace"))
        return ctypes.string_at(job.bitstream, job.size)
    finally:
        library.jpeg_blocks_close(shared)


def _steps(offsets: QuantiserMap, height: int, width: int, side: int) -> NDArray[np.float32]:
    """By how much each block is coarser, as a factor."""
    exponents = offsets.blocks(height, width, side) / np.float32(_STEPS_PER_OCTAVE)
    return np.exp2(exponents, dtype=np.float32)
