"""The dense scorer: the whole picture in one pass, and everything else as with tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.errors import SettingsError
from edge_daemon.prefilter.heatmap import draw_heatmap
from edge_daemon.prefilter.relevance import block_relevance
from edge_daemon.prefilter.tiling import TileGrid, default_grid, patch_grid
from edge_daemon.settings import PrefilterSettings, Region
from support.tiny_bundle import make_tiny_bundle

RED = (slice(40, 120), slice(40, 120))
BLUE = (slice(200, 280), slice(280, 360))
DENSELY = PrefilterSettings(scorer="dense")
SIDES = st.integers(1, 6000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"), dense=True)


@pytest.fixture(scope="module")
def prefilter(bundle: Path) -> Prefilter:
    return Prefilter.from_bundle(bundle, DENSELY, threads=1)


@pytest.fixture
def scene() -> NDArray[np.uint8]:
    """Grey noise, 400 x 320, with a noisy red square at the top left, a blue one at the right."""
    rng = np.random.default_rng(3)
    image = np.repeat(rng.integers(60, 190, (320, 400, 1), dtype=np.uint8), 3, axis=2)
    image[RED] //= 6
    image[(*RED, 0)] += 200
    image[BLUE] //= 6
    image[(*BLUE, 2)] += 200
    return image


def grid_of(width: int, height: int, budget: int = 40, window: int = 2) -> TileGrid:
    return patch_grid(
        width,
        height,
        budget=budget,
        tile_size=224,
        native_side=112,
        patch_size=16,
        window=window,
    )


@given(width=SIDES, height=SIDES, budget=st.integers(4, 120), window=st.integers(1, 6))
def test_windows_stand_on_every_patch_at_the_scale_of_the_tiles(
    width: int, height: int, budget: int, window: int
) -> None:
    grid = grid_of(width, height, budget, window)
    tiles = default_grid(width, height, budget=budget, overlap=0.5)
    assert (grid.source_width, grid.source_height) == (width, height)
    assert grid.tile_size == 16 * window
    for side, starts, blocks, scored in (
        (grid.canvas_width, grid.lefts, grid.block_columns, tiles.canvas_width),
        (grid.canvas_height, grid.tops, grid.block_rows, tiles.canvas_height),
    ):
        assert side == 16 * blocks
        assert starts == tuple(range(0, side - 16 * window + 1, 16))
        assert abs(side - scored / 2) <= 8


@pytest.mark.parametrize(
    ("prompt", "asked", "other"),
    [("Where is the red sign?", RED, BLUE), ("What is on the blue sign?", BLUE, RED)],
)
def test_what_is_asked_for_stays_and_the_rest_goes_soft(
    prefilter: Prefilter,
    scene: NDArray[np.uint8],
    prompt: str,
    asked: tuple[slice, slice],
    other: tuple[slice, slice],
) -> None:
    filtered, report = prefilter(scene, prompt)

    def moved(where: tuple[slice, slice]) -> float:
        return float(np.abs(filtered[where].astype(int) - scene[where]).mean())

    assert moved(asked) < 0.1 * moved(other)
    top = report.top_tile()
    assert top is not None
    x, y, width, height = top.box
    middle = y + height // 2, x + width // 2
    assert all(part.start <= at < part.stop for part, at in zip(asked, middle, strict=True))


def test_the_report_is_that_of_a_grid_of_windows(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = prefilter(scene, ["red", "blue"])
    grid = grid_of(400, 320)
    assert report.scorer == report.to_dict()["scorer"] == "dense"
    assert report.grid == (len(grid.lefts), len(grid.tops))
    assert report.canvas_size == (grid.canvas_width, grid.canvas_height)
    assert [tile.box for tile in report.tiles] == grid.boxes()
    assert (report.tiles_encoded, report.tiles_reused) == (grid.count, 0)
    relevances = np.asarray([tile.relevances for tile in report.tiles], np.float64)
    assert relevances.mean(axis=0) == pytest.approx([1.0, 1.0])
    blocks = block_relevance(np.transpose(relevances), grid).max(axis=0)
    assert report.relevance_map == pytest.approx(blocks, rel=1e-5)
    assert blocks.shape == (len(grid.tops) + 1, len(grid.lefts) + 1)
    assert draw_heatmap(scene, report).shape[2] == 3


def test_frames_of_both_scorers_are_scored_together(
    prefilter: Prefilter, scene: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = prefilter.bundle.encode_tiles

    def counted(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(len(tiles))
        return encode(tiles)

    monkeypatch.setattr(prefilter.bundle, "encode_tiles", counted)
    tiled = PrefilterSettings()
    jobs: list[tuple[NDArray[np.uint8], str, PrefilterSettings]] = [
        (scene, "red", DENSELY),
        (scene, "blue", tiled),
        (scene[:100, :90], "blue", DENSELY),
        (scene, "", DENSELY),
        (scene[:100, :90], "red", tiled),
    ]
    plans = [prefilter.plan(*job) for job in jobs]
    scores = prefilter.score(plans)
    assert calls == [len(plans[1].tiles) + len(plans[4].tiles)]
    for (image, prompt, settings), plan, scored in zip(jobs, plans, scores, strict=True):
        together, _ = prefilter.smooth(image, plan, scored)
        alone, _ = prefilter(image, prompt, settings)
        assert np.abs(together.astype(int) - alone).max() <= 1


def test_a_cameras_pictures_are_compared_but_always_seen_anew(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    sharply = PrefilterSettings.model_validate({"scorer": "dense", "lambda": 40.0})
    for expected in (1.0, 0.0):
        plan = prefilter.plan(scene, "red", sharply, camera="gate", watch="")
        (scores,) = prefilter.score([plan])
        assert scores.encoded == grid_of(400, 320).count
        assert prefilter.changed(plan, scores) == expected
        prefilter.sent(plan, scores)
    shares: list[float] = []
    for where in (RED, BLUE):
        darker = np.array(scene)
        darker[where] //= 2
        plan = prefilter.plan(darker, "red", sharply, camera="gate", watch="")
        shares.append(prefilter.changed(plan, *prefilter.score([plan])))
    assert shares[0] > 0.5
    assert shares[1] < 0.1
    assert plan.lean().tiles.nbytes == 0


def test_regions_are_kept_and_masked_as_ever(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    half = Region(x=0.0, y=0.0, width=0.5, height=1.0)
    kept, _ = prefilter(scene, "blue", PrefilterSettings(scorer="dense", keep=(half,)))
    assert (kept[:, :200] == scene[:, :200]).all()
    masked, report = prefilter(scene, "red", PrefilterSettings(scorer="dense", mask=(half,)))
    assert report.masked_share == pytest.approx(0.5)
    steps = [np.abs(np.diff(one[RED].astype(int), axis=1)).mean() for one in (masked, scene)]
    assert steps[0] < 0.2 * steps[1]


def test_a_bundle_that_sees_no_whole_pictures_is_refused_at_the_start(tmp_path: Path) -> None:
    plain = make_tiny_bundle(tmp_path / "plain")
    with pytest.raises(SettingsError, match=r"python -m export CHECKPOINT --dense"):
        Prefilter.from_bundle(plain, DENSELY, threads=1)


def test_reference_mode_has_tiles_only(prefilter: Prefilter) -> None:
    settings = PrefilterSettings(scorer="dense", mode="reference")
    with pytest.raises(SettingsError, match="reference mode scores tiles"):
        prefilter(np.zeros((8, 8, 3), np.uint8), "red", settings)
