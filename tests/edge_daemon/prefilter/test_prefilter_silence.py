from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.prefilter.plan import Plan, Scores
from edge_daemon.prefilter.silence import SentFrames
from edge_daemon.settings import PrefilterSettings, Region, VideoSettings
from support.moving import grainy
from support.pictures import smooth_picture
from support.tiny_bundle import make_tiny_bundle

Pixels = NDArray[np.uint8]
Looked = tuple[Plan, Scores]
PROMPT = "Where is the red sign?"
WIDTH, HEIGHT = 640, 480
MIN_CHANGE = 0.02
RED, GREY = (240, 10, 10), (30, 90, 60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def prefilter(folder: Path) -> Prefilter:
    return Prefilter.from_bundle(folder, threads=1)


def street(*, sign: int = 60, dog: int = 560) -> Pixels:
    """A red sign at the left, asked for, and a small grey dog at the bottom right."""
    image = grainy(smooth_picture(WIDTH, HEIGHT, seed=2) // 2 + 60, 6.0, seed=2)
    image[80:240, sign : sign + 160] = RED
    image[430:470, dog : dog + 40] = GREY
    return image


def look(
    prefilter: Prefilter,
    image: Pixels,
    prompt: str | tuple[str, ...] = PROMPT,
    settings: PrefilterSettings | None = None,
    *,
    watch: str | None = "jpeg",
    camera: str | None = "gate",
) -> Looked:
    plan = prefilter.plan(image, prompt, settings, camera=camera, watch=watch)
    return plan, prefilter.score([plan])[0]


def test_a_first_frame_is_all_new_and_one_that_was_sent_is_not(prefilter: Prefilter) -> None:
    seen = look(prefilter, street())
    assert prefilter.changed(*seen) == 1.0
    prefilter.sent(*seen)
    assert prefilter.changed(*seen) == 0.0


def test_noise_on_a_still_scene_is_no_reason_to_send(prefilter: Prefilter) -> None:
    prefilter.sent(*look(prefilter, grainy(street(), 4.0, seed=1)))
    assert prefilter.changed(*look(prefilter, grainy(street(), 4.0, seed=2))) == 0.0


def test_what_is_asked_for_is_sent_when_it_moves(prefilter: Prefilter) -> None:
    prefilter.sent(*look(prefilter, street()))
    assert prefilter.changed(*look(prefilter, street(sign=80))) > MIN_CHANGE


def test_what_is_asked_for_is_sent_when_it_is_gone(prefilter: Prefilter) -> None:
    with_sign, without = street(), street()
    without[80:240, 60:220] = without[80:240, 300:460]
    prefilter.sent(*look(prefilter, with_sign))
    gone = prefilter.changed(*look(prefilter, without))
    # It counts by the relevance that it had, more than its share of the picture.
    assert gone > 160 * 160 / (WIDTH * HEIGHT)


def test_what_nobody_asked_for_may_move_in_a_corner(prefilter: Prefilter) -> None:
    # Among 80 tiles the corner's relevance is nothing at all.
    coarser = PrefilterSettings(tile_budget=40)
    prefilter.sent(*look(prefilter, street(), settings=coarser))
    share = prefilter.changed(*look(prefilter, street(dog=590), settings=coarser))
    assert 0.0 < share < MIN_CHANGE
    prefilter.sent(*look(prefilter, street(), ()))
    assert prefilter.changed(*look(prefilter, street(dog=590), ())) > share


def test_slow_drift_is_sent_in_the_end(prefilter: Prefilter) -> None:
    prefilter.sent(*look(prefilter, street()))
    shares = [prefilter.changed(*look(prefilter, street() + np.uint8(step))) for step in range(6)]
    assert shares[:3] == [0.0, 0.0, 0.0]
    assert shares[-1] > 0.9


def test_a_light_that_is_switched_on_is_sent(prefilter: Prefilter) -> None:
    prefilter.sent(*look(prefilter, street()))
    lit = np.clip(street() * 1.3, 0, 255).astype(np.uint8)
    assert prefilter.changed(*look(prefilter, lit)) > 0.8


def test_frames_are_compared_with_the_last_that_was_sent_not_with_the_last_seen(
    prefilter: Prefilter,
) -> None:
    prefilter.sent(*look(prefilter, street()))
    moved = look(prefilter, street(sign=80))
    share = prefilter.changed(*moved)
    assert prefilter.changed(*moved) == share > 0
    prefilter.sent(*moved)
    assert prefilter.changed(*moved) == 0.0
    assert prefilter.changed(*look(prefilter, street())) > MIN_CHANGE


def test_another_prompt_setting_size_or_codec_is_a_change_of_everything(
    prefilter: Prefilter,
) -> None:
    image = street()
    prefilter.sent(*look(prefilter, image))
    for other in (
        look(prefilter, image, "Where is the blue sign?"),
        look(prefilter, image, settings=PrefilterSettings(sigma_max=9.0)),
        look(prefilter, np.ascontiguousarray(image[:, :600])),
        look(prefilter, image, watch="hevc"),
        look(prefilter, image, camera="yard"),
    ):
        assert prefilter.changed(*other) == 1.0


@pytest.mark.parametrize(("watch", "camera"), [(None, "gate"), ("jpeg", None)])
def test_frames_that_nobody_watches_always_count_as_changed(
    prefilter: Prefilter, watch: str | None, camera: str | None
) -> None:
    seen = look(prefilter, street(), watch=watch, camera=camera)
    prefilter.sent(*seen)
    assert prefilter.changed(*seen) == 1.0


@pytest.mark.parametrize("prompt", [PROMPT, ()])
def test_what_moves_behind_a_mask_is_never_a_reason_to_send(
    prefilter: Prefilter, prompt: str | tuple[str, ...]
) -> None:
    masked = PrefilterSettings(mask=(Region(x=0.75, y=0.75, width=0.25, height=0.25),))
    prefilter.sent(*look(prefilter, street(), prompt, masked))
    for gone in (500, 590):
        assert prefilter.changed(*look(prefilter, street(dog=gone), prompt, masked)) == 0.0
    everything = PrefilterSettings(mask=(Region(x=0, y=0, width=1, height=1),))
    prefilter.sent(*look(prefilter, street(), prompt, everything))
    assert prefilter.changed(*look(prefilter, street(sign=300), prompt, everything)) == 0.0


def test_a_kept_region_counts_in_full_whatever_the_prompt(prefilter: Prefilter) -> None:
    kept = PrefilterSettings(keep=(Region(x=0.75, y=0.75, width=0.25, height=0.25),))
    prefilter.sent(*look(prefilter, street()))
    without = prefilter.changed(*look(prefilter, street(dog=590)))
    prefilter.sent(*look(prefilter, street(), settings=kept))
    assert prefilter.changed(*look(prefilter, street(dog=590), settings=kept)) > 2 * without


def test_without_a_prompt_the_share_is_that_of_the_area(prefilter: Prefilter) -> None:
    image = street()
    half = np.array(image)
    half[: HEIGHT // 2] //= 2
    prefilter.sent(*look(prefilter, image, ()))
    assert prefilter.changed(*look(prefilter, half, ())) == pytest.approx(0.5)


def test_the_share_is_about_the_same_at_any_resolution(prefilter: Prefilter) -> None:
    shares: list[float] = []
    for factor in (1, 2, 3):
        pair = [
            np.repeat(np.repeat(one, factor, 0), factor, 1) for one in (street(), street(sign=200))
        ]
        prefilter.sent(*look(prefilter, pair[0]))
        shares.append(prefilter.changed(*look(prefilter, pair[1])))
    assert shares == pytest.approx([shares[0]] * 3, rel=0.15)


def test_silence_is_counted_from_the_last_frame_that_was_sent(prefilter: Prefilter) -> None:
    now = [100.0]
    frames = SentFrames(VideoSettings(cameras=1), clock=lambda: now[0])
    assert frames.silence_s("gate") == math.inf
    frames.sent(*look(prefilter, street()))
    now[0] = 142.5
    assert frames.silence_s("gate") == 42.5
    frames.sent(*look(prefilter, street(), camera="yard"))
    assert (frames.silence_s("yard"), frames.silence_s("gate")) == (0.0, math.inf)
    assert prefilter.silence_s("gate") == math.inf
