"""A real file system that is full, and one whose files cannot grow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from edge_daemon.errors import StorageError
from edge_daemon.uplink.spool import Content, Spool, Stored
from support.spool_checks import (
    SURE,
    content_of,
    entry,
    files_up_to,
    numbers,
    put,
    spool_settings,
)

MIB = 2**20
SIZE = 100_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)],
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    except subprocess.CalledProcessError as mistake:
        pytest.skip(f"no small file system can be mounted here: {mistake.stderr.strip()}")
    yield place
    # Lazily: a test that failed may have left a spool open.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill_up(spool: Spool, first: int = 0) -> list[int]:
    """Puts until the disk refuses; returns the ids of what it took."""
    rows: list[int] = []
    for number in range(first, first + 1000):
        (result,) = spool.put([entry(number, SIZE)])
        if not isinstance(result, Stored):
            assert isinstance(result, StorageError)
            assert result.retry_after_s
            return rows
        rows.append(result.record.id)
    raise AssertionError("the disk is larger than it should be")


def occupy(disk: Path, but: int = 0) -> Path:
    """Somebody else takes what is left, but for so many bytes."""
    file = disk / "others"
    with suppress(OSError), file.open("wb", buffering=0) as content:
        while content.write(bytes(4096)):
            pass
    os.truncate(file, file.stat().st_size - but)
    assert os.statvfs(disk).f_bavail * 4096 == but
    return file


def all_readable(spool: Spool) -> bool:
    return all(
        spool.read(record.id) == Content(content_of(record.key, SIZE), None)
        for record in spool.records()
    )


def test_a_full_disk_refuses_and_everything_stays(small_disk: Path) -> None:
    spool = Spool(spool_settings(small_disk / "spool"))
    rows = fill_up(spool)
    assert len(rows) > 10
    assert [record.id for record in spool.records()] == rows
    assert all_readable(spool)
    assert spool.facts().storage_errors
    spool.close()
    again = Spool(spool_settings(small_disk / "spool"))
    assert [record.id for record in again.records()] == rows
    assert all_readable(again)
    assert again.facts().quarantined == 0
    again.close()


def test_deletes_go_through_on_a_full_disk_and_make_room(small_disk: Path) -> None:
    spool = Spool(spool_settings(small_disk / "spool"))
    rows = fill_up(spool)
    occupy(small_disk)
    spool.delete(rows[:10])
    assert [record.id for record in spool.records()] == rows[10:]
    # The disk is as full as before, but the file has free pages.
    more = [one.record.id for one in put(spool, *(entry(n, SIZE) for n in range(5000, 5005)))]
    assert all_readable(spool)
    spool.close()
    again = Spool(spool_settings(small_disk / "spool"))
    assert [record.id for record in again.records()] == rows[10:] + more
    assert all_readable(again)
    again.close()


def test_puts_and_deletes_go_on_for_ever_on_a_full_disk(small_disk: Path) -> None:
    spool = Spool(spool_settings(small_disk / "spool"))
    rows = fill_up(spool)
    occupy(small_disk)
    spool.delete(rows[:20])
    for number in range(3000, 3060):
        (one,) = put(spool, entry(number, SIZE))
        assert spool.read(one.record.id) == Content(content_of(one.record.key, SIZE), None)
        spool.delete([one.record.id])
    assert all_readable(spool)
    spool.close()


def test_it_recovers_by_itself_when_there_is_room_again(small_disk: Path) -> None:
    spool = Spool(spool_settings(small_disk / "spool", max_bytes=32 * MIB))
    ballast = small_disk / "spool" / "ballast"
    kept_back = ballast.stat().st_size
    assert kept_back > 4 * MIB
    others = occupy(small_disk)
    fill_up(spool)
    refused = spool.facts().storage_errors
    others.unlink()
    put(spool, entry(9000, SIZE))
    spool.tidy()
    assert ballast.exists()
    assert spool.facts().storage_errors == refused
    assert all_readable(spool)
    spool.close()


def test_what_was_set_aside_makes_way_when_the_disk_is_full(small_disk: Path) -> None:
    place = small_disk / "spool"
    place.mkdir()
    (place / "spool.sqlite").write_bytes(b"not a database".ljust(4 * MIB, b"!"))
    spool = Spool(spool_settings(place))
    assert len(list((place / "quarantine").iterdir())) == 1
    rows = fill_up(spool)
    rows += fill_up(spool, 2000)
    assert list((place / "quarantine").iterdir()) == []
    assert sum(SIZE for _ in rows) > 4 * MIB
    assert all_readable(spool)
    spool.close()


def test_damage_on_a_nearly_full_disk_keeps_what_fits_and_the_rest_aside(small_disk: Path) -> None:
    place = small_disk / "spool"
    spool = Spool(spool_settings(place, max_bytes=32 * MIB))
    rows = [one.record.id for one in put(spool, *(entry(n, SIZE) for n in range(35)))]
    sure = [put(spool, entry(n, SIZE, rule=SURE))[0].record.id for n in range(35, 40)]
    spool.close()
    (place / "ballast").unlink()
    occupy(small_disk, but=3 * MIB)
    with (place / "spool.sqlite").open("r+b") as file:
        file.write(b"?" * 16)
    spool = Spool(spool_settings(place, max_bytes=32 * MIB))
    left = [record.id for record in spool.records()]
    assert 5 < len(left) < 30
    assert left == rows[: len(left) - len(sure)] + sure
    assert all_readable(spool)
    (aside,) = (place / "quarantine").iterdir()
    assert aside.name.endswith("-unsalvaged")
    spool.close()


def test_files_that_cannot_grow_refuse_and_recover(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    with files_up_to(3 * MIB):
        rows = fill_up(spool)
        assert len(rows) > 10
        assert all_readable(spool)
        spool.delete(rows[:5])
        assert [record.id for record in spool.records()] == rows[5:]
    put(spool, *(entry(number, SIZE) for number in range(3000, 3030)))
    assert all_readable(spool)
    spool.close()
    again = Spool(spool_settings(tmp_path))
    assert numbers(again.records()) == [*range(5, len(rows)), *range(3000, 3030)]
    assert all_readable(again)
    again.close()
