from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon.prefilter.look import Look
from edge_daemon.prefilter.signature import changed_patches, tile_signature

LEVELS = 6.0


def noise(seed: int, count: int = 4, side: int = 224) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def test_a_glance_is_enough_where_every_tile_changed() -> None:
    before, after = Look.of(noise(1)), Look.of(255 - noise(1) // 4)
    assert after.changed_since(before, LEVELS).all()
    assert not before.is_complete
    assert not after.is_complete


def test_where_a_glance_sees_no_change_the_signature_is_asked() -> None:
    tiles = noise(1)
    corner = np.array(tiles)
    corner[2, :20, :20] = 0
    corner[3] //= 4
    before, after = Look.of(tiles), Look.of(corner)
    assert after.changed_since(before, LEVELS).tolist() == [False, False, True, True]
    assert after.is_complete


def test_a_texture_that_comes_where_the_colours_stay_is_a_change() -> None:
    flat = np.full((1, 224, 224, 3), 100, np.uint8)
    stripes = np.array(flat)
    stripes[0, :, ::2], stripes[0, :, 1::2] = 60, 140
    assert Look.of(stripes).changed_since(Look.of(flat), LEVELS).all()


@settings(deadline=None, max_examples=60)
@given(
    side=st.sampled_from([224, 168, 100, 112, 230, 16, 9]),
    seed=st.integers(0, 99),
    # How much of the tiles' noise is not in the other ones: from nothing to all of it.
    weights=st.lists(st.sampled_from([0.0, 0.02, 0.05, 0.1, 1.0]), min_size=3, max_size=3),
    taken=st.sampled_from(["neither", "before", "after"]),
)
def test_what_changed_is_what_the_signatures_say(
    side: int, seed: int, weights: list[float], taken: str
) -> None:
    one, other = noise(seed, 3, side), noise(seed + 100, 3, side)
    shares = np.array(weights)[:, None, None, None]
    mixed = np.rint(one * (1 - shares) + other * shares).astype(np.uint8)
    before, after = Look.of(one), Look.of(mixed)
    if taken != "neither":
        (before if taken == "before" else after).complete()
    expected = changed_patches(tile_signature(one), tile_signature(mixed), LEVELS).any(axis=(1, 2))
    assert (after.changed_since(before, LEVELS) == expected).all()


def test_no_tiles_have_not_changed() -> None:
    nothing = Look.of(noise(1, 0))
    assert nothing.changed_since(Look.of(noise(2, 0)), LEVELS).shape == (0,)


@pytest.mark.parametrize("changed", [[True, False, True, False], [False] * 4, [True] * 4])
def test_newer_tiles_take_the_place_of_those_that_changed(changed: list[bool]) -> None:
    older, newer = noise(1), noise(2)
    which = np.array(changed)
    mixed = np.where(which[:, None, None, None], newer, older)
    merged = Look.of(older).with_changed(Look.of(newer), which).complete()
    assert (merged.cells == tile_signature(mixed).cells).all()
    assert (merged.steps == tile_signature(mixed).steps).all()


def test_tiles_that_all_changed_need_no_signature_to_take_their_place() -> None:
    newer = Look.of(noise(2))
    assert Look.of(noise(1)).with_changed(newer, np.ones(4, np.bool_)) is newer
    assert not newer.is_complete
