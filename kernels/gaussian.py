"""The spatially varying Gaussian: one function, several backends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kernels import arguments, cuda, native, opencv, reference
from kernels.coarse import CoarseSigma
from kernels.errors import KernelError

_BACKENDS = ("c", "cuda", "opencv", "reference")


def backends() -> dict[str, str]:
    """Every backend's name, with `"available"` or the reason why it is not.

    Where numba-cuda is installed, this imports it, which takes some seconds.
    """
    return {name: _status(name) for name in _BACKENDS}


def default_backend() -> str:
    """The backend that "auto" stands for here; found without importing numba or touching a GPU."""
    return "c" if native.status() == "available" else "opencv"


def varying_gaussian(
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    *,
    backend: str = "auto",
    threads: int = 1,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Smooth an image with a Gaussian whose sigma differs from pixel to pixel.

    Each output pixel is the normalised sum of the source pixels around it, weighted by the
    isotropic Gaussian of *that output pixel's* sigma, sampled at whole pixels in a square window of
    radius ceil(3 sigma), and rounded half up. Beyond its borders the image is mirrored without
    repeating the edge, as often as the window needs. Each channel is smoothed by itself. Where
    sigma is at most `KEEP_SIGMA` (0.25 px) the output equals the source bit for bit.

    With a constant sigma this is OpenCV's `GaussianBlur(image, (2 * r + 1, 2 * r + 1), sigma)`,
    `r = ceil(3 * sigma)`, with its default border `BORDER_REFLECT_101`; and SciPy's
    `gaussian_filter(channel, sigma, radius=r, mode="mirror")` of floats, rounded.

    Backends:
        "reference": The definition in float64; about a tenth of a millisecond per pixel.
        "c": Mixes two Gaussians of neighbouring sigmas, a quarter of an octave apart, the wide ones
            filtered on a pyramid (`kernels.scales`). Exact up to a twentieth of a level where sigma
            is one of 0.25 * 2^(k / 4) and at most 2 px. Elsewhere, before rounding, no picture can
            be missed by more than 2.8 levels, a straight edge from black to white by more than 0.5;
            random black and white has come out 2.6 levels off, rounded, photographs 1. No steps or
            slopes of sigma add to that, for no pixel sees another pixel's sigma. All vector levels,
            processors and thread counts give the same bytes. Time hardly grows with sigma, but does
            with the number of different sigmas within 64 by 32 pixels: where sigma is noise it
            takes about six times as long. Works in `scratch_bytes` of memory, without the
            interpreter's lock.
        "cuda": The same on a GPU, in float32: within a level of "c", in few pixels. Copies to the
            device and back; for arrays that lie on a device, and for streams, there is
            `kernels.cuda.smooth_device`. Needs the extra `gpu`.
        "opencv": The same idea on whole images without a pyramid; within two levels of the
            definition on smooth and two-level maps, within 4.5 where sigma is noise. About thirty
            times slower than "c"; works in about 20 bytes per sample of 256 rows.
        "auto": "c" where it is available, else "opencv"; "cuda" has to be asked for.

    Args:
        image: uint8 `(H, W, 3)`, `(H, W)` or `(B, H, W, 3)`; any strides, read-only or not.
        sigma: float32 `(H, W)`, or `(B, H, W)` for a batch, in source pixels, 0..64; or a
            `CoarseSigma`, which the C backend evaluates on its way.
        backend: One of the above.
        threads: How many threads the C backend may use, this one among them; the others come from a
            pool that sleeps between calls. The other backends use one.
        out: Where to write; uint8 of the image's shape, any strides. It may be the image itself or
            overlap it or the map, which then costs a copy. If the call fails, its contents are
            undefined.

    Returns:
        `out`, or a new C-contiguous array of the image's shape.

    Raises:
        KernelError: An argument of a wrong type, shape or value (a sigma that is NaN, negative or
            above 64), or a backend that is unknown or not available.
        MemoryError: The memory to work in cannot be allocated.

    Example:
        >>> import numpy as np
        >>> image = np.zeros((4, 6), np.uint8)
        >>> image[:, 3:] = 200
        >>> sigma = np.zeros((4, 6), np.float32)
        >>> sigma[2:] = 1.0
        >>> varying_gaussian(image, sigma)[[1, 2]]
        array([[  0,   0,   0, 200, 200, 200],
               [  2,  12,  60, 140, 188, 198]], dtype=uint8)
    """
    name = _chosen(backend)
    threads = arguments.check_threads(threads)
    image = arguments.check_image(image)
    result = np.empty(image.shape, np.uint8) if out is None else arguments.check_out(out, image)
    sigma = arguments.check_sigma(sigma, image)
    if image.size == 0:  # a batch of none
        return result
    values = sigma.values if isinstance(sigma, CoarseSigma) else sigma
    largest = arguments.largest_sigma(values)
    if out is not None and np.may_share_memory(out, image):
        image = np.copy(image)
    if out is not None and np.may_share_memory(out, values):
        values = np.copy(values)

    sigma = replace(sigma, values=values) if isinstance(sigma, CoarseSigma) else values
    pictures, results = arguments.as_batch(image), arguments.as_batch(result)
    if name == "cuda":
        cuda.smooth_batch(pictures, sigma, largest, results)
    else:
        _smooth_each(name, pictures, sigma, largest, threads, results)
    return result


def _smooth_each(
    name: str,
    pictures: NDArray[np.uint8],
    sigma: NDArray[np.float32] | CoarseSigma,
    largest: float,
    threads: int,
    results: NDArray[np.uint8],
) -> None:
    """Smooth the images of a batch `(B, H, W, C)` one after another."""
    values = sigma.values if isinstance(sigma, CoarseSigma) else sigma
    maps = np.broadcast_to(values, (len(pictures), *values.shape[-2:]))
    for picture, part, target in zip(pictures, maps, results, strict=True):
        grid = replace(sigma, values=part) if isinstance(sigma, CoarseSigma) else part
        if name == "c":
            native.smooth(picture, grid, largest, target, threads=threads)
            continue
        full = grid.materialise(*picture.shape[:2]) if isinstance(grid, CoarseSigma) else grid
        smooth = opencv.smooth if name == "opencv" else reference.smooth
        smooth(picture, full, target)


def _status(name: str) -> str:
    if name == "c":
        return native.status()
    return cuda.status() if name == "cuda" else "available"


def _chosen(backend: str) -> str:
    if backend == "auto":
        return default_backend()
    if backend not in _BACKENDS:
        raise KernelError(f"backend is {backend!r}; pass one of {', '.join(('auto', *_BACKENDS))}")
    status = _status(backend)
    if status != "available":
        raise KernelError(f"backend {backend!r} is {status}; or pass 'auto'")
    return backend
