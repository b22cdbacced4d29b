"""A sigma map of few cells, laid over an image of many pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class AxisMap:
    """Where a pixel falls on one axis of a coarse map: `scale * pixel + offset`, in map cells.

    Pixel and cell coordinates are those of centres: 0 is the centre of the first.
    """

    scale: float
    offset: float

    @classmethod
    def covering(cls, pixels: int, cells: int) -> AxisMap:
        """The map whose cells divide the axis evenly, edge to edge, as `cv2.resize` does."""
        scale = cells / pixels
        return cls(scale, 0.5 * scale - 0.5)


@dataclass(frozen=True)
class CoarseSigma:
    """Sigma on a coarse grid; between the cells' centres it is bilinear, beyond them constant.

    Args:
        values: float32 `(h, w)`, or `(B, h, w)` for a batch of images; sigma in source pixels.
        y: Where an image row falls among the map's rows.
        x: Where an image column falls among the map's columns.
    """

    values: NDArray[np.float32]
    y: AxisMap
    x: AxisMap

    @classmethod
    def covering(cls, values: NDArray[np.float32], height: int, width: int) -> CoarseSigma:
        """Lay `values` evenly over an image of `height` times `width` pixels."""
        rows, columns = values.shape[-2:]
        return cls(values, AxisMap.covering(height, rows), AxisMap.covering(width, columns))

    def materialise(self, height: int, width: int) -> NDArray[np.float32]:
        """The full-size map, float32 `(height, width)`, or `(B, height, width)`.

        It is what the kernels mean by this object; the C backend evaluates it row by row instead.
        """
        rows, columns = self.values.shape[-2:]
        upper, lower, down = _cells(self.y, height, rows)
        left, right, across = _cells(self.x, width, columns)
        wide = _blend(self.values[..., left], self.values[..., right], across)
        return _blend(wide[..., upper, :], wide[..., lower, :], down[:, None])


def _cells(
    axis: AxisMap, pixels: int, cells: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """The two cells that each pixel lies between, and how far it lies towards the second."""
    at = np.clip(axis.scale * np.arange(pixels, dtype=np.float64) + axis.offset, 0.0, cells - 1.0)
    first = np.floor(at).astype(np.intp)
    return first, np.minimum(first + 1, cells - 1), (at - first).astype(np.float32)


def _blend(
    first: NDArray[np.float32], second: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.add(first, (second - first) * share, dtype=np.float32)
