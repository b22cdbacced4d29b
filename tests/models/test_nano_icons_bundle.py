"""The embedded bundle as it is committed: size, record, and whether it knows the demo's icons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import models
from edge_daemon import demo
from models import Bundle, load_bundle

BUNDLE = Path(models.__file__).parent / "nano-icons"
ICONS = Path(demo.__file__).parent / "icons"
MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("nano-icons", threads=1)


def demo_tiles() -> tuple[list[str], NDArray[np.uint8]]:
    """The demo's icons, each on a grey tile with its side half the tile's."""
    index: dict[str, dict[str, str]] = json.loads((ICONS / "index.json").read_text())
    tiles = np.full((len(index), 224, 224, 3), 150, np.uint8)
    for tile, entry in zip(tiles, index.values(), strict=True):
        read = cv2.imread(str(ICONS / entry["file"]), cv2.IMREAD_UNCHANGED)
        assert read is not None
        icon = cv2.resize(read, (112, 112), interpolation=cv2.INTER_AREA).astype(np.float32)
        alpha = icon[..., 3:] / 255
        part = tile[56:168, 70:182]
        part[...] = part * (1 - alpha) + icon[..., 2::-1] * alpha
    return list(index), tiles


def every_cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.einsum("nd,md->nm", one, other)


def test_it_is_small_enough_to_carry() -> None:
    assert sum(path.stat().st_size for path in BUNDLE.iterdir()) <= MOST_BYTES


def test_it_says_what_it_knows_and_how_it_was_made(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.notice == "nano-icons knows icons, not photographs"
    training = cast("Mapping[str, Any]", manifest.training)
    assert all(one.startswith("python -m export.nano") for one in training["commands"])
    used = {name: facts["used_for"] for name, facts in training["packages"].items()}
    assert used["@iconify-json/openmoji"] == "testing only"
    assert "training" in used["@iconify-json/noto"]


def test_the_recorded_figures_meet_their_bars(bundle: Bundle) -> None:
    figures = cast("Mapping[str, Any]", bundle.manifest.accuracy)
    seen, held_out = figures["seen_styles"], figures["held_out_style"]
    for size in ("icon fills half the area", "icon fills half the side"):
        assert seen[size]["top1"] >= 0.75
        assert held_out[size]["top1"] >= 0.30
        assert held_out[size]["top5"] >= 0.55
    assert seen["scenes"]["best_tile_overlaps_icon"] >= 0.75
    assert held_out["scenes"]["best_tile_overlaps_icon"] >= 0.50


@pytest.mark.parametrize("prompt", ["{}", "the {}", "Where is the {}?"])
def test_it_finds_the_demos_icons_by_name(bundle: Bundle, prompt: str) -> None:
    names, tiles = demo_tiles()
    texts = bundle.encode_texts([prompt.format(name) for name in names])
    cosines = every_cosine(texts, bundle.encode_tiles(tiles))
    found = cosines.argmax(axis=1) == np.arange(len(names))
    assert found.mean() >= 0.95


def test_a_tile_without_an_icon_is_near_no_name(bundle: Bundle) -> None:
    names, tiles = demo_tiles()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
    grey = np.full((1, 224, 224, 3), 120, np.uint8)
    texts = bundle.encode_texts(names)
    own = (texts * bundle.encode_tiles(tiles)).sum(axis=1)
    empty = every_cosine(texts, bundle.encode_tiles(np.concatenate([noise, grey])))
    assert np.median(own) > empty.max() + 0.1


def test_other_words_for_a_thing_are_near_its_name(bundle: Bundle) -> None:
    same = {"car": "automobile", "bike": "bicycle", "phone": "telephone", "plane": "airplane"}
    names = list(same.values())
    cosines = every_cosine(bundle.encode_texts(list(same)), bundle.encode_texts(names))
    assert (cosines.argmax(axis=1) == np.arange(len(names))).all()
