"""What is set aside, and how the good rows leave it."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool import Content, Spool
from support.spool_checks import put, spool_settings
from support.spool_damage import Place, behead, closed_spool, damaged, kept, nth


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return closed_spool(tmp_path_factory.mktemp("closed") / "spool")


def test_what_was_damaged_is_set_aside_and_counted(
    closed: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, rows = closed

    copy = damaged(source, tmp_path / "copy", "spool.sqlite", behead)
    before = (copy / "spool.sqlite").read_bytes()
    with caplog.at_level(logging.ERROR):
        spool = Spool(spool_settings(copy))
    assert (spool.facts().quarantined, spool.facts().salvaged) == (1, len(rows))
    assert f"event=spool_quarantined reason='file is not a database' salvaged={len(rows)}" in (
        caplog.text
    )
    (aside,) = (copy / "quarantine").iterdir()
    assert (aside / "spool.sqlite").read_bytes() == before
    spool.close()


def test_a_row_that_fails_its_check_is_set_aside_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(spool_settings(tmp_path))
    first, second = (one.record.id for one in put(spool, nth(6), nth(7)))
    spool.close()
    file = tmp_path / "spool.sqlite"
    envelope = nth(7).envelope
    broken = envelope[:100] + bytes([envelope[100] ^ 1]) + envelope[101:]
    at = file.read_bytes().index(envelope[:200])
    file.write_bytes(file.read_bytes()[:at] + broken[:200] + file.read_bytes()[at + 200 :])
    spool = Spool(spool_settings(tmp_path))
    assert spool.frames == 2
    with caplog.at_level(logging.ERROR):
        assert spool.read(second) is None
    assert f"event=spool_row_set_aside id={second} bytes={len(envelope)}" in caplog.text
    assert spool.read(first) == Content(nth(6).envelope, nth(6).spare)
    assert [record.id for record in spool.records()] == [first]
    facts = spool.facts()
    assert (facts.set_aside, facts.dropped["damage"], facts.quarantined) == (1, 1, 0)
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert aside.read_bytes() == broken
    spool.close()


@pytest.mark.parametrize(
    "change",
    [
        "sequence = sequence + 1",
        "client = 'other'",
        "client = CAST(x'ff00' AS TEXT)",
        "live = 1 - live",
        "born = born + 1",
        "envelope_bytes = 'many'",
        "stored = 1e300",
        "body_check = 0",
    ],
)
def test_a_row_whose_small_fields_were_changed_is_set_aside(tmp_path: Path, change: str) -> None:
    spool = Spool(spool_settings(tmp_path))
    first, second = (one.record.id for one in put(spool, nth(6), nth(7)))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute(f"UPDATE waiting SET {change} WHERE id = ?", (second,))
    other.close()
    spool = Spool(spool_settings(tmp_path))
    assert [record.id for record in spool.records()] == [first]
    assert spool.facts().set_aside == 1
    (aside,) = (tmp_path / "quarantine").iterdir()
    assert aside.read_bytes() == nth(7).envelope
    assert kept(tmp_path, spool) == {first}


def test_an_absurd_highest_id_is_damage(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    put(spool, nth(1), nth(2))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")
    other.close()
    assert kept(tmp_path) == {1, 2}


@pytest.mark.parametrize("moment", ["while copying", "before the swap", "amid the swap"])
def test_a_crash_while_damage_is_put_right_loses_nothing(
    closed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    source, rows = closed
    copy = damaged(source, tmp_path / "copy", "spool.sqlite", behead)
    target = {
        "while copying": "edge_daemon.uplink.spool.salvage._insert",
        "before the swap": "edge_daemon.uplink.spool.salvage._sync",
        "amid the swap": "edge_daemon.uplink.spool.salvage._move_strays",
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(target, crash)
        with pytest.raises(Crash):
            Spool(spool_settings(copy))
    assert (copy / "salvage.sqlite").exists()
    assert kept(copy) == rows
    assert not (copy / "salvage.sqlite").exists()


def test_a_disk_without_room_for_two_keeps_the_rest_aside(
    closed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> bool:
        return False

    source, _ = closed
    copy = damaged(source, tmp_path / "copy", "spool.sqlite", behead)
    with monkeypatch.context() as patch:
        patch.setattr("edge_daemon.uplink.spool.salvage._insert", no_room)
        spool = Spool(spool_settings(copy))
    assert spool.frames == 0
    spool.close()
    (aside,) = (copy / "quarantine").iterdir()
    assert aside.name.endswith("-unsalvaged")
    assert kept(copy) == set()


def test_what_is_set_aside_is_bounded_and_the_latest_stays(tmp_path: Path) -> None:
    settings = spool_settings(tmp_path, max_bytes=2**20)
    for number in range(6):
        (tmp_path / "spool.sqlite").write_bytes(b"not a database".ljust(400_000, b"!"))
        Spool(settings).close()
        latest = max(aside.name[-6:] for aside in (tmp_path / "quarantine").iterdir())
        assert latest == f"{number + 1:06d}"
    assert len(list((tmp_path / "quarantine").iterdir())) == 2
    (tmp_path / "spool.sqlite").write_bytes(bytes(3 * 2**20))
    Spool(settings).close()
    assert [aside.name[-7:] for aside in (tmp_path / "quarantine").iterdir()] == ["-000007"]


def test_a_directory_that_cannot_be_read_is_an_error_and_not_damage(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").mkdir()
    with pytest.raises(StorageError, match="directory"):
        Spool(spool_settings(tmp_path))
    assert not (tmp_path / "quarantine").exists()
