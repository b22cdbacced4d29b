from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_daemon.prefilter.allocation import (
    Mapping,
    finer_relevance,
    matched_sigma,
    offset_of,
    part_of,
    quantiser_map,
    sigma_of,
    with_regions,
)
from edge_daemon.prefilter.plan import Spending
from edge_daemon.prefilter.smoothing import sigma_for
from edge_daemon.quantiser import Quantiser
from edge_daemon.settings import PrefilterSettings, Region
from kernels import CoarseSigma
from models import Recommended

MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)
RELEVANCE = arrays(
    np.float64,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(0, 40),
)
ANY_MAPPING = (*MAPPINGS, "matched")
RECOMMENDED = Recommended.model_validate({"lambda": 20.0, "sigma_min": 0.2, "sigma_max": 3.0})
SIGMAS = st.tuples(st.floats(0.05, 3), st.floats(0, 12)).map(lambda p: (p[0], p[0] + p[1]))


def spending_of(
    low: float = 0.2, high: float = 3.0, mapping: str = "exponential", **changes: Any
) -> Spending:
    """Smoothing alone, for a codec with a step of 40 levels, unless it is told otherwise."""
    given = {"allocation": "smooth", "sigma_min": low, "sigma_max": high, "mapping": mapping}
    quantiser = changes.pop("quantiser", Quantiser(40.0, takes_map=False))
    settings = PrefilterSettings.model_validate({**given, **changes})
    return Spending.of(settings, RECOMMENDED, quantiser=quantiser)


def sigma_map(
    blocks: NDArray[np.float64], height: int, width: int, spending: Spending
) -> CoarseSigma:
    values = sigma_for(finer_relevance(blocks, 0.0), spending).astype(np.float32)
    return CoarseSigma.covering(values, height, width)


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


@pytest.mark.parametrize("mapping", ANY_MAPPING)
@settings(deadline=None, max_examples=30)
@given(blocks=RELEVANCE, sigmas=SIGMAS)
def test_default_maps_stay_in_bounds_and_have_no_seams(
    mapping: str, blocks: np.ndarray, sigmas: tuple[float, float]
) -> None:
    low, high = sigmas
    side = 64  # pixels per block
    height, width = blocks.shape[0] * side, blocks.shape[1] * side
    spending = spending_of(low, high, mapping)
    full = sigma_map(blocks, height, width, spending).materialise(height, width)
    assert full.shape == (height, width)
    assert full.min() >= np.float32(low) * (1 - 1e-6)
    assert full.max() <= np.float32(high) * (1 + 1e-6)
    # From one pixel to the next never more than a step of the steepest cell allows.
    step = max(2 / side * _steepest(spending), 1e-5)
    assert np.abs(np.diff(full, axis=0)).max(initial=0.0) <= step
    assert np.abs(np.diff(full, axis=1)).max(initial=0.0) <= step


def _steepest(spending: Spending) -> float:
    """The largest slope of sigma over relevance in 0..1, in pixels."""
    values = sigma_for(np.linspace(0, 1, 400), spending)
    reach = spending.sigma_max - spending.sigma_min
    return float(np.abs(np.diff(values)).max() * 399) * 1.02 + 0.01 * reach


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.25, 0.45])
@pytest.mark.parametrize("height", [3.0, 20.0, 500.0])
def test_what_is_relevant_is_left_alone_to_its_margin_and_no_further(
    margin: float, height: float
) -> None:
    blocks = np.zeros((3, 9))
    blocks[:, 4] = max(height, 1.0 / (0.5 - margin))
    row: NDArray[np.float64] = finer_relevance(blocks, margin)[12]
    cell = 9 / len(row)
    untouched = np.flatnonzero(row >= 1.0 - 1e-9)
    # In blocks, from the middle of the first cell left alone to the block's left border.
    reach = 4.0 - (untouched[0] + 0.5) * cell
    assert margin - cell < reach <= margin + 1e-9
    beyond = round(0.5 * len(row) + 1.0 / cell) + 1  # the next block's centre
    assert np.max(row[beyond:]) == 0.0


def test_a_relevant_block_is_sharp_to_its_border() -> None:
    blocks = np.zeros((5, 5))
    blocks[2, 2] = 20.0
    side = 80
    full = sigma_map(blocks, 5 * side, 5 * side, spending_of()).materialise(5 * side, 5 * side)
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
        return sigma_map(blocks, 90, 120, spending_of()).values

    both = sigma(np.maximum(first, second))
    assert (both <= np.minimum(sigma(first), sigma(second)) + 1e-6).all()


def test_keep_is_sharp_without_a_step_and_mask_wins() -> None:
    blocks = np.zeros((4, 4))
    sigma = sigma_map(blocks, 200, 300, spending_of())
    keep, mask = (100, 50, 80, 60), (160, 90, 100, 60)
    full = with_regions(sigma, 200, 300, keep=[keep], mask=[], sigma_max=3.0)
    assert (full[50:110, 100:180] == 0.0).all()
    assert full[5, 5] == 3.0
    assert np.abs(np.diff(full, axis=0)).max() < 0.2
    assert np.abs(np.diff(full, axis=1)).max() < 0.2
    full = with_regions(sigma, 200, 300, keep=[keep], mask=[mask], sigma_max=3.0)
    assert (full[90:150, 160:260] == 3.0).all()
    assert (full[50:90, 100:160] == 0.0).all()


def test_the_offset_falls_from_the_most_to_none_and_stays_there() -> None:
    offsets = offset_of(np.array([0.0, 0.25, 0.5, 1.0, 1.7, 20.0]), offset_max=12.0)
    assert offsets == pytest.approx([12.0, 9.0, 6.0, 0.0, 0.0, 0.0])


@given(relevance=st.floats(0, 2), share=st.floats(0, 1))
def test_the_two_currencies_share_the_work(relevance: float, share: float) -> None:
    r = np.array([relevance])
    quantiser, smoothing = part_of(r, share), part_of(r, 1 - share)
    assert (1 - quantiser) + (1 - smoothing) == pytest.approx(1 - r)
    # With the exponential mapping both are octaves, and they add up to the whole.
    sigma = sigma_of(smoothing, sigma_min=0.25, sigma_max=4.0, mapping="exponential")
    offset = 12.0 * (1 - quantiser)
    assert np.log2(sigma / 0.25) / 4 + offset / 12 == pytest.approx(1 - r)


@given(first=st.floats(0, 20), second=st.floats(0, 20), step=st.floats(0.5, 250))
def test_matched_smoothing_composes_as_quantisers_do(
    first: float, second: float, step: float
) -> None:
    """To be coarser by some steps and then by some more is to be coarser by all of them."""

    def variance(offset: float, step: float) -> float:
        return float(matched_sigma(np.array([offset]), step)[0] ** 2)

    coarser = step * 2 ** (first / 6)
    whole = variance(first + second, step)
    assert variance(first, step) + variance(second, coarser) == pytest.approx(whole, abs=1e-9)


def test_matched_smoothing_leaves_what_is_relevant_and_follows_the_codec() -> None:
    relevance = np.array([0.0, 0.5, 1.0, 3.0])
    fine, coarse = (
        sigma_for(relevance, spending_of(0.05, 60.0, "matched", quantiser=Quantiser(step, False)))
        for step in (20.0, 40.0)
    )
    assert fine[2:].tolist() == [0.05, 0.05]  # sigma_min, which the kernel leaves alone
    assert coarse[:2] == pytest.approx(2 * fine[:2])
    assert sigma_for(relevance, spending_of(0.05, 1.0, "matched"))[0] == 1.0  # sigma_max


@given(relevance=st.floats(0, 2), room=st.floats(0, 20), share=st.floats(0, 1))
def test_matched_smoothing_does_what_the_quantiser_cannot(
    relevance: float, room: float, share: float
) -> None:
    spending = spending_of(
        *(1e-6, 60.0, "matched"),
        quantiser=Quantiser(30.0, takes_map=True, room=room),
        allocation="both",
        share=share,
    )
    whole = replace(spending, share=0.0)
    both, alone = (sigma_for(np.array([relevance]), one)[0] for one in (spending, whole))
    coded = min(share * 12.0 * max(0.0, 1.0 - relevance), room)
    by_quantiser = matched_sigma(np.array([coded]), 30.0)[0]
    assert both**2 + by_quantiser**2 == pytest.approx(alone**2, abs=1e-6)


def test_all_of_the_work_or_none_of_it_is_one_currency_alone() -> None:
    r = np.linspace(0, 1, 9)
    assert part_of(r, 1.0) == pytest.approx(r)
    assert part_of(r, 0.0) == pytest.approx(np.ones(9))


def test_kept_regions_are_kept_and_masked_ones_are_worth_nothing() -> None:
    relevance = finer_relevance(np.zeros((4, 4)), 0.0)
    relevance[:, 16:] = 2.0
    region = Region(x=0.1, y=0.0, width=0.2, height=0.5)
    hidden = Region(x=0.0, y=0.2, width=1.0, height=0.2)
    values = quantiser_map(relevance, offset_max=9.0, keep=(region,), mask=(hidden,)).values
    assert values.shape == (32, 32)
    assert (values[:6, 3:10] == 0).all()  # kept: every cell that it touches
    assert (values[:6, :3] == 9).all()
    assert (values[:6, 10:16] == 9).all()
    assert (values[13:, 16:] == 0).all()  # relevant
    assert (values[7:12] == 9).all()  # masked: every cell that lies in it altogether
    assert (values[6, 16:] == 0).all()
    assert (values[12, 16:] == 0).all()
