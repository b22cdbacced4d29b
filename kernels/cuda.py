"""The CUDA backend, host side: checks, memory, launches.

The device code is in `kernels.cuda_pyramid` and `kernels.cuda_tile`, in numba's dialect of Python
(`kernels.cuda_dialect`); nothing here imports numba before it is needed.

The algorithm is the C library's (`csrc/smooth.h`): one launch for each level of the pyramid, then
one for all tiles of all images. Its results are not the C library's to the bit, for it calculates
in float32 where that uses 16-bit integers; they differ by a level at most, in few pixels. Where
sigma is at most `KEEP_SIGMA` and where the picture is constant, both are exact.

What it should cost, on paper. Per pixel of a colour image, for a map up to sigma 8 (two levels),
counting what passes through DRAM and leaving to the caches what neighbouring tiles read twice:

    level 1: read 3 bytes, write 1.5; level 2: read 1.5, write 0.4        6.4 bytes
    tiles: read the image and both levels, write the result               7.9
    a full-size map                                                       4

That makes 14 bytes with a coarse map and 18 with a full-size one, against 6 for a device-to-device
copy, which is the floor of any filter. Arithmetic: a scale on the picture takes 13 operations for
each of 1 + 44/32 filtered samples and 8 to mix it in, 39 in all, or 23 with the short filter; a
scale on a level 25 to 30. A smooth map calls for about three scales in a tile, so for about 110
operations on a sample and half as many again for addresses; and for 30 loads from shared memory.
So arithmetic bounds it. For 1920x1080 that is 0.03 to 0.06 ms on an H100 and 1.1 to 2 ms on an Orin
NX 16GB (1.88 TFLOP/s). A map of noise calls for up to 33 scales in every tile and takes accordingly
longer; a tile that is kept costs its copy.

What it does cost on an H100 (numba-cuda 0.30.4, CUDA 13.0, 2026-11-27), 1920x1080, up to sigma 8:
the two levels take 0.02 and 0.01 ms and the tiles 0.13 to 0.19 ms, at 36 % occupancy, which 80
registers limit, and 55 to 64 % of the arithmetic. Launched from Python the three take 0.6 to 0.7
ms, and 0.9 to 1.2 ms at 3840x2160. From host memory and back: 3 to 6 ms and 11 to 23 ms, about as 8
threads of the C library. No Jetson has been measured.

The first call for each number of channels and each kind of map compiles: seconds, on the CPU, once
in a process. (numba could cache it on disk, but not dependably for kernels made in functions, as
these are.) A daemon should smooth one small picture of each kind before it says that it is ready.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import arguments, scales
from kernels import cuda_arrays as arrays
from kernels.coarse import CoarseSigma
from kernels.cuda_arrays import Workspace, numba_cuda
from kernels.definition import MAX_SIGMA
from kernels.errors import KernelError

__all__ = ["Workspace", "simulated", "smooth", "smooth_batch", "smooth_device", "status"]

_MAX_IMAGES = 65535  # blocks along the second axis of a grid


def status() -> str:
    """`"available"`, or why this backend cannot serve and what would help. Never raises.

    numba's simulator (`NUMBA_ENABLE_CUDASIM=1`) counts as available; see `simulated`.
    """
    try:
        cuda = importlib.import_module("numba.cuda")
    except ImportError as error:
        return f"not installed: {error}; pip install 'edge-daemon[gpu]'"
    except Exception as error:  # whatever a broken installation raises, it is the answer
        return f"broken: importing numba-cuda raised {error!r}; reinstall it"
    try:
        if cuda.is_available():
            fault = _compiler_fault()
        else:
            cuda.current_context()  # says why, unless it is for want of a compiler
            fault = "libNVVM was not found"
    except Exception as error:
        return f"without a usable GPU: {_one_line(error)}; install NVIDIA's driver"
    if fault:
        return f"without a compiler: {fault}; install the CUDA toolkit or numba-cuda[cu12]"
    return "available"


@functools.cache
def _compiler_fault() -> str:
    """Why numba cannot compile a kernel here, found by trying; empty if it can."""
    if simulated():
        return ""
    types = importlib.import_module("numba").types
    capability = numba_cuda().get_current_device().compute_capability
    try:
        numba_cuda().compile_ptx(_nothing, types.void(types.int32), cc=capability)
    except Exception as error:
        return _one_line(error)
    return ""


def _nothing(_: Any) -> None: ...


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(" :.") or repr(error)


def simulated() -> bool:
    """Whether numba simulates the GPU on the CPU: right results, thousands of times slower."""
    return bool(importlib.import_module("numba").config.ENABLE_CUDASIM)


def smooth_device(
    image: Any,
    sigma: Any,
    *,
    max_sigma: float | None = None,
    out: Any = None,
    stream: Any = None,
    workspace: Workspace | None = None,
) -> Any:
    """Smooth images that lie on the device, without a copy through the host.

    With `max_sigma` given, the call queues its work on `stream` and returns at once. Without, and
    with the map on the device, a small kernel looks for the largest value first, which the call
    waits for.

    "Device array" means anything with `__cuda_array_interface__` (numba, CuPy, PyTorch, ...). Work
    that other streams, as far as the interface names them, have queued on an array comes first; to
    keep later work on other streams behind this call's is the caller's part.

    Args:
        image: Device array uint8 `(H, W)`, `(H, W, 3)` or `(B, H, W, 3)`, C-contiguous. Numba looks
            at the stride of an axis of length 1 too, so `image[None]` has to be copied first.
        sigma: float32 `(H, W)`, or `(B, H, W)` for a batch, in source pixels; a NumPy array or a
            C-contiguous device array. Or a `CoarseSigma`, its `values` likewise.
        max_sigma: No value in `sigma` is larger; 0..64. Decides how many levels the pyramid has.
        out: Device array to write to, of the image's shape, sharing no memory with `image` or
            `sigma`.
        stream: numba stream, or a stream's address (PyTorch's `stream.cuda_stream`); numba's
            default stream by default.
        workspace: Memory to work in; one that the thread keeps by default.

    Returns:
        `out`, or a new numba device array of the image's shape.

    Raises:
        KernelError: The backend is not available; an argument of a wrong type, shape or layout; or
            a value in `sigma` that is NaN, negative or above 64. A map on the device is not looked
            at when `max_sigma` is given: then NaN and what is negative keep the pixel, and what is
            larger than `max_sigma` counts as, at most, the next of 2, 4, 8, 16, 32 or 64 px from
            there on. No value can make the kernels leave their memory.
    """
    _require()
    queue = arrays.as_stream(stream)
    source = arrays.as_device_array("image", image, np.uint8, queue)
    pictures = arguments.as_batch(arguments.check_image(arrays.stand_in(source)))
    maps, largest = _maps(sigma, source, max_sigma, queue)
    if out is None:
        target = numba_cuda().device_array(source.shape, np.uint8, stream=queue)
    else:
        target = arrays.as_device_array("out", out, np.uint8, queue)
        if target.shape != source.shape:
            raise KernelError(f"out has shape {target.shape}; pass the image's, {source.shape}")
        if arrays.overlap(target, source) or arrays.overlap(target, maps):
            raise KernelError("out shares memory with image or sigma; pass other memory, or None")
    if source.size:
        _launch(source, target, pictures.shape, maps, _axes(sigma), largest, queue, workspace)
    return target if out is None else out


def smooth_batch(
    images: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    max_sigma: float,
    out: NDArray[np.uint8],
) -> None:
    """Smooth images of host memory into `out`, all in one set of launches, and wait for it.

    Args:
        images: uint8 `(B, H, W, C)`, C 1 or 3.
        sigma: float32 `(B, H, W)`, or `(H, W)` for all of them; or a `CoarseSigma` with values
            likewise.
        max_sigma: The largest value in `sigma`.
        out: uint8 `(B, H, W, C)`, sharing no memory with `images` or `sigma`.

    Raises:
        KernelError: The backend is not available.
        MemoryError: The device has too little memory.
    """
    _require()
    if images.size == 0:
        return
    values = sigma.values if isinstance(sigma, CoarseSigma) else sigma
    queue = arrays.as_stream(None)
    try:
        source = arrays.to_device(images, queue)
        target = numba_cuda().device_array(images.shape, np.uint8, stream=queue)
        maps = arrays.to_device(values, queue)
        _launch(source, target, images.shape, maps, _axes(sigma), max_sigma, queue, None)
    except Exception as error:
        if "OUT_OF_MEMORY" in str(error):
            raise MemoryError(f"the GPU has too little memory for {images.shape}") from error
        raise
    if out.flags.c_contiguous:
        arrays.fetch(target, queue, out)
    else:
        out[...] = arrays.fetch(target, queue)


def smooth(
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    max_sigma: float,
    out: NDArray[np.uint8],
) -> None:
    """Smooth one image `(H, W, C)` of host memory: `smooth_batch` for a batch of one."""
    smooth_batch(image[None], sigma, max_sigma, out[None])


# --------------------------------------------------------------------------- launching


def _launch(
    source: Any,
    target: Any,
    shape: tuple[int, ...],
    maps: Any,
    axes: tuple[np.float32, ...] | None,
    max_sigma: float,
    stream: Any,
    workspace: Workspace | None,
) -> None:
    """Queue the kernels: `source` and `target` of `shape` (images, height, width, channels)."""
    pyramid, steps, tile = (
        importlib.import_module(f"kernels.cuda_{name}") for name in ("pyramid", "steps", "tile")
    )
    images, height, width, channels = shape
    if images > _MAX_IMAGES:
        raise KernelError(f"the batch has {images} images; pass at most {_MAX_IMAGES}")
    source, target = (a.reshape((images, height, width * channels)) for a in (source, target))
    maps = maps.reshape((-1, *maps.shape[-2:]))
    levels = scales.level_for(max_sigma)
    starts = [
        pyramid.level_start(images, height, width, channels, levels, level)
        for level in range(1, levels + 2)
    ]
    workspace = arrays.default_workspace() if workspace is None else workspace
    samples = workspace.claim(starts[-1], stream)
    try:
        below = source
        for level in range(1, levels + 1):
            rows, columns = (pyramid.level_side(side, level, levels) for side in (height, width))
            above = samples[starts[level - 1] : starts[level]]
            above = above.reshape((images, rows, columns * channels))
            across, down = -(-columns // pyramid.PIECE_WIDTH), -(-rows // pyramid.PIECE_HEIGHT)
            kernel = pyramid.reduce_kernel(channels, from_picture=level == 1)
            kernel[(across * down, images), pyramid.REDUCE_THREADS, stream](
                below, above, pyramid.level_margin(level, levels), across
            )
            below = above
        tiles = -(-height // steps.TILE) * -(-width // steps.TILE)
        kernel = tile.tile_kernel(channels, coarse=axes is not None)
        kernel[(tiles, images), steps.threads_of(channels), stream](
            source,
            target,
            maps,
            axes or (np.float32(0),) * 4,
            samples,
            levels,
            # As long for every map, so that one compilation serves all.
            tuple(starts[:levels] + [0] * (scales.ladder()[-1].level - levels)),
            sum(scale.level <= levels for scale in scales.ladder()) - 1,
        )
    finally:
        workspace.release(stream)


def _axes(sigma: Any) -> tuple[np.float32, ...] | None:
    """Where pixels fall on a coarse map; None for a full-size map."""
    if not isinstance(sigma, CoarseSigma):
        return None
    numbers = (sigma.y.scale, sigma.y.offset, sigma.x.scale, sigma.x.offset)
    return tuple(np.float32(number) for number in numbers)


def _maps(sigma: Any, source: Any, max_sigma: float | None, stream: Any) -> tuple[Any, float]:
    """The map's values on the device, and the largest of them."""
    if max_sigma is not None and not 0.0 <= max_sigma <= MAX_SIGMA:
        raise KernelError(f"max_sigma is {max_sigma}; pass pixels from 0 to {MAX_SIGMA:g}")
    values: Any = sigma.values if isinstance(sigma, CoarseSigma) else sigma
    on_host = not arrays.is_device_array(values)
    if not on_host:
        values = arrays.as_device_array("sigma", values, np.float32, stream)
    shown: Any = values if on_host else arrays.stand_in(values)
    if isinstance(sigma, CoarseSigma):
        shown = replace(sigma, values=shown)
    arguments.check_sigma(shown, arrays.stand_in(source))
    if on_host:
        largest = arguments.largest_sigma(values) if values.size else 0.0
        values = arrays.to_device(values, stream)
    elif max_sigma is None:
        largest = arrays.largest_sigma(values, stream)
    else:
        largest = max_sigma
    return values, largest if max_sigma is None else max_sigma


def _require() -> None:
    if (reason := status()) != "available":
        raise KernelError(f"backend 'cuda' is {reason}")
