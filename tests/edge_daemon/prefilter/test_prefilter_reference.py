from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_daemon.prefilter.reference import blur_blocks, effective_sigma


@pytest.mark.parametrize(("nominal", "effective"), [(3.0, 2.53), (10.0, 3.10)])
def test_eleven_taps_shorten_a_wide_gaussian(nominal: float, effective: float) -> None:
    assert effective_sigma(nominal) == pytest.approx(effective, abs=0.005)


def test_the_shortened_kernel_is_what_the_blocks_get() -> None:
    impulse = np.zeros((1, 112, 112), np.uint8)
    impulse[0, 56, 56] = 255
    canvas = np.repeat(impulse[0][..., None], 3, axis=2)
    blurred = blur_blocks(canvas, np.array([[1.0]]))[..., 0].astype(np.float64)
    profile = blurred.sum(axis=0)
    offsets = np.arange(112) - 56
    assert np.sqrt((profile * offsets**2).sum() / profile.sum()) == pytest.approx(1.0, abs=0.1)


def test_blocks_see_nothing_of_their_neighbours() -> None:
    canvas = np.zeros((56, 112, 3), np.uint8)
    canvas[:, 56:] = 255
    assert (blur_blocks(canvas, np.array([[10.0, 10.0]])) == canvas).all()


@pytest.mark.parametrize("sigma", [0.0, -3.0, 1e-300, 0.05])
def test_vanishing_sigmas_copy(sigma: float) -> None:
    canvas = np.random.default_rng(1).integers(0, 256, (56, 56, 3), dtype=np.uint8)
    assert (blur_blocks(canvas, np.array([[sigma]])) == canvas).all()


def test_each_block_has_its_own_sigma() -> None:
    canvas = np.random.default_rng(1).integers(0, 256, (112, 56, 3), dtype=np.uint8)
    blurred = blur_blocks(canvas, np.array([[0.0], [3.0]]))
    assert (blurred[:56] == canvas[:56]).all()
    expected = cv2.GaussianBlur(np.ascontiguousarray(canvas[56:]), (11, 11), 3.0)
    assert (blurred[56:] == expected).all()
