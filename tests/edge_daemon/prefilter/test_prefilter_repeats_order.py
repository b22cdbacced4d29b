from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon import Prefilter
from edge_daemon.prefilter.plan import Scores
from support.pictures import smooth_picture
from support.tiny_bundle import make_tiny_bundle

Pixels = NDArray[np.uint8]
PROMPT = "Where is the red sign?"
WIDTH, HEIGHT = 400, 320


@pytest.fixture(scope="module")
def shared_prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    folder: Path = make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
    return Prefilter.from_bundle(folder, threads=1)


@pytest.fixture
def prefilter(shared_prefilter: Prefilter) -> Prefilter:
    return Prefilter(shared_prefilter.bundle)


def score(prefilter: Prefilter, image: Pixels, camera: str | None) -> Scores:
    return prefilter.score([prefilter.plan(image, PROMPT, camera=camera)])[0]


def corners(still: Pixels, states: Sequence[bool]) -> Pixels:
    """The picture with a red square in those corners that are on."""
    picture = np.array(still)
    for on, (x, y) in zip(states, ((8, 8), (360, 8), (8, 280), (360, 280)), strict=True):
        if on:
            picture[y : y + 24, x : x + 24] = (250, 10, 10)
    return picture


frames = st.tuples(st.sampled_from(["gate", "yard"]), st.tuples(*[st.booleans()] * 4))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(frames, min_size=1, max_size=4), min_size=1, max_size=4))
def test_whatever_changes_in_whatever_batches_scores_are_those_of_full_computation(
    shared_prefilter: Prefilter, batches: list[list[tuple[str, tuple[bool, ...]]]]
) -> None:
    still = smooth_picture(WIDTH, HEIGHT, seed=4)
    for batch in batches:
        pictures = [corners(still, states) for _, states in batch]
        plans = [
            shared_prefilter.plan(picture, PROMPT, camera=camera)
            for picture, (camera, _) in zip(pictures, batch, strict=True)
        ]
        for picture, scores in zip(pictures, shared_prefilter.score(plans), strict=True):
            full = score(shared_prefilter, picture, None)
            assert scores.values == pytest.approx(full.values, abs=1e-6)


def test_frames_of_a_camera_from_several_threads_get_the_scores_of_full_computation(
    prefilter: Prefilter,
) -> None:
    still = smooth_picture(WIDTH, HEIGHT, seed=4)
    states = np.random.default_rng(5).integers(0, 2, (24, 4)).astype(bool)
    pictures = [corners(still, [bool(on) for on in row]) for row in states]

    def scored(picture: Pixels) -> Scores:
        return score(prefilter, picture, "gate")

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(scored, pictures))
    for picture, scores in zip(pictures, found, strict=True):
        assert scores.values == pytest.approx(score(prefilter, picture, None).values, abs=1e-6)
    hits, tiles = prefilter.hits(), found[0].values.shape[1]
    assert hits["tiles_encoded"] + hits["tiles_reused"] == 2 * 24 * tiles
    assert hits["tiles_reused"] > 0
