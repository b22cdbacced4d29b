"""Torn, truncated and bit-flipped files: the spool opens, and what proves itself is kept."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from edge_daemon.uplink.spool import Spool
from support.spool_checks import crash_copy, put, spool_settings
from support.spool_damage import Place, closed_spool, damaged, flip, kept, nth, sound_rows

PAGE = 4096
ROWS_PER_LEAF = 8


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return closed_spool(tmp_path_factory.mktemp("closed") / "spool")


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A spool that was not closed: its rows are in the WAL alone."""
    base = tmp_path_factory.mktemp("crashed")
    spool = Spool(spool_settings(base / "running"))
    rows = {one.record.id for one in put(spool, *map(nth, range(40)))}
    crash_copy(base / "running", base / "spool")
    spool.close()
    assert (base / "spool" / "spool.sqlite-wal").stat().st_size > 500_000
    return base / "spool", rows


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bits_cost_only_the_rows_they_hit(closed: Place, tmp_path: Path, seed: int) -> None:
    source, rows = closed
    chance = random.Random(seed)
    bits = chance.choice([1, 1, 2, 8])
    copy = damaged(
        source, tmp_path / "copy", "spool.sqlite", lambda content: flip(content, chance, bits)
    )
    assert len(rows - kept(copy)) <= bits * ROWS_PER_LEAF


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_in_the_first_page_cost_nothing(
    closed: Place, tmp_path: Path, seed: int
) -> None:
    source, rows = closed
    chance = random.Random(seed)

    def change(content: bytearray) -> None:
        content[chance.randrange(100 if seed % 2 else PAGE)] ^= 1 << chance.randrange(8)

    assert rows <= kept(damaged(source, tmp_path / "copy", "spool.sqlite", change))


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_in_the_log_cost_only_the_rows_they_hit(
    crashed: Place, tmp_path: Path, seed: int
) -> None:
    source, rows = crashed
    chance = random.Random(seed)
    bits = chance.choice([1, 1, 2, 8])
    copy = damaged(
        source, tmp_path / "copy", "spool.sqlite-wal", lambda content: flip(content, chance, bits)
    )
    assert len(rows - kept(copy)) <= bits * ROWS_PER_LEAF


def test_a_log_with_a_damaged_head_is_read_all_the_same(crashed: Place, tmp_path: Path) -> None:
    source, rows = crashed
    for at in range(32):

        def change(content: bytearray, at: int = at) -> None:
            content[at] ^= 0xFF

        copy = damaged(source, tmp_path / str(at), "spool.sqlite-wal", change)
        assert kept(copy) == rows, at


@pytest.mark.parametrize("seed", range(25))
def test_a_truncated_file_keeps_what_is_left(closed: Place, tmp_path: Path, seed: int) -> None:
    source, rows = closed
    pages = (source / "spool.sqlite").stat().st_size // PAGE
    chance = random.Random(seed)
    at = chance.randrange(pages) * PAGE + chance.choice([0, 0, 1, 100, 4095])

    def change(content: bytearray) -> None:
        del content[at:]

    read = kept(damaged(source, tmp_path / "copy", "spool.sqlite", change))
    # Rows were written one after the other: what lies wholly before the cut is there.
    before = at - sum(nth(row - 1).size for row in range(11, 31))
    assert sum(nth(row - 1).size for row in read & rows) >= before * 0.6 - 20 * PAGE


@pytest.mark.parametrize("seed", range(25))
def test_a_truncated_log_keeps_the_commits_before_the_cut(
    crashed: Place, tmp_path: Path, seed: int
) -> None:
    source, rows = crashed
    size = (source / "spool.sqlite-wal").stat().st_size
    at = random.Random(seed).randrange(size)

    def change(content: bytearray) -> None:
        del content[at:]

    read = sorted(kept(damaged(source, tmp_path / "copy", "spool.sqlite-wal", change)) & rows)
    assert read == sorted(rows)[: len(read)]
    costs = [nth(row - 1).size + 6 * PAGE for row in sorted(rows)]
    assert sum(costs[: len(read) + 1]) > at * 0.5


@pytest.mark.parametrize("seed", range(25))
def test_a_page_that_was_overwritten_costs_only_what_was_on_it(
    closed: Place, tmp_path: Path, seed: int
) -> None:
    source, rows = closed
    chance = random.Random(seed)

    def change(content: bytearray) -> None:
        pages = len(content) // PAGE
        at, other = chance.randrange(pages) * PAGE, chance.randrange(pages) * PAGE
        filling = chance.choice(
            [bytes(PAGE), chance.randbytes(PAGE), content[other : other + PAGE]]
        )
        content[at : at + PAGE] = filling

    assert len(rows - kept(damaged(source, tmp_path / "copy", "spool.sqlite", change))) <= (
        ROWS_PER_LEAF
    )


@pytest.mark.parametrize(
    "content", [b"", b"x", b"no database " * 1000], ids=["none", "one", "text"]
)
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "spool.sqlite").write_bytes(content)
    assert kept(tmp_path) == set()


@pytest.mark.parametrize("left", ["empty", "gone"])
def test_a_log_whose_database_is_lost_is_not_thrown_away(
    crashed: Place, tmp_path: Path, left: str
) -> None:
    source, rows = crashed
    shutil.copytree(source, tmp_path / "copy")
    file = tmp_path / "copy" / "spool.sqlite"
    file.unlink()
    if left == "empty":
        file.touch()
    assert kept(tmp_path / "copy") == rows


def test_damage_that_shows_while_running_is_put_right_on_the_spot(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    rows = [one.record.id for one in put(spool, *map(nth, range(200)))]
    spool.close()
    spool = Spool(spool_settings(tmp_path))
    file = tmp_path / "spool.sqlite"
    size = file.stat().st_size
    with file.open("r+b") as content:
        content.seek(size // 2)
        content.write(bytes(size // 4))
    read = sound_rows(spool)
    assert len(rows) * 0.5 < len(read) < len(rows) * 0.9
    assert sound_rows(spool) == read
    facts = spool.facts()
    assert facts.quarantined + facts.set_aside >= 1
    assert facts.dropped["damage"] == len(rows) - len(read)
    (new,) = put(spool, nth(1000))
    assert new.record.id > rows[-1]
    spool.close()
    again = Spool(spool_settings(tmp_path))
    assert sound_rows(again) == read | {new.record.id}
    again.close()


def test_a_put_that_meets_damage_is_done_on_the_new_database(tmp_path: Path) -> None:
    spool = Spool(spool_settings(tmp_path))
    rows = [one.record.id for one in put(spool, *map(nth, range(60)))]
    spool.close()
    spool = Spool(spool_settings(tmp_path))
    file = tmp_path / "spool.sqlite"
    pages = [file.read_bytes()[at : at + PAGE] for at in range(0, file.stat().st_size, PAGE)]
    (inner,) = [at for at, page in enumerate(pages) if page[0] == 0x05]
    with file.open("r+b") as content:
        content.seek(inner * PAGE)
        content.write(b"\xff" * PAGE)
    # A connection that has the page in memory would not notice.
    spool.delete(rows[:1])
    new = [one.record.id for one in put(spool, *map(nth, range(1000, 1040)))]
    spool.close()
    again = Spool(spool_settings(tmp_path))
    assert sound_rows(again) == {*rows[1:], *new}
    again.close()
