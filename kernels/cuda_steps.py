"""Device code for the steps in which a block of threads smooths a tile; see `kernels.cuda_tile`.

Every thread of the block calls a step, with the same arguments but for its own number; between two
steps lies a barrier. `near` and `out` are memory of the thread's own to work in: all loops over
them have constant lengths, so the compiler unrolls them, and what looks like an array in memory
becomes registers.

Filtering is a balance between two units of the processor: loads from shared memory (32 lanes a
cycle) and arithmetic (128). A sample filtered by itself would take 13 loads and about as many
operations, and wait for the loads. So a thread filters a *run* of samples at a time and keeps what
the run reads in registers: 16 loads for 4 samples, not 52.

Shared memory has 32 banks; lanes of a warp that address different words of one bank wait for one
another. Down a column, the lanes lie side by side in a row: no conflict. Across, the lanes lie one
below the other: none either, because the strides of rows are odd.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kernels import scales
from kernels.cuda_dialect import F32, U32, WARP, device
from kernels.scales import MAX_RADIUS

TILE = 32  # pixels on a side
OWNED = 8  # rows of the tile to a thread
RUN = 4  # samples that a thread filters at a time
SHORT, LONG = 3, MAX_RADIUS
"""The radii that filters are compiled for: each scale takes the shorter one if that will do."""
NEAR = RUN + 2 * LONG  # what `near` must hold


def _regions() -> tuple[list[int], list[int]]:
    """The part of each level that a tile is expanded from: its first pixel and its side.

    Pixel x is expanded from the pixels (x >> 1) - 1 to (x >> 1) + 1 of the level above. The first
    is counted from where the tile's corner lies on the level, 32 i >> level, which is even below
    the fifth level; so the regions of all tiles are alike.
    """
    firsts, sides = [0], [TILE]
    for _ in range(scales.ladder()[-1].level):
        first, last = firsts[-1], firsts[-1] + sides[-1] - 1
        firsts.append((first >> 1) - 1)
        sides.append((last >> 1) + 2 - firsts[-1])
    return firsts, sides


FIRST: Any = np.array(_regions()[0], np.int32)
SIDE: Any = np.array(_regions()[1], np.int32)
WINDOW_SIDE = TILE + 2 * LONG
SPARE_ROW = int(SIDE[1]) + 2 * LONG  # the first row of the window that no level's window takes


def threads_of(channels: int) -> int:
    """Threads of a block."""
    return TILE * channels * (TILE // OWNED)


def window_stride(channels: int) -> int:
    """Floats from row to row of the window."""
    return WINDOW_SIDE * channels | 1


def row_stride(channels: int) -> int:
    """Floats from row to row of what has been filtered or expanded across."""
    return TILE * channels | 1


def spare_stride(channels: int) -> int:
    """Floats from row to row of a level that has been filtered or expanded both ways."""
    return int(SIDE[1]) * channels | 1


# --------------------------------------------------------------------------- filtering


@functools.cache
def _filter_run(radius: int) -> Any:
    reach = RUN + 2 * radius

    @device
    def filter_run(source: Any, start: Any, step: Any, taps: Any, near: Any, out: Any) -> None:
        """`out[i]` from `2 * radius + 1` samples `step` apart, the first at `start + i * step`."""
        for i in range(reach):
            near[i] = source[start + i * step]
        for i in range(RUN):
            total = taps[0] * near[i + radius]
            for k in range(1, radius + 1):
                total += taps[k] * (near[i + radius - k] + near[i + radius + k])
            out[i] = total

    return filter_run


@functools.cache
def _filter_runs(channels: int, radius: int) -> tuple[Any, Any, Any]:
    """The three steps that follow, for filters of one radius."""
    filter_run, threads = _filter_run(radius), threads_of(channels)
    source_stride, stride = window_stride(channels), row_stride(channels)
    target_stride = spare_stride(channels)

    @device
    def across(
        thread: Any, window: Any, rows: Any, side: Any, taps: Any, near: Any, out: Any
    ) -> None:
        lines, runs = U32(side + 2 * radius), (side + RUN - 1) // RUN
        for task in range(thread, lines * runs * channels, threads):
            line, rest = U32(U32(task) % lines), U32(U32(task) // lines)  # lanes: lines
            channel, first = rest % channels, rest // channels * RUN
            row = line + LONG - radius
            start = U32(row * source_stride + (first + LONG - radius) * channels + channel)
            filter_run(window, start, channels, taps, near, out)
            at = U32(row * stride + first * channels + channel)
            for i in range(RUN):
                rows[at + i * channels] = out[i]

    @device
    def down(
        thread: Any, rows: Any, target: Any, begin: Any, side: Any, taps: Any, near: Any, out: Any
    ) -> None:
        samples, runs = U32(side * channels), (side + RUN - 1) // RUN
        for task in range(thread, samples * runs, threads):
            column, run = U32(U32(task) % samples), U32(U32(task) // samples)  # lanes: columns
            start = U32((run * RUN + LONG - radius) * stride + column)
            filter_run(rows, start, stride, taps, near, out)
            at = U32(begin + run * RUN * target_stride + column)
            for i in range(RUN):
                target[at + i * target_stride] = out[i]

    @device
    def owned(
        column: Any, top: Any, rows: Any, values: Any, taps: Any, near: Any, out: Any
    ) -> None:
        for run in range(OWNED // RUN):
            start = U32((top + run * RUN + LONG - radius) * stride + column)
            filter_run(rows, start, stride, taps, near, out)
            for i in range(RUN):
                values[run * RUN + i] = out[i]

    return across, down, owned


@functools.cache
def filters(channels: int) -> tuple[Any, Any, Any]:
    """The filtering steps.

    `across`: from the window to `rows`, in the `side` columns and in all rows that are needed.
    `down`: from `rows` to `side` by `side` pixels of a level at `target[begin]`.
    `owned`: from `rows` to the thread's own samples.
    """
    across_short, down_short, owned_short = _filter_runs(channels, SHORT)
    across_long, down_long, owned_long = _filter_runs(channels, LONG)

    @device
    def across(
        thread: Any, window: Any, rows: Any, side: Any, radius: Any, taps: Any, near: Any, out: Any
    ) -> None:
        if radius <= SHORT:
            across_short(thread, window, rows, side, taps, near, out)
        else:
            across_long(thread, window, rows, side, taps, near, out)

    @device
    def down(
        thread: Any,
        rows: Any,
        target: Any,
        begin: Any,
        side: Any,
        radius: Any,
        taps: Any,
        near: Any,
        out: Any,
    ) -> None:
        if radius <= SHORT:
            down_short(thread, rows, target, begin, side, taps, near, out)
        else:
            down_long(thread, rows, target, begin, side, taps, near, out)

    @device
    def owned(
        column: Any, top: Any, rows: Any, values: Any, radius: Any, taps: Any, near: Any, out: Any
    ) -> None:
        if radius <= SHORT:
            owned_short(column, top, rows, values, taps, near, out)
        else:
            owned_long(column, top, rows, values, taps, near, out)

    return across, down, owned


# --------------------------------------------------------------------------- expanding
# Expanding inserts a pixel between any two and smooths with 1 4 6 4 1 again. So a pixel that was
# there (an even one) becomes 1 6 1 of itself and its neighbours, and one between two their mean.


@device
def _expand_even(before: Any, here: Any, after: Any) -> Any:
    return F32(0.125) * (before + after) + F32(0.75) * here


@device
def _expand_odd(here: Any, after: Any) -> Any:
    return F32(0.5) * (here + after)


@functools.cache
def expansions(channels: int) -> tuple[Any, Any, Any]:
    """The expanding steps.

    `across`: from a level's region at `source[begin]` to its rows, made as wide as the level below.
    `down`: from there to the region of the level below, at `target[begin]`.
    `owned`: the same for level 1, to the thread's own samples.
    """
    warps = threads_of(channels) // WARP
    spare, stride = spare_stride(channels), row_stride(channels)

    @device
    def across(thread: Any, source: Any, begin: Any, rows: Any, level: Any) -> None:
        first, parent = FIRST[level - 1], FIRST[level]
        for row in range(thread // WARP, SIDE[level], warps):  # a warp takes a row
            for i in range(thread % WARP, SIDE[level - 1] * channels, WARP):
                x = first + U32(i) // channels
                above = ((x >> 1) - parent) * channels + U32(i) % channels
                at = U32(begin + row * spare + above)
                here, after = source[at], source[at + channels]
                # Both are computed and one is chosen, so that the lanes of a warp need not part.
                even = _expand_even(source[U32(at - channels)], here, after)
                odd = _expand_odd(here, after)
                rows[U32(row * stride + i)] = odd if x & 1 else even

    @device
    def down(thread: Any, rows: Any, target: Any, begin: Any, level: Any) -> None:
        first, parent = FIRST[level - 1], FIRST[level]
        for row in range(thread // WARP, SIDE[level - 1], warps):
            y = first + row
            for i in range(thread % WARP, SIDE[level - 1] * channels, WARP):
                at = U32(((y >> 1) - parent) * stride + i)
                here, after = rows[at], rows[at + stride]
                even = _expand_even(rows[U32(at - stride)], here, after)
                odd = _expand_odd(here, after)
                target[U32(begin + row * spare + i)] = odd if y & 1 else even

    @device
    def owned(column: Any, top: Any, rows: Any, values: Any, near: Any) -> None:
        start = U32((top // 2 - 1 - FIRST[1]) * stride + column)
        for i in range(OWNED // 2 + 2):
            near[i] = rows[start + i * stride]
        for i in range(OWNED // 2):
            values[2 * i] = _expand_even(near[i], near[i + 1], near[i + 2])
            values[2 * i + 1] = _expand_odd(near[i + 1], near[i + 2])

    return across, down, owned
