"""What reuse saves and what it costs, with the embedded bundle on made-up streets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter, Report
from edge_daemon.settings import PrefilterSettings
from support.moving import grainy, make_street

FRAMES = 8


@pytest.fixture(scope="module")
def prefilter() -> Prefilter:
    return Prefilter.from_bundle("nano-icons", threads=2)


def report_of(
    prefilter: Prefilter,
    image: NDArray[np.uint8],
    prompt: str,
    camera: str | None,
    overlap: float = 0.0,
) -> Report:
    settings = PrefilterSettings(overlap=overlap)
    plan = prefilter.plan(image, prompt, settings, camera=camera)
    (scores,) = prefilter.score([plan])
    return prefilter.smooth(image, plan, scores)[1]


def apart(one: Report, other: Report) -> float:
    """Largest difference of the relevance maps, as a share of the second one's maximum."""
    gap = np.abs(one.relevance_map - other.relevance_map).max()
    return float(gap / other.relevance_map.max())


# Under more noise than this, full computation itself varies by more from frame to frame. Tiles that
# do not overlap are smaller, so noise is averaged over fewer pixels.
@pytest.mark.parametrize(("overlap", "noise"), [(0.0, 0.15), (0.5, 0.25)])
@pytest.mark.parametrize(
    ("width", "height", "share"), [(640, 480, 0.05), (640, 480, 0.08), (1920, 1080, 0.06)]
)
def test_four_tiles_of_five_are_saved_and_the_relevance_map_stays_within_one_percent(
    prefilter: Prefilter, width: int, height: int, share: float, overlap: float, noise: float
) -> None:
    street = make_street(1, width, height, share=share)
    camera = f"{width} {share} {overlap}"
    for prompt in (f"Where is the {street.asked}?", f"Where is the {street.mover}?"):
        encoded = reused = 0
        for number, image in enumerate(street.crossing(FRAMES, noise, seed=10)):
            report = report_of(prefilter, image, prompt, camera + prompt, overlap)
            full = report_of(prefilter, image, prompt, None, overlap)
            assert apart(report, full) <= 0.01
            sigma_gap = np.abs(report.sigma_map - full.sigma_map).max()
            assert sigma_gap <= 0.02 * full.sigma_range[1]
            if number:
                encoded += report.tiles_encoded
                reused += report.tiles_reused
        assert reused >= 0.8 * (encoded + reused)


@pytest.mark.parametrize("noise", [1.0, 2.0, 4.0])
def test_reuse_differs_by_what_the_noise_of_the_first_frame_makes_to_full_computation(
    prefilter: Prefilter, noise: float
) -> None:
    street = make_street(2, 640, 480, share=0.06)
    prompt = f"Where is the {street.asked}?"
    from_reuse: list[float] = []
    from_noise: list[float] = []
    for number, image in enumerate(street.crossing(FRAMES, 0.0, seed=0)):
        # The same grain as in the first frame, from which most tiles are reused.
        noisy, as_first = grainy(image, noise, seed=number), grainy(image, noise, seed=0)
        report = report_of(prefilter, noisy, prompt, f"noisy {noise}")
        full = report_of(prefilter, noisy, prompt, None)
        if number:
            from_reuse.append(apart(report, full))
            from_noise.append(apart(report_of(prefilter, as_first, prompt, None), full))
            assert report.tiles_reused >= 0.75 * len(report.tiles)
    assert max(from_reuse) <= 1.2 * max(from_noise)
    assert np.mean(from_reuse) <= 1.2 * np.mean(from_noise)
