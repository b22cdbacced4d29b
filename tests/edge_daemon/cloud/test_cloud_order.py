from __future__ import annotations

import asyncio

import pytest

from edge_daemon.cloud.order import GIVEN_UP_S, Order
from edge_daemon.errors import BusyError, DecodeError, StorageError


def fail(order: Order, key: tuple[str, int], error: Exception, now: float = 0.0) -> None:
    with pytest.raises(type(error)), order.watching(key, lambda: now):
        raise error


FULL = StorageError("the disk is full", remedy="wait", retry_after_s=5.0)


def test_those_behind_one_that_is_to_come_again_wait_for_it() -> None:
    order = Order()
    fail(order, ("a", 1), FULL)
    with pytest.raises(BusyError, match="earlier envelope") as caught:
        order.check(("a", 2), 1.0)
    assert caught.value.retry_after_s is not None
    order.check(("b", 2), 1.0)
    order.check(("a", 1), 1.0)
    order.check(("a", 2), 1.0)


def test_one_that_never_comes_is_given_up() -> None:
    order = Order()
    fail(order, ("a", 1), FULL)
    with pytest.raises(BusyError):
        order.check(("a", 2), 5.0 + GIVEN_UP_S - 0.1)
    order.check(("a", 2), 5.0 + GIVEN_UP_S)


def test_the_first_that_failed_is_the_one_that_is_awaited() -> None:
    order = Order()
    fail(order, ("a", 1), FULL)
    fail(order, ("a", 2), BusyError("later", remedy="wait", retry_after_s=1.0))
    order.check(("a", 1), 0.0)


def test_a_final_refusal_holds_up_nobody() -> None:
    order = Order()
    fail(order, ("a", 1), DecodeError("torn", remedy="none"))
    order.check(("a", 2), 0.0)


async def test_workers_of_one_client_stand_in_line() -> None:
    order, kept, go = Order(), list[tuple[str, int]](), asyncio.Event()

    async def work(key: tuple[str, int]) -> None:
        before = order.line_up(key)
        if before is not None:
            await asyncio.wait({before})
        elif key[0] == "a":
            await go.wait()
        kept.append(key)

    keys = [("a", 0), ("a", 1), ("b", 0), ("a", 2)]
    tasks = [asyncio.create_task(work(key)) for key in keys]
    await tasks[2]
    assert kept == [("b", 0)]
    go.set()
    await asyncio.gather(*tasks)
    assert kept == [("b", 0), ("a", 0), ("a", 1), ("a", 2)]
