from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool import Content, Spool
from edge_daemon.uplink.spool.database import Database
from edge_daemon.uplink.spool.records import OVERHEAD_BYTES
from support.spool_checks import (
    SURE,
    FakeTime,
    crash_copy,
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


def test_what_was_put_is_read_as_it_was(place: Path | None) -> None:
    clock = FakeTime()
    spool = Spool(spool_settings(place), clocks=clock.clocks())
    entries = [entry(1, 5000), entry(2, 0, rule=SURE, spare=300), entry(3, 70_000, spare=0)]
    records = [one.record for one in put(spool, *entries)]
    assert spool.records() == records
    assert [record.id for record in records] == sorted({record.id for record in records})
    for one, record in zip(entries, records, strict=True):
        assert (record.key, record.size, record.when_full) == (one.key, one.size, one.when_full)
        assert (record.has_spare, record.stored) == (one.spare is not None, clock.wall)
        assert spool.read(record.id) == Content(one.envelope, one.spare)
    assert spool.frames == 3
    assert spool.bytes == sum(one.size for one in entries) + 3 * OVERHEAD_BYTES
    assert spool.durable == (place is not None)
    spool.close()


def test_a_closed_spool_has_the_same_rows_when_opened_again(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    put(spool, *(entry(number, 3000, rule=SURE) for number in range(5)))
    before = spool.records()
    spool.close()
    again = Spool(spool_settings(tmp_path))
    assert again.records() == before
    assert again.bytes == 5 * (3000 + OVERHEAD_BYTES)
    again.close()


def test_a_second_put_under_one_key_keeps_the_first(place: Path | None) -> None:
    spool = Spool(spool_settings(place))
    (first,) = put(spool, entry(1, 100))
    results = [stored(result) for result in spool.put([entry(1, 999), entry(2), entry(2, 5)])]
    assert [result.fresh for result in results] == [False, True, False]
    assert results[0].record == first.record
    assert results[1].record == results[2].record
    assert numbers(spool.records()) == [1, 2]
    assert spool.read(first.record.id) == Content(entry(1, 100).envelope, None)
    spool.close()


def test_ids_are_not_used_again_after_a_delete_and_a_restart(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    ids = [one.record.id for one in put(spool, entry(1), entry(2))]
    spool.delete(ids)
    assert spool.records() == []
    assert spool.read(ids[0]) is None
    spool.close()
    again = Spool(spool_settings(tmp_path))
    (later,) = put(again, entry(1))
    assert later.fresh
    assert later.record.id > ids[-1]
    again.close()


def test_the_spare_takes_the_envelopes_place_durably(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path / "a"))
    one = entry(1, 9000, spare=4000)
    row = put(spool, one)[0].record.id
    changed = spool.use_spare(row)
    assert changed is not None
    assert (changed.id, changed.size, changed.has_spare) == (row, 4000, False)
    assert spool.bytes == 4000 + OVERHEAD_BYTES
    after = Spool(spool_settings(crash_copy(tmp_path / "a", tmp_path / "b")))
    for each in (spool, after):
        assert one.spare is not None
        assert each.read(row) == Content(one.spare, None)
        assert each.use_spare(row) is None
        assert each.use_spare(row + 1) is None
        each.close()


def test_two_daemons_cannot_share_a_directory(tmp_path: Path) -> None:
    first = Spool(spool_settings(tmp_path))
    with pytest.raises(StorageError, match="another daemon uses this spool") as caught:
        Spool(spool_settings(tmp_path))
    assert str(tmp_path) in str(caught.value)
    first.close()
    Spool(spool_settings(tmp_path)).close()


def test_the_directory_and_its_files_are_for_their_owner_only(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path / "new"))
    put(spool, entry(1))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    files = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "new").iterdir()}
    assert {"spool.sqlite", "spool.sqlite-wal", "spool.lock"} <= set(files)
    assert set(files.values()) == {0o600}
    spool.close()


def test_every_commit_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def watched(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", watched)
    spool = Spool(spool_settings(tmp_path))
    (connection,) = connections
    full = 2
    assert connection.execute("PRAGMA synchronous").fetchone() == (full,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    spool.close()


def test_the_log_stays_small(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    sizes: list[int] = []
    for number in range(100):
        put(spool, entry(number, 200_000))
        sizes.append((tmp_path / "spool.sqlite-wal").stat().st_size)
    assert max(sizes) < 4 * MIB
    spool.close()


def test_a_path_that_cannot_be_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Spool(spool_settings(tmp_path / "file"))


def test_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    put(spool, entry(1))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("UPDATE meta SET value = 99 WHERE name = 'version'")
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StorageError, match="a later version"):
        Spool(spool_settings(tmp_path))
    assert not (tmp_path / "quarantine").exists()
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        assert other.execute("SELECT count(*) FROM waiting").fetchone() == (1,)
    other.close()


def test_a_disk_that_refuses_a_write_costs_only_that_write(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    put(spool, entry(1))
    with files_up_to(100_000):
        results = spool.put([entry(2, 300_000), entry(3)])
    assert all(isinstance(result, StorageError) and result.retry_after_s for result in results)
    assert numbers(spool.records()) == [1]
    assert spool.facts().storage_errors
    assert [one.fresh for one in put(spool, entry(2, 300_000), entry(3))] == [True, True]
    assert numbers(spool.records()) == [1, 2, 3]
    spool.close()


def test_deletes_that_the_disk_refuses_count_and_are_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    spool = Spool(spool_settings(tmp_path / "a"))
    rows = [one.record.id for one in put(spool, entry(1), entry(2))]
    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", refuse)
        spool.delete(rows[:1])
        assert numbers(spool.records()) == [2]
    put(spool, entry(3))
    after = Spool(spool_settings(crash_copy(tmp_path / "a", tmp_path / "b")))
    assert numbers(after.records()) == [2, 3]
    after.close()
    spool.close()


def test_the_file_shrinks_when_most_of_it_is_empty(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    rows = [one.record.id for one in put(spool, *(entry(n, 400_000) for n in range(40)))]
    spool.close()
    full = (tmp_path / "spool.sqlite").stat().st_size
    spool = Spool(spool_settings(tmp_path))
    spool.delete(rows[:-1])
    for _ in range(3):
        spool.tidy()
    spool.close()
    assert (tmp_path / "spool.sqlite").stat().st_size < full // 2
    again = Spool(spool_settings(tmp_path))
    assert again.read(rows[-1]) == Content(entry(39, 400_000).envelope, None)
    again.close()


def test_space_of_deleted_rows_is_used_again(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    sizes: list[int] = []
    for number in range(60):
        spool.delete([put(spool, entry(number, 300_000))[0].record.id])
        sizes.append(spool.facts().file_bytes)
    assert max(sizes[30:]) <= max(sizes[:30])
    spool.close()


def test_facts_say_what_waits(tmp_path: Path) -> None:
    clock = FakeTime()
    spool = Spool(spool_settings(tmp_path, max_bytes=MIB), clocks=clock.clocks())
    assert spool.facts().oldest_s == 0.0
    put(spool, entry(1, 5000))
    clock.pass_s(30.0)
    put(spool, entry(2, 7000, rule=SURE))
    facts = spool.facts()
    assert (facts.frames, facts.live_frames, facts.live_bytes) == (2, 1, 5000 + OVERHEAD_BYTES)
    assert (facts.oldest_s, facts.max_bytes, facts.durable) == (30.0, MIB, True)
    assert facts.commits >= 2
    assert facts.file_bytes > 12_000
    assert facts.dropped == {"full": 0, "age": 0, "damage": 0}
    spool.close()
