from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_daemon.errors import SpoolFullError, StorageError
from edge_daemon.uplink.spool import Content, Spool, SpoolThread, Stored
from edge_daemon.uplink.spool.records import OVERHEAD_BYTES
from support.spool_checks import SURE, FakeTime, crash_copy, entry, numbers, spool_settings

PATIENCE_S = 20.0


@asynccontextmanager
async def opened(
    directory: Path | None,
    clock: FakeTime | None = None,
    frames: int | None = None,
    **limits: float,
) -> AsyncGenerator[SpoolThread]:
    clocks = None if clock is None else clock.clocks()
    spool = SpoolThread(spool_settings(directory, **limits), max_frames=frames, clocks=clocks)
    await spool.open()
    try:
        yield spool
    finally:
        await spool.close()


class Gate:
    """Holds the spool's thread up in `probe`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.free = threading.Event()
        patch.setattr(Spool, "probe", self._hold)

    async def hold(self, spool: SpoolThread) -> asyncio.Task[None]:
        task = asyncio.create_task(spool.probe())
        assert await asyncio.to_thread(self.reached.wait, PATIENCE_S)
        return task

    def _hold(self, _: Spool) -> None:
        self.reached.set()
        assert self.free.wait(PATIENCE_S)


async def until(true: Callable[[], bool]) -> None:
    async def ask() -> None:
        while not true():  # noqa: ASYNC110 -- the thread writes by itself and tells nobody
            await asyncio.sleep(0.01)

    await asyncio.wait_for(ask(), PATIENCE_S)


async def test_what_was_put_is_read_and_found_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        stored = await spool.put(entry(1, 9000, spare=10))
        assert stored.fresh
        one = entry(1, 9000, spare=10)
        assert await spool.read(stored.record.id) == Content(one.envelope, one.spare)
        assert await spool.records() == [stored.record]
        changed = await spool.use_spare(stored.record.id)
        assert changed is not None
        assert await spool.read(changed.id) == Content(one.spare or b"", None)
    again = SpoolThread(spool_settings(tmp_path))
    assert await again.open() == [changed]
    await again.close()


async def test_puts_that_wait_together_share_one_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path) as spool:
        await spool.put(entry(99))
        held = await gate.hold(spool)
        before = spool.facts().commits
        puts = [asyncio.create_task(spool.put(entry(number))) for number in range(20)]
        await asyncio.sleep(0)
        gate.free.set()
        results = await asyncio.gather(*puts)
        await held
        assert spool.facts().commits == before + 1
        assert [result.record.key[1] for result in results] == list(range(20))
        assert len({result.record.id for result in results}) == 20


async def test_one_commit_takes_only_so_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path) as spool:
        await spool.put(entry(99))
        held = await gate.hold(spool)
        before = spool.facts().commits
        sizes = [3_000_000, 3_000_000, 6_000_000, 10]
        puts = [asyncio.create_task(spool.put(entry(*one))) for one in enumerate(sizes)]
        await asyncio.sleep(0)
        gate.free.set()
        await asyncio.gather(held, *puts)
        assert spool.facts().commits == before + 4


async def test_each_put_has_its_own_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path, max_bytes=2**20) as spool:
        held = await gate.hold(spool)
        sizes = [600_000, 2_000_000, 600_000, 100]
        puts = [
            asyncio.create_task(spool.put(entry(at, size, rule=SURE)))
            for at, size in enumerate(sizes)
        ]
        await asyncio.sleep(0)
        gate.free.set()
        results = await asyncio.gather(*puts, return_exceptions=True)
        await held
        assert [type(result) for result in results] == [
            Stored,
            StorageError,
            SpoolFullError,
            Stored,
        ]
        assert numbers(await spool.records()) == [0, 3]


async def test_a_delete_rides_along_with_the_next_commit(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as spool:
        first = await spool.put(entry(1))
        spool.delete(first.record.id)
        await spool.put(entry(2))
        assert numbers(await spool.records()) == [2]
        copy = crash_copy(tmp_path / "a", tmp_path / "b")
    after = Spool(spool_settings(copy))
    assert numbers(after.records()) == [2]
    after.close()


async def test_a_delete_alone_reaches_the_disk_soon(tmp_path: Path) -> None:
    async with opened(tmp_path / "a") as spool:
        rows = [(await spool.put(entry(number))).record.id for number in range(3)]
        before = spool.facts().commits
        for row in rows[:2]:
            spool.delete(row)
        await until(lambda: spool.facts().commits > before)
        assert spool.facts().commits == before + 1
        copy = crash_copy(tmp_path / "a", tmp_path / "b")
    after = Spool(spool_settings(copy))
    assert numbers(after.records()) == [2]
    after.close()


async def test_closing_writes_what_was_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        first = await spool.put(entry(1))
        spool.delete(first.record.id)
        last = asyncio.create_task(spool.put(entry(2)))
        await asyncio.sleep(0)
    assert (await last).fresh
    after = Spool(spool_settings(tmp_path))
    assert numbers(after.records()) == [2]
    after.close()


async def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        pass
    with pytest.raises(StorageError, match="closed"):
        await spool.put(entry(1))
    with pytest.raises(StorageError, match="closed"):
        await spool.probe()


async def test_a_caller_that_is_cancelled_does_not_undo_its_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path) as spool:
        held = await gate.hold(spool)
        put = asyncio.create_task(spool.put(entry(1)))
        await asyncio.sleep(0)
        put.cancel()
        gate.free.set()
        await held
        with pytest.raises(asyncio.CancelledError):
            await put
        assert numbers(await spool.records()) == [1]


async def test_rows_that_any_put_names_as_under_way_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path, max_bytes=2**20) as spool:
        rows = [(await spool.put(entry(number, 240_000))).record for number in range(4)]
        held = await gate.hold(spool)
        first = asyncio.create_task(spool.put(entry(8, 200_000)))
        second = asyncio.create_task(spool.put(entry(9, 200_000), under_way=[rows[0].id]))
        await asyncio.sleep(0)
        gate.free.set()
        dropped = [result.dropped for result in await asyncio.gather(first, second)]
        await held
        assert dropped == [(rows[1],), (rows[2],)]


async def test_room_is_told_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    async with opened(tmp_path, max_bytes=2**20, frames=3) as spool:
        live = (await spool.put(entry(1, 500_000))).record
        held = await gate.hold(spool)
        assert spool.room_for(1_000_000)
        assert not spool.room_for(2_000_000)
        assert not spool.room_for(600_000, under_way=[live])
        put = asyncio.create_task(spool.put(entry(2, 300_000, rule=SURE)))
        await asyncio.sleep(0)
        assert not spool.room_for(800_000)
        assert spool.room_for(2**20 - 300_000 - 2 * OVERHEAD_BYTES)
        gate.free.set()
        await asyncio.gather(held, put)
        assert not spool.room_for(800_000)
        await spool.put(entry(3, rule=SURE))
        assert spool.room_for()
        assert not spool.room_for(under_way=[live])


async def test_facts_are_those_after_the_last_thing_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        assert (spool.facts().frames, spool.facts().durable) == (0, True)
        stored = await spool.put(entry(1, 4000))
        assert (spool.facts().frames, spool.facts().bytes) == (1, 4000 + OVERHEAD_BYTES)
        spool.delete(stored.record.id)
        await spool.probe()
        assert spool.facts().frames == 0


async def test_what_is_too_old_goes(tmp_path: Path) -> None:
    clock = FakeTime()
    async with opened(tmp_path, clock, max_age_s=100.0) as spool:
        stored = await spool.put(entry(1))
        await spool.put(entry(2, rule=SURE))
        clock.pass_s(101.0)
        assert await spool.expire(under_way=[stored.record.id]) == []
        assert await spool.expire() == [stored.record]
        assert numbers(await spool.records()) == [2]


async def test_without_a_directory_it_is_in_memory() -> None:
    async with opened(None, frames=2) as spool:
        assert not spool.facts().durable
        for number in range(3):
            await spool.put(entry(number))
        assert numbers(await spool.records()) == [1, 2]


async def test_an_error_at_open_reaches_the_caller_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path):
        second = SpoolThread(spool_settings(tmp_path))
        with pytest.raises(StorageError, match="another daemon"):
            await second.open()
        await second.close()
    async with opened(tmp_path) as third:
        await third.put(entry(1))


async def test_a_defect_reaches_its_caller_and_the_thread_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with opened(tmp_path) as spool:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "put", broken)
            patch.setattr(Spool, "probe", broken)
            with pytest.raises(ZeroDivisionError):
                await spool.put(entry(1))
            with pytest.raises(ZeroDivisionError):
                await spool.probe()
        assert (await spool.put(entry(1))).fresh
