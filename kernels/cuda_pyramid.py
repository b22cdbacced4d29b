"""Device code of the pyramid, in numba's CUDA dialect of Python; `kernels.cuda` launches it.

Each level is the one below it, smoothed with 1 4 6 4 1 and halved: pixel i of a level lies at pixel
2 i of the level below. As in the C library, a level reaches beyond the picture by as much as the
filters and the next level read there. That margin is made from the *reflected picture* like all the
rest; a level's own reflection would not be the picture's wherever a side's length is even.

All levels of all images of a batch lie in one array of int16, in 1/128 of a grey level: half the
traffic of floats, and 255 of them still fit. Arithmetic is in float32.
"""

from __future__ import annotations

import functools
from typing import Any

from kernels.cuda_dialect import F32, I16, I32, U32, cuda, device, kernel
from kernels.scales import MAX_RADIUS

UNIT = 128
"""Of a stored sample: one grey level."""

# A block makes a piece of a level: 32 pixels by 16 rows, in runs of 4 rows.
PIECE_WIDTH, PIECE_HEIGHT, RUN = 32, 16, 4
REDUCE_THREADS = 128
RANGE_THREADS = 128


# --------------------------------------------------------------------------- where samples lie
# Plain Python functions: the host calls them to size the memory, the device to find its way in it.


def level_margin(level: int, levels: int) -> int:
    """Pixels of a level beyond each side of the picture.

    The widest level has what filtering and expanding read; each level below has what reducing to
    the margin m of the next reads, 2 m + 3.
    """
    return ((MAX_RADIUS + 5) << (levels - level)) - 3


def level_side(side: int, level: int, levels: int) -> int:
    """Pixels of a level along one side of the picture, margins included."""
    return ((side - 1) >> level) + 1 + 2 * (((MAX_RADIUS + 5) << (levels - level)) - 3)


def level_start(
    images: int, height: int, width: int, channels: int, levels: int, level: int
) -> int:
    """Samples before those of a level; with `level = levels + 1`, samples of the whole pyramid.

    Levels follow one another from 1 on. Each holds its images, each image its rows.
    """
    start = 0
    for below in range(1, level):
        start += level_side(height, below, levels) * level_side(width, below, levels)
    return start * images * channels


margin_of, side_of = device(level_margin), device(level_side)


@device
def reflect(i: Any, n: Any) -> Any:
    """Reflect-101, as often as it takes: a b c d -> ... c b [a b c d] c b ..."""
    if n == 1:
        return 0
    while i < 0 or i >= n:
        i = -i if i < 0 else 2 * (n - 1) - i
    return i


# --------------------------------------------------------------------------- reducing


@device
def weigh_five(first: Any, second: Any, third: Any, fourth: Any, fifth: Any) -> Any:
    """1 4 6 4 1, of sum one."""
    return ((first + fifth) + F32(4) * (second + fourth) + F32(6) * third) * F32(0.0625)


@functools.cache
def reduce_kernel(channels: int, *, from_picture: bool) -> Any:
    """The kernel that makes a level from the level below, or from the picture.

    Grid: (pieces of the level, images); `REDUCE_THREADS` threads to a block. Arguments: the level
    below as `(images, rows, samples)`, uint8 (the picture) or int16 (a level with its margins); the
    level to make in the same form; the margin of the level to make; pieces side by side.
    """
    columns = (2 * PIECE_WIDTH + 3) * channels  # of the level below that a piece reads
    sums_size, samples = PIECE_HEIGHT * columns, PIECE_WIDTH * channels
    lines = 2 * RUN + 3  # rows of the level below that a run reads
    to_units = F32(UNIT if from_picture else 1)

    @kernel
    def reduce(below: Any, above: Any, margin: Any, across: Any) -> None:
        # Rows are weighed first, straight from global memory into shared memory; then columns.
        sums = cuda.shared.array(sums_size, F32)
        line = cuda.local.array(lines, F32)
        thread, image = cuda.threadIdx.x, cuda.blockIdx.y
        piece = U32(cuda.blockIdx.x)
        left = I32(piece % U32(across)) * PIECE_WIDTH
        top = I32(piece // U32(across)) * PIECE_HEIGHT
        height, width = below.shape[1], below.shape[2] // channels
        # What lies at (0, 0) of the memory: pixel -margin of the level to make, and so twice that
        # of the level below, whose own first pixel is at -(2 * margin + 3), or at 0 of the picture.
        shift = 2 * margin if from_picture else -3

        for task in range(thread, columns * (PIECE_HEIGHT // RUN), REDUCE_THREADS):
            column, run = U32(task) % columns, U32(task) // columns
            x = 2 * left + column // channels - 2 - shift
            y = 2 * top + 2 * RUN * run - 2 - shift
            # Beyond the level's last row or column nothing is kept: only the access must be sound.
            x = reflect(x, width) if from_picture else min(x, width - 1)
            sample = U32(x * channels + column % channels)
            for i in range(lines):
                row = reflect(y + i, height) if from_picture else min(y + i, height - 1)
                line[i] = F32(below[image, U32(row), sample])
            for i in range(RUN):
                sums[U32((run * RUN + i) * columns + column)] = weigh_five(
                    line[2 * i], line[2 * i + 1], line[2 * i + 2], line[2 * i + 3], line[2 * i + 4]
                )
        cuda.syncthreads()

        for task in range(thread, samples * PIECE_HEIGHT, REDUCE_THREADS):
            i, row = U32(task) % samples, U32(task) // samples
            at = U32(row * columns + 2 * (i // channels) * channels + i % channels)
            sample, y = U32(left * channels + i), U32(top + row)
            if y < above.shape[1] and sample < above.shape[2]:
                value = weigh_five(
                    sums[at],
                    sums[at + channels],
                    sums[at + 2 * channels],
                    sums[at + 3 * channels],
                    sums[at + 4 * channels],
                )
                above[image, y, sample] = I16(value * to_units + F32(0.5))

    return reduce


# --------------------------------------------------------------------------- checking sigma


@functools.cache
def range_kernel() -> Any:
    """The kernel that finds a map's largest sigma, and whether any value is out of range.

    Grid: as many blocks of `RANGE_THREADS` as seem useful. Arguments: the map's values in one row;
    the largest sigma allowed; float32 `(2,)`, zeros at first, where the largest value that is in
    range comes to lie, and 1 if any is not.
    """

    @kernel
    def sigma_range(values: Any, limit: Any, found: Any) -> None:
        largest = cuda.shared.array(RANGE_THREADS, F32)
        thread = U32(cuda.threadIdx.x)
        mine, bad = F32(0), 0
        for i in range(cuda.grid(1), values.shape[0], cuda.gridsize(1)):
            value = values[i]
            if value >= F32(0) and value <= limit:  # false for NaN
                mine = max(mine, value)
            else:
                bad = 1
        largest[thread] = mine
        if cuda.syncthreads_or(bad) != 0 and thread == 0:
            found[1] = F32(1)  # many blocks may write it, and all write the same
        half = RANGE_THREADS // 2
        while half > 0:  # a tree: half as many threads in every round
            if thread < half:
                largest[thread] = max(largest[thread], largest[thread + half])
            cuda.syncthreads()
            half //= 2
        if thread == 0:
            cuda.atomic.max(found, 0, largest[0])

    return sigma_range
