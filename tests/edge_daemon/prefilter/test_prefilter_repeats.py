from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.prefilter.plan import Scores
from edge_daemon.settings import PrefilterSettings, Region, VideoSettings
from models import load_bundle
from support.moving import grainy
from support.pictures import smooth_picture
from support.tiny_bundle import make_tiny_bundle

Pixels = NDArray[np.uint8]
PROMPT = "Where is the red sign?"
WIDTH, HEIGHT = 400, 320


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def prefilter(folder: Path) -> Prefilter:
    return Prefilter.from_bundle(folder, threads=1)


@pytest.fixture
def scene() -> Pixels:
    return grainy(smooth_picture(WIDTH, HEIGHT, seed=4), 12.0, seed=4)


def score(
    prefilter: Prefilter,
    image: Pixels,
    prompt: str = PROMPT,
    *,
    over: PrefilterSettings | None = None,
    camera: str | None = "gate",
) -> Scores:
    return prefilter.score([prefilter.plan(image, prompt, over, camera=camera)])[0]


def square(image: Pixels, colour: tuple[int, int, int], x: int, y: int, side: int = 24) -> Pixels:
    changed = np.array(image)
    changed[y : y + side, x : x + side] = colour
    return changed


def test_a_frame_that_is_seen_again_is_not_encoded_again(
    prefilter: Prefilter, scene: Pixels
) -> None:
    first, second = score(prefilter, scene), score(prefilter, scene)
    tiles = first.values.shape[1]
    assert (first.encoded, second.encoded) == (tiles, 0)
    assert (first.values == second.values).all()
    assert prefilter.hits() == {
        "tiles_encoded": tiles,
        "tiles_reused": tiles,
        "frames_unchanged": 1,
    }


def test_only_the_tiles_that_something_moved_in_are_encoded(
    prefilter: Prefilter, scene: Pixels
) -> None:
    score(prefilter, scene)
    moved = square(scene, (250, 10, 10), 20, 20)
    plan = prefilter.plan(moved, PROMPT, camera="gate")
    (scores,) = prefilter.score([plan])
    assert plan.grid is not None
    touching = sum(x < 44 and y < 44 for x, y, _, _ in plan.grid.boxes())
    assert 0 < scores.encoded == touching < len(plan.tiles)
    assert scores.values == pytest.approx(score(prefilter, moved, camera=None).values, abs=1e-6)


def test_the_report_says_what_was_encoded_and_what_reused(
    prefilter: Prefilter, scene: Pixels
) -> None:
    score(prefilter, scene)
    moved = square(scene, (250, 10, 10), 20, 20)
    plan = prefilter.plan(moved, PROMPT, camera="gate")
    (scores,) = prefilter.score([plan])
    _, report = prefilter.smooth(moved, plan, scores)
    assert report.tiles_encoded == scores.encoded
    assert report.tiles_reused == len(plan.tiles) - scores.encoded > 0
    told = report.to_dict()
    assert (told["tiles_encoded"], told["tiles_reused"]) == (
        report.tiles_encoded,
        report.tiles_reused,
    )
    assert told["changed_share"] is None


def test_a_plan_without_its_tiles_gives_the_same_picture_and_report(
    prefilter: Prefilter, scene: Pixels
) -> None:
    plan = prefilter.plan(scene, PROMPT, camera="gate")
    (scores,) = prefilter.score([plan])
    lean = plan.lean()
    assert lean.tiles.nbytes == 0
    (filtered, report), (same, like) = (
        prefilter.smooth(scene, one, scores) for one in (plan, lean)
    )
    assert (filtered == same).all()
    assert (report.tiles, report.tiles_reused) == (like.tiles, like.tiles_reused)


@pytest.mark.parametrize(
    ("tiles", "overlap", "grain"), [(40, 0.5, 4.0), (80, 0.5, 2.0), (16, 0.0, 4.0), (40, 0.0, 2.0)]
)
def test_pixel_noise_is_no_change(
    prefilter: Prefilter, scene: Pixels, tiles: int, overlap: float, grain: float
) -> None:
    # Of so small a picture a patch of the smallest tiles has 5 pixels a side, and averages less.
    settings = PrefilterSettings(tile_budget=tiles, overlap=overlap)
    score(prefilter, grainy(scene, grain, seed=1), over=settings)
    assert score(prefilter, grainy(scene, grain, seed=2), over=settings).encoded == 0


def test_slow_drift_is_measured_from_what_was_encoded_not_from_the_last_frame(
    prefilter: Prefilter,
) -> None:
    frames = [np.full((HEIGHT, WIDTH, 3), 100 + step, np.uint8) for step in range(13)]
    encoded = [score(prefilter, frame).encoded for frame in frames]
    tiles = encoded[0]
    # Three levels are no change yet, the fourth is one, and the count begins anew.
    assert encoded == [tiles, 0, 0, 0] * 3 + [tiles]


def test_how_much_counts_as_a_change_can_be_set_while_it_runs(prefilter: Prefilter) -> None:
    frames = [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (100, 105)]
    tiles = score(prefilter, frames[0]).encoded
    prefilter.retune(
        prefilter.settings, prefilter.prompt_settings, VideoSettings(change_levels=6.0)
    )
    assert score(prefilter, frames[1]).encoded == 0
    prefilter.retune(
        prefilter.settings, prefilter.prompt_settings, VideoSettings(change_levels=3.0)
    )
    assert score(prefilter, frames[1]).encoded == tiles


def test_another_light_encodes_everything_anew(prefilter: Prefilter, scene: Pixels) -> None:
    dim = (scene * 0.8).astype(np.uint8)
    tiles = score(prefilter, scene).encoded
    assert score(prefilter, dim).encoded == tiles


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # All as bright as each other, but of another colour.
        ((130, 0, 0), (0, 66, 0)),
        ((0, 66, 0), (0, 0, 255)),
    ],
)
def test_a_lamp_that_changes_colour_alone_is_seen(
    prefilter: Prefilter,
    scene: Pixels,
    before: tuple[int, int, int],
    after: tuple[int, int, int],
) -> None:
    score(prefilter, square(scene, before, 200, 160))
    assert score(prefilter, square(scene, after, 200, 160)).encoded > 0


def test_texture_that_keeps_the_colours_is_seen(prefilter: Prefilter) -> None:
    plain = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    striped = np.array(plain)
    striped[100:140, 100:140:4] = striped[100:140, 101:140:4] = 140
    striped[100:140, 102:140:4] = striped[100:140, 103:140:4] = 100
    score(prefilter, plain)
    assert score(prefilter, striped).encoded > 0


def test_another_prompt_scores_the_same_embeddings(prefilter: Prefilter, scene: Pixels) -> None:
    score(prefilter, scene)
    other = score(prefilter, scene, "Where is the blue sign?")
    assert other.encoded == 0
    full = score(prefilter, scene, "Where is the blue sign?", camera=None)
    assert other.values == pytest.approx(full.values, abs=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        PrefilterSettings(tile_budget=20),
        PrefilterSettings(mask=(Region(x=0, y=0, width=0.2, height=0.2),)),
        PrefilterSettings(mode="reference"),
    ],
    ids=["grid", "mask", "reference mode"],
)
def test_other_tiles_or_masks_begin_anew(
    prefilter: Prefilter, scene: Pixels, other: PrefilterSettings
) -> None:
    score(prefilter, scene)
    scores = score(prefilter, scene, over=other)
    assert scores.encoded == scores.values.shape[1]


def test_another_size_begins_anew(prefilter: Prefilter, scene: Pixels) -> None:
    score(prefilter, scene)
    other = score(prefilter, np.ascontiguousarray(scene[:, :300]))
    assert other.encoded == other.values.shape[1]


def test_cameras_share_nothing(prefilter: Prefilter, scene: Pixels) -> None:
    tiles = score(prefilter, scene, camera="gate").encoded
    assert score(prefilter, scene, camera="yard").encoded == tiles


@pytest.mark.parametrize(
    ("video", "camera", "mode"),
    [
        (VideoSettings(reuse=False), "gate", "default"),
        (VideoSettings(), None, "default"),
        (VideoSettings(), "gate", "reference"),
    ],
    ids=["switched off", "no camera", "reference mode"],
)
def test_nothing_is_reused_where_it_is_not_wanted(
    folder: Path, scene: Pixels, video: VideoSettings, camera: str | None, mode: str
) -> None:
    prefilter = Prefilter.from_bundle(folder, video=video, threads=1)
    over = PrefilterSettings.model_validate({"mode": mode})
    found = [score(prefilter, scene, over=over, camera=camera) for _ in range(2)]
    assert [one.encoded for one in found] == [one.values.shape[1] for one in found]
    assert prefilter.hits()["tiles_reused"] == 0


def test_the_camera_that_was_quiet_longest_is_forgotten_first(folder: Path, scene: Pixels) -> None:
    prefilter = Prefilter.from_bundle(folder, video=VideoSettings(cameras=2), threads=1)
    for camera in ("gate", "yard", "gate", "roof"):
        score(prefilter, scene, camera=camera)
    assert score(prefilter, scene, camera="gate").encoded == 0
    assert score(prefilter, scene, camera="roof").encoded == 0
    assert score(prefilter, scene, camera="yard").encoded > 0


def test_equal_frames_of_a_camera_in_one_batch_are_encoded_once(
    prefilter: Prefilter, scene: Pixels
) -> None:
    moved = square(scene, (250, 10, 10), 20, 20)
    plans = [prefilter.plan(image, PROMPT, camera="gate") for image in (scene, moved, scene, moved)]
    plans.insert(1, prefilter.plan(scene, PROMPT))
    first, alone, second, back, again = prefilter.score(plans)
    assert first.encoded == alone.encoded == len(plans[0].tiles)
    assert 0 < second.encoded == back.encoded == again.encoded < first.encoded
    assert first.values == pytest.approx(alone.values, abs=1e-6)
    assert second.values == pytest.approx(again.values, abs=1e-6)
    assert back.values == pytest.approx(first.values, abs=1e-6)


def test_what_the_encoder_failed_on_is_not_remembered(
    folder: Path, scene: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(folder, threads=1)
    prefilter = Prefilter(bundle)

    def broken(_: Pixels) -> NDArray[np.float32]:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(bundle, "encode_tiles", broken)
        with pytest.raises(RuntimeError, match="out of memory"):
            score(prefilter, scene)
    assert prefilter.hits()["tiles_encoded"] == 0
    scores = score(prefilter, scene)
    assert scores.encoded == scores.values.shape[1]
