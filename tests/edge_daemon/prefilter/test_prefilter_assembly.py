from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.errors import BadPixelsError, PromptError, SettingsError, UnsupportedError
from edge_daemon.prefilter.prompt import NOTE_EMPTY, NOTE_NOTHING_LEFT
from edge_daemon.settings import PrefilterSettings, PromptSettings, Region
from support.tiny_bundle import NOTICE, make_tiny_bundle

ROOT = Path(__file__).parents[3]
RED = (slice(40, 120), slice(40, 120))
BLUE = (slice(200, 280), slice(280, 360))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def prefilter(bundle: Path) -> Prefilter:
    return Prefilter.from_bundle(bundle, threads=1)


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


def detail(image: NDArray[np.uint8], where: tuple[slice, slice]) -> float:
    """Mean step between neighbouring pixels: what smoothing takes away."""
    return float(np.abs(np.diff(image[where].astype(np.float64), axis=1)).mean())


@pytest.mark.parametrize(
    ("prompt", "sharp", "soft"),
    [("Where is the red sign?", RED, BLUE), ("What is on the blue sign?", BLUE, RED)],
)
def test_what_is_asked_for_stays_and_the_rest_goes_soft(
    prefilter: Prefilter,
    scene: NDArray[np.uint8],
    prompt: str,
    sharp: tuple[slice, slice],
    soft: tuple[slice, slice],
) -> None:
    before = np.array(scene)
    filtered, report = prefilter(scene, prompt)
    assert (scene == before).all()
    assert filtered.shape == scene.shape
    assert (filtered[sharp] == scene[sharp]).all()
    assert detail(filtered, soft) < 0.35 * detail(scene, soft)
    top = report.top_tile()
    assert top is not None
    x, y, width, height = top.box
    assert y < sharp[0].stop
    assert y + height > sharp[0].start
    assert x < sharp[1].stop
    assert x + width > sharp[1].start


def test_several_prompts_keep_what_any_of_them_asks_for(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    filtered, report = prefilter(scene, ["the red sign", "", "the blue sign"])
    assert (filtered[RED] == scene[RED]).all()
    assert (filtered[BLUE] == scene[BLUE]).all()
    maps = [prefilter(scene, p)[1].relevance_map for p in ("the red sign", "the blue sign")]
    assert report.relevance_map == pytest.approx(np.maximum(*maps), rel=1e-4, abs=1e-6)
    assert len(report.tiles[0].scores) == 2
    assert [prompt.text for prompt in report.prompts] == ["red sign", "", "blue sign"]
    means = np.mean([tile.relevances for tile in report.tiles], axis=0)
    assert means == pytest.approx(1.0)


@pytest.mark.parametrize("mode", ["default", "reference"])
@pytest.mark.parametrize("prompt", ["", "  \n", [], ["", " "]])
def test_an_empty_prompt_filters_nothing_and_says_so(
    prefilter: Prefilter, scene: NDArray[np.uint8], prompt: Any, mode: Any
) -> None:
    filtered, report = prefilter(scene, prompt, PrefilterSettings(mode=mode))
    assert (filtered == scene).all()
    assert not np.shares_memory(filtered, scene)
    assert report.notes == (NOTE_EMPTY,)
    assert not report.filtered
    assert (report.top_tile(), report.tiles, report.sigma.kept_share) == (None, (), 1.0)


def test_a_prompt_that_distils_to_nothing_is_scored_raw(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = prefilter(scene, "Is it this?")
    assert report.filtered
    assert NOTE_NOTHING_LEFT in report.notes


def test_kept_regions_are_exact_and_masked_ones_hidden_whatever_the_prompt(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    keep = Region(x=280 / 400, y=200 / 320, width=80 / 400, height=80 / 320)
    mask = Region(x=40 / 400, y=40 / 320, width=80 / 400, height=80 / 320)
    over = PrefilterSettings(keep=(keep, mask), mask=(mask,))
    filtered, report = prefilter(scene, "Where is the red sign?", over)
    assert (filtered[BLUE] == scene[BLUE]).all()
    # Away from the border, where the mask's own smoothing draws in what surrounds it.
    inside = (slice(50, 110), slice(50, 110))
    assert detail(filtered, inside) < 0.06 * detail(scene, inside)
    assert report.masked_share == pytest.approx(80 * 80 / (400 * 320))


@pytest.mark.parametrize(
    ("prompt", "mode"), [("", "default"), ("red", "reference"), ("", "reference")]
)
def test_a_mask_holds_without_a_prompt_and_in_either_mode(
    prefilter: Prefilter, scene: NDArray[np.uint8], prompt: str, mode: Any
) -> None:
    whole = PrefilterSettings(mode=mode, mask=(Region(x=0, y=0, width=1, height=1),))
    filtered, report = prefilter(scene, prompt, whole)
    everywhere = (slice(None), slice(None))
    assert detail(filtered, everywhere) < 0.05 * detail(scene, everywhere)
    assert report.sigma.kept_share == 0.0


def test_masked_pixels_reach_neither_encoder_nor_output(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    settings = PrefilterSettings(mask=(Region(x=0.5, y=0.5, width=0.5, height=0.5),))
    other = np.array(scene)
    # The same cells' means, in another order of rows: 160 rows are 8 cells of 20.
    region = np.reshape(scene[160:, 200:], (8, 20, 200, 3))
    other[160:, 200:] = np.reshape(region[:, ::-1], (160, 200, 3))
    assert (other != scene).any()
    assert (
        prefilter.plan(scene, "red", settings).tiles == prefilter.plan(other, "red", settings).tiles
    ).all()
    assert (prefilter(scene, "red", settings)[0] == prefilter(other, "red", settings)[0]).all()


@pytest.mark.parametrize("mode", ["default", "reference"])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 300), (300, 1), (2, 3), (17, 223), (225, 224), (64, 1500)]
)
def test_every_size_goes_through(prefilter: Prefilter, size: tuple[int, int], mode: Any) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    filtered, report = prefilter(image, "red", PrefilterSettings(mode=mode))
    assert filtered.dtype == np.uint8
    assert filtered.shape == (report.output_size[1], report.output_size[0], 3)
    if mode == "default":
        assert filtered.shape == image.shape


def test_reference_mode_sends_the_canvas_and_says_so(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    filtered, report = prefilter(scene, "red", PrefilterSettings(mode="reference"))
    assert filtered.shape == (448, 448, 3)
    assert report.source_size == (400, 320)
    assert report.grid == (5, 5)
    assert any("1.57 times" in note for note in report.notes)


def test_tiles_of_several_pictures_share_one_encoder_call(
    prefilter: Prefilter, scene: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    encode = prefilter.bundle.encode_tiles

    def counted(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(len(tiles))
        return encode(tiles)

    monkeypatch.setattr(prefilter.bundle, "encode_tiles", counted)
    jobs = [(scene, "red"), (scene[:100, :90], ["blue", "red"]), (scene, ""), (scene, "blue")]
    plans = [prefilter.plan(image, prompt) for image, prompt in jobs]
    scores = prefilter.score(plans)
    assert calls == [sum(len(plan.tiles) for plan in plans)]
    for (image, prompt), plan, scored in zip(jobs, plans, scores, strict=True):
        together, _ = prefilter.smooth(image, plan, scored)
        alone, _ = prefilter(image, prompt)
        assert np.abs(together.astype(int) - alone).max() <= 1


def test_scoring_nothing_calls_nothing(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    assert prefilter.score([]) == []
    (scores,) = prefilter.score([prefilter.plan(scene, "")])
    assert scores.encode_ms == 0.0


def test_threads_do_not_disturb_each_other(prefilter: Prefilter, scene: NDArray[np.uint8]) -> None:
    prompts = ["the red sign", "the blue sign"] * 4

    def filtered(prompt: str) -> NDArray[np.uint8]:
        return prefilter(scene, prompt)[0]

    alone = {prompt: filtered(prompt) for prompt in prompts[:2]}
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(filtered, prompts))
    assert all((got == alone[prompt]).all() for got, prompt in zip(results, prompts, strict=True))


def test_the_report_is_json_with_everything_in_it(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = prefilter(scene, "Where is the red sign? A. left B. right")
    told = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert told["notice"] == NOTICE
    assert told["prompts"][0]["text"] == "red sign left right"
    assert told["prompts"][0]["kept"][1] == {"text": "sign", "lemma": "sign", "pos": "noun"}
    assert told["prompts"][0]["options"] == [
        {"letter": "A", "text": "left"},
        {"letter": "B", "text": "right"},
    ]
    assert len(told["tiles"]) == told["grid"][0] * told["grid"][1]
    assert len(told["tiles"][0]["box"]) == 4
    assert set(told["timings_ms"]) == {"distil", "canvas", "encode", "smooth"}
    assert 0.2 <= told["sigma_px"]["min"] < told["sigma_px"]["mean"] < told["sigma_px"]["max"] <= 3
    assert 0 < told["kept_share"] < 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_other_pixels_are_refused(prefilter: Prefilter, image: Any) -> None:
    with pytest.raises(BadPixelsError, match="uint8"):
        prefilter(image, "red")


def test_another_picture_than_planned_is_refused(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    plan = prefilter.plan(scene, "red")
    (scores,) = prefilter.score([plan])
    with pytest.raises(BadPixelsError, match="400x320"):
        prefilter.smooth(scene[1:], plan, scores)


def test_a_prompt_above_the_limit_is_refused_before_any_work(
    bundle: Path, scene: NDArray[np.uint8]
) -> None:
    small = Prefilter.from_bundle(bundle, prompt_settings=PromptSettings(max_bytes=10))
    with pytest.raises(PromptError, match="10 bytes"):
        small(scene, "the red sign on the left")
    with pytest.raises(PromptError, match="not text"):
        small(scene, [b"red"])  # pyright: ignore[reportArgumentType]


def test_settings_that_contradict_the_bundle_stop_the_start(bundle: Path) -> None:
    with pytest.raises(SettingsError, match="set both"):
        Prefilter.from_bundle(bundle, PrefilterSettings(sigma_min=5.0))
    keep = (Region(x=0, y=0, width=1, height=1),)
    with pytest.raises(SettingsError, match="no regions to keep"):
        Prefilter.from_bundle(bundle, PrefilterSettings(mode="reference", keep=keep))


def test_a_picture_too_long_for_reference_mode_is_refused(prefilter: Prefilter) -> None:
    image = np.zeros((1, 1025 * 224, 3), np.uint8)
    with pytest.raises(UnsupportedError):
        prefilter(image, "red", PrefilterSettings(mode="reference"))


def test_a_least_sigma_above_the_threshold_is_noted(
    prefilter: Prefilter, scene: NDArray[np.uint8]
) -> None:
    _, report = prefilter(scene, "red", PrefilterSettings(sigma_min=0.5))
    assert report.sigma.kept_share == 0.0
    assert any("sigma_min is above" in note for note in report.notes)


def test_a_camera_s_client_loads_nothing_of_the_prefilter() -> None:
    script = (
        "import sys, edge_daemon.client\n"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'textblob', 'models', 'kernels'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
        "import edge_daemon\n"
        "print(edge_daemon.Prefilter.__name__)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.stdout.split("\n")[:2] == ["[]", "Prefilter"], result.stderr
