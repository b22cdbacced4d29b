"""The OpenCV backend: slower, approximate, and there on every machine.

Several Gaussian levels of the image are computed; each pixel is a mixture of the two levels whose
sigmas enclose its own. Two Gaussians of similar sigma, mixed to a given variance, have nearly the
shape of the Gaussian of that variance. The image is worked off in bands of rows, which bounds the
memory and skips the levels that a band has no use for.
"""

from __future__ import annotations

import functools
import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kernels.definition import KEEP_SIGMA, MAX_SIGMA, radius_of

_BAND_ROWS = 256
_RATIO = 1.25  # between the sigmas of neighbouring levels, at most
_STEPS = 256  # of sigma per pixel, in the table of variances


def smooth(image: NDArray[np.uint8], sigma: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Smooth one image `(H, W, C)` with a full-size map `(H, W)` into `out`."""
    height = image.shape[0]
    for top in range(0, height, _BAND_ROWS):
        rows = slice(top, min(top + _BAND_ROWS, height))
        _smooth_band(image, np.maximum(sigma[rows], np.float32(KEEP_SIGMA)), rows, out[rows])


def _smooth_band(
    image: NDArray[np.uint8],
    sigma: NDArray[np.float32],
    rows: slice,
    out: NDArray[np.uint8],
) -> None:
    """One band into `out`; `sigma` is the band's part of the map, raised to KEEP_SIGMA."""
    level = functools.lru_cache(maxsize=2)(functools.partial(_level, image, rows))
    nodes = _nodes(float(sigma.min()), float(sigma.max()))
    variance = _effective_variance(sigma)
    result = np.copy(level(nodes[0]))
    for low, high in itertools.pairwise(nodes):
        here = (sigma > low) & (sigma <= high)
        if not here.any():
            continue
        ends = _effective_variance(np.array([low, high], np.float32))
        share = np.clip((variance - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)
        mixed = cv2.blendLinear(level(low), level(high), 1.0 - share, share)
        cv2.copyTo(mixed, here.view(np.uint8), result)
    out[...] = (result + 0.5).astype(np.uint8)


def _nodes(low: float, high: float) -> list[float]:
    """The levels' sigmas: `low`, `high` and as many between as `_RATIO` asks for."""
    steps = math.ceil(math.log(high / low) / math.log(_RATIO))
    return [low, *(low * (high / low) ** (i / steps) for i in range(1, steps)), high][: steps + 1]


def _level(image: NDArray[np.uint8], rows: slice, sigma: float) -> NDArray[np.float32]:
    """Some rows of the image under one Gaussian, float32 `(rows, W, C)`.

    In floats, because OpenCV's 8-bit filters round their weights to 1/256: a wide Gaussian is then
    wrong by several levels.
    """
    radius = radius_of(sigma)
    top = max(rows.start - radius, 0)
    source = np.ascontiguousarray(image[top : rows.stop + radius])
    weights = cv2.getGaussianKernel(2 * radius + 1, sigma, cv2.CV_32F)
    blurred = cv2.sepFilter2D(
        source, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT_101
    )
    band = np.asarray(blurred, np.float32).reshape(source.shape)
    return band[rows.start - top : rows.stop - top]


def _effective_variance(sigma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The variance of the sampled, truncated Gaussian; for small sigma not at all its square."""
    return np.take(_variance_table(), (sigma * _STEPS + 0.5).astype(np.int32))


@functools.cache
def _variance_table() -> NDArray[np.float32]:
    sigma = np.arange(round(MAX_SIGMA * _STEPS) + 1) / _STEPS
    radius = np.ceil(3.0 * sigma).astype(np.int32)
    table = np.zeros(len(sigma), np.float32)
    for r in range(1, int(radius.max()) + 1):
        squares = np.arange(-r, r + 1) ** 2
        weights = np.exp(-0.5 * squares / sigma[radius == r, None] ** 2)
        table[radius == r] = weights @ squares / weights.sum(axis=1)
    return table
