"""Methods by name: each does what its name says, with what the codec can take."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.demo.scenes import make_scene
from edge_daemon.errors import PromptError, SettingsError
from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.tiling import TileGrid, default_grid
from edge_daemon.quantiser import USUAL_QUANTISER
from edge_daemon.settings import PrefilterSettings, PromptSettings
from edge_daemon.study.methods.catalogue import DESCRIPTIONS, NEED_MAP, method_of
from edge_daemon.study.methods.desk import Desk, bundle_of
from edge_daemon.study.methods.guided import Guided
from edge_daemon.study.tasks.task import Question

_BUNDLE = "nano-icons"
MAPPED = replace(USUAL_QUANTISER, takes_map=True)


def _desk(seed: int = 1) -> Desk:
    scene = make_scene(seed, width=384, height=256, count=6)
    thing = scene.things[0]
    prompt = f"Where is the {thing.name}?"
    question = Question(f"scene-{seed}", scene.pixels, prompt, thing.name, (thing.box,), thing.name)
    return Desk(question, _BUNDLE)


def _parameter(name: str) -> str:
    return f"bundle:{_BUNDLE}" if name == "bundle" else name


@pytest.mark.parametrize("name", list(DESCRIPTIONS))
def test_every_name_makes_a_method_that_travels_between_processes(name: str) -> None:
    method = pickle.loads(pickle.dumps(method_of(_parameter(name))))
    desk = _desk()
    prepared = method.prepare(desk, MAPPED)
    assert prepared.pixels.dtype == np.uint8
    assert prepared.pixels.ndim == 3
    assert method.name.split(":")[0] == name
    changed = not np.array_equal(prepared.pixels, desk.question.pixels)
    assert (changed or prepared.offsets is not None) == (name != "plain")


def test_ours_is_what_the_prefilter_does() -> None:
    desk = _desk()
    question = desk.question
    for quantiser in (USUAL_QUANTISER, MAPPED, replace(MAPPED, room=4.0)):
        prepared = method_of("prefilter").prepare(desk, quantiser)
        pixels, report = Prefilter.from_bundle(_BUNDLE)(
            question.pixels, question.prompt, quantiser=quantiser
        )
        assert np.array_equal(prepared.pixels, pixels)
        assert (prepared.offsets is None) == (report.offsets is None)
        if prepared.offsets is not None and report.offsets is not None:
            assert np.array_equal(prepared.offsets.values, report.offsets.values)


def test_settings_are_changed_by_name() -> None:
    desk = _desk()
    soft = method_of("prefilter:offset_max=9,allocation=smooth").prepare(desk, MAPPED)
    same = method_of("smooth", PrefilterSettings(offset_max=9.0)).prepare(desk, MAPPED)
    assert np.array_equal(soft.pixels, same.pixels)
    assert soft.offsets is None


def test_methods_of_one_desk_share_the_encoders_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    bundle = bundle_of(_BUNDLE)
    encode = bundle.encode_tiles

    def counted(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(len(tiles))
        return encode(tiles)

    monkeypatch.setattr(bundle, "encode_tiles", counted)
    desk = _desk()
    for name in ("prefilter", "smooth", "quantiser", "random", "prefilter:lambda=5"):
        method_of(name).prepare(desk, MAPPED)
    assert len(calls) == 1


def test_an_oracle_asks_no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError(f"{len(tiles)} tiles were encoded")

    monkeypatch.setattr(bundle_of(_BUNDLE), "encode_tiles", asked)
    method_of("oracle").prepare(_desk(), MAPPED)


def test_prompts_are_distilled_as_the_settings_say() -> None:
    desk = Desk(_desk().question, _BUNDLE, PromptSettings(max_bytes=3))
    with pytest.raises(PromptError):
        method_of("prefilter").prepare(desk, MAPPED)


def test_an_oracle_leaves_the_answers_place_alone() -> None:
    desk = _desk()
    ((left, top, width, height),) = desk.question.boxes
    there = (slice(top, top + height), slice(left, left + width))
    soft = method_of("oracle").prepare(desk, USUAL_QUANTISER)
    assert np.array_equal(soft.pixels[there], desk.question.pixels[there])
    assert not np.array_equal(soft.pixels, desk.question.pixels)


def test_chance_spends_as_much_as_the_bundle_in_other_places() -> None:
    desk = _desk()
    found = method_of("quantiser").prepare(desk, MAPPED).offsets
    dealt = method_of("random").prepare(desk, MAPPED).offsets
    again = method_of("random").prepare(_desk(), MAPPED).offsets
    assert found is not None
    assert dealt is not None
    assert again is not None
    assert not np.array_equal(found.values, dealt.values)
    assert np.array_equal(dealt.values, again.values)


def test_overlap_is_what_names_say() -> None:
    desk = _desk()
    bundle = bundle_of(_BUNDLE)
    grids: dict[str, TileGrid | None] = {}
    for name in ("no-overlap", "overlap", "overlap:0.25"):
        method = method_of(name, PrefilterSettings(overlap=0.3))
        assert isinstance(method, Guided)
        _, plan = desk.planned(method.settings, _BUNDLE, MAPPED)
        grids[name] = plan.grid
    for name, overlap in (("no-overlap", 0.0), ("overlap", 0.5), ("overlap:0.25", 0.25)):
        height, width = desk.question.pixels.shape[:2]
        side = bundle.tile_size
        expected = default_grid(width, height, budget=24, overlap=overlap, tile_size=side)
        assert grids[name] == expected


def test_sizes_are_what_names_say() -> None:
    desk = _desk()
    height, width = desk.question.pixels.shape[:2]
    halved = method_of("downsample:2").prepare(desk, MAPPED).pixels
    assert halved.shape == (height // 2, width // 2, 3)
    small = method_of("low-resolution:56").prepare(desk, MAPPED).pixels
    assert small.shape[0] == 56
    kept = method_of("low-resolution:4000").prepare(desk, MAPPED).pixels
    assert kept.shape == (height, width, 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sharpen", "unknown method"),
        ("plain:3", "no parameter"),
        ("gaussian:soft", "number above 0"),
        ("downsample:0", "number above 0"),
        ("low-resolution:-5", "number above 0"),
        ("overlap:0.9", "overlap"),
        ("bundle", "needs a bundle"),
        ("prefilter:sigma_max", "KEY=VALUE"),
        ("prefilter:sigma=3", "sigma"),
        ("prefilter:sigma_max=-1", "sigma_max"),
    ],
)
def test_bad_names_are_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        method_of(text)


def test_methods_that_need_a_map_are_known() -> None:
    for name in NEED_MAP:
        offsets = method_of(name).prepare(_desk(), MAPPED).offsets
        assert offsets is not None
