from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.codecs import get_codec
from edge_daemon.errors import BadQualityError
from edge_daemon.rate import Attempt, Knob, Policy, path_of

MOVABLE: tuple[Knob, ...] = ("quality", "smoothing", "scale")
ORDERS = [order for n in range(4) for order in permutations(MOVABLE, n)]


@given(
    order=st.sampled_from(ORDERS),
    codec_id=st.sampled_from(["jpeg", "hevc", "heif"]),
    strongest=st.floats(1, 64),
    least_scale=st.floats(1 / 64, 1),
    ceiling=st.none() | st.integers(1, 51),
)
@settings(deadline=None)
def test_every_order_gives_one_path_to_the_bounds(
    order: tuple[Knob, ...],
    codec_id: str,
    strongest: float,
    least_scale: float,
    ceiling: int | None,
) -> None:
    policy = Policy(order=order, strongest=strongest, least_scale=least_scale)
    codec = get_codec({"id": codec_id})
    path = path_of(codec, policy, ceiling)
    assert len(set(path.attempts)) == len(path.attempts)
    first, last = path.attempts[0], path.attempts[-1]
    assert (first.strength, first.scale) == (1.0, 1.0)
    assert last.strength == (strongest if "smoothing" in order else 1.0)
    assert last.scale == (least_scale if "scale" in order else 1.0)
    if "quality" not in order:
        assert last.quality == first.quality
    if ceiling is not None:
        assert first.quality == ceiling
    assert np.all(np.diff(path.coarseness) >= 0)
    assert np.all(np.diff(path.log_strength) >= 0)
    assert np.all(np.diff(path.log_scale) <= 0)
    turned = [
        [a.quality != b.quality, a.strength != b.strength, a.scale != b.scale].index(True)
        for a, b in pairwise(path.attempts)
    ]
    assert all(
        sum([a.quality != b.quality, a.strength != b.strength, a.scale != b.scale]) == 1
        for a, b in pairwise(path.attempts)
    )
    # Each knob is turned to its end before the next one is touched.
    places = [order.index(MOVABLE[knob]) for knob in turned]
    assert places == sorted(places)


def test_it_runs_from_the_best_useful_quality_to_the_worst() -> None:
    path = path_of(get_codec({"id": "hevc"}), Policy(order=("quality",)))
    assert [one.quality for one in path.attempts] == list(range(14, 46))
    path = path_of(
        get_codec({"id": "jpeg"}), Policy(order=("quality",), worst_quality={"jpeg": 90})
    )
    assert [one.quality for one in path.attempts] == [95, 94, 93, 92, 91, 90]


def test_a_quality_that_may_not_move_is_the_codecs_own() -> None:
    path = path_of(get_codec({"id": "jpeg", "quality": 71}), Policy(order=("scale",)))
    assert {one.quality for one in path.attempts} == {71}


def test_a_ceiling_beyond_the_bound_is_the_only_quality() -> None:
    path = path_of(get_codec({"id": "jpeg"}), Policy(order=("quality",)), ceiling=5)
    assert path.attempts == (Attempt(5),)


def test_a_ceiling_outside_the_scale_is_refused() -> None:
    with pytest.raises(BadQualityError):
        path_of(get_codec({"id": "jpeg"}), Policy(), ceiling=101)


def test_the_semantic_attempt_stands_behind_the_path() -> None:
    codec = get_codec({"id": "jpeg"})
    assert path_of(codec, Policy()).semantic is None
    path = path_of(codec, Policy(order=("quality", "semantic")))
    assert path.semantic == Attempt(10, semantic=True)
    assert not any(one.semantic for one in path.attempts)


def test_options_other_than_the_quality_hold() -> None:
    slow = get_codec({"id": "hevc", "preset": "medium", "quality": 20})
    assert np.array_equal(
        path_of(slow, Policy()).coarseness, path_of(get_codec({"id": "hevc"}), Policy()).coarseness
    )
