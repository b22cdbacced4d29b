"""Threads of numba's CUDA simulator that take turns.

The simulator lets all threads of a block run at once and polls them until they stand at a barrier,
which costs most of its time. Here one thread runs at a time, from barrier to barrier, in a known
order. That is several times faster, and no race between threads can come and go: what depends on
the order at all shows in a comparison of one order with its reverse.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def turns(*, reverse: bool = False) -> Generator[None]:
    """Lets simulated threads take turns, from the first to the last or the other way round."""
    simulator: Any = importlib.import_module("numba.cuda.simulator.kernel")
    manager, thread = simulator.BlockManager, simulator.BlockThread
    before = manager.run, thread.syncthreads

    def run(self: Any, grid_point: Any, *args: Any) -> None:
        self.turn_over = threading.Semaphore(0)
        failures: list[BaseException] = []

        def work() -> None:
            current: Any = threading.current_thread()
            current.turn.acquire()
            try:
                self._f(*args)
            except BaseException as error:
                failures.append(error)
            current.ended = True
            self.turn_over.release()

        threads: list[Any] = []
        blocks: list[Any] = list(np.ndindex(*self._block_dim))
        for block_point in blocks:
            new = thread(work, self, grid_point, block_point, False)
            new.turn, new.ended = threading.Semaphore(0), False
            threads.append(new)
            new.start()
        if reverse:
            threads.reverse()
        while not threads[0].ended:
            for each in threads:
                each.turn.release()
                self.turn_over.acquire()
            if failures:
                raise failures[0]
            assert len({each.ended for each in threads}) == 1, "some threads missed a barrier"

    def syncthreads(self: Any) -> None:
        self._manager.turn_over.release()
        self.turn.acquire()

    manager.run, thread.syncthreads = run, syncthreads
    stack = threading.stack_size(1 << 18)
    try:
        yield
    finally:
        manager.run, thread.syncthreads = before
        threading.stack_size(stack)
