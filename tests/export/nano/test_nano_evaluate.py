from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest

from support.tiny_bundle import make_tiny_bundle

pytest.importorskip("torch")

from export.nano import icons
from export.nano.concepts import Concept
from export.nano.evaluate import Counts, measure
from export.nano.library import Library
from export.nano.scenes import SCENE_HEIGHT, SCENE_WIDTH, Scene, Shelf, scene, tile

pytestmark = pytest.mark.export

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Fifteen emoji, squares of three colours, in one training style and the held-out one."""
    folder = tmp_path_factory.mktemp("icons")
    names = [f"{colour} thing {number}" for number in range(5) for colour in COLOURS]
    for style in (icons.TRAINING_SETS[0].style, icons.HELD_OUT_SET.style):
        (folder / style).mkdir()
        for number, name in enumerate(names):
            red, green, blue = COLOURS[name.partition(" ")[0]]
            icon = np.full((64, 64, 4), (blue, green, red, 255), np.uint8)
            cv2.imwrite(str(folder / style / f"{number}.0.png"), icon)
    concepts = [Concept(name, (), (str(number),)) for number, name in enumerate(names)]
    return Library([*concepts, Concept("red circle", ())], len(concepts), folder)


@pytest.fixture(scope="module")
def shelf(library: Library) -> Shelf:
    return Shelf(library.icons, (icons.TRAINING_SETS[0].style,), library.concepts)


@pytest.fixture(scope="module")
def drawn_scene(shelf: Shelf) -> Scene:
    return scene(shelf, np.random.default_rng(1))


def test_a_tile_holds_the_whole_icon(shelf: Shelf) -> None:
    pool = np.full((1, 64, 64, 3), 128, np.uint8)
    picture = tile(shelf, 0, 112, pool, np.random.default_rng(2))
    assert picture.shape == (224, 224, 3)
    assert (picture == (255, 0, 0)).all(axis=2).sum() == pytest.approx(112 * 112, rel=0.03)


def test_a_scenes_icons_are_different_whole_and_apart(drawn_scene: Scene) -> None:
    assert drawn_scene.picture.shape == (SCENE_HEIGHT, SCENE_WIDTH, 3)
    assert len({icon.concept for icon in drawn_scene.icons}) == 12
    taken = np.zeros((SCENE_HEIGHT, SCENE_WIDTH), np.int32)
    for icon in drawn_scene.icons:
        left, top, right, bottom = icon.box
        assert 0 <= left < right <= SCENE_WIDTH
        assert 0 <= top < bottom <= SCENE_HEIGHT
        taken[top:bottom, left:right] += 1
    assert taken.max() == 1


def test_each_icon_lies_in_its_box(drawn_scene: Scene) -> None:
    for icon in drawn_scene.icons:
        left, top, right, bottom = icon.box
        inside = drawn_scene.picture[top + 4 : bottom - 4, left + 4 : right - 4]
        assert (inside == list(COLOURS.values())[icon.concept % 3]).all()


def test_all_figures_are_measured_and_defined(library: Library, tmp_path: Path) -> None:
    heard: list[str] = []
    bundle = make_tiny_bundle(tmp_path / "bundle")
    figures = cast("dict[str, Any]", measure(bundle, library, Counts(6, 1), heard.append))
    for group in ("seen_styles", "held_out_style"):
        assert figures[group]["icon fills half the side"]["tiles"] == 6
        assert figures[group]["scenes"]["questions"] == 12
        assert 0.1 < figures[group]["scenes"]["chance_of_overlap"] < 0.3
        # This bundle sees colours, and a third of the icons have the one that is asked for.
        assert figures[group]["scenes"]["best_tile_overlaps_icon"] > 0.1
    assert figures["drawn_shapes_and_signs"]["tiles"] == 3
    assert "openmoji" in figures["definitions"]["held_out_style"]
    assert len(heard) == 7
