from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from support.nano import CONCEPTS, EMOJI, write_icons

pytest.importorskip("torch")

from export.nano import atlas, backgrounds
from export.nano.composites import Composer, colour_matrix, paste
from export.nano.drawn import draw

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    icons = write_icons(tmp_path_factory.mktemp("icons"))
    return atlas.build(icons, ("plain",), CONCEPTS, seed=0)


@pytest.fixture(scope="module")
def pool() -> NDArray[np.uint8]:
    return backgrounds.pool(0, 6, 96, backgrounds.TRAINING_PHOTOGRAPHS[:2])


def test_cutting_leaves_a_square_that_the_ink_touches() -> None:
    picture = np.zeros((40, 40, 4), np.uint8)
    picture[10:14, 5:25] = 255
    square = atlas.cut(picture)
    assert square.shape == (20, 20, 4)
    assert square[8:12, :, 3].all()
    assert not square[:8, :, 3].any()


def test_an_inked_twin_is_dark_at_its_border() -> None:
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[16:48, 16:48] = (240, 200, 40, 255)
    twin = atlas.cut(atlas.inked(picture, np.random.default_rng(0), keep_colours=True))
    side = twin.shape[0]
    assert twin[side // 2, 1, :3].max() < 60
    assert twin[side // 2, side // 2, :3].tolist() == [240, 200, 40]


def test_the_atlas_knows_which_concepts_keep_colour_and_side(shelf: atlas.Atlas) -> None:
    assert shelf.colour_named == [False, False, True, True, True]
    assert shelf.sided == [False, True, False, False, True]
    assert [len(rows) for rows in shelf.plain[:EMOJI]] == [1, 1, 1]
    assert all(len(p) == len(i) for p, i in zip(shelf.plain, shelf.inked, strict=True))


@pytest.mark.parametrize("name", ["red circle", "white sign", "black star", "blue cross"])
def test_drawn_things_show_their_colour(name: str) -> None:
    picture = draw(name, np.random.default_rng(2))
    inside = picture[picture[..., 3] == 255][:, :3].astype(float)
    red, green, blue = np.median(inside, axis=0)
    seen = {
        "red": red > 150 > green and blue < 100,
        "blue": blue > 120 and blue > red + 40,
        "white": min(red, green, blue) > 220,
        "black": max(red, green, blue) < 60,
    }
    assert seen[name.partition(" ")[0]]


def test_a_pasted_icon_lies_where_it_was_put() -> None:
    canvas = np.zeros((60, 80, 3), np.uint8)
    icon = np.full((32, 32, 4), 255, np.uint8)
    paste(canvas, icon, (50.0, 20.0), 16.0)
    rows, columns = np.nonzero(canvas[..., 0] > 200)
    assert (rows.min(), rows.max()) == (12, 27)
    assert (columns.min(), columns.max()) == (42, 57)


def test_an_icon_outside_the_picture_changes_nothing() -> None:
    canvas = np.full((20, 20, 3), 7, np.uint8)
    paste(canvas, np.full((32, 32, 4), 255, np.uint8), (-40.0, 10.0), 16.0)
    assert (canvas == 7).all()


def test_recolouring_leaves_transparency_alone() -> None:
    for seed in range(20):
        matrix = colour_matrix(np.random.default_rng(seed), colour_named=False)
        assert matrix[3].tolist() == [0, 0, 0, 1]
        assert not (matrix @ np.zeros(4)).any()


def test_batches_repeat_with_their_seed(shelf: atlas.Atlas, pool: NDArray[np.uint8]) -> None:
    first, second = (Composer(shelf, pool, EMOJI, 5).batch(12, 48) for _ in range(2))
    assert (first.pictures == second.pictures).all()
    assert (first.concepts == second.concepts).all()


def test_a_pictures_shares_sum_to_one(shelf: atlas.Atlas, pool: NDArray[np.uint8]) -> None:
    batch = Composer(shelf, pool, EMOJI, 6).batch(60, 48)
    totals = np.zeros(60)
    np.add.at(totals, batch.rows, batch.weights)
    assert totals == pytest.approx(np.ones(60), abs=1e-6)
    assert batch.concepts.min() >= 0
    # "Nothing" is numbered after the last concept, and stands alone.
    nothing = batch.rows[batch.concepts == len(CONCEPTS)]
    assert len(nothing) > 0
    assert all((batch.rows == row).sum() == 1 for row in nothing)


def test_easy_pictures_show_one_thing_each(shelf: atlas.Atlas, pool: NDArray[np.uint8]) -> None:
    batch = Composer(shelf, pool, EMOJI, 7).batch(20, 48, ease=1.0)
    assert batch.rows.tolist() == list(range(20))
    assert (batch.concepts < len(CONCEPTS)).all()


def test_pools_from_other_seeds_differ() -> None:
    names = backgrounds.TEST_PHOTOGRAPHS[:1]
    assert (backgrounds.pool(1, 3, 32, names) != backgrounds.pool(2, 3, 32, names)).any()
    assert not set(backgrounds.TRAINING_PHOTOGRAPHS) & set(backgrounds.TEST_PHOTOGRAPHS)
