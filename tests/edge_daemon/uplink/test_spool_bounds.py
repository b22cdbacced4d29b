"""Who gives way when the spool is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.errors import SpoolFullError, StorageError
from edge_daemon.uplink.spool import Spool
from support.spool_checks import (
    LIVE,
    SURE,
    entry,
    files_up_to,
    numbers,
    put,
    spool_settings,
    stored,
)

MIB = 2**20


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "deep" / "spool" if request.param == "disk" else None


def test_the_greediest_client_loses_its_own_oldest_rows(place: Path | None) -> None:
    spool = Spool(spool_settings(place, max_bytes=MIB))
    put(spool, entry(1, 100_000, client="modest"))
    put(spool, *(entry(number, 90_000, client="greedy") for number in range(10)))
    (new,) = put(spool, entry(2, 150_000, client="modest"))
    assert [record.key for record in new.dropped] == [("greedy", 0), ("greedy", 1)]
    assert ("modest", 1) in [record.key for record in spool.records()]
    assert all(record.id not in spool for record in new.dropped)
    assert spool.facts().dropped["full"] == 2
    spool.close()


def test_rows_under_way_and_must_deliver_rows_never_give_way(place: Path | None) -> None:
    spool = Spool(spool_settings(place, max_bytes=MIB))
    sure = put(spool, entry(0, 300_000, client="sure", rule=SURE))[0].record
    rows = [one.record for one in put(spool, *(entry(n, 220_000, client="cam") for n in range(3)))]
    (result,) = spool.put([entry(9, 200_000, rule=SURE)], under_way=[rows[0].id])
    assert stored(result).dropped == (rows[1],)
    everything = [record.id for record in spool.records()]
    (refused,) = spool.put([entry(10, 300_000)], under_way=everything)
    assert isinstance(refused, SpoolFullError)
    assert refused.retry_after_s
    assert [record.id for record in spool.records()] == everything
    assert sure.id in everything
    spool.close()


def test_nothing_gives_way_for_an_envelope_that_is_refused_all_the_same(place: Path | None) -> None:
    spool = Spool(spool_settings(place, max_bytes=MIB))
    put(spool, entry(0, 700_000, rule=SURE), entry(1, 200_000))
    assert spool.room_for(300_000)
    assert not spool.room_for(400_000)
    results = spool.put([entry(2, 400_000), entry(3, 2 * MIB), entry(4, 300_000)])
    assert [type(result).__name__ for result in results] == [
        "SpoolFullError",
        "StorageError",
        "Stored",
    ]
    assert "larger than the spool" in str(results[1])
    assert isinstance(results[1], StorageError)
    assert results[1].retry_after_s is None
    assert numbers(spool.records()) == [0, 4]
    spool.close()


def test_the_number_of_frames_may_be_bounded_too() -> None:
    spool = Spool(spool_settings(None), max_frames=3)
    put(spool, entry(0, rule=SURE), entry(1), entry(2))
    assert [record.key[1] for record in put(spool, entry(3, rule=SURE))[0].dropped] == [1]
    put(spool, entry(4, rule=SURE))
    (refused,) = spool.put([entry(5)])
    assert isinstance(refused, SpoolFullError)
    assert not spool.room_for()
    spool.close()


def test_which_client_is_greediest_follows_what_it_deleted(place: Path | None) -> None:
    spool = Spool(spool_settings(place, max_bytes=MIB))
    rows = put(spool, *(entry(number, 100_000, client="a") for number in range(6)))
    put(spool, *(entry(number, 100_000, client="b", rule=LIVE) for number in range(4)))
    spool.delete(one.record.id for one in rows[:4])
    (new,) = put(spool, entry(7, 500_000, client="c"))
    assert [record.key for record in new.dropped] == [("b", 0)]
    spool.close()


def test_what_gave_way_for_a_write_that_failed_is_here_again(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path, max_bytes=MIB))
    put(spool, *(entry(number, 200_000) for number in range(5)))
    before = spool.records(), spool.facts().live_bytes, spool.bytes
    with files_up_to(100_000):
        (result,) = spool.put([entry(9, 700_000)])
    assert isinstance(result, StorageError)
    assert (spool.records(), spool.facts().live_bytes, spool.bytes) == before
    assert numbers(list(put(spool, entry(9, 100_000))[0].dropped)) == [0]
    spool.close()
