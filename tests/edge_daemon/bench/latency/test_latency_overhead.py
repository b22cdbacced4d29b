"""The daemon beside the library, in earnest: a real daemon; how long it takes is not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.bench.latency.overhead import (
    FORMS,
    SIZE,
    TILES,
    check_tiles,
    measure_overhead,
)
from edge_daemon.bench.latency.workload import Machinery
from edge_daemon.codecs import get_codec
from edge_daemon.errors import InternalError
from edge_daemon.prefilter.tiling import default_grid
from support.tiny_bundle import make_tiny_bundle


def test_library_and_daemon_do_the_same_frames_of_24_tiles(tmp_path: Path) -> None:
    bundle = make_tiny_bundle(tmp_path / "tiny")
    rounds: list[None] = []
    found = measure_overhead(
        Machinery(str(bundle), "cpu", 1, 40),
        get_codec({"id": "jpeg"}),
        2,
        1,
        lambda: rounds.append(None),
    )
    assert [one.form for one in found] == list(FORMS)
    assert len(rounds) == 2 * len(FORMS)
    for one in found:
        assert (one.bundle, one.codec, one.tiles) == ("tiny-colours", "jpeg", 24)
        assert one.paired.first.count == one.paired.second.count == 2
        assert set(one.library_ms) == {"open", "distil", "canvas", "encode", "smooth", "codec"}
        # The daemon accounts for the same stages and its own; what is left is not negative.
        assert set(one.daemon_ms) == {*one.library_ms, "wait", "compare", "rest"}
        assert min(one.daemon_ms.values()) > 0.0


def test_the_picture_has_as_many_tiles_as_were_published() -> None:
    assert default_grid(*SIZE, budget=TILES).count == TILES == 24


@pytest.mark.parametrize(("count", "reused"), [(23, 0), (24, 1)])
def test_another_frame_than_that_is_no_evidence(count: int, reused: int) -> None:
    with pytest.raises(InternalError, match="should have 24 new tiles"):
        check_tiles(count, reused)
    check_tiles(TILES, 0)
