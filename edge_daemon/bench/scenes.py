"""What the kernels are measured on: one picture, four maps of sigma."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

import kernels

SIGMAS = (8.0, 16.0)
"""Largest sigma of the maps, in pixels."""


@dataclass(frozen=True)
class Case:
    """One map to smooth a picture with.

    Attributes:
        name: For tables.
        largest: Its largest sigma in pixels.
        sigma: As the kernel gets it.
        full: float32 `(H, W)`, the same at full size.
    """

    name: str
    largest: float
    sigma: NDArray[np.float32] | kernels.CoarseSigma
    full: NDArray[np.float32]


def scene(width: int, height: int) -> NDArray[np.uint8]:
    """A picture with the statistics of a photograph: falling spectrum, hard-edged objects."""
    generator = np.random.default_rng(1)
    canvas = np.zeros((height, width, 3), np.float32)
    cells, strength = 2, 60.0
    while cells < width:
        rows = max(cells * height // width, 1) + 1
        octave = generator.normal(0, strength, (rows, cells + 1, 3)).astype(np.float32)
        canvas += cv2.resize(octave, (width, height), interpolation=cv2.INTER_LINEAR)
        cells, strength = cells * 2, strength * 0.6
    pixels = np.clip(canvas + 120.0, 0, 255).astype(np.uint8)
    for _ in range(60):
        x, y = int(generator.integers(width)), int(generator.integers(height))
        colour = tuple(int(c) for c in generator.integers(0, 256, 3))
        cv2.circle(pixels, (x, y), int(generator.integers(10, max(height // 8, 11))), colour, -1)
        cv2.putText(pixels, "edge", (y, x % height), cv2.FONT_HERSHEY_SIMPLEX, 2.0, colour, 3)
    return pixels


def cases(width: int, height: int) -> Iterator[Case]:
    """The maps of the table."""
    for largest in SIGMAS:
        yield smooth_case(width, height, largest)
        yield two_level_case(width, height, largest)


def smooth_case(width: int, height: int, largest: float) -> Case:
    """A coarse relevance map as the prefilter makes it: mostly soft, some of it sharp."""
    shape = max(height // 120, 2), max(width // 120, 2)
    cells = np.random.default_rng(2).random(shape).astype(np.float32)
    cells = cv2.GaussianBlur(cells, (3, 3), 0.8)
    cells = (cells - cells.min()) / (cells.max() - cells.min())
    values = np.asarray(largest * (1.0 - cells) ** 1.5, np.float32)
    coarse = kernels.CoarseSigma.covering(values, height, width)
    return Case(f"smooth, max {largest:g}", largest, coarse, coarse.materialise(height, width))


def two_level_case(width: int, height: int, largest: float) -> Case:
    """A sharp rectangle of 16 % of the image, with hard edges."""
    full = np.full((height, width), largest, np.float32)
    top, left = height * 3 // 10, width * 3 // 10
    full[top : top + height * 4 // 10, left : left + width * 4 // 10] = 0.0
    return Case(f"16 % sharp, rest {largest:g}", largest, full, full)
