from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.telemetry.accounts import THE_REST, Accounts


def test_the_cameras_seen_last_have_accounts_and_the_rest_share_one() -> None:
    accounts = Accounts(most=2)
    accounts.frame("a", 10, 1)
    accounts.frame("b", 20, 2)
    accounts.frame("a", 10, 1)
    accounts.dropped("c")
    assert accounts.table() == {
        "c": {"frames": 0, "source_bytes": 0, "envelope_bytes": 0, "dropped": 1},
        "a": {"frames": 2, "source_bytes": 20, "envelope_bytes": 2, "dropped": 0},
        THE_REST: {"frames": 1, "source_bytes": 20, "envelope_bytes": 2, "dropped": 0},
    }


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9), st.integers(0, 9))))
def test_sums_stay_right_and_the_table_bounded(frames: list[tuple[str, int, int]]) -> None:
    accounts = Accounts(most=3)
    for camera, source, sent in frames:
        accounts.frame(camera, source, sent)
    table = accounts.table()
    assert len(table) <= 4
    assert sum(one["frames"] for one in table.values()) == len(frames)
    assert sum(one["source_bytes"] for one in table.values()) == sum(one[1] for one in frames)
    assert sum(one["envelope_bytes"] for one in table.values()) == sum(one[2] for one in frames)
