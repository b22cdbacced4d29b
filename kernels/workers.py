"""Threads that share the work of one call, from a pool that sleeps between calls."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

POOL_THREADS: Final = os.cpu_count() or 1


def together(threads: int, work: Callable[[], None]) -> None:
    """Run `work` on this thread and on up to `threads - 1` others; return when all are done.

    `work` takes pieces from a common store until none is left, so it does not matter how many
    threads come, or when: help that the busy pool has not sent by the time this thread is through
    is called off. Whatever `work` raises, on any thread, is raised here.
    """
    helpers: list[Future[None]] = [
        _pool().submit(work) for _ in range(min(threads - 1, POOL_THREADS))
    ]
    try:
        work()
    finally:
        late = [helper for helper in helpers if not helper.cancel()]
        for helper in late:
            helper.exception()  # waits: what `work` uses must outlive every thread in it
    for helper in late:
        helper.result()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="helper")


# A child process has none of the pool's threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
