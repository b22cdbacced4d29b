"""The last stage: relevance of blocks spent on pixels and offsets, in either mode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_daemon.prefilter.allocation import (
    finer_relevance,
    matched_sigma,
    offset_of,
    part_of,
    quantiser_map,
    sigma_of,
    with_regions,
)
from edge_daemon.prefilter.plan import Plan, Spending
from edge_daemon.prefilter.reference import blur_blocks
from edge_daemon.prefilter.regions import boxes_of
from edge_daemon.prefilter.tiling import stretched_canvas
from edge_daemon.quantiser import QuantiserMap
from kernels import KEEP_SIGMA, CoarseSigma, varying_gaussian

Gaussian = Callable[[NDArray[np.uint8], NDArray[np.float32] | CoarseSigma], NDArray[np.uint8]]
"""`varying_gaussian`, or what does the same elsewhere."""

SAMPLES: Final = 256
"""Most samples of the sigma map along an axis, for the report."""


_RELEVANT: Final = 0.95
"""Relevance from which on a place counts as left alone: just under the mean, so that a picture
whose tiles all score alike counts as relevant everywhere."""


@dataclass(frozen=True)
class Smoothed:
    """The filtered pixels and what became of the relevance."""

    pixels: NDArray[np.uint8]
    """uint8 (H, W, 3), never the caller's own array."""
    relevance_map: NDArray[np.float32]
    """(block rows, block columns)."""
    sigma_map: NDArray[np.float32]
    """Sigma in source pixels at `SAMPLES` x `SAMPLES` evenly spread pixels at most."""
    sigma_bounds: tuple[float, float]
    """Least and largest sigma of the whole map."""
    offsets: QuantiserMap | None = None
    """For the codec; `None` if relevance is spent on pixels alone."""

    @property
    def kept_share(self) -> float:
        """Share of pixels with a sigma that leaves them bit-exact, by the samples."""
        return float(np.mean(self.sigma_map <= KEEP_SIGMA))


def whole_share(blocks: NDArray[np.float64], margin: float) -> float:
    """The share of a picture that is relevant enough to be left as it is, 0..1."""
    return float(np.mean(finer_relevance(blocks, margin) >= _RELEVANT))


def smooth_picture(
    image: NDArray[np.uint8],
    blocks: NDArray[np.float64],
    plan: Plan,
    gaussian: Gaussian = varying_gaussian,
) -> Smoothed:
    """A picture that was scored: filtered in the plan's mode, or as it is, by rule.

    Args:
        image: uint8 (H, W, 3), masked regions veiled already; not written to.
        blocks: Relevance, float64 (block rows, block columns).
        plan: Of the picture.
        gaussian: What smooths in default mode.
    """
    if plan.skipped is not None:
        return untouched(image, plan)
    if plan.spending.mode == "reference":
        return smooth_blocks(image, blocks, plan)
    return spend(image, blocks, plan, gaussian)


def spend(
    image: NDArray[np.uint8],
    blocks: NDArray[np.float64],
    plan: Plan,
    gaussian: Gaussian = varying_gaussian,
) -> Smoothed:
    """Default mode: smoothed source pixels, offsets for the codec, or both."""
    spending = plan.spending
    if spending.share == 0.0:
        return smooth_continuously(image, blocks, plan, gaussian)
    relevance = finer_relevance(blocks, spending.margin)
    offsets = quantiser_map(
        part_of(relevance, spending.share),
        offset_max=spending.offset_max,
        keep=spending.keep,
        mask=spending.mask,
    )
    if _quantiser_does_all(spending):
        spent = untouched(image, plan)
    else:
        spent = smooth_continuously(image, blocks, plan, gaussian)
    return replace(spent, relevance_map=blocks.astype(np.float32), offsets=offsets)


def _quantiser_does_all(spending: Spending) -> bool:
    room = spending.mapping != "matched" or spending.offset_max <= spending.quantiser.room
    return spending.share == 1.0 and room


def sigma_for(relevance: NDArray[np.float64], spending: Spending) -> NDArray[np.float64]:
    """Sigma in source pixels for any relevance of at least 0, within the spending's bounds."""
    if spending.mapping == "matched":
        offset = offset_of(relevance, offset_max=spending.offset_max)
        coded = np.minimum(spending.share * offset, spending.quantiser.room)
        step = spending.quantiser.step * 2.0 ** (coded / 6.0)
        sigma = matched_sigma(offset - coded, step)
    else:
        sigma = sigma_of(
            part_of(relevance, 1.0 - spending.share),
            sigma_min=spending.sigma_min,
            sigma_max=spending.sigma_max,
            mapping=spending.mapping,
        )
    return np.clip(sigma, spending.sigma_min, spending.sigma_max)


def smooth_continuously(
    image: NDArray[np.uint8], blocks: NDArray[np.float64], plan: Plan, gaussian: Gaussian
) -> Smoothed:
    """Source pixels under a sigma map without seams."""
    spending, height, width = plan.spending, plan.height, plan.width
    values = sigma_for(finer_relevance(blocks, spending.margin), spending).astype(np.float32)
    sigma = CoarseSigma.covering(values, height, width)
    rows, columns = min(height, SAMPLES), min(width, SAMPLES)
    if spending.keep or spending.mask:
        full = with_regions(
            sigma,
            height,
            width,
            keep=boxes_of(spending.keep, height, width),
            mask=boxes_of(spending.mask, height, width),
            sigma_max=float(sigma_for(np.zeros(1), spending)[0]),
        )
        sampled = full[np.ix_(_spread(rows, height), _spread(columns, width))]
        pixels = gaussian(image, full)
        bounds = (float(full.min()), float(full.max()))
    else:
        sampled = CoarseSigma.covering(sigma.values, rows, columns).materialise(rows, columns)
        pixels = gaussian(image, sigma)
        bounds = (float(values.min()), float(values.max()))
    return Smoothed(pixels, blocks.astype(np.float32), sampled, bounds)


def smooth_blocks(image: NDArray[np.uint8], blocks: NDArray[np.float64], plan: Plan) -> Smoothed:
    """Reference mode: canvas pixels, block by block, relevance not clamped.

    The report's sigma is the nominal one in pixels of the canvas.
    """
    spending = plan.spending
    assert plan.grid is not None
    assert spending.mapping != "matched"  # refused by `Spending.of`
    nominal = sigma_of(
        blocks,
        sigma_min=spending.sigma_min,
        sigma_max=spending.sigma_max,
        mapping=spending.mapping,
    )
    pixels = blur_blocks(stretched_canvas(image, plan.grid), nominal)
    shown = np.maximum(nominal, 0.0).astype(np.float32)
    rows, columns = min(plan.height, SAMPLES), min(plan.width, SAMPLES)
    sampled = shown[np.ix_(_spread(rows, blocks.shape[0]), _spread(columns, blocks.shape[1]))]
    _mark_masks(sampled, plan)
    bounds = (float(shown.min()), float(shown.max()))
    return Smoothed(pixels, blocks.astype(np.float32), sampled, bounds)


def untouched(image: NDArray[np.uint8], plan: Plan) -> Smoothed:
    """Every pixel as it is, masked regions veiled already."""
    zeros = np.zeros((min(plan.height, SAMPLES), min(plan.width, SAMPLES)), np.float32)
    _mark_masks(zeros, plan)
    return Smoothed(np.array(image), np.ones((1, 1), np.float32), zeros, (0.0, float(zeros.max())))


def _mark_masks(sampled: NDArray[np.float32], plan: Plan) -> None:
    """Show masked regions as softened most, where no sigma map says it."""
    for x, y, width, height in boxes_of(plan.spending.mask, *sampled.shape):
        sampled[y : y + height, x : x + width] = plan.spending.sigma_max


def _spread(samples: int, length: int) -> NDArray[np.intp]:
    """Indices of evenly spread samples."""
    return ((np.arange(samples) + 0.5) * (length / samples)).astype(np.intp)
