"""Memory that is freed stays with the process, for the next picture.

glibc gives large blocks back to the system, and those of threads sooner than the main thread's.
What is asked for next comes page by page, zeroed, at the first touch of each page: a picture of
1280x960 raw pixels has 900, and a frame goes through several arrays of that size. On a virtual
machine, where a page took 3.7 microseconds, that was 13 ms of a frame's 90.
"""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h

_LARGEST_BLOCK: Final = 32 * 2**20
"""Bytes up to which blocks come from the heap, the most that glibc allows: an RGB picture of 4K has
25 MB."""
_KEPT: Final = 128 * 2**20
"""Bytes that may be free at the heap's end before they are given back after all: what a few
pictures of 4K go through."""


def keep_freed_memory() -> bool:
    """Has glibc keep it; to be called before there are threads.

    There is one heap for all threads then: what one of them frees another uses next. With a heap
    for each, every one would keep its own.

    Returns:
        Whether it is glibc that allocates here, and does as it was told.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    wanted = {_MMAP_THRESHOLD: _LARGEST_BLOCK, _TRIM_THRESHOLD: _KEPT, _ARENA_MAX: 1}
    return all(libc.mallopt(option, value) for option, value in wanted.items())
