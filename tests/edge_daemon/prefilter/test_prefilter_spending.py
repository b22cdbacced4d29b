"""Relevance spent on smoothing, on quantiser offsets or on both; pictures left alone by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.codecs import get_codec
from edge_daemon.errors import SettingsError
from edge_daemon.prefilter import Report
from edge_daemon.prefilter.heatmap import draw_heatmap
from edge_daemon.prefilter.prompt import NOTE_EMPTY
from edge_daemon.prefilter.report import NOTE_NO_CODEC
from edge_daemon.prefilter.tiling import default_grid
from edge_daemon.quantiser import USUAL_QUANTISER, Quantiser
from edge_daemon.settings import PrefilterSettings, Region
from support.pixels import noise
from support.tiny_bundle import make_tiny_bundle

RED = (slice(40, 120), slice(40, 120))
FAR = (slice(220, 300), slice(300, 380))
PROMPT = "Where is the red sign?"
MAPPED = replace(USUAL_QUANTISER, takes_map=True)


@pytest.fixture(scope="module")
def prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    return Prefilter.from_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle")), threads=1)


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """Grey noise, 400 x 320, with a noisy red square at the top left."""
    image = np.repeat(noise(320, 400, seed=3)[..., :1] // 2 + 60, 3, axis=2)
    image[RED] //= 6
    image[(*RED, 0)] += 200
    return image


def spent(
    prefilter: Prefilter,
    scene: NDArray[np.uint8],
    quantiser: Quantiser = USUAL_QUANTISER,
    **settings: Any,
) -> tuple[NDArray[np.uint8], Report]:
    return prefilter(scene, PROMPT, PrefilterSettings(**settings), quantiser=quantiser)


def over(report: Report, where: tuple[slice, slice]) -> NDArray[np.float32]:
    """Offsets of the 8 x 8 blocks in a region."""
    assert report.offsets is not None
    blocks = report.offsets.blocks(320, 400, 8)
    rows, columns = (slice(-(-s.start // 8), s.stop // 8) for s in where)
    return blocks[rows, columns]


@pytest.mark.parametrize(
    ("quantiser", "settings", "most"),
    [
        (MAPPED, {}, 24),
        (USUAL_QUANTISER, {}, 40),
        (MAPPED, {"allocation": "smooth"}, 40),
        (MAPPED, {"allocation": "both"}, 40),
        (MAPPED, {"tile_budget": 9}, 9),
        (USUAL_QUANTISER, {"tile_budget": 9}, 9),
    ],
)
def test_smoothing_gets_more_tiles_than_the_quantiser(
    prefilter: Prefilter, quantiser: Quantiser, settings: dict[str, Any], most: int
) -> None:
    picture = noise(600, 900, seed=1)
    plan = prefilter.plan(picture, PROMPT, PrefilterSettings(**settings), quantiser=quantiser)
    assert plan.spending.tile_budget == most
    assert plan.grid == default_grid(900, 600, budget=most, tile_size=prefilter.bundle.tile_size)


@pytest.mark.parametrize(
    ("quantiser", "settings", "said"),
    [
        (USUAL_QUANTISER, {}, True),
        (replace(USUAL_QUANTISER, step=9.0), {}, False),
        (USUAL_QUANTISER, {"mapping": "inverse"}, False),
        (USUAL_QUANTISER, {"allocation": "quantiser"}, False),
        (USUAL_QUANTISER, {"skip": ("tiny",), "tiny_pixels": 1_000_000}, False),
    ],
)
def test_a_guess_at_the_codec_is_admitted(
    prefilter: Prefilter,
    scene: NDArray[np.uint8],
    quantiser: Quantiser,
    settings: dict[str, Any],
    said: bool,
) -> None:
    _, report = spent(prefilter, scene, quantiser, **settings)
    assert (NOTE_NO_CODEC in report.notes) is said


def test_the_quantiser_gets_offsets_and_the_pixels_stay(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    filtered, report = spent(prefilter, scene, allocation="quantiser", offset_max=12.0)
    assert np.array_equal(filtered, scene)
    assert not np.shares_memory(filtered, scene)
    assert (over(report, RED) == 0).all()
    assert over(report, FAR).min() > 6
    assert report.allocation == "quantiser"
    assert report.offset_range[1] <= 12.0
    facts = report.to_dict()
    assert facts["allocation"] == "quantiser"
    assert 0 < facts["offset_steps"]["mean"] < facts["offset_steps"]["max"]
    assert facts["kept_share"] == 1.0


def test_smoothing_alone_makes_no_offsets(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    filtered, report = spent(prefilter, scene, allocation="smooth")
    assert report.offsets is None
    assert report.to_dict()["offset_steps"] == {"mean": 0.0, "max": 0.0}
    assert not np.array_equal(filtered, scene)


def test_both_do_less_of_each_than_either_alone(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    smooth, alone = spent(prefilter, scene, allocation="smooth")
    both, report = spent(prefilter, scene, allocation="both", share=0.5)
    _, quantiser = spent(prefilter, scene, allocation="quantiser")
    assert over(report, FAR) == pytest.approx(over(quantiser, FAR) / 2, abs=1e-5)
    assert 0 < report.sigma.maximum < alone.sigma.maximum

    def detail(pixels: NDArray[np.uint8]) -> float:
        return float(np.abs(np.diff(pixels[FAR].astype(float), axis=1)).mean())

    assert detail(smooth) < detail(both) < detail(scene)


@pytest.mark.parametrize(("share", "same_as"), [(0.0, "smooth"), (1.0, "quantiser")])
def test_the_ends_of_the_share_are_the_two_alone(
    prefilter: Prefilter, scene: NDArray[np.uint8], share: float, same_as: str
) -> None:
    both, mixed = spent(prefilter, scene, allocation="both", share=share)
    alone, report = spent(prefilter, scene, allocation=same_as)
    assert np.array_equal(both, alone)
    assert mixed.offset_range == report.offset_range


@pytest.mark.parametrize(("takes_map", "expected"), [(True, "quantiser"), (False, "smooth")])
def test_auto_takes_what_the_codec_can(
    prefilter: Prefilter, scene: NDArray[np.uint8], takes_map: bool, expected: str
) -> None:
    _, report = spent(
        prefilter, scene, replace(USUAL_QUANTISER, takes_map=takes_map), allocation="auto"
    )
    assert report.allocation == expected
    assert (report.offsets is not None) == takes_map


def test_reference_mode_only_smooths(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    for allocation in ("quantiser", "both"):
        with pytest.raises(SettingsError, match=r"reference mode spends relevance by smoothing"):
            spent(prefilter, scene, mode="reference", allocation=allocation)
    _, report = spent(prefilter, scene, MAPPED, mode="reference", allocation="auto")
    assert report.allocation == "smooth"


def test_regions_hold_in_the_quantiser_too(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    kept = Region(x=0.75, y=0.7, width=0.2, height=0.2)
    hidden = Region(x=0.1, y=0.125, width=0.2, height=0.25)  # the red sign
    filtered, report = spent(
        prefilter, scene, allocation="quantiser", keep=(kept,), mask=(hidden,), offset_max=12.0
    )
    assert (over(report, (slice(224, 288), slice(300, 380))) == 0).all()
    assert over(report, (slice(48, 112), slice(48, 112))).max() == 12.0
    assert len(np.unique(filtered[60:100, 60:100].reshape(-1, 3), axis=0)) < 1600  # veiled
    assert np.array_equal(filtered[FAR], scene[FAR])


def test_strength_multiplies_both_and_stops_at_what_there_is(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    settings = PrefilterSettings(allocation="both", sigma_max=2.0, offset_max=10.0)
    plan = prefilter.plan(scene, PROMPT, settings)
    (scores,) = prefilter.score([plan])
    _, plain = prefilter.smooth(scene, plan, scores)
    _, strong = prefilter.smooth(scene, plan, scores, strength=2.0)
    _, most = prefilter.smooth(scene, plan, scores, strength=1000.0)
    assert strong.sigma_range[1] == 4.0
    assert strong.offset_range[1] == pytest.approx(2 * plain.offset_range[1], rel=1e-5)
    assert most.sigma_range[1] == 64.0
    assert most.offset_range[1] <= 51.0
    assert (over(most, RED) == 0).all()


def test_a_codec_spends_the_offsets(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    codec = get_codec({"id": "hevc", "quality": 24})
    _, report = spent(prefilter, scene, allocation="quantiser", offset_max=12.0)
    plain, mapped = codec.encode(scene), codec.encode(scene, report.offsets)
    assert len(mapped) < 0.8 * len(plain)
    errors = {
        name: np.abs(codec.decode(stream, width=400, height=320).astype(int) - scene)
        for name, stream in (("plain", plain), ("mapped", mapped))
    }
    assert errors["mapped"][RED].mean() < errors["plain"][RED].mean() * 1.1 + 0.2
    assert errors["mapped"][FAR].mean() > errors["plain"][FAR].mean() * 1.5


def test_a_tiny_picture_is_named_and_left_alone_by_rule(prefilter: Prefilter) -> None:
    tiny = noise(100, 120, seed=1)
    _, report = prefilter(tiny, PROMPT)
    assert report.doubts == ("tiny",)
    assert report.filtered
    assert any("too few pixels" in note and "by rule" not in note for note in report.notes)
    skipped, report = prefilter(tiny, PROMPT, PrefilterSettings(skip=("tiny",)))
    assert not report.filtered
    assert report.skipped == "tiny"
    assert report.to_dict()["skipped"] == "tiny"
    assert np.array_equal(skipped, tiny)
    assert any("by rule" in note for note in report.notes)
    assert NOTE_EMPTY not in report.notes


def test_a_prompt_about_the_whole_scene_is_named_and_left_alone_by_rule(
    prefilter: Prefilter,
) -> None:
    grey = np.full((320, 400, 3), 128, np.uint8)
    grey[::2] += 9
    _, report = prefilter(grey, PROMPT)
    assert report.doubts == ("whole-scene",)
    rule = PrefilterSettings(skip=("whole-scene",), allocation="both", sigma_min=0.5)
    left, report = prefilter(grey, PROMPT, rule)
    assert report.skipped == "whole-scene"
    assert report.offsets is None
    assert np.array_equal(left, grey)


def test_a_prompt_that_names_nothing_is_about_the_whole_scene(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = prefilter(scene, "Describe the image.")
    assert report.doubts == ("whole-scene",)
    assert report.filtered
    rule = PrefilterSettings(skip=("whole-scene",))
    plan = prefilter.plan(scene, "Describe the image.", rule)
    assert len(plan.tiles) == 0
    left, report = prefilter(scene, "Describe the image.", rule)
    assert report.skipped == "whole-scene"
    assert np.array_equal(left, scene)
    _, report = prefilter(scene, PROMPT, rule)
    assert report.doubts == ()


def test_an_idle_link_is_a_reason_only_where_it_is_a_rule(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    for skip, tiles in (((), True), (("idle-link",), False)):
        settings = PrefilterSettings.model_validate({"skip": skip})
        plan = prefilter.plan(scene, PROMPT, settings, link_idle=True)
        assert plan.doubts == ("idle-link",)
        assert bool(len(plan.tiles)) == tiles
        (scores,) = prefilter.score([plan])
        filtered, report = prefilter.smooth(scene, plan, scores)
        assert np.array_equal(filtered, scene) != tiles
        assert report.skipped == (None if tiles else "idle-link")


def test_a_skipped_picture_is_veiled_all_the_same(prefilter: Prefilter) -> None:
    tiny = noise(100, 120, seed=1)
    hidden = Region(x=0.0, y=0.0, width=0.5, height=1.0)
    settings = PrefilterSettings(skip=("tiny",), mask=(hidden,))
    filtered, report = prefilter(tiny, PROMPT, settings)
    assert report.skipped == "tiny"
    assert np.array_equal(filtered[:, 60:], tiny[:, 60:])
    assert np.abs(np.diff(filtered[:, :60].astype(int), axis=1)).max() < 40


def test_the_heat_map_shows_relevance_where_nothing_is_smoothed(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = spent(prefilter, scene, allocation="quantiser")
    drawn = draw_heatmap(scene, report)
    assert np.array_equal(drawn, draw_heatmap(scene, report, quantity="relevance"))
    assert not np.array_equal(drawn, draw_heatmap(scene, report, quantity="sigma"))
