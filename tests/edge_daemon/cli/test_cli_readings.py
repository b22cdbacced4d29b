from __future__ import annotations

import pytest

from edge_daemon.cli.figures import shown, size, span
from edge_daemon.cli.readings import Reading, camera_rates, readings
from edge_daemon.errors import LinkError
from edge_daemon.telemetry.accounts import THE_REST
from support.status_replies import camera, full_status


def test_rates_are_differences_by_the_daemons_own_clock() -> None:
    before = full_status(uptime_s=100.0)
    now = full_status(
        uptime_s=104.0, cameras={"gate": camera(30, 50_000, 9_000, queued=3)} | _yard(2)
    )
    gate, yard = camera_rates(now, before)
    assert (gate.name, gate.frames, gate.source_bytes) == ("gate", 5.0, 10_000.0)
    assert (gate.envelope_bytes, gate.saved_bytes, gate.saved_share) == (2_000.0, 8_000.0, 0.8)
    assert (gate.queued, gate.dropped) == (3, 1)
    assert (yard.name, yard.frames, yard.saved_share) == ("yard", 0.0, None)


def test_a_camera_that_is_new_has_done_all_it_did_since() -> None:
    now = full_status(uptime_s=102.0, cameras=full_status()["cameras"] | {"new": camera(4, 8, 2)})
    assert camera_rates(now, full_status())[0].frames == 2.0


def test_there_are_no_rates_from_one_reading_or_across_a_restart() -> None:
    for before in (None, full_status(uptime_s=5000.0)):
        for one in camera_rates(full_status(), before):
            assert (one.frames, one.saved_bytes, one.saved_share) == (None, None, None)


def test_accounts_that_moved_make_no_rates() -> None:
    before = full_status(cameras={"gate": camera(10, 10, 1), THE_REST: camera(5, 5, 5)})
    gone = full_status(uptime_s=101.0, cameras={THE_REST: camera(15, 15, 6)})
    assert [one.frames for one in camera_rates(gone, before)] == [None]
    back = full_status(
        uptime_s=101.0, cameras={"gate": camera(1, 1, 1), THE_REST: camera(15, 15, 6)}
    )
    assert [one.frames for one in camera_rates(back, before)] == [None, None]


def test_the_first_reading_must_come_and_later_ones_may_fail() -> None:
    silence = LinkError("no answer", remedy="wait")
    answers: list[Reading | LinkError] = [full_status(), silence, full_status(uptime_s=200.0)]
    pauses: list[float] = []

    def ask() -> Reading:
        answer = answers.pop(0)
        if isinstance(answer, LinkError):
            raise answer
        return answer

    taken = readings(ask, 1.5, pauses.append)
    first, second, third = (next(taken) for _ in range(3))
    assert not isinstance(first, LinkError)
    assert second is silence
    assert not isinstance(third, LinkError)
    assert third["uptime_s"] == 200.0
    assert pauses == [1.5, 1.5]
    answers.append(silence)
    with pytest.raises(LinkError):
        next(readings(ask, 1.0, pauses.append))


def test_figures_have_units_that_suit_them() -> None:
    assert (size(None), size(-2_000), size(3_000_000)) == ("-", "-2.0 kB", "3.0 MB")
    assert (span(3.0), span(600.0), span(7.5 * 86_400)) == ("3.0 s", "10.0 min", "7.5 d")
    assert shown("a\x1b[31m\n[bold]") == "a\ufffd[31m\ufffd\\[bold]"


def _yard(frames: int) -> dict[str, dict[str, int]]:
    return {"yard": camera(frames, 500, 600)}
