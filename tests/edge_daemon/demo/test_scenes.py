from __future__ import annotations

import numpy as np

from edge_daemon.demo.scenes import icon_names, make_scene


def test_a_seed_decides_every_pixel() -> None:
    first, again = make_scene(5, width=640, height=360), make_scene(5, width=640, height=360)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.things == again.things
    assert make_scene(6, width=640, height=360).things != first.things


def test_things_are_inside_apart_and_different() -> None:
    scene = make_scene(7, width=960, height=540)
    assert scene.pixels.shape == (540, 960, 3)
    assert len({thing.name for thing in scene.things}) == 12
    covered = np.zeros((540, 960), int)
    for thing in scene.things:
        left, top, width, height = thing.box
        assert left >= 0
        assert top >= 0
        assert left + width <= 960
        assert top + height <= 540
        covered[top : top + height, left : left + width] += 1
    assert covered.max() == 1


def test_every_icon_can_be_drawn() -> None:
    count = len(icon_names())
    scene = make_scene(1, width=1920, height=1080, count=count)
    assert {thing.name for thing in scene.things} == set(icon_names())


def test_the_background_is_busy_everywhere() -> None:
    scene = make_scene(2, width=640, height=360, count=1)
    blocks = scene.pixels[:352, :640].reshape(44, 8, 80, 8, 3).astype(float)
    deviation = blocks.std(axis=(1, 3)).mean(axis=-1)
    assert np.quantile(deviation, 0.1) > 2.0
