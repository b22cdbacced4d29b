"""The embedded bundle on the demo's scenes: what is asked for is found, and stays sharp."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_daemon.demo.scenes import Scene, make_scene
from edge_daemon.prefilter import Prefilter

Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def prefilter() -> Prefilter:
    return Prefilter.from_bundle("nano-icons", threads=2)


def overlap(one: Box, other: Box) -> bool:
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )


def found(prefilter: Prefilter, scene: Scene) -> list[bool]:
    """For each thing, whether the tile that scores highest for it overlaps it."""
    plan = prefilter.plan(scene.pixels, [f"Where is the {thing.name}?" for thing in scene.things])
    (scores,) = prefilter.score([plan])
    assert plan.grid is not None
    boxes = plan.grid.boxes()
    best = {text: int(row.argmax()) for text, row in zip(plan.texts, scores.values, strict=True)}
    return [
        overlap(boxes[best[prompt.text]], thing.box)
        for thing, prompt in zip(scene.things, plan.prompts, strict=True)
    ]


def test_the_best_tile_overlaps_what_was_asked_for(prefilter: Prefilter) -> None:
    hits = [hit for seed in range(100, 103) for hit in found(prefilter, make_scene(seed))]
    assert len(hits) == 36
    assert np.mean(hits) >= 0.85  # a random tile would be right in about one case of six


def detail(pixels: np.ndarray, box: Box) -> float:
    left, top, width, height = box
    part = pixels[top : top + height, left : left + width]
    return float(np.abs(cv2.Laplacian(part, cv2.CV_32F)).mean())


def test_two_prompts_on_one_picture_give_two_pictures(prefilter: Prefilter) -> None:
    scene = make_scene(2)
    boxes = {thing.name: thing.box for thing in scene.things}
    first, second = "soccer ball", "airplane"
    filtered = {
        name: prefilter(scene.pixels, f"Where is the {name}?")[0] for name in (first, second)
    }
    for asked, other in ((first, second), (second, first)):
        kept = detail(filtered[asked], boxes[asked]) / detail(scene.pixels, boxes[asked])
        soft = detail(filtered[asked], boxes[other]) / detail(scene.pixels, boxes[other])
        assert kept > 0.9
        assert soft < 0.5
