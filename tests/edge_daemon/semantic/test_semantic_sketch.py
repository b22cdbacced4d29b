from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_daemon import Prefilter
from edge_daemon.semantic import sketch
from support.pixels import noise
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def prefilter(tmp_path_factory: pytest.TempPathFactory) -> Prefilter:
    directory: Path = make_tiny_bundle(tmp_path_factory.mktemp("bundle"))
    return Prefilter.from_bundle(directory, threads=1)


def test_the_text_says_what_was_asked_and_where_it_may_be(prefilter: Prefilter) -> None:
    picture = np.repeat(noise(480, 640)[..., :1], 3, axis=2)
    picture[300:400, 400:520] = (220, 10, 10)
    _, report = prefilter(picture, ["Where is the red sign?", "Is the red sign new?"])
    text = sketch(report)
    assert "red sign" in text
    assert "640x480" in text
    top = report.top_tile()
    assert top is not None
    assert f"at ({top.box[0]}, {top.box[1]})" in text
    assert report.notice in text
    assert len(text.encode("utf-8")) < 700


def test_without_a_prompt_it_does_not_pretend(prefilter: Prefilter) -> None:
    _, report = prefilter(noise(480, 640), "")
    text = sketch(report)
    assert "nothing in particular" in text
    assert "no place stood out" in text
