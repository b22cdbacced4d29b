from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.heatmap import draw_heatmap
from edge_daemon.quantiser import Quantiser
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    return Prefilter.from_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle")), threads=1)


@pytest.mark.parametrize("quantity", ["sigma", "relevance"])
def test_what_is_kept_is_brighter_than_what_is_not(prefilter: Prefilter, quantity: Any) -> None:
    image = np.full((300, 700, 3), 128, np.uint8)
    image[100:200, 60:160] = (250, 0, 0)
    _, report = prefilter(image, "the red sign")
    drawn = draw_heatmap(image, report, quantity=quantity)
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (700, 3)
    assert drawn.shape[0] > 300
    assert drawn[130:170, 180:190].mean() > drawn[130:170, 600:690].mean() + 50


@pytest.mark.parametrize("step", [2.0, 10.0, 200.0])
def test_the_scale_ends_where_smoothing_does_however_fine_the_codec(
    prefilter: Prefilter, step: float
) -> None:
    image = np.full((300, 700, 3), 128, np.uint8)
    image[100:200, 60:160] = (250, 0, 0)
    _, report = prefilter(image, "the red sign", quantiser=Quantiser(step, takes_map=False))
    drawn = draw_heatmap(image, report, quantity="sigma")
    near, far = drawn[130:170, 180:190].mean(), drawn[130:170, 600:690].mean()
    if report.sigma.kept_share < 1.0:
        assert near > far + 50
    else:
        assert step == 2.0  # too fine for anything to be softened
        assert near == far > 120


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (20, 30), (2500, 4000)])
@pytest.mark.parametrize("prompt", ["red", "", "猫 " * 400])
def test_every_picture_can_be_drawn(
    prefilter: Prefilter, size: tuple[int, int], prompt: str
) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    _, report = prefilter(image, prompt)
    drawn = draw_heatmap(image, report)
    assert drawn.shape[1] <= 1920
    assert drawn.shape[0] <= 4600
    assert drawn.std() > 0
