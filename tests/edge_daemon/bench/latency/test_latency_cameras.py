from __future__ import annotations

import dataclasses

import pytest

from edge_daemon.bench.latency.cameras import check_all_done
from edge_daemon.bench.load_cameras import Tally
from edge_daemon.errors import InternalError

DONE = Tally(offered=9, results=9)


@pytest.mark.parametrize(
    "tally",
    [
        Tally(),
        dataclasses.replace(DONE, results=8, busy=1),
        dataclasses.replace(DONE, results=8, failed=1),
        dataclasses.replace(DONE, results=8, unanswered=1),
        dataclasses.replace(DONE, tiles_reused=40),
    ],
)
def test_frames_that_were_not_done_in_full_are_no_evidence(tally: Tally) -> None:
    with pytest.raises(InternalError, match="did not do every frame in full"):
        check_all_done(tally, "jpeg-8")


def test_frames_that_were_all_done_are() -> None:
    check_all_done(DONE, "jpeg-8")
