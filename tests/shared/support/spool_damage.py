"""Damaged spools: how the tests make them, and what must hold of them afterwards."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from edge_daemon.uplink.spool import Content, Entry, Spool
from support.spool_checks import SURE, entry, put, spool_settings

SIZES = [10, 300, 900, 3000, 4100, 9000, 20_000, 60_000]

Place = tuple[Path, set[int]]
"""A spool's directory, and the ids of its rows."""


def nth(number: int) -> Entry:
    return entry(
        number,
        SIZES[number % len(SIZES)] + number,
        client=f"cam{number % 3}",
        rule=SURE if number % 4 == 0 else "drop-oldest",
        spare=2000 if number % 5 == 0 else None,
    )


def closed_spool(directory: Path) -> Place:
    """A spool that was closed; some of its pages are free."""
    spool = Spool(spool_settings(directory))
    rows = [one.record.id for one in put(spool, *map(nth, range(90)))]
    spool.delete(rows[10:30])
    spool.close()
    return directory, {*rows[:10], *rows[30:]}


def damaged(source: Path, copy: Path, file: str, change: Callable[[bytearray], None]) -> Path:
    shutil.copytree(source, copy)
    content = bytearray((copy / file).read_bytes())
    change(content)
    (copy / file).write_bytes(content)
    return copy


def behead(content: bytearray) -> None:
    """SQLite no longer takes it for a database."""
    content[:16] = b"?" * 16


def sound_rows(spool: Spool) -> set[int]:
    """Reads all rows; each must be as it was put, or be gone."""
    records = spool.records()
    assert [record.id for record in records] == sorted({record.id for record in records})
    assert len({record.key for record in records}) == len(records)
    read: set[int] = set()
    for record in records:
        content = spool.read(record.id)
        if content is not None:
            one = nth(record.key[1])
            assert (record.key, record.when_full) == (one.key, one.when_full)
            assert content == Content(one.envelope, one.spare)
            read.add(record.id)
    # Fewer, where a row was still in SQLite's memory when others had found the damage.
    left = {record.id for record in spool.records()}
    assert left <= read
    return left


def kept(directory: Path, opened: Spool | None = None) -> set[int]:
    """What can be read of a damaged spool; after that it works as if nothing had been."""
    spool = opened or Spool(spool_settings(directory))
    read = sound_rows(spool)
    (new,) = put(spool, nth(1000))
    assert new.record.id > max(read, default=0)
    spool.close()
    again = Spool(spool_settings(directory))
    assert again.facts().quarantined == 0
    assert sound_rows(again) == read | {new.record.id}
    again.close()
    return read


def flip(content: bytearray, chance: random.Random, bits: int) -> None:
    for _ in range(bits):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
