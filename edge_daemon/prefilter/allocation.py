"""From relevance to smoothing: sigma in source pixels.

Three mappings, all sigma_max at r = 0 and sigma_min at r = 1:

    exponential  sigma_min (sigma_max / sigma_min)^(1 - r)
    linear       sigma_max - (sigma_max - sigma_min) r
    inverse      sigma_max sigma_min / (r (sigma_max - sigma_min) + sigma_min)

Beyond r = 1 they fall below sigma_min, the linear one below zero. The default mode clamps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.regions import Box, distance_outside
from kernels import CoarseSigma

Mapping = Literal["exponential", "linear", "inverse"]

_CAP: Final = 2.0
"""Relevance is cut off here before it is interpolated. Half way between the centres of a relevant
block and of one without relevance, at the relevant one's border, it is then still 1: the block is
sharp up to its border, and the fall-off is half a block wide however high the relevance was."""

_FINER: Final = 8
"""Cells of the sigma map per block, along each axis. Relevance is interpolated between the blocks'
centres and mapped per cell, sigma is interpolated between cells: continuous, without seams."""

_FALL_OFF: Final = 0.05
"""Width of the transition around a kept region, as a share of the image's shorter side."""
_LEAST_FALL_OFF: Final = 16.0


def sigma_of(
    relevance: NDArray[np.float64], *, sigma_min: float, sigma_max: float, mapping: Mapping
) -> NDArray[np.float64]:
    """Sigma in source pixels for any relevance of at least 0, not clamped.

    Args:
        relevance: Any shape.
        sigma_min: Above 0, px.
        sigma_max: At least `sigma_min`, px.
        mapping: See the module.
    """
    if mapping == "linear":
        return sigma_max - (sigma_max - sigma_min) * relevance
    if mapping == "inverse":
        return sigma_max * sigma_min / (relevance * (sigma_max - sigma_min) + sigma_min)
    return sigma_min * (sigma_max / sigma_min) ** (1.0 - relevance)


def coarse_sigma(
    blocks: NDArray[np.float64],
    height: int,
    width: int,
    *,
    sigma_min: float,
    sigma_max: float,
    mapping: Mapping,
) -> CoarseSigma:
    """A continuous sigma map from the relevance of blocks, within sigma_min..sigma_max.

    Args:
        blocks: float64 (rows, columns), even divisions of the image.
        height: Source pixels.
        width: Source pixels.
        sigma_min: Sigma where relevance is 1 or more, px.
        sigma_max: Sigma where relevance is 0, px.
        mapping: See the module.
    """
    rows, columns = blocks.shape
    capped = np.minimum(blocks, _CAP)
    finer = np.einsum("yi,ij,xj->yx", _hats(rows), capped, _hats(columns))
    sigma = sigma_of(finer, sigma_min=sigma_min, sigma_max=sigma_max, mapping=mapping)
    values = np.clip(sigma, sigma_min, sigma_max).astype(np.float32)
    return CoarseSigma.covering(values, height, width)


def _hats(blocks: int) -> NDArray[np.float64]:
    """(blocks * _FINER, blocks): weights of linear interpolation between the blocks' centres."""
    at = (np.arange(blocks * _FINER) + 0.5) / _FINER - 0.5
    at = np.clip(at, 0.0, blocks - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(at[:, None] - np.arange(blocks)))


def with_regions(
    sigma: CoarseSigma,
    height: int,
    width: int,
    *,
    keep: Sequence[Box],
    mask: Sequence[Box],
    sigma_max: float,
) -> NDArray[np.float32]:
    """The full-size map with kept regions at 0 and masked ones at `sigma_max`.

    Sigma rises from a kept region's border in proportion to the distance, so there is no step.
    Where the two overlap, the mask wins; its border is the one place where sigma may jump.

    Returns:
        float32 (height, width), px.
    """
    full = sigma.materialise(height, width)
    fall_off = max(_LEAST_FALL_OFF, _FALL_OFF * min(height, width))
    for box in keep:
        distance = distance_outside(box, height, width)
        np.minimum(full, distance * np.float32(sigma_max / fall_off), out=full)
    for x, y, box_width, box_height in mask:
        full[y : y + box_height, x : x + box_width] = sigma_max
    return full
