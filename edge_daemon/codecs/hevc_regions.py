"""A quantiser map as the regions of interest that FFmpeg hands to x265.

FFmpeg attaches regions to a frame by filters, one for each, and fills x265's table of offsets from
them; where regions overlap, the one attached first wins. So they are painted from the front: first
where the offset is least, then where it is at most the next higher one, and so on, the whole
picture last. Painted in this way, the rings of a map that falls off smoothly stay few rectangles.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.filter import Graph, filters_available
from numpy.typing import NDArray

from edge_daemon.quantiser import QuantiserMap

MOST_REGIONS = 256
"""A region costs about 10 microseconds. A finer map is given in larger blocks."""

_FILTER = "addroi"
_QP_RANGE = 51  # FFmpeg counts offsets as shares of it
_TIME_BASE = Fraction(1, 25)


class Region(NamedTuple):
    """A rectangle in pixels, and its offset in whole steps."""

    x: int
    y: int
    width: int
    height: int
    offset: int


def regions_possible() -> bool:
    """Whether this build of FFmpeg has the filter."""
    return _FILTER in filters_available


def regions_of(
    offsets: QuantiserMap, size: tuple[int, int], padded_size: tuple[int, int], block: int
) -> list[Region]:
    """The regions of a picture, those in front first; none if every offset is below one step.

    x265's QPs are whole numbers, so offsets are rounded down: nowhere is coarser than asked for.
    For the same reason a block has the least offset of the map's cells that it touches, and blocks
    double in size until the regions are at most `MOST_REGIONS`.

    Args:
        offsets: The map of the picture without its padding.
        size: Height and width without padding, in pixels.
        padded_size: Height and width as encoded; the padding takes the last block's offset.
        block: Least side of a block in pixels.
    """
    while True:
        regions = _painted(offsets, size, padded_size, block)
        if len(regions) <= MOST_REGIONS:
            return regions
        block *= 2


def with_regions(frame: av.VideoFrame, regions: list[Region]) -> av.VideoFrame:
    """The frame with regions attached; pixels are shared, not copied."""
    graph = Graph()
    graph.threads = 1  # no filter here works on pixels
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=_TIME_BASE
    )
    for x, y, width, height, offset in regions:
        filtered = graph.add(_FILTER, f"{x}:{y}:{width}:{height}:{offset}/{_QP_RANGE}")
        last.link_to(filtered)
        last = filtered
    last.link_to(graph.add("buffersink"))
    graph.configure()
    frame.time_base, frame.pts = _TIME_BASE, 0
    graph.vpush(frame)
    return graph.vpull()


def _painted(
    offsets: QuantiserMap, size: tuple[int, int], padded_size: tuple[int, int], block: int
) -> list[Region]:
    steps = np.floor(offsets.blocks(*size, block)).astype(np.int64)
    if not steps.any():
        return []
    levels = [int(level) for level in np.unique(steps)]
    rows, columns = (-(-side // block) for side in padded_size)
    padding = ((0, rows - steps.shape[0]), (0, columns - steps.shape[1]))
    steps = np.pad(steps, padding, mode="edge")
    front = [
        Region(x * block, y * block, width * block, height * block, level)
        for level in levels[:-1]
        for x, y, width, height in _rectangles(steps <= level)
    ]
    return [*front, Region(0, 0, padded_size[1], padded_size[0], levels[-1])]


def _rectangles(inside: NDArray[np.bool_]) -> list[list[int]]:
    """Disjoint rectangles [x, y, width, height] that cover what is inside.

    Each is a run of blocks that is the same in consecutive rows.
    """
    steps = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(steps == 1)
    end = np.nonzero(steps == -1)[1]
    order = np.lexsort((row, end, start))
    row, start, end = row[order], start[order], end[order]
    goes_on = (np.diff(start) == 0) & (np.diff(end) == 0) & (np.diff(row) == 1)
    first = np.flatnonzero(np.concatenate([[True], ~goes_on]))
    heights = np.diff(np.append(first, len(row)))
    return np.stack([start[first], row[first], (end - start)[first], heights], axis=1).tolist()
