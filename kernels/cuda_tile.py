"""Device code that smooths a tile, in numba's CUDA dialect of Python; `kernels.cuda` launches it.

One block of threads makes one tile of 32 by 32 pixels, much as the C library makes its tiles: sigma
becomes a coordinate on the ladder of scales; each scale that some pixel of the tile lies next to is
filtered; and each pixel takes as much of it as it lies near. Tiles share nothing but what they
read, so blocks need not wait for one another.

A thread *owns* one column of samples (a pixel's channel) over eight rows: 128 threads to a channel.
It keeps their coordinates and their sums in registers from beginning to end. All else passes
between threads through shared memory, with a barrier after each step (`kernels.cuda_steps`):

    window  the picture, or a level of the pyramid, under the tile and 6 pixels around it
    rows    the window filtered across; later, a level expanded across
    spare   behind a level's window: the level filtered both ways, then expanded level by level

A barrier must be reached by all threads of a block or by none. So whether a scale is skipped hangs
on flags in shared memory, which all threads read alike, and never on a thread's own pixels.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from kernels import cuda_steps as steps
from kernels import scales
from kernels.cuda_dialect import F32, I32, U8, U32, WARP, cuda, device, kernel
from kernels.cuda_pyramid import UNIT, margin_of, reflect, side_of
from kernels.cuda_steps import FIRST, LONG, NEAR, OWNED, RUN, SIDE, TILE, WINDOW_SIDE
from kernels.definition import KEEP_SIGMA
from kernels.scales import MAX_RADIUS, PER_OCTAVE

_LADDER = scales.ladder()
COUNT = len(_LADDER)
ON_PICTURE = sum(scale.level == 0 for scale in _LADDER)
FLAGS = COUNT + 1  # a pixel on the last scale may name the one after it
TAP_COUNT = MAX_RADIUS + 1
# Constant memory on the device: one read serves all lanes that ask for the same place, as here.
LEVEL: Any = np.array([scale.level for scale in _LADDER], np.int32)
RADIUS: Any = np.array([len(scale.taps) - 1 for scale in _LADDER], np.int32)
BEND: Any = np.array([scale.bend for scale in _LADDER], np.float32)
TAPS: Any = np.array(
    [np.pad(s.taps, (0, MAX_RADIUS + 1 - len(s.taps))) for s in _LADDER], np.float32
)


# --------------------------------------------------------------------------- sigma


@device
def coordinate_of(sigma: Any, top: Any) -> Any:
    """Where sigma lies on the ladder, from 0 to `top`; 0 also for NaN and for what is negative."""
    if sigma > F32(KEEP_SIGMA):
        return min(F32(PER_OCTAVE) * math.log2(sigma * F32(1.0 / KEEP_SIGMA)), top)
    return F32(0)


@device
def share_of(coordinate: Any, k: Any, bend_below: Any, bend_above: Any) -> Any:
    """The share of scale k in a pixel's mixture: 1 at the scale, 0 at its neighbours and beyond.

    Between two scales their shares add up to one: `scales.Scale.bend`, seen from either side.
    """
    distance = coordinate - F32(k)
    bend = bend_below if distance < F32(0) else -bend_above
    near = max(F32(1) - abs(distance), F32(0))
    return near + bend * near * (F32(1) - near)


@device
def _full_sigma(maps: Any, image: Any, y: Any, x: Any, axes: Any) -> Any:
    return maps[U32(min(image, maps.shape[0] - 1)), U32(y), U32(x)]


@device
def _place(pixel: Any, scale: Any, offset: Any, cells: Any) -> Any:
    """The cell at or before a pixel, and how far the pixel lies towards the next.

    In float32, good to about a hundred-thousandth of a cell among a hundred.
    """
    at = scale * F32(pixel) + offset
    if not at > F32(0):
        return I32(0), F32(0)
    if at >= F32(cells - 1):
        return I32(cells - 1), F32(0)
    cell = I32(at)
    return cell, at - F32(cell)


@device
def _coarse_sigma(maps: Any, image: Any, y: Any, x: Any, axes: Any) -> Any:
    """Bilinear between the cells; `axes` holds scale and offset down, then across."""
    down, share_down = _place(y, axes[0], axes[1], maps.shape[1])
    across, share_across = _place(x, axes[2], axes[3], maps.shape[2])
    number, left = U32(min(image, maps.shape[0] - 1)), U32(across)
    above, right = U32(down), U32(min(across + 1, maps.shape[2] - 1))
    below = U32(min(down + 1, maps.shape[1] - 1))
    upper, lower = maps[number, above, left], maps[number, below, left]
    upper += (maps[number, above, right] - upper) * share_across
    lower += (maps[number, below, right] - lower) * share_across
    return upper + (lower - upper) * share_down


# --------------------------------------------------------------------------- the window


@functools.cache
def _read_picture(channels: int) -> Any:
    warps, stride = steps.threads_of(channels) // WARP, steps.window_stride(channels)

    @device
    def read_picture(
        thread: Any, source: Any, image: Any, top: Any, left: Any, window: Any
    ) -> None:
        """The picture's pixels under the tile and `LONG` around it, reflected at its borders."""
        height, width = source.shape[1], source.shape[2] // channels
        for row in range(thread // WARP, WINDOW_SIDE, warps):  # a warp takes a row
            y = U32(reflect(top - LONG + row, height))
            for i in range(thread % WARP, WINDOW_SIDE * channels, WARP):
                x = reflect(left - LONG + U32(i) // channels, width)
                sample = U32(x * channels + U32(i) % channels)
                window[U32(row * stride + i)] = F32(source[U32(image), y, sample])

    return read_picture


@functools.cache
def _read_level(channels: int) -> Any:
    warps, stride = steps.threads_of(channels) // WARP, steps.window_stride(channels)

    @device
    def read_level(
        thread: Any,
        pyramid: Any,
        begin: Any,
        image: Any,
        height: Any,
        width: Any,
        levels: Any,
        level: Any,
        top: Any,
        left: Any,
        window: Any,
    ) -> None:
        """The samples of a level, which begins at `begin`, under the tile and `LONG` around it.

        A tile that reaches beyond the picture may reach beyond the level's margin, too. What it
        reads there is of no use to it; the access must be sound.
        """
        rows, columns = side_of(height, level, levels), side_of(width, level, levels)
        margin = margin_of(level, levels) - LONG + FIRST[level]
        begin += image * rows * columns * channels
        y0, x0, side = (top >> level) + margin, (left >> level) + margin, SIDE[level] + 2 * LONG
        for row in range(thread // WARP, side, warps):
            y = min(y0 + row, rows - 1)
            for i in range(thread % WARP, side * channels, WARP):
                x = min(x0 + U32(i) // channels, columns - 1)
                at = begin + (y * columns + x) * channels + U32(i) % channels
                window[U32(row * stride + i)] = F32(pyramid[at]) * F32(1.0 / UNIT)

    return read_level


# --------------------------------------------------------------------------- owned samples


@device
def _read_taps(k: Any, taps: Any) -> None:
    for i in range(TAP_COUNT):
        taps[i] = TAPS[k, i]


@device
def _read_owned(source: Any, image: Any, y: Any, sample: Any, values: Any) -> None:
    for i in range(OWNED):
        values[i] = F32(source[U32(image), U32(min(y + i, source.shape[1] - 1)), sample])


@device
def _mix(coordinates: Any, k: Any, values: Any, sums: Any) -> None:
    """Add scale k to the thread's mixtures."""
    for i in range(OWNED):
        sums[i] += share_of(coordinates[i], k, BEND[max(k - 1, 0)], BEND[k]) * values[i]


@device
def _write_owned(sums: Any, target: Any, image: Any, y: Any, sample: Any) -> None:
    """Rounded half up; weights below zero may have carried a sample beyond black or white."""
    for i in range(OWNED):
        if y + i < target.shape[1]:
            value = min(max(sums[i] + F32(0.5), F32(0)), F32(255))
            target[U32(image), U32(y + i), sample] = U8(value)


# --------------------------------------------------------------------------- the tile


@functools.cache
def tile_kernel(channels: int, *, coarse: bool) -> Any:  # noqa: PLR0915 - one kernel
    """The kernel that smooths every tile of every image.

    Grid: (tiles of an image, row by row; images); `steps.threads_of(channels)` threads to a block.
    Arguments: the images and the results, uint8 `(images, rows, samples)`; the maps, float32
    `(1 or images, rows, columns)`; for coarse maps scale and offset, first down, then across; the
    pyramid, its levels, where each begins; the last scale that it carries.
    """
    threads, samples = steps.threads_of(channels), TILE * channels
    rows_size = WINDOW_SIDE * steps.row_stride(channels)
    window_size = WINDOW_SIDE * steps.window_stride(channels)
    spare = steps.SPARE_ROW * steps.window_stride(channels)
    sigma_at = _coarse_sigma if coarse else _full_sigma
    read_picture, read_level = _read_picture(channels), _read_level(channels)
    filter_across, filter_down, filter_owned = steps.filters(channels)
    expand_across, expand_down, expand_owned = steps.expansions(channels)

    # So that two blocks of 384 threads fit on a processor; blocks of 128 have registers to spare.
    @functools.partial(kernel, registers=80 if channels == 3 else None)
    def smooth_tiles(  # noqa: PLR0912, PLR0915 - all barriers in one place
        source: Any,
        target: Any,
        maps: Any,
        axes: Any,
        pyramid: Any,
        levels: Any,
        begins: Any,
        top_scale: Any,
    ) -> None:
        window = cuda.shared.array(window_size, F32)
        rows = cuda.shared.array(rows_size, F32)
        needed = cuda.shared.array(FLAGS, I32)
        coordinates = cuda.local.array(OWNED, F32)
        values = cuda.local.array(OWNED, F32)
        sums = cuda.local.array(OWNED, F32)
        taps = cuda.local.array(TAP_COUNT, F32)
        near = cuda.local.array(NEAR, F32)
        out = cuda.local.array(RUN, F32)

        thread, image = cuda.threadIdx.x, cuda.blockIdx.y
        height, width = source.shape[1], source.shape[2] // channels
        tiles_across = U32((width + TILE - 1) // TILE)
        tile = U32(cuda.blockIdx.x)
        left, top = I32(tile % tiles_across) * TILE, I32(tile // tiles_across) * TILE
        column, first = I32(U32(thread) % samples), I32(U32(thread) // samples) * OWNED
        x, y, sample = left + column // channels, top + first, U32(left * channels + column)

        # Coordinates, and the scales that they lie between.
        for k in range(thread, FLAGS, threads):
            needed[U32(k)] = 0
        cuda.syncthreads()
        for i in range(OWNED):
            coordinates[i] = F32(0)
            sums[i] = F32(0)
            if x < width and y + i < height:
                at = coordinate_of(sigma_at(maps, image, y + i, x, axes), F32(top_scale))
                coordinates[i] = at
                needed[U32(at)] = 1  # many threads may write it, and all write the same
                if at > F32(U32(at)):
                    needed[U32(at) + 1] = 1
        cuda.syncthreads()

        # Scale 0 is the picture itself.
        if needed[0] != 0 and x < width:
            _read_owned(source, image, y, sample, values)
            _mix(coordinates, 0, values, sums)

        # Scales that are filtered on the picture.
        any_needed = 0
        for k in range(1, ON_PICTURE):
            any_needed |= needed[U32(k)]
        if any_needed != 0:
            read_picture(thread, source, image, top, left, window)
            cuda.syncthreads()
        for k in range(1, ON_PICTURE):
            if needed[U32(k)] != 0:
                _read_taps(k, taps)
                filter_across(thread, window, rows, TILE, RADIUS[k], taps, near, out)
                cuda.syncthreads()
                filter_owned(column, first, rows, values, RADIUS[k], taps, near, out)
                _mix(coordinates, k, values, sums)
                cuda.syncthreads()

        # Scales that are filtered on a level of the pyramid, and expanded from there.
        in_window = 0
        for k in range(ON_PICTURE, COUNT):
            if needed[U32(k)] != 0:
                level = LEVEL[k]
                if level != in_window:
                    in_window = level
                    begin = begins[level - 1]
                    read_level(
                        thread,
                        pyramid,
                        begin,
                        image,
                        height,
                        width,
                        levels,
                        level,
                        top,
                        left,
                        window,
                    )
                    cuda.syncthreads()
                _read_taps(k, taps)
                filter_across(thread, window, rows, SIDE[level], RADIUS[k], taps, near, out)
                cuda.syncthreads()
                filter_down(thread, rows, window, spare, SIDE[level], RADIUS[k], taps, near, out)
                cuda.syncthreads()
                for above in range(level, 1, -1):
                    expand_across(thread, window, spare, rows, above)
                    cuda.syncthreads()
                    expand_down(thread, rows, window, spare, above)
                    cuda.syncthreads()
                expand_across(thread, window, spare, rows, 1)
                cuda.syncthreads()
                expand_owned(column, first, rows, values, near)
                _mix(coordinates, k, values, sums)
                cuda.syncthreads()

        if x < width:
            _write_owned(sums, target, image, y, sample)

    return smooth_tiles
