from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.uplink.spool import Clocks, Spool
from support.spool_checks import SURE, FakeTime, crash_copy, entry, numbers, put, spool_settings

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


def opened(directory: Path, clock: FakeTime) -> Spool:
    return Spool(spool_settings(directory, max_age_s=DAY), clocks=clock.clocks())


def test_live_rows_go_when_they_are_too_old_and_others_stay(
    tmp_path: Path, clock: FakeTime
) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1), entry(2, rule=SURE))
    clock.pass_s(HOUR)
    put(spool, entry(3))
    clock.pass_s(23.5 * HOUR)
    assert numbers(spool.expire()) == [1]
    assert numbers(spool.records()) == [2, 3]
    assert spool.facts().dropped["age"] == 1
    assert spool.expire() == []
    spool.close()


def test_a_row_under_way_does_not_go_by_age(tmp_path: Path, clock: FakeTime) -> None:
    spool = opened(tmp_path, clock)
    row = put(spool, entry(1))[0].record.id
    clock.pass_s(2 * DAY)
    assert spool.expire(under_way=[row]) == []
    assert numbers(spool.expire()) == [1]
    spool.close()


@pytest.mark.parametrize("jump_s", [50 * 365 * DAY, -50 * 365 * DAY, 2 * DAY, -2 * DAY])
def test_a_jump_of_the_wall_clock_drops_nothing(
    tmp_path: Path, clock: FakeTime, jump_s: float
) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1))
    clock.wall += jump_s
    assert spool.expire() == []
    put(spool, entry(2))
    clock.pass_s(23 * HOUR)
    assert spool.expire() == []
    clock.pass_s(2 * HOUR)
    assert numbers(spool.expire()) == [1, 2]
    spool.close()


@pytest.mark.parametrize("wall", [0.0, 4e9], ids=["1970", "2096"])
def test_a_box_that_wakes_in_another_age_drops_nothing(
    tmp_path: Path, clock: FakeTime, wall: float
) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1))
    clock.pass_s(20 * HOUR)
    put(spool, entry(2))
    spool.close()
    true_wall = clock.wall
    clock.reboot(wall)
    spool = opened(tmp_path, clock)
    assert spool.expire() == []
    assert spool.facts().oldest_s == pytest.approx(20 * HOUR)
    clock.wall = true_wall + 60.0
    assert spool.expire() == []
    clock.pass_s(5 * HOUR)
    assert numbers(spool.expire()) == [1]
    spool.close()


def test_time_without_power_counts_when_the_wall_clock_knows_it(
    tmp_path: Path, clock: FakeTime
) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1))
    clock.pass_s(10 * HOUR)
    put(spool, entry(2))
    spool.close()
    clock.reboot(clock.wall + 15 * HOUR)
    spool = opened(tmp_path, clock)
    assert spool.facts().oldest_s == pytest.approx(25 * HOUR)
    assert numbers(spool.expire()) == [1]
    spool.close()


def test_a_restart_of_the_daemon_alone_is_measured_whatever_the_wall_clock_says(
    tmp_path: Path, clock: FakeTime
) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1))
    spool.close()
    clock.since_boot += 3 * DAY
    clock.wall = 0.0
    spool = opened(tmp_path, clock)
    assert numbers(spool.expire()) == [1]
    spool.close()


def test_after_a_crash_the_clock_is_no_earlier_than_the_youngest_row(
    tmp_path: Path, clock: FakeTime
) -> None:
    spool = opened(tmp_path / "a", clock)
    put(spool, entry(1))
    clock.pass_s(30.0)
    put(spool, entry(2))
    crash_copy(tmp_path / "a", tmp_path / "b")
    spool.close()
    clock.reboot(0.0)
    spool = opened(tmp_path / "b", clock)
    assert spool.facts().oldest_s == pytest.approx(30.0)
    clock.pass_s(DAY - 20.0)
    assert numbers(spool.expire()) == [1]
    spool.close()


def test_age_goes_on_after_damage(tmp_path: Path, clock: FakeTime) -> None:
    spool = opened(tmp_path, clock)
    put(spool, entry(1))
    clock.pass_s(20 * HOUR)
    put(spool, entry(2))
    spool.close()
    file = tmp_path / "spool.sqlite"
    file.write_bytes(b"?" * 16 + file.read_bytes()[16:])
    spool = opened(tmp_path, clock)
    assert spool.facts().oldest_s == pytest.approx(20 * HOUR)
    clock.pass_s(5 * HOUR)
    assert numbers(spool.expire()) == [1]
    spool.close()


def test_the_systems_clocks_go_forward_and_name_the_boot() -> None:
    clocks = Clocks()
    first = clocks.since_boot()
    assert clocks.since_boot() >= first > 0.0
    assert clocks.wall() > 1.6e9
    assert clocks.boot == Clocks().boot
