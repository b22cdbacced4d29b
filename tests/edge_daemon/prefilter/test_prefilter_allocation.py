from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_daemon.prefilter.allocation import Mapping, coarse_sigma, sigma_of, with_regions

MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)
RELEVANCE = arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(0, 40),
)
SIGMAS = st.tuples(st.floats(0.05, 3), st.floats(0, 12)).map(lambda p: (p[0], p[0] + p[1]))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_no_relevance_gives_the_most_and_mean_relevance_the_least(mapping: Mapping) -> None:
    sigma = sigma_of(np.array([0.0, 1.0]), sigma_min=0.2, sigma_max=3.0, mapping=mapping)
    assert sigma == pytest.approx([3.0, 0.2])


@pytest.mark.parametrize(
    ("mapping", "halfway"),
    [("exponential", (0.2 * 3.0) ** 0.5), ("linear", 1.6), ("inverse", 0.6 / 1.6)],
)
def test_the_mappings_between(mapping: Mapping, halfway: float) -> None:
    sigma = sigma_of(np.array([0.5]), sigma_min=0.2, sigma_max=3.0, mapping=mapping)
    assert sigma == pytest.approx([halfway])


@pytest.mark.parametrize("mapping", MAPPINGS)
@settings(deadline=None, max_examples=30)
@given(relevance=st.lists(st.floats(0, 40), min_size=2, max_size=20), sigmas=SIGMAS)
def test_sigma_never_rises_with_relevance(
    mapping: Mapping, relevance: list[float], sigmas: tuple[float, float]
) -> None:
    values = sigma_of(np.sort(relevance), sigma_min=sigmas[0], sigma_max=sigmas[1], mapping=mapping)
    assert (np.diff(values) <= 1e-12).all()


@pytest.mark.parametrize("mapping", MAPPINGS)
@settings(deadline=None, max_examples=30)
@given(blocks=RELEVANCE, sigmas=SIGMAS)
def test_default_maps_stay_in_bounds_and_have_no_seams(
    mapping: Mapping, blocks: np.ndarray, sigmas: tuple[float, float]
) -> None:
    low, high = sigmas
    side = 64  # pixels per block
    height, width = blocks.shape[0] * side, blocks.shape[1] * side
    full = coarse_sigma(
        blocks, height, width, sigma_min=low, sigma_max=high, mapping=mapping
    ).materialise(height, width)
    assert full.shape == (height, width)
    assert full.min() >= np.float32(low) * (1 - 1e-6)
    assert full.max() <= np.float32(high) * (1 + 1e-6)
    # From one pixel to the next never more than a step of the steepest cell allows.
    step = max((high - low) * 2 / side * _steepest(mapping, low, high), 1e-5)
    assert np.abs(np.diff(full, axis=0)).max(initial=0.0) <= step
    assert np.abs(np.diff(full, axis=1)).max(initial=0.0) <= step


def _steepest(mapping: Mapping, low: float, high: float) -> float:
    """The largest slope of sigma over relevance in 0..1, in units of the whole range."""
    relevance = np.linspace(0, 1, 400)
    values = sigma_of(relevance, sigma_min=low, sigma_max=high, mapping=mapping)
    return float(np.abs(np.diff(values)).max() * 399 / max(high - low, 1e-9)) * 1.02 + 0.01


def test_a_relevant_block_is_sharp_to_its_border() -> None:
    blocks = np.zeros((5, 5))
    blocks[2, 2] = 20.0
    side = 80
    full = coarse_sigma(
        blocks, 5 * side, 5 * side, sigma_min=0.2, sigma_max=3.0, mapping="exponential"
    ).materialise(5 * side, 5 * side)
    # On the axes; the corners are rounded.
    inner = full[2 * side + side // 2, 2 * side + 5 : 3 * side - 5]
    assert inner.max() <= 0.2 + 1e-6
    assert full[2 * side + side // 2, 2 * side : 3 * side].max() < 0.4
    assert full[2 * side + side // 2, side + side // 4] == pytest.approx(3.0)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_several_prompts_leave_nothing_softer_than_one_alone(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    values = st.floats(0, 10)
    first, second = (data.draw(arrays(np.float64, shape, elements=values)) for _ in range(2))

    def sigma(blocks: np.ndarray) -> np.ndarray:
        return coarse_sigma(
            blocks, 90, 120, sigma_min=0.2, sigma_max=3.0, mapping="exponential"
        ).values

    both = sigma(np.maximum(first, second))
    assert (both <= np.minimum(sigma(first), sigma(second)) + 1e-6).all()


def test_keep_is_sharp_without_a_step_and_mask_wins() -> None:
    blocks = np.zeros((4, 4))
    sigma = coarse_sigma(blocks, 200, 300, sigma_min=0.2, sigma_max=3.0, mapping="exponential")
    keep, mask = (100, 50, 80, 60), (160, 90, 100, 60)
    full = with_regions(sigma, 200, 300, keep=[keep], mask=[], sigma_max=3.0)
    assert (full[50:110, 100:180] == 0.0).all()
    assert full[5, 5] == 3.0
    assert np.abs(np.diff(full, axis=0)).max() < 0.2
    assert np.abs(np.diff(full, axis=1)).max() < 0.2
    full = with_regions(sigma, 200, 300, keep=[keep], mask=[mask], sigma_max=3.0)
    assert (full[90:150, 160:260] == 3.0).all()
    assert (full[50:90, 100:160] == 0.0).all()
