"""How well relevance finds what was asked for, on scenes whose things have known boxes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.prefilter import Report
from edge_daemon.prefilter.allocation import finer_relevance
from edge_daemon.quantiser import QuantiserMap
from edge_daemon.settings import PrefilterSettings

Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""

SAMPLING = 4
"""Pixels per sample of a relevance map, along each axis."""

QUALITY = 75
"""Of the JPEG without a prefilter that others are compared with."""
_QUALITIES = range(20, 99)


@dataclass(frozen=True)
class Found:
    """Where relevance lies, for one question. Shares are 0..1.

    Attributes:
        peak: Whether the middle of the most relevant tile or window lies in the box.
        mass: Share of all relevance that lies in the box.
        ranking: Area under the ROC curve: how likely a sample in the box has more relevance than
            one outside. 0.5 is chance.
        overlap: Of the part with a relevance of 1 or more and the box: intersection over union.
        kept: Share of the box with a relevance of 1 or more.
        sharp: Share of the picture with a relevance of 1 or more.
        area: Share of the picture in the box: what chance gives for `peak` and `mass`, and what
            keeping all gives for `overlap`.
    """

    peak: float
    mass: float
    ranking: float
    overlap: float
    kept: float
    sharp: float
    area: float


def found(report: Report, box: Box) -> Found:
    """Compare the relevance map, as it is spent, with the box of what was asked for."""
    width, height = report.source_size
    size = (width // SAMPLING, height // SAMPLING)
    finer = finer_relevance(report.relevance_map.astype(np.float64), PrefilterSettings().margin)
    spent = np.asarray(cv2.resize(finer, size, interpolation=cv2.INTER_LINEAR), np.float64)
    blocks = cv2.resize(report.relevance_map, size, interpolation=cv2.INTER_NEAREST)
    left, top, across, down = (round(edge / SAMPLING) for edge in box)
    inside = np.zeros(size[::-1], np.bool_)
    inside[top : top + down, left : left + across] = True
    sharp = spent >= 1.0
    return Found(
        peak=float(_peak_inside(report, box)),
        mass=float(blocks[inside].sum() / blocks.sum()),
        ranking=_area_under_curve(spent, inside),
        overlap=float((sharp & inside).sum() / (sharp | inside).sum()),
        kept=float(sharp[inside].mean()),
        sharp=float(sharp.mean()),
        area=float(inside.mean()),
    )


def _peak_inside(report: Report, box: Box) -> bool:
    top_tile = report.top_tile()
    assert top_tile is not None
    left, top, width, height = top_tile.box
    x, y = left + width / 2, top + height / 2
    return box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]


def _area_under_curve(values: NDArray[np.floating], inside: NDArray[np.bool_]) -> float:
    """The Mann-Whitney statistic; a tie counts one half."""
    levels, places, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    of_inside = np.bincount(places[inside.ravel()], minlength=len(levels))
    of_outside = counts - of_inside
    below = np.cumsum(of_outside) - of_outside
    wins = (of_inside * (below + 0.5 * of_outside)).sum()
    return float(wins / (of_inside.sum() * of_outside.sum()))


@dataclass(frozen=True)
class Coded:
    """A picture as JPEG, as small as it gets with the box as good as in the plain one.

    Attributes:
        plain: Bytes at `QUALITY` without a prefilter.
        filtered: Bytes with it, at the lowest quality that keeps the box's PSNR; at the highest
            one if none does.
        kept: Whether one does.
    """

    plain: int
    filtered: int
    kept: bool


def coded(
    image: NDArray[np.uint8], filtered: NDArray[np.uint8], offsets: QuantiserMap | None, box: Box
) -> Coded:
    """Compare bytes at equal fidelity where it matters.

    Args:
        image: uint8 (H, W, 3), the source.
        filtered: What the prefilter made of it.
        offsets: What it wants of the codec.
        box: Where the fidelity must be equal.
    """
    plain, wanted = _at(QUALITY, image, None, image, box)
    low, high = _QUALITIES[0], _QUALITIES[-1]
    best, got = _at(high, filtered, offsets, image, box)
    if got < wanted:
        return Coded(plain, best, kept=False)
    while low < high:
        middle = (low + high) // 2
        size, got = _at(middle, filtered, offsets, image, box)
        if got >= wanted:
            high, best = middle, size
        else:
            low = middle + 1
    return Coded(plain, best, kept=True)


def _at(
    quality: int,
    pixels: NDArray[np.uint8],
    offsets: QuantiserMap | None,
    source: NDArray[np.uint8],
    box: Box,
) -> tuple[int, float]:
    """Bytes, and PSNR in the box in dB against the source."""
    codec = get_codec({"id": "jpeg", "quality": quality})
    bitstream = codec.encode(pixels, offsets)
    height, width = pixels.shape[:2]
    left, top, across, down = box
    where = slice(top, top + down), slice(left, left + across)
    decoded = codec.decode(bitstream, width=width, height=height)[where].astype(np.float64)
    square = float(((decoded - source[where]) ** 2).mean())
    return len(bitstream), 10 * math.log10(255**2 / max(square, 1e-3))


def mean_of(of: list[Found], value: Callable[[Found], float]) -> float:
    """The mean over questions."""
    return float(np.mean([value(one) for one in of]))
