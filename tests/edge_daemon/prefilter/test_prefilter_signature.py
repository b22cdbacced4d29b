from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.prefilter.signature import changed_patches, picture_signature, tile_signature
from support.moving import grainy


def test_a_signature_of_many_tiles_is_that_of_each_on_its_own() -> None:
    tiles = np.random.default_rng(1).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    together = tile_signature(tiles)
    assert together.cells.shape == (5, 28, 28, 3)
    assert together.steps.shape == (5, 14, 14, 2)
    for i in range(5):
        alone = tile_signature(tiles[i : i + 1])
        assert (alone.cells[0] == together.cells[i]).all()
        assert (alone.steps[0] == together.steps[i]).all()


@pytest.mark.parametrize("shape", [(3, 224, 224, 3), (2, 168, 168, 3), (2, 100, 100, 3)])
def test_cells_are_the_mean_colours_of_quarters_of_patches(shape: tuple[int, ...]) -> None:
    tiles = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    cells = tile_signature(tiles).cells.astype(np.float64)
    along = cells.shape[1]
    # A cell of 100 / 12 px has parts of pixels at its borders: each counts by its part.
    edges = np.linspace(0.0, shape[1], along + 1)
    pixel = np.arange(shape[1])
    parts = np.clip(
        np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel), 0, 1
    )
    parts /= parts.sum(axis=1, keepdims=True)
    means = np.einsum("iy,nyxc,jx->nijc", parts, tiles, parts)
    assert np.abs(cells - means).max() <= 1.5  # halved three times
    assert abs((cells - means).mean()) < 0.5


def test_steps_are_the_mean_differences_of_neighbours() -> None:
    tiles = np.zeros((1, 224, 224, 3), np.uint8)
    tiles[0, :, ::2] = 80  # stripes: 80 levels across, none down
    steps = tile_signature(tiles).steps
    assert (steps[0, :, :-1] == (80, 0)).all()
    assert (np.abs(steps[0, :, -1].astype(int) - (75, 0)) <= 1).all()  # 15 of 16: nothing follows


def test_no_tiles_have_an_empty_signature() -> None:
    signature = tile_signature(np.empty((0, 224, 224, 3), np.uint8))
    assert changed_patches(signature, signature, 3.0).shape == (0, 14, 14)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300))
def test_pictures_of_any_shape_have_a_signature_that_equals_itself(width: int, height: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    signature = picture_signature(pixels)
    assert max(signature.steps.shape[1:3]) == 64
    assert not changed_patches(signature, signature, 0.01).any()


def test_the_patches_of_a_picture_do_not_depend_on_its_resolution() -> None:
    shapes = {
        picture_signature(np.zeros((9 * k, 16 * k, 3), np.uint8)).steps.shape
        for k in (20, 120, 240)
    }
    assert shapes == {(1, 36, 64, 2)}


@pytest.mark.parametrize("gap", [2, 3, 4, 30])
def test_a_patch_changed_if_its_colours_differ_by_more_than_the_levels(gap: int) -> None:
    before = np.full((1, 224, 224, 3), 100, np.uint8)
    after = np.array(before)
    after[0, 32:48, 64:80] += gap
    found = changed_patches(tile_signature(before), tile_signature(after), 3.0)
    if gap > 3:
        assert np.argwhere(found).tolist() == [[0, 2, 4]]
    else:
        assert not found.any()


def test_steps_do_not_reach_from_one_tile_into_the_next() -> None:
    before = np.full((2, 224, 224, 3), 100, np.uint8)
    after = np.array(before)
    after[1] = 250
    found = changed_patches(tile_signature(before), tile_signature(after), 3.0)
    assert found.any(axis=(1, 2)).tolist() == [False, True]


@pytest.mark.parametrize("noise", [1.0, 2.0, 4.0])
def test_pixel_noise_changes_no_patch(noise: float) -> None:
    still = np.full((448, 224, 3), 120, np.uint8)
    one, other = (grainy(still, noise, seed).reshape(2, 224, 224, 3) for seed in (1, 2))
    assert not changed_patches(tile_signature(one), tile_signature(other), 3.0).any()
