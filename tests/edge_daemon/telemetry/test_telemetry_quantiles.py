from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.telemetry.quantiles import WINDOW_FRAMES, WINDOW_S, LatestTimes


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=2 * WINDOW_FRAMES))
def test_quantiles_are_those_of_the_latest_times(times: list[float]) -> None:
    latest = LatestTimes(clock=lambda: 0.0)
    for seconds in times:
        latest.add("codec", seconds)
    told = latest.quantiles_ms()["codec"]
    window = times[-WINDOW_FRAMES:]
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        expected = float(np.quantile(window, share, method="inverted_cdf"))
        assert told[name] == round(1000 * expected, 3)
    assert told["count"] == len(window)


def test_old_times_and_idle_stages_are_left_out() -> None:
    now = 0.0
    latest = LatestTimes(clock=lambda: now)
    latest.add("open", 1.0)
    latest.add("codec", 1.0)
    now = WINDOW_S + 1
    latest.add("codec", 3.0)
    assert latest.quantiles_ms() == {"codec": {"p50": 3000.0, "p95": 3000.0, "count": 1}}
