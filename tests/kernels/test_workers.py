"""Threads that share the work of one call."""

from __future__ import annotations

import threading

import pytest

from kernels.workers import POOL_THREADS, together


def test_helpers_and_caller_run_the_same_work() -> None:
    meeting = threading.Barrier(2, timeout=10)
    names: list[str] = []

    def work() -> None:
        meeting.wait()
        names.append(threading.current_thread().name)

    together(2, work)
    assert len(set(names)) == 2
    assert threading.current_thread().name in names


def test_one_thread_needs_no_pool() -> None:
    names: list[str] = []
    together(1, lambda: names.append(threading.current_thread().name))
    assert names == [threading.current_thread().name]


def test_no_more_help_is_called_than_the_pool_has() -> None:
    calls: list[int] = []
    together(10**9, lambda: calls.append(1))
    assert 1 <= len(calls) <= POOL_THREADS + 1


def test_an_error_on_any_thread_is_raised_after_all_are_done() -> None:
    caller = threading.current_thread()
    meeting = threading.Barrier(2, timeout=10)
    done: list[str] = []

    def fail_in(helper: bool) -> None:
        meeting.wait()
        if (threading.current_thread() is not caller) is helper:
            raise ValueError("no more pieces")
        done.append(threading.current_thread().name)

    for helper in (True, False):
        with pytest.raises(ValueError, match="no more pieces"):
            together(2, lambda helper=helper: fail_in(helper))
    assert len(done) == 2


def test_help_that_never_comes_is_called_off() -> None:
    gate, arrived = threading.Event(), threading.Semaphore(0)
    everyone = POOL_THREADS + 1  # this thread, and all of the pool

    def occupy() -> None:
        arrived.release()
        gate.wait(30)

    names: list[str] = []
    blocker = threading.Thread(target=together, args=(everyone, occupy))
    caller = threading.Thread(
        target=together, args=(2, lambda: names.append(threading.current_thread().name))
    )
    blocker.start()
    try:
        for _ in range(everyone):
            assert arrived.acquire(timeout=20)
        caller.start()
        caller.join(timeout=20)
        assert not caller.is_alive()  # though the pool is still taken
        assert names == [caller.name]
    finally:
        gate.set()
        blocker.join(timeout=20)
