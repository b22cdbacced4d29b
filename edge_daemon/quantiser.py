"""A codec's quantiser, and what it can be told of relevance: by how much to be coarser, and where.

An offset is counted in steps of which six double the quantiser's step size, as HEVC and VVC count
their QP. 0 leaves a place at the codec's own quality. The formula from relevance to offsets stands
in `edge_daemon.prefilter.allocation`, beside the one to sigma; how offsets reach a bitstream is
each codec's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_OFFSET: Final = 51.0
"""Largest offset: the whole range of HEVC's QP."""


@dataclass(frozen=True)
class Quantiser:
    """What of a codec at its quality decides how relevance is spent.

    Attributes:
        step: Size of the quantiser's step in grey levels of 0 to 255, of an orthonormal transform.
        takes_map: Whether the codec takes a `QuantiserMap`.
        room: Offset at which the codec's scale ends, if it takes a map; more has no effect.
    """

    step: float
    takes_map: bool
    room: float = MAX_OFFSET


USUAL_QUANTISER: Final = Quantiser(step=2.0 ** (28 / 6), takes_map=False)
"""Where nobody says which codec follows: the step of HEVC and VVC at their default QP of 32."""


@dataclass(frozen=True, eq=False)
class QuantiserMap:
    """Offsets of the quantiser for cells that divide a picture evenly.

    Args:
        values: float32 (rows, columns), 0 to `MAX_OFFSET` steps, at least one cell.

    Raises:
        ValueError: Not of that form, or out of range.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        values = self.values
        if values.dtype != np.float32 or values.ndim != 2 or values.size == 0:
            raise ValueError(
                f"offsets are float32 (rows, columns), not {values.dtype} {values.shape}"
            )
        if not (float(values.min()) >= 0.0 and float(values.max()) <= MAX_OFFSET):
            raise ValueError(
                f"offsets lie within 0..{MAX_OFFSET}, not {values.min()}..{values.max()}"
            )

    def blocks(self, height: int, width: int, side: int) -> NDArray[np.float32]:
        """The offset of each square block of a picture: the least of the cells that it touches.

        The least, so that nothing relevant is coarsened because it shares a block.

        Args:
            height: Of the picture, in pixels.
            width: Of the picture, in pixels.
            side: Of a block, in pixels. Blocks start at the top left; the last ones of a row or
                column may reach over the picture's edge.

        Returns:
            float32 (ceil(height / side), ceil(width / side)).
        """
        rows = _least(self.values, height, side)
        columns = _least(np.asarray(np.transpose(rows), np.float32), width, side)
        return np.ascontiguousarray(np.transpose(columns), np.float32)


def _least(values: NDArray[np.float32], length: int, side: int) -> NDArray[np.float32]:
    """The least along the first axis of the cells that each block touches."""
    cells, blocks = len(values), -(-length // side)
    starts = np.arange(blocks) * side
    ends = np.minimum(starts + side, length)  # one pixel past a block's last one
    first = starts * cells // length
    last = (ends * cells - 1) // length
    least = values[first]
    for step in range(1, int((last - first).max()) + 1):
        least = np.minimum(least, values[np.minimum(first + step, last)])
    return least
