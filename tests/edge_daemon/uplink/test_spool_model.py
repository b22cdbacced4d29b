"""The spool against a plain model of it, through crashes, restarts and a disk that refuses."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_daemon.errors import SpoolFullError, StorageError
from edge_daemon.settings import WhenFull
from edge_daemon.uplink.spool import Content, Entry, Spool, Stored
from edge_daemon.uplink.spool.records import OVERHEAD_BYTES
from support.spool_checks import LIVE, SURE, FakeTime, entry, files_up_to, spool_settings

MAX_BYTES = 2**20
MAX_AGE_S = 1000.0
CLIENTS = ["a", "b", "c"]
SIZES = [0, 700, 5000, 60_000, 200_000, 450_000, 1_100_000]


def _entry(sequence: int, size: int, client: str, when_full: WhenFull, spare: int | None) -> Entry:
    return entry(sequence, size, client=client, rule=when_full, spare=spare)


entries = st.builds(
    _entry,
    st.integers(0, 30),
    st.sampled_from(SIZES),
    st.sampled_from(CLIENTS),
    st.sampled_from([LIVE, LIVE, SURE]),
    st.sampled_from([None, None, 0, 3000]),
)
batches = st.lists(entries, min_size=1, max_size=4)
picks = st.sets(st.integers(0, 12), max_size=6)


@dataclass(frozen=True)
class Row:
    id: int
    entry: Entry
    born: float

    @property
    def cost(self) -> int:
        return self.entry.size + OVERHEAD_BYTES


def giving_way(rows: list[Row], cost: int, under_way: set[int]) -> list[Row] | None:
    """Who gives way, worked out step by step; `None` if that is not enough."""
    left, gone = list(rows), list[Row]()
    while sum(row.cost for row in left) + cost > MAX_BYTES:
        live = [row for row in left if row.entry.live]
        held = {row.entry.key[0]: 0 for row in live}
        for row in live:
            held[row.entry.key[0]] += row.cost
        may_go = [row for row in live if row.id not in under_way]
        if not may_go:
            return None
        gone.append(min(may_go, key=lambda row: (-held[row.entry.key[0]], row.id)))
        left.remove(gone[-1])
    return gone


class SpoolMachine(RuleBasedStateMachine):
    """The model is the list of rows, by id."""

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp())
        self.generation = 0
        self.time = FakeTime()
        self.rows: list[Row] = []
        self.highest = 0
        self.open()

    def open(self) -> None:
        where = self.base / str(self.generation)
        limits = spool_settings(where, max_bytes=MAX_BYTES, max_age_s=MAX_AGE_S)
        self.spool = Spool(limits, clocks=self.time.clocks())

    def chosen(self, numbers: set[int]) -> set[int]:
        return {row.id for at, row in enumerate(self.rows) if at in numbers}

    @rule(batch=batches, numbers=picks)
    def put(self, batch: list[Entry], numbers: set[int]) -> None:
        under_way = self.chosen(numbers)
        for one, result in zip(batch, self.spool.put(batch, under_way=under_way), strict=True):
            known = next((row for row in self.rows if row.entry.key == one.key), None)
            gone = giving_way(self.rows, one.size + OVERHEAD_BYTES, under_way)
            if known is not None:
                assert isinstance(result, Stored)
                assert (result.fresh, result.record.id, result.dropped) == (False, known.id, ())
            elif one.size + OVERHEAD_BYTES > MAX_BYTES:
                assert isinstance(result, StorageError)
            elif gone is None:
                assert isinstance(result, SpoolFullError)
            else:
                assert isinstance(result, Stored)
                assert result.fresh
                assert [record.id for record in result.dropped] == [row.id for row in gone]
                assert result.record.id > self.highest
                self.highest = result.record.id
                born = self.time.since_boot
                self.rows = [row for row in self.rows if row not in gone]
                self.rows.append(Row(result.record.id, one, born))

    @rule(one=entries)
    def put_on_a_disk_that_refuses(self, one: Entry) -> None:
        if any(row.entry.key == one.key for row in self.rows):
            return
        with files_up_to(1000):
            (result,) = self.spool.put([one])
        # It was refused for one reason or the other, and nothing gave way for it.
        assert isinstance(result, StorageError | SpoolFullError)

    @rule(numbers=picks)
    def delete(self, numbers: set[int]) -> None:
        gone = self.chosen(numbers)
        self.spool.delete([*gone, self.highest + 10])
        self.rows = [row for row in self.rows if row.id not in gone]

    @rule(number=st.integers(0, 12))
    def use_spare(self, number: int) -> None:
        if number >= len(self.rows):
            return
        row = self.rows[number]
        changed = self.spool.use_spare(row.id)
        if row.entry.spare is None:
            assert changed is None
            return
        assert changed is not None
        assert (changed.id, changed.size) == (row.id, len(row.entry.spare))
        self.rows[number] = replace(
            row, entry=replace(row.entry, envelope=row.entry.spare, spare=None)
        )

    @rule(seconds=st.sampled_from([1.0, 400.0, 900.0]), jump=st.sampled_from([0.0, 0.0, 1e9, -1e9]))
    def time_passes(self, seconds: float, jump: float) -> None:
        self.time.pass_s(seconds)
        self.time.wall += jump

    @rule(numbers=picks)
    def expire(self, numbers: set[int]) -> None:
        under_way = self.chosen(numbers)
        now = self.time.since_boot
        old = [
            row
            for row in self.rows
            if row.entry.live and now - row.born > MAX_AGE_S and row.id not in under_way
        ]
        assert [record.id for record in self.spool.expire(under_way=under_way)] == [
            row.id for row in old
        ]
        self.rows = [row for row in self.rows if row not in old]

    @rule()
    def tidy(self) -> None:
        self.spool.tidy()

    @rule()
    def restart(self) -> None:
        self.spool.close()
        self.open()

    @rule()
    def crash(self) -> None:
        """Goes on with the files as they are now; what is in memory alone is lost."""
        shutil.copytree(self.base / str(self.generation), self.base / str(self.generation + 1))
        self.spool.close()
        shutil.rmtree(self.base / str(self.generation))
        self.generation += 1
        self.open()

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "spool"):
            return
        records = self.spool.records()
        assert [record.id for record in records] == [row.id for row in self.rows]
        for record, row in zip(records, self.rows, strict=True):
            one = row.entry
            assert (record.key, record.size, record.when_full) == (one.key, one.size, one.when_full)
            assert record.has_spare == (one.spare is not None)
        assert self.spool.bytes == sum(row.cost for row in self.rows) <= MAX_BYTES
        facts = self.spool.facts()
        assert facts.live_frames == sum(row.entry.live for row in self.rows)
        assert facts.live_bytes == sum(row.cost for row in self.rows if row.entry.live)
        assert (facts.quarantined, facts.set_aside) == (0, 0)
        for row in self.rows[:1] + self.rows[-1:]:
            content = Content(row.entry.envelope, row.entry.spare)
            assert self.spool.read(row.id) == content

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
            shutil.rmtree(self.base)


SpoolMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_the_spool_does_what_a_list_of_rows_would = SpoolMachine.TestCase
