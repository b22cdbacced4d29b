"""Ours and the published pipeline: over new pictures, and before a camera that stands still."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.bench.latency.against import SHOWN, SIZE, Against, measure_against
from edge_daemon.bench.latency.published import WAYS
from edge_daemon.bench.latency.workload import Size, watched
from edge_daemon.codecs import get_codec
from edge_daemon.prefilter import Prefilter
from support.tiny_bundle import make_tiny_bundle

ROUNDS = 2


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Against]:
    bundle: Path = make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
    prefilter = Prefilter.from_bundle(bundle, threads=1)
    rounds: list[None] = []
    against = measure_against(
        prefilter, get_codec({"id": "jpeg"}), ROUNDS, 1, lambda: rounds.append(None)
    )
    assert len(rounds) == len(SHOWN) * ROUNDS
    return against


def test_every_kind_of_picture_meets_every_way(found: list[Against]) -> None:
    assert [(one.shown, one.way) for one in found] == [
        (shown, way) for shown in SHOWN for way in WAYS
    ]
    for one in found:
        assert (one.size, one.published_tiles) == (SIZE, 45)
        assert one.paired.first.count == one.paired.second.count == ROUNDS


def test_only_what_moves_is_encoded_again(found: list[Against]) -> None:
    new, still = found[0], found[-1]
    assert new.tiles == 24
    assert 0 < still.tiles < 12


def test_both_ways_send_the_same_jpeg(found: list[Against]) -> None:
    described, hurried = found[:2]
    assert described.published_bytes == hurried.published_bytes > 10_000
    assert described.bitstream_bytes == hurried.bitstream_bytes > 10_000


def test_before_a_camera_that_stands_still_little_moves_and_all_is_noisy() -> None:
    first, second = (frame.astype(int) for frame in watched(Size(640, 480), 1, 2))
    differing = np.abs(second - first).max(axis=2)
    assert np.mean(differing > 0) > 0.5
    assert 0.005 < np.mean(differing > 10) < 0.1
