"""From relevance to what it is spent on: smoothing, the codec's own quantiser, or some of each.

Smoothing: sigma in source pixels. Three mappings, all sigma_max at r = 0 and sigma_min at r = 1:

    exponential  sigma_min (sigma_max / sigma_min)^(1 - r)
    linear       sigma_max - (sigma_max - sigma_min) r
    inverse      sigma_max sigma_min / (r (sigma_max - sigma_min) + sigma_min)

Beyond r = 1 they fall below sigma_min, the linear one below zero. The default mode clamps them.

A fourth one, "matched", goes by the codec: it takes from pixels what a quantiser that is coarser by
o steps would not have kept, and no more. See `matched_sigma`.

Quantiser: an offset in steps of which six double the quantiser's step size:

    offset_max (1 - r), and 0 beyond r = 1

so that step size falls exponentially with relevance, as the exponential sigma does.

Both: a share q of the lack of relevance, 1 - r, goes to the quantiser and the rest to smoothing.
Each formula then sees its own relevance, 1 - q (1 - r) and 1 - (1 - q)(1 - r). With q = 0 that is
smoothing alone, with q = 1 the quantiser alone. With "matched" it is the offset that is divided,
and smoothing gets what the codec's scale has no room for as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.regions import Box, distance_outside
from edge_daemon.quantiser import QuantiserMap
from edge_daemon.settings import Region
from kernels import CoarseSigma

Mapping = Literal["exponential", "linear", "inverse"]

MATCHED: Final = 0.015
"""Pixels of sigma per grey level of a quantiser's step: the Gaussian that takes about as much as
the quantiser. Of 0.01 to 0.03, tried in `docs/study.md`; all near it do as well."""

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


def matched_sigma(
    offset: NDArray[np.float64], step: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Sigma in source pixels that takes what a coarser quantiser would take, 0 for an offset of 0.

    A photograph's detail falls with its frequency, so a quantiser of step D loses what lies above a
    frequency that goes with 1 / D, as a Gaussian of sigma g D does. Variances of Gaussians add up:
    from what a step D shows to what D 2^(o/6) would show it takes g D sqrt(4^(o/6) - 1).

    Args:
        offset: o, at least 0, in steps of which six double the quantiser's.
        step: D in grey levels, of the quantiser that follows.
    """
    return MATCHED * step * np.sqrt(4.0 ** (offset / 6.0) - 1.0)


def offset_of(relevance: NDArray[np.float64], *, offset_max: float) -> NDArray[np.float64]:
    """The quantiser's offset in steps, 0 to `offset_max`, for any relevance of at least 0.

    Args:
        relevance: Any shape.
        offset_max: The offset at r = 0, at least 0.
    """
    return offset_max * np.clip(1.0 - relevance, 0.0, 1.0)


def part_of(relevance: NDArray[np.float64], part: float) -> NDArray[np.float64]:
    """The relevance that one of the two currencies sees when it gets a part of the work, 0..1."""
    return 1.0 - part * (1.0 - relevance)


def finer_relevance(blocks: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """Relevance on cells finer than the blocks that it was found on, continuous between them.

    Relevance is cut off at 1 / (1/2 - margin) before it is interpolated between the blocks'
    centres. Between a block that relevant and one without relevance it is then still 1 at `margin`
    blocks beyond the border, and the fall-off takes what is left up to the other block's centre,
    however high the relevance was.

    Args:
        blocks: float64 (rows, columns), even divisions of the image.
        margin: In blocks, 0 to below 1/2.

    Returns:
        float64 (finer rows, finer columns), even divisions again, cut off as said.
    """
    rows, columns = blocks.shape
    cut = np.minimum(blocks, 1.0 / (0.5 - margin))
    return _hats(rows) @ cut @ np.transpose(_hats(columns))


def quantiser_map(
    relevance: NDArray[np.float64],
    *,
    offset_max: float,
    keep: Sequence[Region],
    mask: Sequence[Region],
) -> QuantiserMap:
    """The map for the codec, with kept regions at 0 and masked ones at `offset_max`.

    A cell that a kept region touches is kept, one that lies in a masked region altogether is
    coarsened; where the two overlap, the mask wins.

    Args:
        relevance: float64 (rows, columns), what `finer_relevance` made.
        offset_max: Steps where relevance is 0.
        keep: Regions that stay at the codec's quality.
        mask: Regions that are worth nothing.
    """
    values = offset_of(relevance, offset_max=offset_max).astype(np.float32)
    rows, columns = values.shape
    for region in keep:
        bottom, right = region.y + region.height, region.x + region.width
        values[
            math.floor(region.y * rows) : math.ceil(bottom * rows),
            math.floor(region.x * columns) : math.ceil(right * columns),
        ] = 0.0
    for region in mask:
        bottom, right = region.y + region.height, region.x + region.width
        values[
            math.ceil(region.y * rows) : math.floor(bottom * rows),
            math.ceil(region.x * columns) : math.floor(right * columns),
        ] = offset_max
    return QuantiserMap(values)


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
